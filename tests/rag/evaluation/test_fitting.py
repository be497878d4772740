"""Weights fitted to judged candidates: they find what is there to be found, and nothing where nothing is."""

from __future__ import annotations

import random
from collections.abc import Sequence

import ir_measures
import numpy as np
import pytest
from ir_measures import nDCG
from scipy.optimize import check_grad

from rag.evaluation.fitting import FOLDS, Form, Pool, choose, cross_validated, discounted, fit, ideal, ndcg
from rag.evaluation.fitting import _Lesson as Lesson
from rag.evaluation.statistics import shift_interval
from rag.tuning import ALPHA


@pytest.fixture
def numbers() -> np.random.Generator:
    """A generator with a new seed, which a failing test shows."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    return np.random.default_rng(seed)


def pool(numbers: np.random.Generator, wanted: Sequence[float] | None, *, candidates: int = 25) -> Pool:
    """Return candidates with random features, each a unit; one or two are relevant: the best by `wanted`, or any."""
    features = numbers.beta(2, 4, (candidates, 2))
    merit = numbers.random(candidates)
    if wanted is not None:
        merit = features @ np.array(wanted) + numbers.normal(0, 0.05, candidates)
    gains = np.zeros(candidates)
    gains[np.argsort(-merit)[: numbers.integers(1, 3)]] = 1
    return Pool(features, np.arange(candidates), gains, ideal(gains))


def form(
    numbers: np.random.Generator, questions: int, wanted: Sequence[float] | None, default: Sequence[float] = (0.5, 0.5)
) -> Form:
    """Return a form over that many random questions."""
    return Form(np.array(default), [pool(numbers, wanted) for _ in range(questions)])


def surely_better(one: Form) -> bool:
    """Whether the interval of the gain on held-out questions lies above zero, as tuning asks."""
    gains = cross_validated([one], 0) - ndcg(one, one.weights, np.arange(len(one.pools)))
    return shift_interval([gains], alpha=ALPHA, seed=0)[0] > 0


def test_ndcg_is_that_of_trec_eval(numbers: np.random.Generator) -> None:
    """Grades, units of several candidates, and relevant ones that were not found."""
    pools, qrels, run = [], [], []
    for question in range(20):
        units = np.sort(numbers.integers(0, 12, 30))
        units = np.unique(units, return_inverse=True)[1]
        features, gains = numbers.random((30, 2)), numbers.integers(0, 3, units.max() + 1).astype(float)
        unfound = numbers.integers(1, 3, 2).astype(float)
        pools.append(Pool(features, units, gains, ideal([*gains, *unfound])))
        judged = {f"u{place}": gain for place, gain in enumerate(gains)} | {"x": unfound[0], "y": unfound[1]}
        qrels += [ir_measures.Qrel(str(question), unit, int(gain)) for unit, gain in judged.items()]
        scores = features @ np.array([0.3, 0.7])
        best = {f"u{unit}": max(scores[units == unit]) for unit in set(units.tolist())}
        run += [ir_measures.ScoredDoc(str(question), unit, float(score)) for unit, score in best.items()]
    wanted = {one.query_id: one.value for one in ir_measures.iter_calc([nDCG @ 10], qrels, run)}
    found = ndcg(Form(np.array([0.3, 0.7]), pools), np.array([0.3, 0.7]), np.arange(20))
    assert found == pytest.approx([wanted[str(question)] for question in range(20)])


def test_what_stands_below_the_candidates_counts_there() -> None:
    """Two candidates without merit, and the relevant unit third, whatever the weights; beyond ten it is nothing."""
    third, eleventh = discounted([0, 1], after=1), discounted([1], after=10)
    assert (third, eleventh) == (pytest.approx(0.5), 0)
    pool = Pool(np.full((2, 2), 0.1), np.arange(2), np.zeros(2), ideal([1]), third)
    assert ndcg(Form(np.array([0.5, 0.5]), [pool]), np.array([0.5, 0.5]), np.array([0])) == [pytest.approx(0.5)]


def test_units_with_equal_scores_stay_in_their_order() -> None:
    """Which is how the product breaks ties, whatever the weights are multiplied by."""
    tied = Pool(np.full((3, 2), 0.1), np.arange(3), np.array([0.0, 1.0, 0.0]), ideal([1]))
    for weights in ([0.5, 0.5], [0.1, 0.7]):
        assert ndcg(Form(np.array([0.5, 0.5]), [tied]), np.array(weights), np.array([0])) == [
            pytest.approx(1 / np.log2(3))
        ]


def test_the_derivative_is_that_of_the_loss(numbers: np.random.Generator) -> None:
    """At random weights, units of several candidates among them."""
    pools = [pool(numbers, [0.9, 0.1]) for _ in range(5)]
    shared = [Pool(one.features, one.units // 2, one.gains[::2] + 1e-3, one.ideal) for one in pools]
    lesson = Lesson([*pools, *shared], np.ones(2))
    weights = numbers.random(2)
    error = check_grad(lambda w: lesson.loss(w, 20.0)[0], lambda w: lesson.loss(w, 20.0)[1], weights)
    assert error < 1e-4


@pytest.mark.parametrize("wanted", [(0.9, 0.1), (0.1, 0.9)])
def test_a_planted_preference_is_found(numbers: np.random.Generator, wanted: tuple[float, float]) -> None:
    """With sixty questions: the weights come near it, and held-out questions are surely better."""
    planted = form(numbers, 60, wanted)
    assert surely_better(planted)
    chosen = choose([planted], np.arange(60), 0)
    assert chosen.weights / chosen.weights.sum() == pytest.approx(wanted, abs=0.25)


def test_random_labels_are_not_learned() -> None:
    """Of sixty sets of ten to thirty questions without any preference three at most count as better.

    One or two are expected; they are the same sets in every run, because of other ones four might be better by chance.
    """
    numbers = np.random.default_rng(1)
    sets = [form(numbers, int(numbers.integers(10, 31)), None) for _ in range(60)]
    assert sum(surely_better(one) for one in sets) <= 3


def test_a_default_that_is_right_is_left(numbers: np.random.Generator) -> None:
    """Where the labels follow the default weights, hardly anything is better."""
    sets = [form(numbers, 15, (0.5, 0.5)) for _ in range(10)]
    assert sum(surely_better(one) for one in sets) <= 2


def test_the_pull_holds_weights_back(numbers: np.random.Generator) -> None:
    """The stronger it is, the nearer to the default they stay; without any limit they stay there."""
    planted = form(numbers, 20, (1.0, 0.0))
    moved = [np.linalg.norm(fit(planted, np.arange(20), pull) - planted.weights) for pull in (0.01, 1.0, 100.0)]
    assert moved[0] > moved[1] > moved[2] > 0
    assert fit(planted, np.arange(20), None) is planted.weights


def test_no_weight_changes_its_sign(numbers: np.random.Generator) -> None:
    """A feature that hurts is left out at most: few questions must not turn it round."""
    against = form(numbers, 20, (1.0, -1.0), default=(0.5, 0.5))
    assert fit(against, np.arange(20), 0.01)[1] == pytest.approx(0, abs=1e-9)
    negative = form(numbers, 20, (1.0, 1.0), default=(0.5, -0.5))
    assert fit(negative, np.arange(20), 0.01)[1] == pytest.approx(0, abs=1e-9)


def test_the_better_form_is_chosen(numbers: np.random.Generator) -> None:
    """Between a form whose features say nothing and one that ranks right, also where it has no weights to fit."""
    useless = form(numbers, 20, None)
    perfect = Form(np.ones(1), [Pool(one.gains[:, None], one.units, one.gains, one.ideal) for one in useless.pools])
    assert (choose([useless, perfect], np.arange(20), 0).form, choose([perfect, useless], np.arange(20), 0).form) == (
        1,
        0,
    )
    assert cross_validated([useless, perfect], 0) == pytest.approx(np.ones(20))


def test_questions_without_anything_found_count_and_teach_nothing(numbers: np.random.Generator) -> None:
    """No candidates, or none relevant: their nDCG is 0, and the fit is that of the others."""
    planted = form(numbers, 20, (1.0, 0.0))
    nothing = Pool(np.zeros((0, 2)), np.zeros(0, dtype=np.int64), np.zeros(0), 1.0)
    irrelevant = Pool(np.ones((2, 2)), np.arange(2), np.zeros(2), 1.0)
    more = Form(planted.weights, [*planted.pools, nothing, irrelevant])
    assert ndcg(more, more.weights, np.arange(22))[-2:].tolist() == [0, 0]
    assert fit(more, np.arange(22), 0.1) == pytest.approx(fit(planted, np.arange(20), 0.1))
    none = Form(planted.weights, [nothing, irrelevant])
    assert fit(none, np.arange(2), 0.1) is none.weights
    assert cross_validated([none], 0).tolist() == [0, 0]


def test_a_large_pool_is_narrowed_to_its_best_and_what_is_relevant(numbers: np.random.Generator) -> None:
    """Units stay whole and numbered without gaps."""
    features = numbers.random((500, 2))
    units = np.repeat(np.arange(250), 2)
    gains = np.zeros(250)
    worst = int(units[np.argmin(features.sum(axis=1))])
    gains[worst] = 1
    narrow = Pool(features, units, gains, 1.0).narrowed(np.ones(2))
    assert 100 <= len(narrow.units) <= 202
    assert (narrow.gains.sum(), narrow.units[0], np.diff(narrow.units).max()) == (1, 0, 1)
    assert np.bincount(narrow.units).tolist() == [2] * len(narrow.gains)
    assert features.sum(axis=1).max() in narrow.features.sum(axis=1)


def test_the_same_seed_gives_the_same(numbers: np.random.Generator) -> None:
    """And every question is held out once."""
    planted = form(numbers, 2 * FOLDS + 1, (0.8, 0.2))
    first, again = (cross_validated([planted], 3) for _ in range(2))
    assert first.tolist() == again.tolist()
    assert np.count_nonzero(first) > FOLDS
