"""Each measure against a worked example, trec_eval's habits, or another count."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evaluation.containment import Piece, exact_match, holds_answer, token_f1, token_overlap
from rag.evaluation.measures import OWN, Observed, own_values, ranking_values
from rag.evaluation.questions import AnswerSpan, DatasetQuestion
from rag.evaluation.result import judge
from rag.evaluation.rows import Place
from rag.evaluation.trec import read_run
from rag.types import Span

PLACE = Place(Path("queries.jsonl"), 1)
TEXT = "Tin melts at 232 degrees. Copper melts at 1085 degrees. The mayor opened the bridge in 1932."


def span(document: str, words: str, text: str = TEXT) -> AnswerSpan:
    """The first place where `words` stand in `text`."""
    start = text.index(words)
    return AnswerSpan(document, start, start + len(words), words, PLACE)


def test_ranking_measures_of_a_worked_example() -> None:
    """Grades 2 and 1, found at places 3 and 1 of three: every figure by hand."""
    values = ranking_values({"q": {"a": 2, "b": 1, "lost": 1}}, {"q": ["b", "x", "a"]})
    ideal = 2 + 1 / math.log2(3) + 1 / math.log2(4)
    expected = {
        "nDCG@10": (1 + 2 / math.log2(4)) / ideal,
        "R@10": 2 / 3,
        "R@20": 2 / 3,
        "R@100": 2 / 3,
        "RR@10": 1,
        "P@1": 1,
        "Success@1": 1,
        "Success@5": 1,
        "Success@10": 1,
    }
    assert {name: by_query["q"] for name, by_query in values.items()} == pytest.approx(expected)


def test_the_order_given_counts_and_not_the_ids() -> None:
    """trec_eval would put z before a where scores tie; a ranking has no ties, so both orders score as they stand."""
    judgements = {"first": {"a": 1}, "second": {"a": 1}}
    values = ranking_values(judgements, {"first": ["a", "z"], "second": ["z", "a"]})
    assert values["RR@10"] == {"first": 1, "second": 0.5}
    assert values["P@1"] == {"first": 1, "second": 0}
    assert values["nDCG@10"] == pytest.approx({"first": 1, "second": 1 / math.log2(3)})


def test_ties_of_a_run_file_are_broken_as_trec_eval_breaks_them(tmp_path: Path) -> None:
    """Three documents with one score stand as c, b, a, whatever their ranks say."""
    (tmp_path / "tied.run").write_text("q Q0 a 1 1 x\nq Q0 b 2 1 x\nq Q0 c 3 1 x\n")
    run = read_run(tmp_path / "tied.run")
    reciprocal = {document: ranking_values({"q": {document: 1}}, run)["RR@10"]["q"] for document in "abc"}
    assert reciprocal == pytest.approx({"a": 1 / 3, "b": 1 / 2, "c": 1})


def test_a_query_missing_from_a_run_scores_0() -> None:
    """It never vanishes from the mean."""
    values = ranking_values({"q1": {"a": 1}, "q2": {"a": 1}}, {"q1": ["a"]})
    assert all(by_query == {"q1": 1, "q2": 0} for name, by_query in values.items())


def test_a_query_without_relevant_documents_is_left_out() -> None:
    """No ranking can score on it: grades of 0 and below are judged, and not relevant."""
    values = ranking_values({"q1": {"a": 1}, "q2": {"a": 0, "b": -1}, "q3": {}}, {"q1": ["a"], "q2": ["a"]})
    assert all(set(by_query) == {"q1"} for by_query in values.values())
    assert all(by_query == {} for by_query in ranking_values({"q2": {"a": 0}}, {"q2": ["a"]}).values())


IDS = st.sampled_from([f"d{n}" for n in range(12)])
RUN = st.dictionaries(st.sampled_from("pqr"), st.lists(IDS, unique=True, max_size=12))
JUDGED = st.dictionaries(st.sampled_from("pqr"), st.dictionaries(IDS, st.integers(-1, 3), max_size=6))


@given(judgements=JUDGED, run=RUN)
def test_ranking_measures_lie_from_0_to_1_and_reciprocal_rank_is_the_place(
    judgements: Mapping[str, Mapping[str, int]], run: Mapping[str, Sequence[str]]
) -> None:
    """For any judgements and any run; and reciprocal rank, recall and success agree with counting."""
    values = ranking_values(judgements, run)
    assert all(0 <= value <= 1 + 1e-9 for by_query in values.values() for value in by_query.values())
    for query, value in values["RR@10"].items():
        good = {document for document, grade in judgements[query].items() if grade > 0}
        places = [place for place, document in enumerate(run.get(query, [])[:10], start=1) if document in good]
        assert value == pytest.approx(1 / places[0] if places else 0)
        assert values["R@10"][query] == pytest.approx(len(places) / len(good))
        assert values["Success@10"][query] == bool(places)


@pytest.mark.parametrize(
    ("text", "answers", "held"),
    [
        ("Opened in\n  1932 by the MAYOR.", ["in 1932 by the mayor"], True),
        ("He paid 1179 crowns.", ["117"], False),
        ("He paid 117, no more.", ["117"], True),
        ("Bananas are yellow.", ["nana"], False),
        ("彼は東京で生まれた。", ["東京"], True),
        ("C++ and C# differ.", ["C#"], True),
        ("STRASSE", ["Straße"], True),
        ("There is no answer.", ["no"], False),
        ("Anything.", [" "], False),
    ],
)
def test_an_answer_is_held_as_whole_words(text: str, answers: Sequence[str], held: bool) -> None:
    """Case and blanks do not matter, a part of a number or a word is no answer, and a bare no says nothing."""
    assert holds_answer(Piece("d", 0, text), DatasetQuestion("q", "?", answers=answers)) is held


def test_a_span_is_held_where_it_overlaps_in_its_document() -> None:
    """Touching is not overlapping, and the same place of another document is another place."""
    question = DatasetQuestion("q", "?", spans=[AnswerSpan("d", 10, 20, "0123456789", PLACE)])
    pieces = [
        Piece("d", 0, "x" * 10),
        Piece("d", 0, "x" * 11),
        Piece("d", 19, "x"),
        Piece("d", 20, "x"),
        Piece("e", 10, "x"),
    ]
    assert [holds_answer(piece, question) for piece in pieces] == [False, True, True, False, False]


def test_token_overlap_of_a_worked_example() -> None:
    """Shown are 4 words, wanted 3, both 2: 2 of 5, of 4, of 3; a word shown twice counts once."""
    shown = [Piece("d", 0, "tin melts at 232"), Piece("d", 4, "melts")]
    overlaps = [
        token_overlap(shown, [Piece("d", 10, "at 232 degrees")]),
        token_overlap(shown, [Piece("e", 10, "at 232 degrees")]),
        token_overlap([], [Piece("d", 10, "at")]),
        token_overlap([Piece("d", 0, "all of it")], [Piece("d", 0, "all of it")]),
    ]
    figures = [(overlap.iou, overlap.precision, overlap.recall) for overlap in overlaps]
    assert figures == [(2 / 5, 2 / 4, 2 / 3), (0, 0, 0), (0, 0, 0), (1, 1, 1)]


@pytest.mark.parametrize(
    ("predicted", "answers", "exact", "f1"),
    [
        ("The  Mayor!", ["a mayor"], 1, 1),
        ("virtually on Monday", ["on Monday"], 0, 4 / 5),
        ("in 1932", ["1931", "1932"], 0, 2 / 3),
        ("", [], 1, 1),
        ("something", [], 0, 0),
        ("", ["1932"], 0, 0),
        ("the", ["1932"], 0, 0),
    ],
)
def test_exact_match_and_f1_normalise_as_squad_does(
    predicted: str, answers: Sequence[str], exact: float, f1: float
) -> None:
    """Case, punctuation, articles and blanks do not count; the best of several answers does."""
    assert exact_match(predicted, answers) == exact
    assert token_f1(predicted, answers) == pytest.approx(f1)


def test_answers_are_looked_for_in_as_many_passages_as_the_name_says(known: SimpleNamespace) -> None:
    """An answer in the third passage is in the top 5 and not in the top 1."""
    found = [known.passage(f"d{n}", text) for n, text in enumerate(["Nothing.", "Nor here.", TEXT])]
    values = own_values([Observed(DatasetQuestion("q", "?", answers=["1932"]), found)])
    assert [values[f"Answer@{k}"] for k in (1, 5, 20)] == [{"q": 0}, {"q": 1}, {"q": 1}]


def test_passages_that_answer_are_ranked_against_their_best_order(known: SimpleNamespace) -> None:
    """At places 2, 4 and 11 of 12: the gain is over that of the first three places; a question without any has 0."""
    found = [known.passage(f"d{n}", TEXT if n in (1, 3, 10) else "Nothing.") for n in range(12)]
    asked = {"some": ["1932"], "none": ["1933"]}
    values = own_values([Observed(DatasetQuestion(q, "?", answers=answers), found) for q, answers in asked.items()])
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    gained = 1 / math.log2(3) + 1 / math.log2(5)
    assert values["Passage nDCG@10"] == pytest.approx({"some": gained / ideal, "none": 0})
    assert values["Passage RR@10"] == {"some": 1 / 2, "none": 0}
    late = own_values([Observed(DatasetQuestion("q", "?", answers=["1932"]), [*found[:1] * 10, found[1]])])
    assert (late["Passage RR@10"], late["Passage nDCG@10"]) == ({"q": 0}, {"q": 0})


def test_highlights_are_judged_by_sentences_of_the_passages_shown(known: SimpleNamespace) -> None:
    """The right sentence counts, its passage alone does not, and a declined question shows none."""
    question = DatasetQuestion("q", "?", answers=["1932"], spans=[span("d", "1932")], answerable=True)
    ends = [0, *(at + 1 for at, character in enumerate(TEXT) if character == ".")]
    marks = {name: Span(ends[at], ends[at + 1]) for at, name in enumerate(("tin", "copper", "bridge"))}
    observed = {
        name: Observed(question, [], known.answer("?", [known.passage("d", TEXT, Span(5, len(TEXT)), [mark])]))
        for name, mark in (("copper", marks["copper"]), ("bridge", marks["bridge"]))
    } | {"declined": Observed(question, [], known.answer("?", []))}
    values = {name: own_values([seen]) for name, seen in observed.items()}
    assert [values[name]["Answer in highlights@3"]["q"] for name in observed] == [0, 1, 0]
    assert [values[name]["Highlight token IoU@3"]["q"] for name in observed] == [0, 1 / 7, 0]
    others = [known.passage(f"e{n}", "Nothing.", sentences=[Span(0, 8)]) for n in range(3)]
    fourth = [*others, known.passage("d", TEXT, sentences=[marks["bridge"]])]
    fourth_shown = own_values([Observed(question, [], known.answer("?", fourth))])
    assert [fourth_shown[f"Answer in highlights@{k}"]["q"] for k in (3, 5)] == [0, 1]


def test_declining_is_counted_apart_for_answerable_and_unanswerable(known: SimpleNamespace) -> None:
    """A question of which nobody says whether it has an answer counts in neither."""
    labels = {"yes": True, "no": False, "unknown": None}
    observed = [
        Observed(DatasetQuestion(name, "?", answerable=label), [], known.answer("?", []))
        for name, label in labels.items()
    ]
    values = own_values(observed)
    assert (values["Declined, answerable"], values["Declined, unanswerable"]) == ({"yes": 1}, {"no": 1})


def test_words_shown_and_wanted_are_compared_over_the_first_five_passages(known: SimpleNamespace) -> None:
    """Of four words of the answer three are shown in the fifth passage; the sixth does not count."""
    question = DatasetQuestion("q", "?", spans=[span("d", "Tin melts at 232")])
    other = [known.passage(f"e{n}", "one two three") for n in range(4)]
    found = [*other, known.passage("d", TEXT, Span(4, 24)), known.passage("d", TEXT, Span(0, 4))]
    values = own_values([Observed(question, found)])
    shown = 4 * 3 + 4
    assert values["Passage token precision@5"]["q"] == 3 / shown
    assert values["Passage token recall@5"]["q"] == 3 / 4
    assert values["Passage token IoU@5"]["q"] == 3 / (shown + 1)


def test_predicted_answers_of_known_systems_score_what_they_must() -> None:
    """Right and abstaining in its place; always abstaining; always wrong; half right; without a prediction."""
    questions = [
        DatasetQuestion(f"q{n}", "?", answers=["the Lantern Bridge"] if n % 4 else [], answerable=n % 4 > 0)
        for n in range(40)
    ]
    predict = {
        "right": lambda question: "Lantern bridge." if question.answerable else "",
        "abstains": lambda question: "",
        "wrong": lambda question: "a ferry",
        "half": lambda question: "lantern tower",
        "silent": lambda question: None,
    }
    figures = {}
    for name, rule in predict.items():
        measured = judge({}, [Observed(one, (), predicted=rule(one)) for one in questions], seed=0).measures
        figures[name] = [measured[key].mean if key in measured else None for key in ("Exact match", "Token F1")]
    assert figures == {
        "right": [1, 1],
        "abstains": [0.25, 0.25],
        "wrong": [0, 0],
        "half": [0, 0.75 * 0.5],
        "silent": [None, None],
    }


PIECES = st.builds(lambda start, length: Span(start, start + length), st.integers(0, 80), st.integers(1, 40))


@given(parts=st.lists(PIECES, max_size=6), wanted=PIECES, predicted=st.text("aint 0123", max_size=12), data=st.data())
def test_own_measures_lie_from_0_to_1(
    known: SimpleNamespace, parts: Sequence[Span], wanted: Span, predicted: str, data: st.DataObject
) -> None:
    """For any passages, highlights, spans and predictions."""
    words = TEXT[wanted.start : wanted.end]
    spans = [AnswerSpan("d", wanted.start, wanted.start + len(words), words, PLACE)]
    labels = st.sampled_from([True, False, None])
    question = DatasetQuestion("q", "?", answers=[words], spans=spans, answerable=data.draw(labels))
    found = [known.passage("d", TEXT, Span(p.start, min(p.end, len(TEXT))), [p]) for p in parts]
    seen = Observed(question, found, known.answer("?", found), exact=1.0, predicted=predicted)
    values = own_values([seen])
    assert set(values) == set(OWN)
    assert all(0 <= value <= 1 for by_query in values.values() for value in by_query.values())
