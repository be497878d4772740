"""Replies are judged as a person would who reads them: each rule by a small example that is worked by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.measures import Observed, own_values
from rag.evaluation.outcomes import came, quote_lengths
from rag.evaluation.questions import AnswerSpan, DatasetQuestion
from rag.evaluation.result import judge, result_json
from rag.evaluation.run import Plan, evaluate_systems
from rag.types import Answer, AnswerPassage, Highlight, Quote, QuoteKind, ShortAnswer, Span

TEXT = "0123456789" * 100  # of every document


def support(*places: tuple[int, int], document: str = "d") -> list[AnswerSpan]:
    """Spans of a document."""
    return [AnswerSpan(document, start, end, TEXT[start:end]) for start, end in places]


def asked(*places: tuple[int, int], **about: Any) -> DatasetQuestion:
    """An answerable question with that support, unless told otherwise."""
    return DatasetQuestion("q", "?", support=support(*places), **{"answerable": True, **about})


def quoted(known: SimpleNamespace, start: int, end: int, kind: QuoteKind = "sentence", document: str = "d") -> Quote:
    """A quote of a document."""
    held = known.passage(document, TEXT, Span(start, end))
    return Quote(held.text, kind, held.citation, held.document, 0.8)


def said(known: SimpleNamespace, words: str, confidence: float = 0.8) -> ShortAnswer:
    """Words that answer."""
    held = known.passage("d", TEXT, Span(0, 5))
    return ShortAnswer(words, held.citation, held.document, confidence)


def values(question: DatasetQuestion, reply: Answer, *, read: bool = True) -> Mapping[str, float]:
    """What the measures say of one reply, by their names."""
    seen = Observed(question, (), reply, predicted="" if read else None, confidence=0.5 if read else None)
    return {name: by_query["q"] for name, by_query in own_values([seen]).items() if by_query}


def declining(known: SimpleNamespace, nearest: Sequence[AnswerPassage] = (), outcome: str = "related") -> Answer:
    """A reply without an answer that shows what came nearest."""
    return replace(known.answer("?", []), outcome=outcome, nearest=nearest)


def test_the_place_that_is_right_may_be_any_of_those_shown(known: SimpleNamespace) -> None:
    """It overlaps a span in its document by one code point, as the first passage or among the first three."""
    touching, other = known.passage("d", TEXT, Span(0, 10)), known.passage("e", TEXT, Span(0, 50))
    meeting = known.passage("d", TEXT, Span(0, 11))
    question = asked((10, 20))
    for shown, first, third in (
        ([meeting], 1, 1),
        ([touching, other, meeting], 0, 1),
        ([touching, other, other, meeting], 0, 0),
    ):
        found = values(question, known.answer("?", shown))
        assert (found["Right@1"], found["Right@3"]) == (first, third)


def test_what_came_nearest_counts_as_shown_where_a_question_was_declined(known: SimpleNamespace) -> None:
    """So declining costs the answer, and not the place; with nothing shown no place is right."""
    meeting = known.passage("d", TEXT, Span(0, 11))
    found = values(asked((10, 20)), declining(known, [meeting]))
    assert (found["Right@1"], found["Declined, answerable"]) == (1, 1)
    assert "Quote right" not in found
    assert values(asked((10, 20)), declining(known))["Right@3"] == 0


def test_marked_sentences_and_answers_count_and_words_of_the_question_do_not(known: SimpleNamespace) -> None:
    """In the first three passages shown."""
    whole = known.passage("d", TEXT, Span(0, 100))
    for kind, start, place, right in (
        ("sentence", 15, 0, 1),
        ("answer", 15, 2, 1),
        ("term", 15, 0, 0),
        ("answer", 15, 3, 0),
        ("sentence", 20, 0, 0),
    ):
        marked = replace(whole, highlights=[Highlight(kind, start, start + 9, start, start + 9)])
        shown = [known.passage("e", TEXT, Span(0, 50))] * place + [marked]
        assert values(asked((10, 20)), known.answer("?", shown))["Lit@3"] == right


@pytest.mark.parametrize(
    ("quote", "right"),
    [
        ((100, 200), True),  # the support itself
        ((110, 200), True),  # 90 %
        ((111, 200), False),
        ((100, 300), True),  # twice as long
        ((100, 301), False),
        ((0, 100), False),
    ],
)
def test_a_right_quote_has_the_support_and_is_at_most_twice_as_long(
    known: SimpleNamespace, quote: tuple[int, int], right: bool
) -> None:
    """Of a hundred code points ninety are enough, and two hundred are allowed."""
    reply = replace(known.answer("?", [known.passage("d", TEXT)]), quote=quoted(known, *quote))
    assert values(asked((100, 200)), reply)["Quote right"] == right


def test_120_code_points_are_allowed_however_short_the_support_is(known: SimpleNamespace) -> None:
    """A short support stands in a sentence; one code point more is too much."""
    answered = known.answer("?", [known.passage("d", TEXT)])
    rights = [
        values(asked((100, 110)), replace(answered, quote=quoted(known, 50, end)))["Quote right"] for end in (170, 171)
    ]
    assert rights == [1, 0]


def test_any_one_of_several_spans_is_enough_in_its_document(known: SimpleNamespace) -> None:
    """The place is what counts: the same offsets of another document are another place."""
    question = asked((100, 200), (400, 500))
    answered = known.answer("?", [known.passage("d", TEXT)])
    for quote, right in ((quoted(known, 400, 500), 1), (quoted(known, 400, 500, document="e"), 0)):
        assert values(question, replace(answered, quote=quote))["Quote right"] == right


@pytest.mark.parametrize(
    ("kind", "places", "quote", "right"),
    [
        ("list", [(0, 50), (450, 500)], (0, 500), True),  # all support of the document, as long as the stretch
        ("list", [(0, 50), (450, 500)], (0, 1000), True),  # twice the stretch
        ("list", [(0, 50), (450, 500)], (0, 490), True),  # 90 of 100 code points
        ("list", [(0, 50), (450, 500)], (0, 489), False),
        ("sentence", [(0, 50), (450, 500)], (0, 500), False),  # far longer than either span
        ("list", [(450, 500)], (0, 500), False),  # one span is no list
        ("list", [(0, 50), (450, 500)], (0, 100), True),  # or one span, as any quote
    ],
)
def test_a_list_may_be_as_long_as_all_support_of_its_document_together(
    known: SimpleNamespace, kind: QuoteKind, places: Sequence[tuple[int, int]], quote: tuple[int, int], right: bool
) -> None:
    """Support in another document is not asked of it."""
    question = replace(asked(), support=[*support(*places), *support((0, 900), document="e")])
    reply = replace(known.answer("?", [known.passage("d", TEXT)]), quote=quoted(known, *quote, kind))
    assert values(question, reply)["Quote right"] == right


def test_no_quote_is_wrong_where_something_was_answered(known: SimpleNamespace) -> None:
    """By a system that reads: others never quote, and nothing is said of them."""
    reply = known.answer("?", [known.passage("d", TEXT)])
    assert values(asked((0, 9)), reply)["Quote right"] == 0
    assert "Quote right" not in values(asked((0, 9)), reply, read=False)


def test_a_quote_is_a_citation_like_any_other(known: SimpleNamespace) -> None:
    """One that its document does not hold there is told of."""
    answered = replace(known.answer("?", [known.passage("d", TEXT)]), confidence=0.5)
    right = quoted(known, 0, 9)

    class Quoting(known.System):  # type: ignore[name-defined,misc]
        """Quotes rightly for one question, and other words than it cites for another."""

        def ask(self, question: DatasetQuestion) -> Answer:
            """Answer with a quote."""
            return replace(answered, quote=right if question.id == "right" else replace(right, text="Other."))

    questions = [DatasetQuestion("right", "?"), DatasetQuestion("wrong", "?")]
    dataset = Dataset("two", Path("c"), questions, {}, 1, "")
    system, plan = Quoting({"d": TEXT}, lambda question: []), Plan("all", answers=True)
    evaluation = evaluate_systems(dataset, {"one": system}, plan, model="none", settings={})
    assert evaluation.systems["one"].values["Citations exact"] == {"right": 1, "wrong": 0.5}


def test_answer_spans_are_the_support_where_none_is_named(known: SimpleNamespace) -> None:
    """Where neither is known nothing is said; nor of a question that nothing answers."""
    reply = replace(known.answer("?", [known.passage("d", TEXT)]), quote=quoted(known, 0, 9))
    plain = replace(asked(), spans=support((0, 9)))
    assert {values(plain, reply)[name] for name in ("Right@1", "Quote right")} == {1}
    for other in (asked(), asked((0, 9), answerable=False), asked((0, 9), answerable=None)):
        assert not {"Right@1", "Right@3", "Lit@3", "Quote right"} & set(values(other, reply))


def test_words_are_judged_where_they_are_shown_and_asked_for(known: SimpleNamespace) -> None:
    """Half of the words are enough; none shown is no wrong answer, a declined question counts among those without."""
    short = asked((0, 9), short=True, answers=["the red fox", "a vixen"])
    answered = known.answer("?", [known.passage("d", TEXT)])
    found = {
        words: values(short, replace(answered, answer=said(known, words))) for words in ("Vixen!", "fox cub", "hare")
    }
    assert {words: one["Words right"] for words, one in found.items()} == {"Vixen!": 1, "fox cub": 1, "hare": 0}
    assert {one["Words shown"] for one in found.values()} == {1}
    for silent in (answered, replace(answered, answer=said(known, "")), declining(known)):
        assert values(short, silent)["Words shown"] == 0
        assert "Words right" not in values(short, silent)
    longer = values(asked((0, 9), answers=["the red fox"]), replace(answered, answer=said(known, "the red fox")))
    assert not {"Words shown", "Words right"} & set(longer)


@pytest.mark.parametrize("outcome", ["related", "absent"])
def test_declining_is_told_by_what_was_asked(known: SimpleNamespace, outcome: str) -> None:
    """A near miss and what is off the topic apart; absent is said of the subject, and is worse of an answerable one."""
    reply = declining(known, outcome=outcome)

    def told_of(question: DatasetQuestion) -> Mapping[str, float]:
        return values(question, reply, read=False)

    near, off = (asked(answerable=False, type=name) for name in ("near_miss", "off_topic"))
    told = {"Declined, unanswerable": 1.0}
    assert told_of(near) == {**told, "Declined, near miss": 1}
    assert told_of(off) == {**told, "Declined, off topic": 1, "Absent, off topic": outcome == "absent"}
    assert told_of(asked(answerable=False, type="followup")) == {**told, "Declined, near miss": 1}
    assert told_of(asked(answerable=False)) == told
    assert told_of(asked()) == {"Declined, answerable": 1, "Absent, answerable": outcome == "absent"}
    assert values(near, known.answer("?", [known.passage("d", TEXT)]))["Declined, near miss"] == 0


def test_a_confidence_of_quotes_and_words_is_held_against_how_many_are_right(known: SimpleNamespace) -> None:
    """0.8 of which half are right is 0.3 off; of twenty nothing is said, however they came out."""
    seen = []
    for at in range(24):
        question = replace(asked((0, 9), short=True, answers=["hare"]), id=f"q{at}")
        quote, words = quoted(known, 0, 9 if at % 2 else 200), said(known, "hare", 0.9)
        reply = replace(known.answer("?", [known.passage("d", TEXT)]), quote=quote, answer=words)
        seen.append(Observed(question, (), reply, predicted="hare", confidence=0.5))
    found = judge({}, seen, seed=0).measures
    assert found["Quote ECE"].mean == pytest.approx(0.3)
    assert found["Words ECE"].mean == pytest.approx(0.1)
    assert found["Words ECE"].n == 24
    assert found["Words ECE"].low == pytest.approx(found["Words ECE"].high)
    assert not {"Quote ECE", "Words ECE"} & set(judge({}, seen[:20], seed=0).measures)


def test_outcomes_are_counted_by_type(known: SimpleNamespace) -> None:
    """All of a label before its types, by name; unanswerable ones of the same type apart; means where known."""
    answered = replace(known.answer("?", [known.passage("d", TEXT)]), quote=quoted(known, 0, 9))
    rows = [
        ("why", True, answered),
        ("how", True, declining(known, [known.passage("e", TEXT)])),
        ("how", True, declining(known, outcome="absent")),
        (None, True, replace(answered, quote=None)),
        ("how", False, declining(known)),
        ("why", None, answered),
    ]
    seen = [
        Observed(replace(asked((0, 9), answerable=label, type=kind), id=f"q{at}"), (), reply, predicted="")
        for at, (kind, label, reply) in enumerate(rows)
    ]
    told = came(seen, own_values(seen))
    assert [(one.type, one.answerable, one.questions, *one.outcomes.values()) for one in told] == [
        (None, True, 4, 2, 1, 1),
        ("how", True, 2, 0, 1, 1),
        ("why", True, 1, 1, 0, 0),
        (None, False, 1, 0, 1, 0),
        ("how", False, 1, 0, 1, 0),
    ]
    assert told[0].measures == {"Right@1": 0.5, "Right@3": 0.5, "Lit@3": 0, "Quote right": 0.5}
    assert told[1].measures == {"Right@1": 0, "Right@3": 0, "Lit@3": 0}
    assert told[3].measures == {}


def test_the_length_of_quotes_is_the_longer_in_the_middle(known: SimpleNamespace) -> None:
    """Of answered, answerable questions; without a quote there is none."""
    answered = known.answer("?", [known.passage("d", TEXT)])
    replies = [replace(answered, quote=quoted(known, 0, end)) for end in (40, 10, 20, 30)]
    seen = [Observed(asked((0, 9)), (), reply) for reply in replies]
    others = [
        Observed(asked((0, 9), answerable=False), (), replace(answered, quote=quoted(known, 0, 900))),
        Observed(asked((0, 9)), (), declining(known)),
    ]
    told = quote_lengths([*seen, *others])
    assert told is not None
    assert (told.median, told.n) == (30, 4)
    assert quote_lengths(others) is None


def test_the_result_has_outcomes_where_questions_were_asked(beir: Path, known: SimpleNamespace) -> None:
    """And not where passages were searched alone; of one of the three it is known what is right."""
    dataset = read_dataset(beir)
    system = known.System({"d1": TEXT}, lambda question: ["d1"], lambda question: question.id != "q1")
    plans = (Plan("all", answers=asks) for asks in (False, True))
    results = [evaluate_systems(dataset, {"known": system}, plan, model="none", settings={}) for plan in plans]
    searched, told = (result_json(evaluation)["systems"]["known"] for evaluation in results)
    assert "outcomes" not in searched
    assert "quote_length" not in told
    assert told["outcomes"][0] == {
        "type": None,
        "answerable": True,
        "questions": 3,
        "answered": 1,
        "related": 0,
        "absent": 2,
        "measures": {"Right@1": 1.0, "Right@3": 1.0, "Lit@3": 0.0},
    }
