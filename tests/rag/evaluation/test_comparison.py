"""The gate errs as often as it says, sees what it says it sees, and refuses what cannot be compared.

`places.json` has a real run: the place of the one relevant document (0: not among ten, X: ten) for 1,733 questions
about encyclopedia paragraphs, by three systems.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import permutation_test

from rag.evaluation.comparison import Declared, Effect, outcome, paired
from rag.evaluation.statistics import detectable, holm, shift_interval, sign_flip_p, standard_error

Values = NDArray[np.float64]
SEED = 20260724
SPLITS = 1000
GAIN = np.array([0, *(1 / math.log2(place + 1) for place in range(1, 11))])


@pytest.fixture(scope="module")
def real() -> Mapping[str, Values]:
    """The nDCG@10 of every question by system."""
    places = json.loads((Path(__file__).parent / "places.json").read_text())
    return {name: GAIN[["0123456789X".index(one) for one in row]] for name, row in places.items()}


def effect_of(before: Values, after: Values, seed: int = 0) -> Effect:
    """Compare two rows of values, a question each."""
    sides = ({"set": {f"q{at}": float(value) for at, value in enumerate(side)}} for side in (before, after))
    return paired(*sides, seed=seed)


def swapped(one: Values, two: Values, count: int, random: np.random.Generator) -> tuple[Values, Values]:
    """Draw questions with replacement and let each pair stand either way round: nothing has changed."""
    drawn, turned = random.integers(len(one), size=count), random.random(count) < 0.5
    return np.where(turned, two[drawn], one[drawn]), np.where(turned, one[drawn], two[drawn])


def lowered(values: Values, chance: float, random: np.random.Generator) -> Values:
    """Let each question lose all of its value with that chance."""
    return np.where(random.random(len(values)) < chance, 0.0, values)


# The gate


@pytest.mark.parametrize("way", ["halves", "swapped"])
def test_false_alarms_are_as_many_as_declared(real: Mapping[str, Values], way: str) -> None:
    """Over 1,000 splits in which nothing changed a difference is found in 5 % ± 1.5, a regression called in half."""
    print(f"seed {SEED}")
    random, seen = np.random.default_rng(SEED), Counter[str]()
    for at in range(SPLITS):
        if way == "halves":
            before, after = random.permutation(real["hybrid"])[:300].reshape(2, 150)
        else:
            before, after = swapped(real["hybrid"], real["lexical"], 200, random)
        effect = effect_of(before, after, seed=at)
        seen.update([outcome(effect, Declared()), "found" if effect.p <= 0.05 else "not found"])
    assert 0.035 <= seen["found"] / SPLITS <= 0.065
    assert seen["regression"] / SPLITS <= 0.04


def test_a_regression_of_two_points_on_a_thousand_queries_is_caught(real: Mapping[str, Values]) -> None:
    """In each of 40 draws of 1,000 questions, 2 points of which are lost, it is called a regression."""
    print(f"seed {SEED}")
    random = np.random.default_rng(SEED)
    for at in range(40):
        before = random.choice(real["hybrid"], 1000)
        order = random.permutation(1000)
        after = before.copy()
        after[order[: int(np.searchsorted(np.cumsum(before[order]), 20)) + 1]] = 0
        effect = effect_of(before, after, seed=at)
        assert effect.effect == pytest.approx(-0.02, abs=0.001)
        assert outcome(effect, Declared()) == "regression"


def test_a_change_is_found_as_often_as_the_power_says(real: Mapping[str, Values]) -> None:
    """Of so many questions that a loss of 0.05 should show four times in five, it shows in 80 % ± 4 of 1,000 draws."""
    print(f"seed {SEED}")
    random = np.random.default_rng(SEED)
    one, two = real["hybrid"], real["dense"]
    chance = 0.05 / np.concatenate([one, two]).mean()
    before, after = swapped(one, two, 200_000, random)
    deviation = float((lowered(after, chance, random) - before).std())
    count = round((detectable(deviation, alpha=0.05) / 0.05) ** 2)
    found = 0
    for at in range(SPLITS):
        before, after = swapped(one, two, count, random)
        found += sign_flip_p([lowered(after, chance, random) - before], seed=at, resamples=1999) <= 0.05
    assert found / SPLITS == pytest.approx(0.8, abs=0.04)


def test_a_loss_of_the_margin_seldom_passes(real: Mapping[str, Values]) -> None:
    """With a true loss of 0.05 and that as the margin, the whole interval lies above it in about 2.5 % of draws."""
    print(f"seed {SEED}")
    random, passed = np.random.default_rng(SEED), 0
    chance = 0.05 / np.concatenate([real["hybrid"], real["dense"]]).mean()
    for at in range(SPLITS):
        before, after = swapped(real["hybrid"], real["dense"], 300, random)
        low, _ = shift_interval([lowered(after, chance, random) - before], alpha=0.05, seed=at, resamples=1000)
        passed += low >= -0.05
    assert 0.01 <= passed / SPLITS <= 0.04


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ((0.03, 0.01, 0.05, 0.01), "no regression"),
        ((-0.004, -0.008, -0.001, 0.01), "no regression"),
        ((0.0, -0.01, 0.01, 1.0), "no regression"),
        ((-0.02, -0.03, -0.01, 0.001), "regression"),
        ((-0.02, -0.05, 0.01, 0.2), "inconclusive"),
        ((-0.008, -0.012, -0.004, 0.001), "inconclusive"),
        ((0.01, -0.02, 0.04, 0.5), "inconclusive"),
    ],
)
def test_the_interval_and_the_margin_decide(figures: tuple[float, float, float, float], expected: str) -> None:
    """Effect, ends of its interval and p, against a margin of 0.01 at alpha 0.05."""
    effect, low, high, p = figures
    assert outcome(Effect(0, 0, effect, low, high, p, 100, 0, 0, 0, 1, 1), Declared()) == expected


def test_without_a_difference_there_is_no_regression_even_at_margin_0(real: Mapping[str, Values]) -> None:
    """The same values on both sides: all ties, p is 1, and no loss is too small to be ruled out."""
    effect = effect_of(real["dense"], real["dense"])
    assert (effect.effect, effect.low, effect.high, effect.p, effect.sd, effect.detectable) == (0, 0, 0, 1, 0, 0)
    assert (effect.wins, effect.ties, effect.losses) == (0, len(real["dense"]), 0)
    assert outcome(effect, Declared(margin=0)) == "no regression"
    assert outcome(effect_of(np.array([0.0] * 9), np.array([0.0] * 8 + [-1e-3])), Declared(margin=0)) == "inconclusive"


# Pairs and sets


def test_an_effect_counts_by_hand() -> None:
    """Four questions: two better, one the same, one worse."""
    effect = effect_of(np.array([0.2, 0.5, 1.0, 0.4]), np.array([0.6, 0.5, 0.9, 1.0]))
    assert (effect.base, effect.candidate, effect.n) == (pytest.approx(0.525), pytest.approx(0.75), 4)
    assert (effect.effect, effect.wins, effect.ties, effect.losses) == (pytest.approx(0.225), 2, 1, 1)
    assert effect.p == 0.5  # of the 8 ways to sign 0.4, 0.1 and 0.6, 4 sum to 0.9 or more either way
    assert effect.sd == pytest.approx(np.std([0.4, 0, -0.1, 0.6], ddof=1))
    assert effect.low <= effect.effect <= effect.high


def test_a_query_that_one_side_lacks_counts_0() -> None:
    """It stays in both means."""
    effect = paired({"s": {"a": 1.0, "b": 0.5}}, {"s": {"a": 1.0, "c": 0.2}})
    assert (effect.n, effect.base, effect.candidate) == (3, pytest.approx(0.5), pytest.approx(0.4))
    assert (effect.wins, effect.ties, effect.losses) == (1, 1, 1)


def test_each_set_weighs_the_same() -> None:
    """Ten questions that win by 0.4 weigh as much as a thousand that lose by 0.2."""
    base = {"few": {str(at): 0.5 for at in range(10)}, "many": {str(at): 0.5 for at in range(1000)}}
    candidate = {"few": dict.fromkeys(base["few"], 0.9), "many": dict.fromkeys(base["many"], 0.3)}
    effect = paired(base, candidate)
    assert (effect.effect, effect.base, effect.candidate) == (pytest.approx(0.1), 0.5, pytest.approx(0.6))
    turned = paired(base, candidate, less_is_better=["many"])
    assert turned.effect == pytest.approx(0.3)
    assert (turned.wins, turned.losses) == (1010, 0)


@pytest.mark.parametrize("sets", [((0.1, 200), (0.3, 30), (0.2, 60)), ((0.3, 10), (0.3, 300))])
def test_the_stratified_test_keeps_its_level(sets: Sequence[tuple[float, int]]) -> None:
    """Sets of unlike spread and size without a true difference: found in 5 % ± 1.5, covered in 95 % ± 1.5."""
    print(f"seed {SEED}")
    random, found, covered = np.random.default_rng(SEED), 0, 0
    for at in range(SPLITS):
        strata = [random.normal(0, spread, size) for spread, size in sets]
        low, high = shift_interval(strata, alpha=0.05, seed=at, resamples=1000)
        found += sign_flip_p(strata, seed=at, resamples=999) <= 0.05
        covered += low <= 0 <= high
    assert 0.035 <= found / SPLITS <= 0.065
    assert 0.935 <= covered / SPLITS <= 0.965


@pytest.mark.parametrize(
    ("base", "candidate"), [({}, {}), ({"a": {"q": 1.0}}, {"b": {"q": 1.0}}), ({"a": {}}, {"a": {}})]
)
def test_other_sets_or_none_are_refused(
    base: Mapping[str, Mapping[str, float]], candidate: Mapping[str, Mapping[str, float]]
) -> None:
    """Nothing is left out in silence."""
    with pytest.raises(ValueError, match="the same sets"):
        paired(base, candidate)


# Figures


@pytest.mark.parametrize("sizes", [(3,), (9,), (4, 7), (40,), (25, 60)])
def test_the_permutation_test_is_scipys(sizes: tuple[int, ...]) -> None:
    """Exactly where all flips are looked at, and within what random flips allow elsewhere."""
    random = np.random.default_rng(SEED)
    strata = [random.integers(-4, 5, size) / 8 for size in sizes]
    weights = np.concatenate([np.full(size, 1 / size / len(sizes)) for size in sizes])
    together = np.concatenate(strata)

    def effect(before: Values, after: Values, axis: int = -1) -> Values:
        return np.sum((before - after) * weights, axis=axis)

    # Pairs that stay as they are count in scipy's permutations and change nothing.
    whole = sum(sizes) <= 11
    sides = (together, np.zeros(len(together)))
    options = {"permutation_type": "samples", "vectorized": True, "rng": np.random.default_rng(1)}
    peer = permutation_test(sides, effect, n_resamples=np.inf if whole else 9999, **options)
    assert sign_flip_p(strata, seed=2) == pytest.approx(peer.pvalue, abs=1e-9 if whole else 0.02)


def test_the_least_p_of_random_flips_is_not_0() -> None:
    """The pairs as they stand are one way to stand."""
    assert sign_flip_p([np.ones(50)], seed=0, resamples=99) == 0.01


@pytest.mark.parametrize(("size", "least"), [(5, 0.89), (10, 0.93), (20, 0.935), (50, 0.94)])
def test_the_interval_covers_over_few_questions_too(size: int, least: float) -> None:
    """Of 2,000 samples from a normal distribution about 95 % of the intervals hold the truth; of five, 9 in 10."""
    print(f"seed {SEED}")
    samples = np.random.default_rng(SEED).normal(0.1, 0.3, (2000, size))
    ends = [shift_interval([sample], alpha=0.05, seed=at, resamples=1000) for at, sample in enumerate(samples)]
    assert least <= np.mean([low <= 0.1 <= high for low, high in ends]) <= 0.97


def test_one_question_says_nothing() -> None:
    """No spread, no interval but all that is possible, no power."""
    effect = effect_of(np.array([0.0]), np.array([1.0]))
    assert (effect.low, effect.high, effect.p, effect.sd, effect.detectable) == (-1, 1, 1, None, None)
    assert standard_error([np.array([0.1, 0.2]), np.array([0.3])]) is None


@pytest.mark.parametrize(("questions", "seen"), [(50, 0.12), (500, 0.04)])
def test_what_so_many_questions_can_see(questions: int, seen: float) -> None:
    """At a standard deviation of 0.3: 0.12 of 50 questions, 0.04 of 500."""
    assert detectable(0.3 / questions**0.5, alpha=0.05) == pytest.approx(seen, abs=0.003)


def test_holm_of_a_worked_example() -> None:
    """Times four, three, two, one from the least on, and never falling."""
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert adjusted == {"a": pytest.approx(0.03), "b": pytest.approx(0.06), "c": pytest.approx(0.06), "d": 0.02}
    assert list(adjusted) == ["a", "b", "c", "d"]
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1, "b": 1}


@pytest.mark.parametrize("figure", [sign_flip_p, lambda strata, seed: shift_interval(strata, alpha=0.05, seed=seed)])
def test_a_seed_repeats_itself(figure: Callable[..., object]) -> None:
    """The same seed gives the same figure, another one another."""
    strata = [np.random.default_rng(5).normal(0.03, 0.3, 300)]
    assert figure(strata, seed=1) == figure(strata, seed=1)
    assert figure(strata, seed=1) != figure(strata, seed=2)
