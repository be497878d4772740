"""Intervals cover what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evaluation.calibration import auroc
from rag.evaluation.statistics import mean_estimate, percentiles, score_estimate


@pytest.mark.parametrize("distribution", ["uniform", "successes"])
def test_the_interval_covers_the_true_mean_as_often_as_it_says(distribution: str) -> None:
    """Of 600 samples of 100 draws, 95 % of the intervals hold the mean that they were drawn from."""
    random = np.random.default_rng(20250826)
    samples = random.random((600, 100)) if distribution == "uniform" else (random.random((600, 100)) < 0.3) * 1.0
    truth = 0.5 if distribution == "uniform" else 0.3
    estimates = [mean_estimate(sample, seed=at, resamples=500) for at, sample in enumerate(samples)]
    covered = np.mean([estimate.low <= truth <= estimate.high for estimate in estimates])
    assert 0.925 <= covered <= 0.972


def test_the_interval_narrows_with_the_square_root_of_the_questions() -> None:
    """Four times the questions, half the width: 1.96 standard deviations of the mean to either side."""
    random = np.random.default_rng(7)
    widths = []
    for n in (400, 1600):
        estimate = mean_estimate(random.random(n), seed=1)
        widths.append(estimate.high - estimate.low)
        assert widths[-1] == pytest.approx(2 * 1.96 * (1 / 12) ** 0.5 / n**0.5, rel=0.1)
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.15)


def test_the_same_seed_gives_the_same_interval_and_another_another() -> None:
    """A result is reproducible to the byte."""
    values = list(np.random.default_rng(3).random(50))
    assert mean_estimate(values, seed=5) == mean_estimate(values, seed=5)
    assert mean_estimate(values, seed=5) != mean_estimate(values, seed=6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_interval_lies_among_the_values(values: list[float]) -> None:
    """No mean of values drawn again leaves their range."""
    estimate = mean_estimate(values, seed=0, resamples=50)
    assert min(values) - 1e-9 <= estimate.low <= estimate.high <= max(values) + 1e-9
    assert estimate.n == len(values)


def test_an_area_has_an_interval_around_it() -> None:
    """Scores that part the two kinds have area 1 in every draw; for noise the width is that of the rank-sum test."""
    random = np.random.default_rng(11)
    labels = [bool(label) for label in random.random(200) < 0.5]
    parted = score_estimate(auroc, [float(label) for label in labels], labels, seed=1, resamples=200)
    assert (parted.mean, parted.low, parted.high, parted.n) == (1, 1, 1, 200)
    noise = score_estimate(auroc, list(random.random(200)), labels, seed=1, resamples=1000)
    true, false = sum(labels), 200 - sum(labels)
    assert noise.low < noise.mean < noise.high
    assert noise.high - noise.low == pytest.approx(2 * 1.96 * (201 / (12 * true * false)) ** 0.5, rel=0.1)


def test_percentiles_of_waiting_times() -> None:
    """The median and the two tails, in milliseconds, with how many were timed."""
    assert percentiles([float(n) for n in range(1, 102)]) == {"p50": 51, "p95": 96, "p99": 100, "n": 101}
