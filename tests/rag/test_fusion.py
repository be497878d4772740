"""Fusing two rankings, by worked examples."""

from __future__ import annotations

import pytest

from index.types import Hit, PassageRef
from rag.fusion import SIGNALS, below, convex, linear, reciprocal_rank, signals
from rag.retrieval import Ranking
from rag.wording import Wording


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


def test_what_was_read_comes_before_the_rest() -> None:
    """Those that were read in their own order; the others after the last of them, as far apart as they were."""
    assert below([0.9, 0.2, 0.8, 0.5], {0: -0.1, 2: 0.4}) == pytest.approx([-0.1, -0.7, 0.4, -0.4])
    assert below([0.9, 0.2], {}) == [0.9, 0.2]


def test_signals_are_in_the_order_of_their_names() -> None:
    """Cosine as it is, BM25 over the greatest, then the words; a sum by weights makes the score."""
    rows = signals([hit(0.2, 8.0), hit(0.6, 4.0), hit(0.4, None)], {1: Wording(0.5, 0.25, 0.125), 2: Wording()})
    assert rows == [(0.6, 0.5, 0.5, 0.25, 0.125), (0.4, 0.0, 0.0, 0.0, 0.0)]
    assert len(SIGNALS) == len(rows[0]) == len(Ranking().weights)
    assert linear(rows, (1, 2, 0, 4, 0)) == pytest.approx([2.6, 0.4])
