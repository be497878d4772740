"""Two rankings to one score a hit: pure arithmetic over what both legs found."""

from __future__ import annotations

from collections.abc import Sequence

from index.types import Hit


def convex(hits: Sequence[Hit], dense_weight: float) -> list[float]:
    """Return one score from 0 to 1 a hit: `dense_weight` of the dense part and the rest of the lexical part.

    Each part is scaled to this question: the dense score from the least to the greatest among the hits, the lexical
    score from 0 (what a passage without any of the words has) to the greatest. A convex combination beats rank
    fusion when both scores are known (Bruch et al., An Analysis of Fusion Functions for Hybrid Retrieval, 2023).
    """
    dense = [hit.dense for hit in hits if hit.dense is not None]
    low, high = (min(dense), max(dense)) if dense else (0.0, 0.0)
    most = max((hit.lexical or 0.0 for hit in hits), default=0.0)
    return [
        dense_weight * _scaled(low if hit.dense is None else hit.dense, low, high)
        + (1 - dense_weight) * _scaled(hit.lexical or 0.0, 0.0, most)
        for hit in hits
    ]


def reciprocal_rank(hits: Sequence[Hit], k: int = 60) -> list[float]:
    """Return the sum of 1 / (k + rank) over the legs that found each hit (Cormack et al., 2009)."""
    return [sum(1 / (k + rank) for rank in (hit.dense_rank, hit.lexical_rank) if rank is not None) for hit in hits]


def _scaled(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.0
