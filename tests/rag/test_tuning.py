"""A collection tuned to its own questions: kept where it is surely better, and nothing is touched where it is not."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from rag import ask as asking
from rag.errors import QuestionsTooFew
from rag.evaluation.questions import AnswerSpan as Span
from rag.rankings import settings_of, understood
from rag.retrieval import Ranking, retrieve
from rag.tuning import RANKS, Labelled, features, tune, weighted
from rag.types import Question, Turn

WORDS = [
    f"{start}{end}" for start in ("ba", "ke", "lo", "mi", "su") for end in ("dor", "lin", "mas", "nek", "pot", "ra")
]
BY_DENSE = Ranking(fusion="convex", dense_weight=1.0)


@pytest.fixture(scope="module")
def filled(new_shelf: Callable[..., Any]) -> Any:
    """A shelf with eighty documents of random words; only to be asked."""
    return stocked(new_shelf())


@pytest.fixture
def own(new_shelf: Callable[..., Any]) -> Any:
    """The same documents in a collection that a test may change."""
    return stocked(new_shelf())


def stocked(shelf: Any) -> Any:
    """Fill a shelf; the words are the same in every run."""
    maker = random.Random(1)
    shelf.add(*(" ".join(maker.choices(WORDS, k=maker.randint(8, 40))).capitalize() + "." for _ in range(80)))
    return shelf


def queries(count: int) -> list[str]:
    """Return questions of a few of the words."""
    maker = random.Random(2)
    return [" ".join(maker.sample(WORDS, 4)) for _ in range(count)]


def first_by(shelf: Any, ranking: Ranking, query: str) -> str:
    """Return the document that a ranking puts first."""
    (found,) = asking.search([Question(query, top_k=1)], shelf.collection, shelf.encoder, ranking)
    return found.passages[0].document.id


def leans_to_dense(ranking: Ranking) -> bool:
    """Say whether vectors count more in it than in the default."""
    if ranking.fusion == "convex":
        return ranking.dense_weight > 0.5
    return ranking.fusion == "linear" and ranking.dense > Ranking().dense


def planted(shelf: Any, count: int) -> list[Labelled]:
    """Return questions whose right document is the one nearest by vector."""
    return [Labelled(Question(query), {first_by(shelf, BY_DENSE, query): 1}) for query in queries(count)]


def at_random(count: int) -> list[Labelled]:
    """Return questions whose right document is any."""
    maker = random.Random(3)
    return [Labelled(Question(query), {f"d{maker.randrange(80)}": 1}) for query in queries(count)]


def test_a_preference_is_found_kept_and_used(own: Any) -> None:
    """The next question is ranked by it, and what it was fitted on is kept beside it."""
    questions, before = planted(own, 40), own.collection.token
    tuned = tune(questions, own.collection, own.encoder)
    assert (tuned.better, tuned.version) == (True, 1)
    assert leans_to_dense(tuned.ranking)
    kept = own.collection.ranking
    assert (understood(kept.settings), kept.figures) == (tuned.ranking, tuned.figures)
    assert own.search(questions[0].question.query).ranking == 1
    figures = tuned.figures
    assert (figures["questions"], figures["token"], figures["measure"]) == (40, before, "nDCG@10")
    assert figures["gain"]["mean"] == pytest.approx(figures["tuned"] - figures["default"], abs=2e-4)
    assert figures["gain"]["mean"] > figures["gain"]["low"] > 0
    assert figures["helped"] > figures["hurt"]
    assert {"questions_sha256", "commit", "pincite", "left_out", "folds", "seed", "pull"} < figures.keys()
    again = tune(questions, own.collection, own.encoder)
    assert (again.version, again.ranking) == (2, tuned.ranking)
    assert again.figures["gain"] == figures["gain"]  # what is in use has no say in what is found


def test_a_dry_run_says_the_same_and_keeps_nothing(own: Any) -> None:
    """Figures and ranking, no version, no change."""
    token = own.collection.token
    dry = tune(planted(own, 40), own.collection, own.encoder, dry_run=True)
    assert (dry.better, dry.version, own.collection.token) == (True, None, token)
    wet = tune(planted(own, 40), own.collection, own.encoder)
    assert dry.ranking == wet.ranking
    assert {**dry.figures, "commit": None} == {**wet.figures, "commit": None}  # somebody may commit meanwhile


@pytest.mark.parametrize("questions", [at_random(30), at_random(12)])
def test_labels_without_any_preference_leave_the_default(own: Any, questions: Sequence[Labelled]) -> None:
    """Nothing is kept; tests of the fitting say how seldom chance is taken for a preference."""
    token = own.collection.token
    tuned = tune(questions, own.collection, own.encoder)
    assert (tuned.better, tuned.version, own.collection.token) == (False, None, token)
    assert own.collection.ranking is None


def test_the_fit_scores_as_the_product_does(filled: Any) -> None:
    """What is tuned is what ranks: features by weights give the scores of retrieval, whatever the weights are."""
    for ranking in (Ranking(), weighted(np.array([0.9, 0.1, 0.2, 0.3, 0.5]))):
        assert weighted(np.array(ranking.weights)) == ranking
        for query in queries(5):
            found = retrieve(Question(query), filled.collection, filled.encoder, ranking, 500)
            scores = features(found) @ np.array(ranking.weights)
            assert len(scores) == ranking.read
            ranked = list(found.passages)
            assert [one.score for one in ranked[: ranking.read]] == pytest.approx(sorted(scores)[::-1], abs=1e-6)
            assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)


def test_rankings_without_weights_score_as_the_product_does(filled: Any) -> None:
    """Each of those that are tried beside; one of them is kept where it is what the labels follow."""
    for ranking, scores in RANKS.items():
        for query in queries(5):
            found = retrieve(Question(query), filled.collection, filled.encoder, ranking, 500)
            assert [one.score for one in found.passages] == pytest.approx(
                sorted(scores(found.found.hits), reverse=True), abs=1e-6
            )
        wanted = [Labelled(Question(query), {first_by(filled, ranking, query): 1}) for query in queries(30)]
        tuned = tune(wanted, filled.collection, filled.encoder, dry_run=True)
        assert (tuned.better, tuned.ranking) == (True, ranking)


def test_weights_are_kept_as_short_numbers() -> None:
    """In proportion, so that what they are multiplied by does not show."""
    assert weighted(np.array([2.0, 4.0, 0.0, 0.0, 0.0])).weights == (0.333, 0.667, 0.0, 0.0, 0.0)
    assert settings_of(weighted(np.array([1.0, 0.0, 0.0, 0.0, 3.0])))["pairs"] == 0.75


def test_what_cannot_be_judged_is_left_out_and_counted(filled: Any) -> None:
    """No label, a document that is not here, a place where the text is another one; and filters and history hold."""
    text = filled.collection.text("d1")
    good = Labelled(Question("lomas", history=[Turn("user", "kelin?")]), {"d1": 2, "gone": 1})
    filtered = Labelled(Question("lomas", filter={"field": "document_id", "eq": "d2"}), {"d1": 1})
    spanned = Labelled(Question("lomas"), {"gone": 1}, [Span("d1", 0, 5, text[:5]), Span("d1", 0, 5, "other")])
    bad = [
        Labelled(Question("lomas"), {}),
        Labelled(Question("lomas"), {"d1": 0}),
        Labelled(Question("lomas"), {"gone": 1}),
        Labelled(Question("lomas"), {}, [Span("d1", 0, 5, "other")]),
        Labelled(Question("lomas"), {}, [Span("gone", 0, 5, "other")]),
    ]
    found = tune([good, filtered, spanned] * 4 + bad, filled.collection, filled.encoder, dry_run=True)
    assert found.figures["questions"] == 12
    assert found.figures["left_out"] == {"unlabelled": 2, "not_in_collection": 3}
    with pytest.raises(QuestionsTooFew, match=r"3 of 8 questions .* takes 10"):
        tune([good, filtered, spanned, *bad], filled.collection, filled.encoder)


def test_a_place_in_a_long_document_is_judged_by_its_passage(new_shelf: Callable[..., Any]) -> None:
    """With one document alone, only where its passages stand can be better: here those nearest by vector."""
    shelf, maker = new_shelf(), random.Random(4)
    text = "\n\n".join(" ".join(maker.choices(WORDS, k=120)).capitalize() + "." for _ in range(60))
    shelf.add(long=text)
    questions = []
    for query in queries(30):
        (found,) = asking.search([Question(query, top_k=1)], shelf.collection, shelf.encoder, BY_DENSE)
        cited = found.passages[0].citation
        questions.append(Labelled(Question(query), {}, [Span("long", cited.start, cited.start + 9, cited.quote[:9])]))
    tuned = tune(questions, shelf.collection, shelf.encoder, dry_run=True)
    assert tuned.figures["default"] < 1
    assert leans_to_dense(tuned.ranking)
    as_documents = [Labelled(one.question, {"long": 1}) for one in questions]
    found = tune(as_documents, shelf.collection, shelf.encoder, dry_run=True)
    assert (found.better, found.figures["default"]) == (False, 1.0)


def test_whoever_listens_can_end_it(own: Any) -> None:
    """An error of the listener, as a server that is to end raises, comes out and leaves nothing."""

    def stop(asked: int) -> None:
        if asked == 3:
            raise RuntimeError("the end")

    with pytest.raises(RuntimeError, match="the end"):
        tune(planted(own, 12), own.collection, own.encoder, on_question=stop)
    assert own.collection.ranking is None


def test_the_default_is_judged_by_all_that_it_finds(new_shelf: Callable[..., Any]) -> None:
    """A document of which no passage was read has its place below those that were, as in a search."""
    shelf, maker = new_shelf(), random.Random(5)
    common, other = WORDS[:8], WORDS[8:]
    paragraphs = (" ".join(maker.choices(common, k=120)).capitalize() + "." for _ in range(60))
    shelf.add(long="\n\n".join(paragraphs))  # whose passages are all that is read
    shelf.add(**{f"short{one}": " ".join([maker.choice(common), *maker.choices(other, k=40)]) for one in range(5)})
    labels = [
        Labelled(Question(" ".join(maker.sample(common, 4))), {f"short{maker.randrange(5)}": 1}) for _ in range(20)
    ]
    gains = []
    for one in labels:
        found = retrieve(one.question, shelf.collection, shelf.encoder, Ranking(), 1000)
        order = list(dict.fromkeys(passage.stored.document.id for passage in found.passages))
        (wanted,) = one.relevant
        gains.append(1 / np.log2(order.index(wanted) + 2) if wanted in order[:10] else 0.0)
    assert np.mean(gains) > 0.2
    tuned = tune(labels, shelf.collection, shelf.encoder, dry_run=True)
    assert tuned.figures["default"] == pytest.approx(np.mean(gains), abs=5e-4)
