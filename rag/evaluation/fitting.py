"""Weights fitted to judged candidates, with care that few questions do not overfit.

What a question's candidates are scored by is a weighted sum of their features. The weights are fitted by a listwise
loss, the cross entropy between relevance and the softmax of the scores (Cao et al., "Learning to Rank: From Pairwise
Approach to Listwise Approach", ICML 2007), and pulled towards default weights; how strongly, cross-validation says.
Whether all of that is any good is asked of questions that took no part in it, by nDCG@10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar  # type: ignore[import-untyped]

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

DEPTH = 10  # of nDCG
FOLDS = 5
PULLS = (None, 3.0, 1.0, 0.3, 0.1, 0.03)  # None is so strong that the weights stay as they are
_FITTED = 100  # candidates of a question, the best by the default weights, that are looked at in fitting
_SHARPEST = 300.0  # what scores are multiplied by at most to become logits
_DIGITS = 9  # that scores are compared by, so that no rounding of sums decides a tie


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates of one question, any number of them.

    `features` has the shape (candidates, features). What is judged are units (documents, or passages where the place of
    the answer is known): `units` names the unit of each candidate, from 0 on and never falling, and a unit has the
    score of its best candidate. `gains` has the grade of each unit, 0 where it is not relevant. `ideal` is the
    discounted cumulative gain of the best possible first ten, those not among the candidates included, above 0; `below`
    is that of units which stand after all candidates, whatever the weights.
    """

    features: Floats
    units: Places
    gains: Floats
    ideal: float
    below: float = 0.0

    def narrowed(self, weights: Floats) -> Pool:
        """Return the pool without the units that are neither relevant nor among the best by `weights`."""
        if len(self.units) <= _FITTED:
            return self
        best = np.argsort(-_scores(self.features, weights), kind="stable")[:_FITTED]
        kept = self.gains > 0
        kept[self.units[best]] = True
        rows = kept[self.units]
        units = (np.cumsum(kept) - 1)[self.units[rows]]
        return replace(self, features=self.features[rows], units=units, gains=self.gains[kept])


@dataclass(frozen=True, slots=True)
class Form:
    """One way to score: its default weights, of shape (features,), and the pool of every question under it."""

    weights: Floats
    pools: list[Pool]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was chosen: the place of a form, weights for it, and how strongly they were pulled to its default ones."""

    form: int
    weights: Floats
    pull: float | None


def ideal(gains: Sequence[float]) -> float:
    """Return the discounted cumulative gain of the best order of units with these gains, cut at ten."""
    return discounted(sorted(gains, reverse=True))


def discounted(gains: Sequence[float], after: int = 0) -> float:
    """Return the discounted cumulative gain of units in this order, `after` others before them, cut at ten in all."""
    first = np.asarray(gains, dtype=np.float64)[: max(0, DEPTH - after)]
    return float((first / np.log2(np.arange(len(first)) + after + 2)).sum())


def ndcg(form: Form, weights: Floats, questions: Places) -> Floats:
    """Return the nDCG@10 of each question, shape (questions,), as trec_eval has it; 0 where nothing was found."""
    return _judge(form, questions)(weights)


def fit(form: Form, questions: Places, pull: float | None) -> Floats:
    """Return the weights that fit the questions best, pulled towards the default ones; none changes its sign.

    `pull` weighs the squares by which logits change, in standard deviations of each feature, against the mean loss.
    """
    return _fit(_lesson(form, questions), form.weights, pull)


def choose(forms: Sequence[Form], questions: Places, seed: int) -> Fitted:
    """Return the form and the pull with the best cross-validated nDCG@10 over `questions`, fitted to all of them.

    The first form with its default weights wins where nothing is better.
    """
    plans = [(place, pull) for place, form in enumerate(forms) for pull in _pulls(form)]
    sums = np.zeros(len(plans))
    for train, held in _folds(questions, seed):
        lessons, judges = [_lesson(form, train) for form in forms], [_judge(form, held) for form in forms]
        for number, (place, pull) in enumerate(plans):
            sums[number] += judges[place](_fit(lessons[place], forms[place].weights, pull)).sum()
    form, pull = plans[int(np.argmax(np.round(sums, _DIGITS)))]
    return Fitted(form, fit(forms[form], questions, pull), pull)


def cross_validated(forms: Sequence[Form], seed: int) -> Floats:
    """Return the nDCG@10 of each question, shape (questions,), under what `choose` makes of the other folds' questions.

    Form and pull are chosen anew within each of them, so that the choice itself is judged too.
    """
    everything = np.arange(len(forms[0].pools))
    values = np.zeros(len(everything))
    for number, (train, held) in enumerate(_folds(everything, seed)):
        chosen = choose(forms, train, seed + number + 1)
        values[held] = ndcg(forms[chosen.form], chosen.weights, held)
    return values


def _pulls(form: Form) -> Sequence[float | None]:
    """Return the pulls to try: a single weight decides nothing, whatever it is."""
    return PULLS if len(form.weights) > 1 else PULLS[:1]


def _folds(questions: Places, seed: int) -> Sequence[tuple[Places, Places]]:
    """Return (the others, the held out), both in the order of `questions`, for each of a few parts drawn by `seed`."""
    part = np.random.default_rng(seed).permutation(len(questions)) % FOLDS
    return [(questions[part != one], questions[part == one]) for one in range(FOLDS) if (part == one).any()]


def _judge(form: Form, questions: Places) -> Callable[[Floats], Floats]:
    """Return what gives the nDCG@10 of each question under weights."""
    pools = [form.pools[int(one)] for one in questions]
    filled = np.array([len(pool.units) > 0 for pool in pools], dtype=np.bool_)
    stack = _Stack([pool for pool in pools if len(pool.units)]) if filled.any() else None

    def values(weights: Floats) -> Floats:
        judged = np.zeros(len(pools))
        if stack is not None:
            judged[filled] = stack.ndcg(weights)
        return judged

    return values


def _lesson(form: Form, questions: Places) -> _Lesson | None:
    """Return what can be learned from: the questions of which something relevant was found, None without any."""
    pools = [form.pools[int(one)] for one in questions]
    narrowed = [pool.narrowed(form.weights) for pool in pools if (pool.gains > 0).any()]
    return _Lesson(narrowed, form.weights) if narrowed else None


def _fit(lesson: _Lesson | None, default: Floats, pull: float | None) -> Floats:
    if lesson is None or pull is None:
        return default
    sharpness, scale = lesson.sharpness, lesson.sharpness * lesson.spread

    def objective(moved: Floats) -> tuple[float, Floats]:
        loss, slope = lesson.loss(default + moved, sharpness)
        by = scale * moved
        return loss + pull * float(by @ by) / 2, slope + pull * scale * by

    bounds = [(None, -weight) if weight < 0 else (-weight, None) if weight > 0 else (None, None) for weight in default]
    # TNC, because L-BFGS-B asks BLAS for threads, which for these few weights costs a hundred times the work.
    found = minimize(objective, np.zeros(len(default)), jac=True, method="TNC", bounds=bounds)
    weights: Floats = default + found.x
    return weights if np.any(weights) else default


class _Stack:
    """The pools of several questions, none empty, one below the other."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        sizes = np.array([len(pool.gains) for pool in pools])
        self._first = np.cumsum(sizes) - sizes  # unit of each question
        self._question = np.repeat(np.arange(len(pools)), sizes)  # of each unit
        self._unit = np.concatenate([pool.units + at for pool, at in zip(pools, self._first, strict=True)])  # of a row
        self._rows = np.flatnonzero(np.diff(self._unit, prepend=-1))  # first row of each unit
        self._features = np.concatenate([pool.features for pool in pools])
        self._gains = np.concatenate([pool.gains for pool in pools])
        self._ideals = np.array([pool.ideal for pool in pools])
        self._below = np.array([pool.below for pool in pools])

    def ndcg(self, weights: Floats) -> Floats:
        """Return the nDCG@10 of each question; units with equal scores stay in their order."""
        units = np.maximum.reduceat(np.round(_scores(self._features, weights), _DIGITS), self._rows)
        order = np.lexsort((-units, self._question))
        place = np.arange(len(order)) - self._first[self._question]
        shown = place < DEPTH
        gained = self._gains[order][shown] / np.log2(place[shown] + 2)
        values: Floats = (np.bincount(self._question[shown], gained, len(self._first)) + self._below) / self._ideals
        return values


class _Lesson(_Stack):
    """Pools to learn from, with something relevant in each of them."""

    def __init__(self, pools: Sequence[Pool], default: Floats) -> None:
        super().__init__(pools)
        self._default = default

    @cached_property
    def spread(self) -> Floats:
        """How much each feature differs among the candidates of a question: standard deviations, shape (features,)."""
        question = self._question[self._unit]
        counts = np.bincount(question)[:, None]
        means = np.stack([np.bincount(question, column) for column in self._features.T], axis=1) / counts
        apart: Floats = np.sqrt(((self._features - means[question]) ** 2).mean(axis=0))
        return apart

    @cached_property
    def _wanted(self) -> Floats:
        """The share of its question's relevance that each unit has; every question has some."""
        wanted: Floats = self._gains / np.add.reduceat(self._gains, self._first)[self._question]
        return wanted

    @cached_property
    def sharpness(self) -> float:
        """What the scores by the default weights are multiplied by to be the best logits."""
        bounds = (0.0, float(np.log(_SHARPEST)))
        found = minimize_scalar(lambda log: self.loss(self._default, np.exp(log))[0], bounds=bounds, method="bounded")
        return float(np.exp(found.x))

    def loss(self, weights: Floats, sharpness: float) -> tuple[float, Floats]:
        """Return the mean cross entropy of the questions and its derivative by each weight."""
        scores = sharpness * _scores(self._features, weights)
        units = np.maximum.reduceat(scores, self._rows)
        best = np.flatnonzero(scores == units[self._unit])
        best = best[np.flatnonzero(np.diff(self._unit[best], prepend=-1))]  # the first best row of each unit
        logits = units - np.maximum.reduceat(units, self._first)[self._question]
        sums = np.add.reduceat(np.exp(logits), self._first)
        count = len(self._first)
        loss = float(np.log(sums).sum() - (self._wanted * logits).sum()) / count
        slope = (np.exp(logits) / sums[self._question] - self._wanted) / count
        by_weight: Floats = sharpness * np.einsum("uf,u->f", self._features[best], slope)
        return loss, by_weight


def _scores(features: Floats, weights: Floats) -> Floats:
    """Return the score of each candidate, without BLAS: threads that it starts cost more than these few sums."""
    scores: Floats = np.einsum("cf,f->c", features, weights)
    return scores
