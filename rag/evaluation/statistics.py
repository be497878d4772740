"""How sure is a mean, and a difference of two? Bootstrap intervals and the paired permutation test.

For an interval the questions are drawn again, with replacement, and the figure with them: the percentile method of
B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # type: ignore[import-untyped]

Values = NDArray[np.float64]
Labels = NDArray[np.bool_]

RESAMPLES = 2000
FLIPS = 9999
_BLOCK = 1 << 18  # numbers drawn at a time: few enough for a processor's cache, and for memory however large a set
_ALL_FLIPS = 13  # pairs that differ, up to which every way to flip them is looked at: 8,192 ways


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure over `n` questions with the ends of its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    n: int


def mean_estimate(values: Sequence[float] | Values, *, seed: int, resamples: int = RESAMPLES) -> Estimate:
    """Return the mean of `values`, one a question and at least one, and the interval of that mean."""
    array = np.asarray(values, dtype=np.float64)
    means = _drawn_means(array, np.random.default_rng(seed), resamples)
    low, high = np.percentile(means, (2.5, 97.5))
    return Estimate(float(array.mean()), float(low), float(high), len(array))


def _drawn_means(values: Values, random: np.random.Generator, resamples: int) -> Values:
    rows = max(1, _BLOCK // len(values))
    means: list[Values] = []
    for start in range(0, resamples, rows):
        drawn = random.integers(len(values), size=(min(rows, resamples - start), len(values)))
        means.append(values[drawn].mean(axis=1))
    return np.concatenate(means)


def score_estimate(
    figure: Callable[[Values, Labels], float],
    scores: Sequence[float] | Values,
    labels: Sequence[bool] | Labels,
    *,
    seed: int,
    resamples: int = RESAMPLES,
    mixed: bool = True,
) -> Estimate:
    """Return `figure(scores, labels)` and its interval.

    `scores` and `labels` hold one entry a question. With `mixed` both kinds of label are among them, and a draw with
    one kind only is left out.
    """
    values, truths = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.bool_)
    random = np.random.default_rng(seed)
    draws = (random.integers(len(values), size=len(values)) for _ in range(resamples))
    usable = (drawn for drawn in draws if not mixed or 0 < truths[drawn].sum() < len(drawn))
    figures = [figure(values[drawn], truths[drawn]) for drawn in usable]
    whole = figure(values, truths)
    low, high = np.percentile(figures or [whole], (2.5, 97.5))
    return Estimate(whole, float(low), float(high), len(values))


def percentiles(milliseconds: Sequence[float]) -> Mapping[str, float]:
    """Return `p50`, `p95` and `p99` of waiting times in milliseconds and how many there were, `n`."""
    values = np.percentile(np.asarray(milliseconds, dtype=np.float64), (50, 95, 99))
    named = dict(zip(("p50", "p95", "p99"), (round(float(value), 3) for value in values), strict=True))
    return {**named, "n": len(milliseconds)}


def sign_flip_p(strata: Sequence[Values], *, seed: int, resamples: int = FLIPS) -> float:
    """Return the two-sided p-value of a paired permutation test: how often chance moves the mean as far as it moved.

    `strata` holds the differences of paired values, shape (n,) each, one array a set; the statistic is the mean of the
    sets' means. Were both systems alike, each pair might as well have stood the other way round, so signs are flipped:
    all ways where there are few, else `resamples` random ones, among which the pairs as they stand count once more.
    It is what scipy.stats.permutation_test does with permutation_type="samples", over pairs that differ only.
    R. A. Fisher, "The Design of Experiments", 1935, section 21; on counting once more, B. Phipson and G. K. Smyth,
    "Permutation P-values Should Never Be Zero", 2010.
    """
    terms = np.concatenate([differences / (len(differences) * len(strata)) for differences in strata])
    terms = terms[terms != 0]
    reached = abs(terms.sum()) - 1e-12  # sums in another order differ in their last bits
    if len(terms) <= _ALL_FLIPS:
        flips = np.arange(1 << len(terms))[:, None] >> np.arange(len(terms)) & 1
        return float((abs(2 * (flips @ terms) - terms.sum()) >= reached).mean())
    random, rows = np.random.default_rng(seed), max(1, _BLOCK // len(terms))
    extreme = 0
    for start in range(0, resamples, rows):
        flips = random.integers(2, size=(min(rows, resamples - start), len(terms)), dtype=np.int8)
        extreme += int((abs(2 * (flips @ terms) - terms.sum()) >= reached).sum())
    return (extreme + 1) / (resamples + 1)


def shift_interval(
    strata: Sequence[Values], *, alpha: float, seed: int, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Return the ends of the 1 - `alpha` bootstrap interval of the mean of the sets' means of differences in -1..1.

    Each set's questions, shape (n,), are drawn again among themselves. The percentiles are those that make up for how
    narrow a bootstrap is over few questions ("expanded percentiles"): T. Hesterberg, "What Teachers Should Know About
    the Bootstrap", 2015; over several sets with the degrees of freedom of B. L. Welch, Biometrika 34, 1947, so that a
    small set beside large ones counts as what it is. Of a set with one question no spread is known: the interval is all
    of -1..1.
    """
    if any(len(differences) < 2 for differences in strata):
        return -1.0, 1.0
    sizes = np.array([len(differences) for differences in strata])
    errors = np.array([differences.var(ddof=1) for differences in strata]) / sizes
    if not errors.any():
        sure = float(np.mean([differences.mean() for differences in strata]))
        return sure, sure
    narrow = errors.sum() / (errors * (1 - 1 / sizes)).sum()
    free = errors.sum() ** 2 / (errors**2 / (sizes - 1)).sum()
    random, means = np.random.default_rng(seed), np.zeros(resamples)
    for differences in strata:
        means += _drawn_means(differences, random, resamples) / len(strata)
    tail = NormalDist().cdf(float(narrow**0.5 * stdtrit(free, alpha / 2)))
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)


def standard_error(strata: Sequence[Values]) -> float | None:
    """Return the standard error of the mean of the sets' means, None where a set has one question only."""
    if any(len(differences) < 2 for differences in strata):
        return None
    return float(np.sqrt(sum(each.var(ddof=1) / len(each) for each in strata)) / len(strata))


def detectable(error: float, *, alpha: float, power: float = 0.8) -> float:
    """Return the least true difference that a two-sided test at `alpha` finds with chance `power`.

    `error` is the standard error of the effect, which is taken to be about normal; J. Cohen, "Statistical Power
    Analysis for the Behavioral Sciences", 1988, chapter 2.
    """
    return error * (NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(power))


def holm(p_values: Mapping[str, float]) -> Mapping[str, float]:
    """Return the p-values adjusted for there being many: S. Holm, Scandinavian Journal of Statistics 6, 1979."""
    adjusted: dict[str, float] = {}
    least = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = least
    return {name: adjusted[name] for name in p_values}
