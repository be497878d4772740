"""A question to its hits: completes it from the talk before, asks both legs, and fuses what they found."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from index.collection import Collection
from index.types import Found, Hit, Json
from rag import fusion
from rag.encoding import Encoder
from rag.history import standalone
from rag.types import Question, Ranked


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
    passages: Sequence[Ranked]
    found: Found
    timing_ms: Mapping[str, float]


def retrieve(question: Question, collection: Collection, encoder: Encoder, ranking: Ranking, limit: int) -> Retrieved:
    """Return at most `limit` passages, best first; equal scores are ordered by document id, then place."""
    started = time.perf_counter()
    completed = standalone(question.query, question.history)
    query = completed or question.query
    vector = encoder.encode([query], urgent=True)[0] if question.mode != "lexical" else None
    encoded = time.perf_counter()
    found = collection.search(
        vector,
        query if question.mode != "dense" else None,
        limit=max(ranking.pool, limit),
        filter=question.filter,
        at_least=question.at_least,
        count=query,
    )
    passages = _ranked(found.hits, question, ranking, collection, limit)
    ended = time.perf_counter()
    timing = {"encode": (encoded - started) * 1000, "retrieve": (ended - encoded) * 1000}
    return Retrieved(question.query, completed, passages, found, timing)


def _ranked(
    hits: Sequence[Hit], question: Question, ranking: Ranking, collection: Collection, limit: int
) -> list[Ranked]:
    scores = _scores(hits, question, ranking)
    order = sorted(range(len(hits)), key=lambda at: (-scores[at], hits[at].ref.document_id, hits[at].start))[:limit]
    by_ref = {hits[at].ref: (hits[at], scores[at]) for at in order}
    return [
        Ranked(stored, score, hit.dense, hit.lexical, _explain(hit, ranking) if question.explain else None)
        for stored in collection.passages(list(by_ref))
        for hit, score in [by_ref[stored.ref]]
    ]


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
