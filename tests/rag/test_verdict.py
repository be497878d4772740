"""Asking with a reader: the exact words, other answers, disagreement, refusal, and time that is short."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from index.types import StoredPassage
from rag import deciding, evidence, judging, quoting
from rag.ask import BUDGET, ask, examples, search
from rag.reading import WordReader
from rag.types import Answer, Question, Ranked, Reading, ScoredSpan, TokenScores

QUESTION = "Guests counted when the lantern bridge opened"
COURIER = "Guests were counted when the lantern bridge opened: there were 3000 of them."
WIRE = "Guests were counted when the lantern bridge opened: there were 4500 of them."


class Silent(WordReader):
    """A reader that finds nothing relevant."""

    def read(self, question: str, passages: Sequence[StoredPassage], seconds: float | None = None) -> list[Reading]:
        """Say so of every passage."""
        return [Reading(-60.0, (), (0.0, 0.0, 1.0)) for _ in passages]


class Counting(WordReader):
    """A reader that notes how many passages it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[int] = []

    def read(self, question: str, passages: Sequence[StoredPassage], seconds: float | None = None) -> list[Reading]:
        """Note, and read."""
        self.counts.append(len(passages))
        return super().read(question, passages, seconds)


def answered(shelf: Any, query: str, **more: Any) -> Answer:
    """Ask with a reader that compares words."""
    reader = more.pop("reader", WordReader())
    *_, answer = ask(Question(query, **more), shelf.collection, shelf.encoder, reader=reader)
    assert isinstance(answer, Answer)
    return answer


@pytest.fixture
def two(shelf: Any) -> Any:
    """Two documents that disagree, and one about something else."""
    shelf.add(courier=COURIER, wire=WIRE, honey="Honey is harvested in July, and the bees are content with that.")
    return shelf


def test_the_answer_quotes_its_document(two: Any) -> None:
    """The exact words, with their place in code points, and marked in the passage that holds them."""
    answer = answered(two, QUESTION)
    assert answer.answerable
    assert answer.answer is not None
    cited = answer.answer.citation
    assert two.collection.text(cited.document_id)[cited.start : cited.end] == cited.quote == answer.answer.text
    assert answer.answer.text in {"3000", "4500"}
    marked = {
        (passage.citation.document_id, one.start, one.end)
        for passage in answer.passages
        for one in passage.highlights
        if one.kind == "answer"
    }
    assert (cited.document_id, cited.start, cited.end) in marked
    two.require_exact(answer.passages)


def test_disagreement_is_told(two: Any) -> None:
    """Both values, each from its own document."""
    (conflict,) = answered(two, QUESTION).conflicts
    assert conflict.kind == "number"
    assert {(one.document.id, one.text) for one in conflict.values} == {("courier", "3000"), ("wire", "4500")}


def test_the_same_value_twice_is_no_disagreement(shelf: Any) -> None:
    """Two documents that agree."""
    shelf.add(courier=COURIER, wire=WIRE.replace("4500", "3000") + " It was a fine day.")
    answer = answered(shelf, QUESTION)
    assert answer.answer is not None
    assert answer.conflicts == []


class Unsure(WordReader):
    """A reader to which no passage speaks of a claim."""

    def read(self, question: str, passages: Sequence[StoredPassage], seconds: float | None = None) -> list[Reading]:
        """Compare the words, and say nothing of claims."""
        return [replace(one, verdict=(0.1, 0.1, 0.8)) for one in super().read(question, passages, seconds)]


def test_other_values_alone_are_no_disagreement(two: Any) -> None:
    """The other document must speak of what the first answer's sentence says, not only hold another value."""
    answer = answered(two, QUESTION, reader=Unsure())
    assert [one.text for one in answer.alternatives]
    assert answer.conflicts == []


class Doubting(WordReader):
    """A reader that takes from what the wire's words are worth, and speaks of claims as it is told."""

    def __init__(self, taken: float = 16.0, spoken: float = 0.95) -> None:
        super().__init__()
        self._taken, self._verdict = taken, (spoken / 2, spoken / 2, 1 - spoken)

    def read(self, question: str, passages: Sequence[StoredPassage], seconds: float | None = None) -> list[Reading]:
        """Compare the words."""
        return [
            replace(one, verdict=self._verdict, spans=self._believed(one.spans, passage.ref.document_id))
            for one, passage in zip(super().read(question, passages, seconds), passages, strict=True)
        ]

    def _believed(self, spans: Sequence[ScoredSpan], document: str) -> tuple[ScoredSpan, ...]:
        taken = self._taken if document == "wire" else 0.0
        return tuple(replace(span, score=span.score - taken) for span in spans)


@pytest.mark.parametrize(
    ("unit", "reader", "told"),
    [
        ("guests", Doubting(), True),
        ("people", Doubting(), False),
        ("of them", Doubting(), False),
        ("guests", Doubting(taken=30.0), False),
        ("guests", Doubting(spoken=0.5), False),
        ("of them", Doubting(taken=0.0, spoken=0.5), True),
    ],
)
def test_a_doubtful_number_counts_where_its_unit_is_the_same(
    shelf: Any, unit: str, reader: WordReader, told: bool
) -> None:
    """What is worth too little for a rival is one where both count the same, and their documents surely speak of it."""
    shelf.add(courier=COURIER.replace("of them", "guests"), wire=WIRE.replace("of them", unit))
    assert bool(answered(shelf, QUESTION, reader=reader).conflicts) == told


def test_a_number_of_something_else_does_not_hide_a_rival(shelf: Any) -> None:
    """Of the other document the value that tells of the same is held against the answer, not its first number."""
    shelf.add(courier=COURIER.replace("of them", "guests"), wire=f"4 trains ran. {WIRE}")
    (conflict,) = answered(shelf, QUESTION).conflicts
    assert {one.text for one in conflict.values} == {"3000", "4500"}


@pytest.mark.parametrize(("year", "told"), [("2024", True), ("2023", False)])
def test_a_value_of_another_year_is_no_disagreement(shelf: Any, year: str, told: bool) -> None:
    """Where the question names a year that the answer's passage names, the other passage must name it too."""
    shelf.add(courier=COURIER.replace("opened", "opened in 2024"), wire=WIRE.replace("opened", f"opened in {year}"))
    assert bool(answered(shelf, f"{QUESTION} in 2024").conflicts) == told


def test_the_year_of_a_document_is_named_by_its_date(shelf: Any) -> None:
    """It need not stand in the text."""
    shelf.add(courier=COURIER.replace("opened", "opened in 2024"), honey="Honey was harvested in July 2024.")
    for year, told in (("2024", True), ("2023", False)):
        shelf.put([shelf.document("wire", WIRE, published=f"{year}-05-19")])
        assert bool(answered(shelf, f"{QUESTION} in 2024").conflicts) == told


def test_the_best_words_passage_says_whether_it_supports(ranked: Callable[..., Ranked]) -> None:
    """Whichever passage comes first; without any words it is one that was read."""
    words = evidence.weigh("How many?", "How many?", {}, 2)
    tokens = TokenScores([(0, 3), (4, 5)], np.float32([-8, 3]), np.float32([-8, 3]))
    wordless = replace(ranked("one"), reading=Reading(5.0, (), (0.2, 0.0, 0.8)), score=0.9)
    worded = Reading(1.0, (ScoredSpan(4, 5, 3.0),), (0.7, 0.0, 0.3), tokens)
    both = [wordless, replace(ranked("two 2", document="e"), reading=worded, score=0.6)]
    for read, supported in ((both, 0.7), ([wordless], 0.2)):
        found = quoting.measured(words, read)
        seen = deciding.Seen.of(words, read, evidence.signals(words, read), found, WordReader.decisions)
        assert seen.values["part_supported"] == pytest.approx(supported)


def test_other_words_are_alternatives(two: Any) -> None:
    """What another passage gives stands beside the first answer, once; a passage gives one."""
    two.add(courier=COURIER + " Tickets cost 12 shillings.")
    answer = answered(two, QUESTION)
    assert answer.answer is not None
    assert sorted([answer.answer.text, *(one.text for one in answer.alternatives)]) == ["3000", "4500"]


def test_a_refusal_has_a_confidence_and_a_reason(two: Any) -> None:
    """Below the threshold: no answer, no passage, but what came nearest."""
    answer = answered(two, "Who tunes the organ of Saint Botolph?")
    assert (answer.answerable, answer.answer, answer.passages) == (False, None, [])
    assert answer.reason is not None
    assert answer.reason.code == "below_threshold"
    assert answer.confidence is not None
    assert answer.threshold is not None
    assert answer.confidence < answer.threshold
    assert answer.nearest


@pytest.mark.parametrize(("least", "marked"), [(0.0, True), (1.0, False)])
def test_only_words_that_are_shown_are_marked_as_an_answer(two: Any, least: float, marked: bool) -> None:
    """What is related or absent has marked sentences, but no words that answer."""
    answer = answered(two, QUESTION, min_confidence=least)
    kinds = {one.kind for passage in (*answer.passages, *answer.nearest) for one in passage.highlights}
    assert ("answer" in kinds) is marked is (answer.answer is not None)
    assert "sentence" in kinds


@pytest.mark.parametrize("query", [QUESTION, "Who tunes the organ of Saint Botolph?"])
def test_the_least_confidence_can_be_chosen(two: Any, query: str) -> None:
    """0 refuses nothing; 1 refuses what is not certain; the confidence itself stays."""
    lax, strict = (answered(two, query, min_confidence=least) for least in (0.0, 1.0))
    assert lax.answerable
    assert not strict.answerable
    assert (lax.threshold, strict.threshold) == (0.0, 1.0)
    assert lax.confidence == strict.confidence


def test_an_empty_collection_is_surely_no_answer(shelf: Any) -> None:
    """With a reader confidence is always told."""
    answer = answered(shelf, QUESTION)
    assert answer.reason is not None
    assert (answer.reason.code, answer.confidence) == ("empty_collection", 0.0)


def test_not_reading_gives_the_first_stage(two: Any) -> None:
    """The order and the scores are as without a reader, and nothing is said of words or confidence."""
    unread, without = answered(two, QUESTION, read=False), answered(two, QUESTION, reader=None)
    assert [(one.id, one.score) for one in unread.passages] == [(one.id, one.score) for one in without.passages]
    assert (unread.confidence, unread.threshold, unread.answer) == (None, None, None)


def test_short_time_reads_less_and_says_so(two: Any) -> None:
    """At least one passage is read, and `degraded` names what was cut."""
    slow = WordReader(per_second=20)
    hurried, patient = (answered(two, QUESTION, reader=slow, budget_ms=most) for most in (60, 5_000))
    assert hurried.degraded == (BUDGET,)
    assert patient.degraded == ()
    assert sum(one.reader is not None for one in hurried.passages) == 1
    assert sum(one.reader is not None for one in patient.passages) > 1


class Slow(WordReader):
    """A reader that takes longer than it was given."""

    def read(self, question: str, passages: Sequence[StoredPassage], seconds: float | None = None) -> list[Reading]:
        """Compare the words, after a while."""
        time.sleep(seconds or 0)
        return super().read(question, passages, seconds)


def test_without_time_no_disagreement_is_looked_for(two: Any) -> None:
    """All passages were read, but not the sentence against them; `degraded` says that something was cut."""
    answer = answered(two, QUESTION, reader=Slow(), budget_ms=200)
    assert all(one.reader is not None for one in answer.passages)
    assert (answer.conflicts, answer.degraded) == ([], (BUDGET,))


def test_examples_are_answered_by_the_reader_too(shelf: Any) -> None:
    """What is offered is what this reader lets through, which the words alone may not tell."""
    names = ["The Vistula bridge", "Beekeeping in July", "Copper prices"]
    more = "That is told here, and a good deal of other matters too, so that the words alone do not carry it."
    shelf.put([shelf.document(f"d{n}", f"{name}. {more}", title=name) for n, name in enumerate(names)])
    offered = examples(shelf.collection, shelf.encoder, reader=WordReader())
    assert len(offered) == 3
    assert all(answered(shelf, one).answerable for one in offered)
    assert examples(shelf.collection, shelf.encoder, reader=Silent()) == []


def test_search_ranks_by_the_reader(two: Any) -> None:
    """Scores are probabilities of relevance, those read before those that were not."""
    (found,) = search([Question(QUESTION)], two.collection, two.encoder, reader=WordReader())
    scores = [one.score for one in found.passages]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert all(one.reader is not None for one in found.passages)


def test_search_finds_as_many_as_were_asked_for(two: Any) -> None:
    """Fewer than are read, too."""
    (found,) = search([Question(QUESTION, top_k=1)], two.collection, two.encoder, reader=WordReader())
    assert len(found.passages) == 1


@pytest.mark.parametrize(("runtime", "most"), [("openvino-bf16", judging.DEPTH), ("torch-f32", judging.FULL_DEPTH)])
def test_a_slow_processor_reads_less(shelf: Any, runtime: str, most: int) -> None:
    """How much is read is decided by what runs the reader, for answers and for searches."""
    shelf.add(**{f"note{place}": f"The lantern bridge was closed on day {place}." for place in range(20)})
    counting = Counting()
    counting.runtime = runtime
    answered(shelf, "lantern bridge closed", reader=counting)
    search([Question("lantern bridge closed")], shelf.collection, shelf.encoder, reader=counting)
    assert counting.counts == [most, most]
