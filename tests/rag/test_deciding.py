"""What is answered and how surely: all that was fitted is measured, and every outcome can be."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable
from dataclasses import fields, replace

import pytest

from index.terms import question_terms
from rag import deciding, evidence, pointing, quoting
from rag.asked import ASKS, asks_for
from rag.deciding import Decided, Decisions, Seen, decide, shipped, sigmoid, sure
from rag.reading import WordReader
from rag.types import Ranked

Make = Callable[..., Ranked]
Asked = tuple[evidence.Words, list[Ranked], evidence.Signals]
BY = WordReader.decisions
BRIDGE = "The Lantern bridge was opened on 9 May 1997 by Marta Kowal, because no ferry ran. It is 186 metres long."
PAGE = """\
# Returns

Can I return an opened item? Yes, within 14 days. Bring the receipt. We pay by card only.

You need:
- the item
- the receipt

| Item | Days |
|---|---|
| Kettle | 14 |

- The service keeps two logs that no one may turn off: an access log that is kept for 30 days; an audit log that stays.
"""
QUESTIONS = (
    *("When was the Lantern bridge opened?", "How long is the bridge?", "How many days have I?", "Who opened it?"),
    *("Where is the bridge?", "Which log is kept for 30 days?", "Why was no bridge opened?", "How do I return it?"),
    *("Can I return a kettle?", "What kinds of logs are there?", "What is an item?", "What is the receipt for?"),
    *("What must I bring?", "Lantern", "What is “HT-450” in 2019?", "Is it there without the receipt?", "30 days"),
)


def read(make: Make, question: str, *texts: str, query: str | None = None) -> Asked:
    """Return the question's words, its passages as a reader that compares words reads them, and their signals."""
    query = query or question
    words = evidence.weigh(query, question, dict.fromkeys(question_terms(query, ["en"]), 1), 100)
    found = [make(text, document=f"d{place}", language="en") for place, text in enumerate(texts)]
    readings = WordReader().read(query, [one.stored for one in found])
    ranked = [replace(one, reading=reading) for one, reading in zip(found, readings, strict=True)]
    return words, ranked, evidence.signals(words, ranked)


def decided(make: Make, question: str, *texts: str) -> Decided:
    """Decide by words."""
    found = decide(*read(make, question, *texts), BY)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def names(ranked: Make) -> dict[str, set[str]]:
    """What is measured for questions of every kind, by what it is weighed for."""
    quote, words, answered, pointed = set(), set(), set(), set()
    for question in QUESTIONS:
        asked, passages, signals = read(ranked, question, BRIDGE, PAGE)
        found = quoting.measured(asked, passages)
        quote |= {name for one in found for name in one.values}
        seen = Seen.of(asked, passages, signals, found, shipped())
        answered |= set(seen.values)
        for one in found:
            for choice in pointing.choices(asked, one.part):
                words |= set(choice.values)
                pointed |= set(deciding.chosen_values(seen, choice, 0.5))
    sums = {name: answered | {"bias"} for name in ("answered", "subject", "quoted")}
    return {"quote": quote, "words": words, "pointed": pointed | {"bias"}, **sums}


def test_the_questions_here_are_of_every_kind() -> None:
    """So that nothing that is measured of one kind alone is missed."""
    assert {asks_for(question) for question in QUESTIONS} == set(ASKS)


@pytest.mark.parametrize("weights", ["quote", "words", "answered", "subject", "quoted", "pointed"])
@pytest.mark.parametrize("by", ["shipped", "words"])
def test_all_that_is_weighed_is_measured(names: dict[str, set[str]], by: str, weights: str) -> None:
    """No weight counts a name that nothing has; each is a finite number, and a sum has its bias."""
    given = getattr(shipped() if by == "shipped" else BY, weights)
    assert set(given) - names[weights] == set()
    assert all(math.isfinite(weight) for weight in given.values())
    assert ("bias" in given) == (weights in ("answered", "subject", "quoted", "pointed"))


def test_the_file_has_every_field_and_no_other() -> None:
    """Its thresholds are probabilities."""
    kept = json.loads(deciding.FILE.read_text(encoding="utf-8"))
    assert set(kept) == {one.name for one in fields(Decisions)}
    for by in (shipped(), BY):
        assert all(0 < least < 1 for least in (by.least_answered, by.least_subject, by.least_words))
        assert all(by.quote and by.words and len(one) > 1 for one in (by.answered, by.subject, by.quoted, by.pointed))


def test_a_probability_rises_with_what_speaks_for_it() -> None:
    """It is finite and within 0 and 1 however great the sum, and never falls; the seed is printed."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    weights = {"bias": 0.5, "for": 2.0, "against": -1.0}
    for _ in range(200):
        values = {"for": chance.uniform(-20, 20), "against": chance.uniform(-20, 20)}
        found = sigmoid(values, weights)
        assert 0 <= found <= 1
        assert sigmoid(values | {"for": values["for"] + 1}, weights) >= found
        assert sigmoid(values | {"against": values["against"] + 1}, weights) <= found
    far = [sigmoid({"for": value}, weights) for value in (-1e300, -1e3, 0.0, 1e3, 1e300)]
    assert far == sorted(far)
    assert (far[0], far[-1]) == (0.0, 1.0)
    assert sigmoid({}, {"bias": 0.0}) == sigmoid({"unknown": 9.0}, {"bias": 0.0, "missing": 9.0}) == 0.5


@pytest.mark.parametrize(
    ("question", "outcome"),
    [
        ("When was the Lantern bridge opened?", "answered"),
        ("Which Lantern painter drew those famous Venetian canals?", "related"),
        ("Who tunes the organ of Saint Botolph?", "absent"),
    ],
)
def test_each_outcome_is_reached(ranked: Make, question: str, outcome: str) -> None:
    """By how much of the question the passages hold."""
    assert decided(ranked, question, BRIDGE).outcome(BY, None) == outcome


def test_a_least_confidence_decides_alone_what_is_answered(ranked: Make) -> None:
    """0 answers everything and 1 only what is certain; what is not answered is still told apart."""
    questions = ("Lantern bridge opened", "Botolph organ", "Lantern " * 9)
    found = [decided(ranked, question, BRIDGE) for question in questions]
    assert [one.outcome(BY, 0.0) for one in found] == ["answered"] * 3
    assert [one.outcome(BY, 1.0) for one in found] == ["related", "absent", "related"]


def test_confidence_rises_with_the_evidence(ranked: Make) -> None:
    """The more of the question a passage holds, the surer; all four are probabilities."""
    questions = ("the organ of Botolph", "the Lantern of Botolph", "the Lantern bridge opened")
    found = [decided(ranked, question, BRIDGE) for question in questions]
    for values in ([one.confidence for one in found], [one.subject for one in found], [one.quoted for one in found]):
        assert all(one < other for one, other in itertools.pairwise(values))
        assert all(0 <= one <= 1 for one in values)
    assert all(0 <= one.pointed <= 1 for one in found)


def test_words_are_pointed_at_only_where_a_few_can_answer(ranked: Make) -> None:
    """A time has words; a reason is a whole sentence."""
    when = decided(ranked, "When was the Lantern bridge opened?", BRIDGE)
    why = decided(ranked, "Why was the Lantern bridge opened?", BRIDGE)
    assert when.choice is not None
    assert when.part.start <= when.choice.start < when.choice.end <= when.part.end
    assert (why.choice, why.pointed) == (None, 0.0)
    assert "because no ferry ran" in why.part.text


@pytest.mark.parametrize("text", ["", "![a bridge](b.png)\n\n---"])
def test_passages_without_a_word_decide_nothing(ranked: Make, text: str) -> None:
    """There is no part, so that nothing can be said."""
    assert decide(*read(ranked, "When was it opened?", text), BY) is None


def test_only_one_passage_can_be_looked_at(ranked: Make) -> None:
    """Its parts alone are weighed, whatever the others have."""
    words, passages, signals = read(ranked, "When was the Lantern bridge opened?", BRIDGE, PAGE)
    found = decide(words, passages, signals, BY, only=passages[1])
    assert found is not None
    assert found.part.passage is passages[1]


def test_words_of_other_documents_stand_beside_the_first(ranked: Make) -> None:
    """Each document once, none that repeats the words of another, at most so many, the quote's own first."""
    texts = [f"{year} was when the lantern bridge opened." for year in ("1997", "1997", "1998", "1999", "2000", "2001")]
    words, passages, signals = read(ranked, "When was the lantern bridge opened?", *texts)
    found = decide(words, passages, signals, BY)
    assert found is not None
    given = sure(words, passages, signals, found, BY)
    assert given[0].passage is found.part.passage
    assert len({one.passage.stored.ref.document_id for one in given}) == len(given)
    assert [one.text for one in given] == ["1997", "1998", "1999", "2000"][: deciding.ANSWERS]
    assert all(one.confidence >= deciding.AS_SURE * given[0].confidence for one in given)
    assert sure(words, passages, signals, found, replace(BY, least_words=1.0)) == []


def test_deciding_twice_gives_the_same(ranked: Make) -> None:
    """To the last digit, also with what is shipped."""
    for by in (BY, shipped()):
        one, other = (decide(*read(ranked, QUESTIONS[0], BRIDGE, PAGE), by) for _ in range(2))
        assert one is not None
        assert other is not None
        assert (one.confidence, one.subject, one.quoted, one.pointed, one.part.text) == (
            other.confidence, other.subject, other.quoted, other.pointed, other.part.text,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("question", "text", "said", "shown"),
    [
        ("Who opened the bridge?", "The bridge was opened by Marta Kowal in May.", "Marta Kowal", True),
        ("Who opened the bridge?", "It was opened by Marta Kowal and Anna Berg in May.", "Marta Kowal", False),
        ("Who opened the bridge?", "It was opened by Marta Kowal (mayor) and Anna Berg.", "Anna Berg", False),
        ("Who opened the bridge?", "It was opened by Marta Kowal and Anna Berg.", "Marta Kowal and Anna Berg", True),
        ("Which town paid for it?", "Brest and Lorient paid for it.", "Brest", False),
        ("Which towns paid for it?", "The town of Brest paid for it.", "Brest", False),
        ("When was it opened?", "It was opened in May and June.", "May", True),
        ("Why was it opened?", "It was opened by Marta Kowal.", "Marta Kowal", False),
        ("Who did not come?", "All came but Marta Kowal.", "Marta Kowal", False),
    ],
)
def test_no_part_of_what_is_asked_for_is_shown_as_all_of_it(question: str, text: str, said: str, shown: bool) -> None:
    """One of several names is no answer, nor one thing where several are asked for, nor any words to a why."""
    start = text.index(said)
    assert deciding.pointable(question, text, start, start + len(said)) is shown
