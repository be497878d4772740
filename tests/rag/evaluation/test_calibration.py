"""Confidences of known worth get the figures that they deserve, and the areas are the textbook's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from rag.evaluation.calibration import (
    auprc,
    aurc,
    auroc,
    bins,
    brier,
    calibration,
    ece,
    ece_by_chance,
    fine_ece,
    refusal,
    risk,
)
from rag.evaluation.measures import CONFIDENCE, Observed
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.result import Evaluation, judge, result_json

SCORED = st.lists(st.tuples(st.integers(0, 6).map(lambda n: n / 6), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: len({label for _, label in rows}) == 2
)


@given(SCORED)
def test_areas_agree_with_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    """Ties included, both areas are what another implementation makes of them."""
    scores, labels = np.array([score for score, _ in rows]), np.array([label for _, label in rows])
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    assert auprc(scores, labels) == pytest.approx(average_precision_score(labels, scores))
    assert brier(scores, labels) == pytest.approx(brier_score_loss(labels, scores))


def test_areas_of_a_worked_example() -> None:
    """Of six pairs of a true and a false one, four are in order and one is a tie."""
    scores, labels = np.array([0.9, 0.6, 0.6, 0.4, 0.2]), np.array([True, False, True, True, False])
    assert auroc(scores, labels) == pytest.approx((2 + 1.5 + 1) / 6)
    assert auprc(scores, labels) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


# Systems whose confidence is of known worth


def calibrated(n: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Ten confidences, each right as often as it says."""
    confidences = np.repeat(np.arange(1, 11) / 10, n // 10)
    return confidences, np.concatenate([np.arange(n // 10) < (n // 10) * share / 10 for share in range(1, 11)])


def test_a_calibrated_confidence_has_no_calibration_error() -> None:
    """Each of ten bins says how often it is right; what is left of the Brier score is what nobody can know."""
    scores, labels = calibrated()
    assert ece(scores, labels) == pytest.approx(0)
    assert brier(scores, labels) == pytest.approx(np.mean([share * (1 - share) for share in np.arange(1, 11) / 10]))
    assert [(one.confidence, one.answerable, one.n) for one in bins(scores, labels)] == [
        (pytest.approx(share / 10), pytest.approx(share / 10), 100) for share in range(1, 11)
    ]


def test_a_calibrated_confidence_is_found_out_when_it_boasts() -> None:
    """Halfway from what it says to 1: the error is the mean of what was added."""
    scores, labels = calibrated()
    assert ece(scores + (1 - scores) / 2, labels) == pytest.approx(np.mean(1 - scores) / 2)


def test_a_confidence_that_always_abstains_knows_nothing() -> None:
    """Zero for every question: the errors are the answerable share, the risk is the rest at every coverage."""
    labels = np.arange(200) % 4 != 0
    scores = np.zeros(200)
    assert (auroc(scores, labels), auprc(scores, labels)) == (0.5, 0.75)
    assert (ece(scores, labels), brier(scores, labels)) == (pytest.approx(0.75), 0.75)
    assert risk(scores, labels) == pytest.approx(np.full(200, 0.25))
    assert refusal(scores, labels).precision == 0.25


def test_a_perfect_confidence_and_its_reverse_are_the_ends() -> None:
    """The one has no error but for answering where nothing is left to answer; the other has every error."""
    labels = np.arange(100) % 2 == 0
    right, wrong = labels.astype(float), 1 - labels.astype(float)
    least = sum(1 - 50 / k for k in range(51, 101)) / 100
    assert [figure(right, labels) for figure in (auroc, auprc, ece, brier)] == [1, 1, 0, 0]
    assert aurc(right, labels) == pytest.approx(least)
    assert (auroc(wrong, labels), ece(wrong, labels), brier(wrong, labels)) == (0, 1, 1)
    assert aurc(wrong, labels) == pytest.approx((50 + sum(50 / k for k in range(51, 101))) / 100)
    at = refusal(right, labels)
    assert (at.threshold, at.precision, at.recall) == (0, 1, 1)


def test_a_random_confidence_is_worth_nothing() -> None:
    """Half the pairs are in order, and answering fewer questions lowers no risk."""
    random = np.random.default_rng(20261124)
    scores, labels = random.random(20_000), random.random(20_000) < 0.6
    assert auroc(scores, labels) == pytest.approx(0.5, abs=0.02)
    assert aurc(scores, labels) == pytest.approx(0.4, abs=0.02)
    assert ece(scores, labels) == pytest.approx(np.mean(np.abs(np.arange(10) / 10 + 0.05 - 0.6)), abs=0.02)


def test_chance_leaves_a_calibrated_system_within_its_range() -> None:
    """19 of 20 draws of a calibrated system lie in it, the boaster lies beyond, and more questions narrow it."""
    random = np.random.default_rng(20261124)
    scores = random.random(200)
    low, high = ece_by_chance(scores)
    errors = np.array([ece(scores, random.random(200) < scores) for _ in range(400)])
    assert 0.9 < np.mean((low <= errors) & (errors <= high)) < 0.99
    assert ece(scores, random.random(200) < scores / 2) > high
    assert ece_by_chance(random.random(5000))[1] < high / 3
    assert calibration(scores, random.random(200) < scores).ece_by_chance == (low, high)


@given(SCORED, st.randoms())
def test_the_order_of_questions_shows_in_no_figure(rows: list[tuple[float, bool]], random: object) -> None:
    """Equal confidences stand in every order at once."""
    figures = []
    for _ in range(2):
        scores, labels = np.array([score for score, _ in rows]), np.array([label for _, label in rows])
        figures.append([one.figure(scores, labels) for one in CONFIDENCE.values()])
        random.shuffle(rows)  # type: ignore[attr-defined]
    assert figures[0] == pytest.approx(figures[1])
    assert all(0 <= figure <= 1 for figure in figures[0])


def test_where_to_decline_in_a_worked_example() -> None:
    """Declining the two lowest is wrong once in two; declining three finds both without an answer."""
    scores, labels = np.array([0.1, 0.2, 0.3, 0.8, 0.9]), np.array([False, True, False, True, True])
    found = refusal(scores, labels)
    assert (found.threshold, found.precision, found.recall) == (0.3, pytest.approx(2 / 3), 1)


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    """At most a hundred points, from the first question to full coverage."""
    scores, labels = calibrated()
    curve = calibration(scores, labels).risk_coverage
    assert len(curve) == 100
    assert curve[0] == (1 / 1000, 0)
    assert curve[-1] == (1, pytest.approx(1 - labels.mean()))


def test_confidence_is_measured_where_there_is_one() -> None:
    """Figures and curves of a system that has a confidence are in the result; without one neither is."""
    questions = [DatasetQuestion(f"q{n}", "?", answerable=n % 2 == 0) for n in range(20)]
    sure = judge({}, [Observed(q, [], confidence=0.9 if q.answerable else 0.2) for q in questions], seed=0)
    blind = judge({}, [Observed(question, []) for question in questions], seed=0)
    means = {name: sure.measures[name].mean for name in CONFIDENCE if name in sure.measures}
    assert means == pytest.approx(
        {
            "Answerability AUROC": 1,
            "Answerability AUPRC": 1,
            "Answerability ECE": 0.15,
            "Answerability Brier": (0.1**2 + 0.2**2) / 2,
            "Answerability AURC": sum(1 - 10 / k for k in range(11, 21)) / 20,
        }
    )
    assert not set(CONFIDENCE) & set(blind.measures)
    systems = result_json(Evaluation({"sure": sure, "blind": blind}, {}))["systems"]
    assert systems["sure"]["calibration"]["refusal"] == {"threshold": 0.2, "precision": 1, "recall": 1}
    assert systems["sure"]["calibration"]["risk_coverage"][-1] == [1, 0.5]
    assert [one["n"] for one in systems["sure"]["calibration"]["bins"]] == [2] * 10
    assert "calibration" not in systems["blind"]


def test_fifteen_bins_are_cut_at_equal_shares_of_the_questions() -> None:
    """Of 16 questions the last bin has two; as many questions as bins stand alone; fewer leave bins empty."""
    scores = np.arange(16) / 16
    labels = np.arange(16) >= 14
    alone = np.abs(scores - labels)[:14].sum()
    assert fine_ece(scores, labels) == pytest.approx((alone + abs(14 / 16 + 15 / 16 - 2)) / 16)
    assert fine_ece(scores[:15], labels[:15]) == pytest.approx(np.abs(scores - labels)[:15].mean())
    assert fine_ece(scores[:2], labels[:2]) == pytest.approx(1 / 32)


def test_equal_confidences_have_the_error_of_their_mean_in_whatever_order_they_come() -> None:
    """Half of them right at a confidence of one half is no error at all."""
    labels = np.arange(60) < 30
    assert fine_ece(np.full(60, 0.5), labels) == fine_ece(np.full(60, 0.5), labels[::-1]) == pytest.approx(0)
