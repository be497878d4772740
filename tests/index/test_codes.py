"""Codes of large segments: what they find, against a search over every vector; with filters and deletions."""

from __future__ import annotations

import random

import numpy as np
import pytest

from index.dense import CODED, DenseView, exact_scores
from index.keys import KeySet
from index.top import Top
from index.types import Vectors

DIMENSION = 64
COUNT = CODED + 5_000
NEAREST = 10


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Unit vectors around a few hundred centres, as texts about the same things lie."""
    seed = random.randrange(2**32)
    print("seed", seed)
    drawn = np.random.default_rng(seed)
    centres = drawn.normal(size=(300, DIMENSION))
    rows = centres[drawn.integers(300, size=COUNT)] + drawn.normal(scale=0.7, size=(COUNT, DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def view(vectors: Vectors) -> DenseView:
    """All vectors, the first 500 of them in a small segment of their own, under keys that leave gaps."""
    large = DenseView(DIMENSION).changed((), keys()[500:], vectors[500:])
    return large.changed((), keys()[:500], vectors[:500])


def keys() -> np.ndarray:
    """Every third number."""
    return np.arange(COUNT, dtype=np.int64) * 3 + 1


def recall(view: DenseView, vectors: Vectors, allowed: np.ndarray | None = None) -> float:
    """Return the share of the true ten nearest that the view finds, over 40 of its own vectors as questions."""
    rows = np.arange(COUNT) if allowed is None else allowed
    among = None if allowed is None else KeySet.of(range(key, key + 1) for key in keys()[allowed].tolist())
    shares = []
    for asked in vectors[:: COUNT // 40]:
        true = keys()[rows[np.argsort(-(vectors[rows] @ asked))[:NEAREST]]]
        found = view.top(asked, NEAREST, among)
        assert np.array_equal(found.scores, exact_scores(asked, vectors[(found.keys - 1) // 3]))
        shares.append(len(set(true.tolist()) & set(found.keys[:NEAREST].tolist())) / NEAREST)
    return float(np.mean(shares))


def same(one: Top, other: Top) -> bool:
    """Say whether two answers are the same to the bit."""
    return np.array_equal(one.keys, other.keys) and np.array_equal(one.scores, other.scores)


def test_a_large_view_says_that_it_uses_codes(view: DenseView, vectors: Vectors) -> None:
    """A small one is exact."""
    assert view.method == "rabitq+exact"
    assert DenseView(DIMENSION).changed((), keys()[:100], vectors[:100]).method == "exact"


def test_codes_find_the_nearest_and_scores_are_exact(view: DenseView, vectors: Vectors) -> None:
    """Nearly all of the true ten are found, each with its exact cosine."""
    assert recall(view, vectors) >= 0.98


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_filters_of_every_width_keep_what_is_nearest(view: DenseView, vectors: Vectors, share: float) -> None:
    """Narrow ones score every row that is left, wide ones are part of the scan of the codes."""
    seed = random.randrange(2**32)
    print("seed", seed)
    allowed = np.flatnonzero(np.random.default_rng(seed).random(COUNT) < share)
    found = recall(view, vectors, allowed)
    assert found == 1 if share == 0.01 else found >= 0.98


def test_what_was_deleted_is_not_found(view: DenseView, vectors: Vectors) -> None:
    """Neither without a filter nor with one, though the codes still have it."""
    asked = vectors[1_000]
    best = view.top(asked, 50).keys
    less = view.changed([range(key, key + 1) for key in best.tolist()], keys()[:0], vectors[:0])
    every = KeySet.of([range(3 * COUNT + 3)])
    assert not set(best.tolist()) & set(less.top(asked, 50).keys.tolist())
    assert not set(best.tolist()) & set(less.top(asked, 50, every).keys.tolist())
    assert less.count == COUNT - len(best)


def test_a_compacted_view_is_the_one_that_would_be_built(view: DenseView, vectors: Vectors) -> None:
    """To the bit, after deletions, with and without a filter, and for as many as can be asked for."""
    gone = np.arange(COUNT) % 7 == 3
    less = view.changed([range(key, key + 1) for key in keys()[gone].tolist()], keys()[:0], vectors[:0])
    built = DenseView(DIMENSION).changed((), keys()[~gone], vectors[~gone])
    half = KeySet.of([range(3 * COUNT // 2)])
    for asked in vectors[:: COUNT // 10]:
        for limit in (1, 200, 1_000):
            assert same(less.compacted().top(asked, limit), built.top(asked, limit))
        assert same(less.compacted().top(asked, 200, half), built.top(asked, 200, half))


def test_more_than_there_are_can_be_asked_for(view: DenseView, vectors: Vectors) -> None:
    """Then every vector is there, and the answer is complete."""
    found = view.top(vectors[0], COUNT + 1)
    assert (len(found.keys), found.complete) == (COUNT, True)
