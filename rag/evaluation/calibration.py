"""Is a confidence worth anything? Whether it parts answerable from unanswerable, how true it is, where to decline.

`scores` are probabilities that a question has an answer, `labels` whether it has; both have the shape (n,), one entry a
question. Equal scores count as standing in every order, so that no order of the questions shows in a figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.evaluation.statistics import Labels, Values

BINS, FINE_BINS = 10, 15
_CURVE = 100  # points kept of a curve
_DRAWS = 1000  # of truths, to see what chance leaves of the calibration error


@dataclass(frozen=True, slots=True)
class Bin:
    """Some questions with neighbouring confidences: their mean, the share that is answerable, and how many they are."""

    confidence: float
    answerable: float
    n: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Declining at or below `threshold`: how much of what is declined has no answer, how much of that is declined."""

    threshold: float
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a confidence is worth, as it is drawn: bins, points (coverage, risk), and where to decline.

    `ece_by_chance` is the range of the calibration error of a system that is perfectly calibrated.
    """

    bins: Sequence[Bin]
    risk_coverage: Sequence[tuple[float, float]]
    refusal: Refusal
    ece_by_chance: tuple[float, float]


def auroc(scores: Values, labels: Labels) -> float:
    """Return the area under the ROC curve: the chance that a true one scores above a false one, a tie half counting.

    J. A. Hanley and B. J. McNeil, Radiology 143, 1982. Both kinds of label are needed.
    """
    false = np.sort(scores[~labels])
    below = np.searchsorted(false, scores[labels], side="left")
    not_above = np.searchsorted(false, scores[labels], side="right")
    return float((below + not_above).mean() / (2 * len(false)))


def auprc(scores: Values, labels: Labels) -> float:
    """Return average precision, the area under the precision-recall curve by steps; equal scores are one step.

    J. Davis and M. Goadrich, ICML 2006, on why not by straight lines. At least one label is true.
    """
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(labels[order])
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    precision = found[ends] / (ends + 1)
    return float((np.diff(found[ends], prepend=0) * precision).sum() / found[-1])


def brier(scores: Values, labels: Labels) -> float:
    """Return the mean squared distance of confidence and truth, 0 to 1 (G. W. Brier, Monthly Weather Review, 1950)."""
    return float(((scores - labels) ** 2).mean())


def ece(scores: Values, labels: Labels) -> float:
    """Return the expected calibration error, 0 to 1: how far confidence and truth lie apart in a bin, on average.

    The bins hold equally many questions, ten or one a question (K. Nguyen and B. O'Connor, EMNLP 2015), since bins of
    equal width are mostly empty. What is left of it by chance alone falls with the number of questions.
    """
    return sum(one.n * abs(one.confidence - one.answerable) for one in bins(scores, labels)) / len(scores)


def fine_ece(scores: Values, labels: Labels) -> float:
    """Return the expected calibration error, 0 to 1, over `FINE_BINS` bins, however few questions there are.

    The bins are cut at equal shares of the questions by rising confidence, as the realistic sets are scored; a question
    more may lie in a later bin, where `bins` has it in an earlier one.
    """
    ordered, truths = _ordered(scores, labels)
    ends = len(ordered) * np.arange(FINE_BINS + 1) // FINE_BINS
    gaps = np.concatenate([[0.0], np.cumsum(ordered - truths)])[ends]
    return float(np.abs(np.diff(gaps)).sum() / len(ordered))


def ece_by_chance(scores: Values, *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % range of `ece` where each question has an answer with just the probability that `scores` says.

    So many questions cannot tell a system whose error lies within it from a perfectly calibrated one (consistency
    resampling, J. Bröcker and L. A. Smith, Weather and Forecasting 22, 2007). `seed` draws the truths.
    """
    random = np.random.default_rng(seed)
    errors = [ece(scores, random.random(len(scores)) < scores) for _ in range(_DRAWS)]
    low, high = np.percentile(errors, (2.5, 97.5))
    return float(low), float(high)


def bins(scores: Values, labels: Labels) -> Sequence[Bin]:
    """Return `BINS` bins (one a question where there are fewer) of equally many questions, by rising confidence."""
    ordered, truths = _ordered(scores, labels)
    parts = np.array_split(np.arange(len(ordered)), min(BINS, len(ordered)))
    return [Bin(float(ordered[part].mean()), float(truths[part].mean()), len(part)) for part in parts]


def risk(scores: Values, labels: Labels) -> Values:
    """Return the risk of answering only the k questions of highest confidence, for k from 1 to n; shape (n,).

    Risk is the share of the answered questions that have no answer. R. El-Yaniv and Y. Wiener, JMLR 11, 2010.
    """
    _, truths = _ordered(scores, labels)
    wrong: Values = np.cumsum(1 - truths[::-1]) / np.arange(1, len(truths) + 1)
    return wrong


def aurc(scores: Values, labels: Labels) -> float:
    """Return the area under the risk-coverage curve: the mean risk over all coverages, 0 to 1.

    Y. Geifman, G. Uziel and R. El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers", ICLR 2019.
    """
    return float(risk(scores, labels).mean())


def refusal(scores: Values, labels: Labels) -> Refusal:
    """Return where to decline: the threshold with the best F1 of declining what has no answer, the lowest such.

    Questions with a confidence at or below it are declined. Chosen on the questions that it is told about, it is
    a little too good. At least one label is false.
    """
    order = np.argsort(scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = np.cumsum(~labels[order])[ends]
    precision, recall = found / (ends + 1), found / (~labels).sum()
    best = int(np.argmax(2 * found / (ends + 1 + (~labels).sum())))  # F1 of declining up to there
    return Refusal(float(scores[order][ends[best]]), float(precision[best]), float(recall[best]))


def calibration(scores: Values, labels: Labels) -> Calibration:
    """Return everything that is drawn of a confidence; at most a hundred points of the curve are kept."""
    risks = risk(scores, labels)
    kept = np.unique(np.linspace(0, len(risks) - 1, min(_CURVE, len(risks))).round().astype(int))
    curve = [((int(at) + 1) / len(risks), float(risks[at])) for at in kept]
    return Calibration(bins(scores, labels), curve, refusal(scores, labels), ece_by_chance(scores))


def _ordered(scores: Values, labels: Labels) -> tuple[Values, Values]:
    """Return the scores, rising, and the truth of each as 0 to 1: among equal scores, the mean of theirs."""
    order = np.argsort(scores, kind="stable")
    _, group, counts = np.unique(scores[order], return_inverse=True, return_counts=True)
    shares = np.bincount(group, weights=labels[order]) / counts
    return scores[order], shares[group]
