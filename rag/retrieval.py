"""A question to its hits: completes it from the talk before, asks both legs, and fuses what they found."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from index.collection import Collection
from index.types import Found, Hit, Json, Vectors
from rag import fusion
from rag.encoding import Encoder
from rag.history import standalone
from rag.types import Question, Ranked

_AT_ONCE = 12  # passages read together: an answer mostly needs no more


@dataclass(frozen=True, slots=True)
class Ranking:
    """What decides the order of the first stage; the defaults were chosen on the `dev` halves of the evaluation."""

    fusion: Literal["convex", "reciprocal_rank"] = "convex"
    dense_weight: float = 0.6
    pool: int = 200  # hits taken from each leg


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What was found for one question, best first, with the words that were searched and where the time went."""

    query: str
    standalone_query: str | None
    passages: Iterator[Ranked]  # read from the truth as they are wanted
    found: Found
    timing_ms: Mapping[str, float]


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
    passages = _ranked(_ordered(found.hits, question, ranking)[:limit], question, ranking, collection)
    ended = time.perf_counter()
    timing = {"encode": (encoded - started) * 1000, "retrieve": (ended - encoded) * 1000}
    return Retrieved(question.query, completed, passages, found, timing)


def _ordered(hits: Sequence[Hit], question: Question, ranking: Ranking) -> list[tuple[Hit, float]]:
    """Return the hits with their scores, best first; they come ordered by document id and start, and ties stay so."""
    scored = zip(hits, _scores(hits, question, ranking), strict=True)
    return sorted(scored, key=lambda one: -one[1])


def _ranked(
    order: Sequence[tuple[Hit, float]], question: Question, ranking: Ranking, collection: Collection
) -> Iterator[Ranked]:
    for start in range(0, len(order), _AT_ONCE):
        by_ref = {hit.ref: (hit, score) for hit, score in order[start : start + _AT_ONCE]}
        for stored in collection.passages(list(by_ref)):
            hit, score = by_ref[stored.ref]
            explained = _explain(hit, ranking) if question.explain else None
            yield Ranked(stored, score, hit.dense, hit.lexical, explained)


def _scores(hits: Sequence[Hit], question: Question, ranking: Ranking) -> list[float]:
    """Return one score a hit, rounded so that no order of float additions shows in an answer."""
    if question.mode == "dense":
        scores = [hit.dense or 0.0 for hit in hits]
    elif question.mode == "lexical":
        scores = [hit.lexical or 0.0 for hit in hits]
    elif ranking.fusion == "convex":
        scores = fusion.convex(hits, ranking.dense_weight)
    else:
        scores = fusion.reciprocal_rank(hits)
    return [round(score, 6) for score in scores]


def _explain(hit: Hit, ranking: Ranking) -> Mapping[str, Json]:
    return {
        "dense_rank": hit.dense_rank,
        "lexical_rank": hit.lexical_rank,
        "fusion": ranking.fusion,
        "dense_weight": ranking.dense_weight if ranking.fusion == "convex" else None,
    }
