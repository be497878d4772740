"""How sure is a mean? Bootstrap intervals: the questions are drawn again, with replacement, and the figure with them.

The percentile method of B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Labels = NDArray[np.bool_]

RESAMPLES = 2000
_BLOCK = 1 << 20  # numbers drawn at a time, so that a large set needs no more memory than a small one


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
    rows = max(1, _BLOCK // len(array))
    random = np.random.default_rng(seed)
    means: list[Values] = []
    for start in range(0, resamples, rows):
        drawn = random.integers(len(array), size=(min(rows, resamples - start), len(array)))
        means.append(array[drawn].mean(axis=1))
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return Estimate(float(array.mean()), float(low), float(high), len(array))


def score_estimate(
    figure: Callable[[Values, Labels], float],
    scores: Sequence[float],
    labels: Sequence[bool],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Return `figure(scores, labels)` and its interval; a draw with one kind of label only is left out.

    `scores` and `labels` hold one entry a question, both kinds of label among them.
    """
    values, truths = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.bool_)
    random = np.random.default_rng(seed)
    draws = (random.integers(len(values), size=len(values)) for _ in range(resamples))
    figures = [figure(values[drawn], truths[drawn]) for drawn in draws if 0 < truths[drawn].sum() < len(drawn)]
    whole = figure(values, truths)
    low, high = np.percentile(figures or [whole], (2.5, 97.5))
    return Estimate(whole, float(low), float(high), len(values))


def auroc(scores: Values, labels: Labels) -> float:
    """Return the area under the ROC curve: the chance that a true one scores above a false one, a tie half counting.

    `scores` and `labels` have the shape (n,). J. A. Hanley and B. J. McNeil, Radiology 143, 1982.
    """
    false = np.sort(scores[~labels])
    below = np.searchsorted(false, scores[labels], side="left")
    not_above = np.searchsorted(false, scores[labels], side="right")
    return float((below + not_above).mean() / (2 * len(false)))


def auprc(scores: Values, labels: Labels) -> float:
    """Return average precision, the area under the precision-recall curve by steps; equal scores are one step.

    `scores` and `labels` have the shape (n,). J. Davis and M. Goadrich, ICML 2006, on why not by straight lines.
    """
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(labels[order])
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    precision = found[ends] / (ends + 1)
    return float((np.diff(found[ends], prepend=0) * precision).sum() / found[-1])


def percentiles(milliseconds: Sequence[float]) -> Mapping[str, float]:
    """Return `p50`, `p95` and `p99` of waiting times in milliseconds and how many there were, `n`."""
    values = np.percentile(np.asarray(milliseconds, dtype=np.float64), (50, 95, 99))
    named = dict(zip(("p50", "p95", "p99"), (round(float(value), 3) for value in values), strict=True))
    return {**named, "n": len(milliseconds)}
