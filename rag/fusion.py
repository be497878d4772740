"""What was found to one score a hit: pure arithmetic over both legs, and over the words of those that were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from index.types import Hit
from rag.wording import Wording

SIGNALS = ("dense", "lexical", "coverage", "window", "pairs")
"""What a passage that was read is scored by: its cosine similarity, −1 to 1 (0 where no vectors were compared), its
BM25 over the greatest among the hits, 0 to 1, and its `Wording`."""


def convex(hits: Sequence[Hit], dense_weight: float) -> list[float]:
    """Return one score from 0 to 1 a hit: `dense_weight` of the dense part and the rest of the lexical part.

    Each part is scaled to this question: the dense score from the least to the greatest among the hits, the lexical
    score from 0 (what a passage without any of the words has) to the greatest. A convex combination beats rank
    fusion when both scores are known (Bruch et al., An Analysis of Fusion Functions for Hybrid Retrieval, 2023).
    """
    dense = [hit.dense for hit in hits if hit.dense is not None]
    low, high = (min(dense), max(dense)) if dense else (0.0, 0.0)
    most = _most(hits)
    return [
        dense_weight * _scaled(low if hit.dense is None else hit.dense, low, high)
        + (1 - dense_weight) * _scaled(hit.lexical or 0.0, 0.0, most)
        for hit in hits
    ]


def reciprocal_rank(hits: Sequence[Hit], k: int = 60) -> list[float]:
    """Return the sum of 1 / (k + rank) over the legs that found each hit (Cormack et al., 2009)."""
    return [sum(1 / (k + rank) for rank in (hit.dense_rank, hit.lexical_rank) if rank is not None) for hit in hits]


def signals(hits: Sequence[Hit], read: Mapping[int, Wording]) -> list[tuple[float, ...]]:
    """Return `SIGNALS` of the hits at the places that were read, in the order of `read`."""
    most = _most(hits)
    return [
        (hits[place].dense or 0.0, _scaled(hits[place].lexical or 0.0, 0.0, most), *wording)
        for place, wording in read.items()
    ]


def linear(rows: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    """Return the weighted sum of each row, shape (rows, weights)."""
    return [sum(weight * value for weight, value in zip(weights, row, strict=True)) for row in rows]


def below(scores: Sequence[float], first: Mapping[int, float]) -> list[float]:
    """Return scores in which the places of `first` have theirs, and all others follow them as far apart as they were.

    The places of `first` are those with the greatest `scores`, so what comes after keeps its order.
    """
    if not first:
        return list(scores)
    edge, least = min(scores[place] for place in first), min(first.values())
    return [first[place] if place in first else least + score - edge for place, score in enumerate(scores)]


def _most(hits: Sequence[Hit]) -> float:
    return max((hit.lexical or 0.0 for hit in hits), default=0.0)


def _scaled(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.0
