"""A question to its hits: completes it from the talk before, asks both legs, fuses what they found, reads the first."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from index.collection import Collection
from index.types import Found, Hit, Json, StoredPassage, Vectors
from rag import fusion
from rag.encoding import Encoder
from rag.history import standalone
from rag.types import Question, Ranked
from rag.wording import Asked, Wording, inverse_frequencies

_AT_ONCE = 12  # passages read together: an answer mostly needs no more


@dataclass(frozen=True, slots=True)
class Ranking:
    """What decides the order of the first stage.

    Hits are first ordered by `convex`, and the best of them read. With `fusion` "linear" those are ordered by the sum
    of `fusion.SIGNALS`, each times its weight here; with "convex" and "reciprocal_rank" nothing is read. The weights
    were fitted by benchmarks/fit_ranking.py; all else was chosen on the `dev` halves of the evaluation.
    """

    fusion: Literal["linear", "convex", "reciprocal_rank"] = "linear"
    dense_weight: float = 0.5  # of the convex sum
    pool: int = 200  # hits taken from each leg
    read: int = 40  # passages of which the words are looked at
    dense: float = 0.504
    lexical: float = 0.124
    coverage: float = 0.103
    window: float = 0.153
    pairs: float = 0.116

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each of `fusion.SIGNALS`."""
        return tuple(getattr(self, name) for name in fusion.SIGNALS)

    def weighted(self, weights: Sequence[float]) -> Ranking:
        """Return the ranking with other weights, in the same order."""
        return Ranking(**{**asdict(self), **dict(zip(fusion.SIGNALS, weights, strict=True))})


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What was found for one question, best first, with the words that were searched and where the time went."""

    query: str
    standalone_query: str | None
    passages: Iterator[Ranked]  # read from the truth as they are wanted
    found: Found
    looked: Looked
    timing_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Looked:
    """The first hits, whose words were looked at: by their place among the hits, best first by the convex sum."""

    words: Mapping[int, Wording] = field(default_factory=dict)
    passages: Mapping[int, StoredPassage] = field(default_factory=dict)


def retrieve(question: Question, collection: Collection, encoder: Encoder, ranking: Ranking, limit: int) -> Retrieved:
    """Find at most `limit` passages, best first; equal scores are ordered by document id, then place."""
    started = time.perf_counter()
    completed = standalone(question.query, question.history)
    query = completed or question.query
    pending = encoder.submit([query], urgent=True) if question.mode != "lexical" else None
    encoded = started

    def vector() -> Vectors:
        nonlocal encoded
        assert pending is not None
        row: Vectors = pending.result()[0]
        encoded = time.perf_counter()
        return row

    found = collection.search(
        vector if pending else None,
        query if question.mode != "dense" else None,
        limit=max(ranking.pool, limit),
        filter=question.filter,
        at_least=question.at_least,
        count=query,
    )
    looked, scores = _scored(query, found, question, ranking, collection)
    order = sorted(range(len(scores)), key=lambda place: -scores[place])[:limit]  # hits come as ties are to stand
    passages = _ranked(order, scores, found.hits, looked, question, ranking, collection)
    ended = time.perf_counter()
    timing = {"encode": (encoded - started) * 1000, "retrieve": (ended - encoded) * 1000}
    return Retrieved(question.query, completed, passages, found, looked, timing)


def _scored(
    query: str, found: Found, question: Question, ranking: Ranking, collection: Collection
) -> tuple[Looked, Sequence[float]]:
    """Return what was looked at and a score a hit, rounded so that no order of float additions shows in an answer."""
    hits, looked = found.hits, Looked()
    if question.mode == "dense":
        scores = [hit.dense or 0.0 for hit in hits]
    elif question.mode == "lexical":
        scores = [hit.lexical or 0.0 for hit in hits]
    elif ranking.fusion == "reciprocal_rank":
        scores = fusion.reciprocal_rank(hits)
    else:
        scores = fusion.convex(hits, ranking.dense_weight)
        if ranking.fusion == "linear":
            looked = _look(query, found, scores, ranking.read, collection)
            sums = fusion.linear(fusion.signals(hits, looked.words), ranking.weights)
            scores = fusion.below(scores, dict(zip(looked.words, sums, strict=True)))
    return looked, [round(score, 6) for score in scores]


def _look(query: str, found: Found, scores: Sequence[float], most: int, collection: Collection) -> Looked:
    """Read the `most` best hits; one that is gone from the truth by now holds nothing."""
    asked = Asked(query, inverse_frequencies(found.frequencies, found.total))
    first = sorted(range(len(scores)), key=lambda place: -round(scores[place], 6))[:most]
    stored = {one.ref: one for one in collection.passages([found.hits[place].ref for place in first])}
    passages = {place: stored[ref] for place in first if (ref := found.hits[place].ref) in stored}
    words = {
        place: asked.wording(passages[place].words, passages[place].document.language)
        if place in passages
        else Wording()
        for place in first
    }
    return Looked(words, passages)


def _ranked(
    order: Sequence[int],
    scores: Sequence[float],
    hits: Sequence[Hit],
    looked: Looked,
    question: Question,
    ranking: Ranking,
    collection: Collection,
) -> Iterator[Ranked]:
    """Yield the hits at the places of `order`, those that were not read yet being read as they are wanted."""
    for start in range(0, len(order), _AT_ONCE):
        places = order[start : start + _AT_ONCE]
        unread = [hits[place].ref for place in places if place not in looked.words]
        stored = {one.ref: one for one in collection.passages(unread)} if unread else {}
        for place in places:
            one = looked.passages.get(place) or stored.get(hits[place].ref)
            if one is not None:
                hit = hits[place]
                explained = _explain(hit, looked.words.get(place), ranking) if question.explain else None
                yield Ranked(one, scores[place], hit.dense, hit.lexical, explained, fused=scores[place])


def _explain(hit: Hit, wording: Wording | None, ranking: Ranking) -> Mapping[str, Json]:
    return {
        "dense_rank": hit.dense_rank,
        "lexical_rank": hit.lexical_rank,
        "fusion": ranking.fusion,
        "dense_weight": None if ranking.fusion == "reciprocal_rank" else ranking.dense_weight,
        "words": None if wording is None else wording._asdict(),
    }
