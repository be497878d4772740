"""Fusing two rankings, by worked examples."""

from __future__ import annotations

import pytest

from index.types import Hit, PassageRef
from rag.fusion import convex, reciprocal_rank


def hit(
    dense: float | None, lexical: float | None, dense_rank: int | None = None, lexical_rank: int | None = None
) -> Hit:
    """Return a hit with these scores and ranks."""
    return Hit(PassageRef("d", 0, ""), 0, dense, lexical, dense_rank, lexical_rank)


def test_convex_scales_both_legs_and_weighs_them() -> None:
    """Dense is scaled from least to greatest, lexical from zero to greatest."""
    scores = convex([hit(0.2, 8.0), hit(0.6, 4.0), hit(0.4, None)], dense_weight=0.25)
    assert scores == pytest.approx([0.75, 0.25 + 0.375, 0.125])


def test_convex_of_one_leg_keeps_its_order() -> None:
    """Without vectors the lexical order stands, and the other way round."""
    assert convex([hit(None, 1.0), hit(None, 2.0)], 0.5) == pytest.approx([0.25, 0.5])
    assert convex([hit(0.1, None), hit(0.9, None)], 0.5) == pytest.approx([0.0, 0.5])


def test_convex_of_nothing_and_of_equals() -> None:
    """No hits give no scores, and equal scores tell nothing."""
    assert convex([], 0.5) == []
    assert convex([hit(0.5, 0.0), hit(0.5, 0.0)], 0.5) == [0.0, 0.0]


def test_reciprocal_rank_sums_over_the_legs() -> None:
    """One sixty-first for a first place in each leg that found the hit."""
    scores = reciprocal_rank([hit(0.9, 1.0, 1, 2), hit(0.8, None, 2, None)])
    assert scores == pytest.approx([1 / 61 + 1 / 62, 1 / 62])
