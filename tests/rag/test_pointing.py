"""The words inside a quote: within one cell, item or sentence, with the signs that belong to them, of what is asked."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from index.terms import question_terms
from rag import evidence, pointing, quoting
from rag.pointing import Choice
from rag.types import Ranked, Reading, TokenScores
from rag.units import cells, units

Make = Callable[..., Ranked]
STAFF = "In 2019 the company had 310 employees; in 2023 it had 402 employees."
TABLE = "| Town | Height in feet | Open since |\n|---|---|---|\n| Brake on the lower Weser | 41 | May 2019 |"


def asked(question: str) -> evidence.Words:
    """Weigh a question, each of its terms being in one of 100 passages."""
    return evidence.weigh(question, question, dict.fromkeys(question_terms(question, ["en"]), 1), 100)


def scored(text: str, starts: Mapping[str, float], ends: Mapping[str, float] | None = None) -> Reading:
    """Return a reading whose tokens are words and signs: those named have a score, all others hardly any."""
    offsets = [one.span() for one in re.finditer(r"\w+|[^\w\s]", text)]
    both = [
        np.array([named.get(text[start:end], -9.0) for start, end in offsets], dtype=np.float32)
        for named in (starts, starts if ends is None else ends)
    ]
    return Reading(1.0, (), (0.5, 0.1, 0.4), TokenScores(offsets, *both))


def part(make: Make, text: str, reading: Reading, kind: str = "sentence") -> quoting.Part:
    """Return the longest part of a kind."""
    found = quoting.parts(replace(make(text, language="en"), reading=reading))
    return max((one for one in found if one.kind == kind), key=lambda one: one.end - one.start)


def said(make: Make, text: str, reading: Reading, kind: str = "sentence", question: str = "What?") -> list[str]:
    """Return the words of each choice, best first."""
    found = pointing.choices(asked(question), part(make, text, reading, kind))
    return [text[one.start : one.end] for one in found]


def pointed(make: Make, text: str, reading: Reading, question: str, weights: Mapping[str, float], kind: str) -> str:
    """Return the words that are chosen."""
    chosen = pointing.best(pointing.choices(asked(question), part(make, text, reading, kind)), weights)
    assert chosen is not None
    return text[chosen[0].start : chosen[0].end]


@pytest.mark.parametrize(("year", "value"), [("2019", "310"), ("2023", "402")])
def test_a_year_prefers_the_value_of_its_clause(ranked: Make, year: str, value: str) -> None:
    """Of two values that the reader finds equally likely it is the one beside the year that was asked about."""
    reading, weights = scored(STAFF, {"310": 3.0, "402": 3.0}), {"score": 1.0, "same_clause": 2.0, "other_clause": -2.0}
    question = f"How many employees did the company have in {year}?"
    assert pointed(ranked, STAFF, reading, question, weights, "sentence") == value


@pytest.mark.parametrize(
    ("question", "words"),
    [("How high is it?", "41"), ("Since when is it open?", "May 2019"), ("Which town?", "Brake on the lower Weser")],
)
def test_a_cell_is_preferred_by_its_column(ranked: Make, question: str, words: str) -> None:
    """Of cells that the reader finds equally likely the one below a name of which the question has a word."""
    reading = scored(TABLE, {"Brake": 2.0, "41": 2.0, "May": 2.0}, {"Weser": 2.0, "41": 2.0, "2019": 2.0})
    named = question.replace("high", "high in feet")
    assert pointed(ranked, TABLE, reading, named, {"column": 1.0, "score": 1.0}, "row") == words


@pytest.mark.parametrize(
    ("text", "starts", "ends", "words"),
    [
        ("It costs $1,200 a year.", ["1"], ["200"], "$1,200"),
        ("It costs $1,200 a year.", ["$"], ["200"], "$1,200"),
        ("It costs € 40.", ["40"], ["40"], "40"),
        ("It is 12% of all.", ["12"], ["12"], "12%"),
        ("It is (12%) of all.", ["12"], ["12"], "12%"),
        ("The Union (EU) said so.", ["Union"], ["EU"], "Union (EU)"),
        ("Call f(x) [now].", ["f"], ["x"], "f(x)"),
        ("They said “never again”, too.", ["“"], ["”"], "never again"),
        ("It is **very old**, said she.", ["*"], ["*"], "very old"),
        ("It is `--dry-run` then.", ["-"], ["run"], "dry-run"),
        ("It opened on 9 May 1997.", ["9"], ["."], "9 May 1997"),
    ],
)
def test_signs_that_belong_to_the_words_are_kept(
    ranked: Make, text: str, starts: list[str], ends: list[str], words: str
) -> None:
    """Currency, per cent and the bracket that closes; quotation marks and stops at the edges are not."""
    reading = scored(text, dict.fromkeys(starts, 4.0), dict.fromkeys(ends, 4.0))
    assert said(ranked, text, reading)[0] == words


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (TABLE, "row"),
        ("You need:\n- a red brush\n- a blue cloth\n- some vinegar", "list"),
        ("The mayor came. The choir sang well.", "passage"),
        ("| a \\| b | c |", "row"),
    ],
)
def test_words_never_cross_a_cell_an_item_or_a_sentence(ranked: Make, text: str, kind: str) -> None:
    """However likely the reader finds the first start and the last end."""
    words = re.findall(r"\w+", text)
    for start in words:
        for end in words:
            passage = part(ranked, text, scored(text, {start: 9.0}, {end: 9.0}), kind)
            rooms = [(unit.start, unit.end) for unit in units(text) if unit.kind != "row"]
            rooms += [cell for unit in units(text) if unit.kind == "row" for cell in cells(text, unit)]
            found = pointing.choices(asked("What?"), passage)
            assert found
            assert all(any(a <= one.start < one.end <= b for a, b in rooms) for one in found)


def test_a_bracket_that_closes_in_the_next_sentence_is_left_out(ranked: Make) -> None:
    """A sentence of Chinese may end before it; the words end with their sentence."""
    text = "他说f(是。)好。"
    passage = quoting.parts(replace(ranked(text), reading=scored(text, {"他说f": 4.0}, {"。": 4.0})))[0]
    assert passage.end < len(text)
    found = pointing.choices(asked("他说什么?"), passage)
    assert text[found[0].start : found[0].end] == "他说f(是。"


def test_choices_lie_apart_best_first(ranked: Make) -> None:
    """At most so many, none overlapping another, within the part, as whole words."""
    reading = scored(STAFF, {"2019": 1.0, "310": 4.0, "company": 2.0, "402": 3.0, "2023": 0.5, "had": 0.0, "it": 0.2})
    found = pointing.choices(asked("How many?"), part(ranked, STAFF, reading))
    assert 1 < len(found) <= pointing.CHOICES
    scores = [one.values["score"] for one in found]
    assert scores == sorted(scores, reverse=True)
    taken = sorted((one.start, one.end) for one in found)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(taken))
    assert all(STAFF[one.start : one.end] == STAFF[one.start : one.end].strip(" .;,") for one in found)


def test_the_reader_cutting_a_word_does_not(ranked: Make) -> None:
    """A token that is a part of a word gives the word."""
    text = "It opened at Bremervörde."
    reading = Reading(1.0, (), (0.5, 0.1, 0.4), TokenScores([(17, 20)], np.float32([5.0]), np.float32([5.0])))
    assert said(ranked, text, reading) == ["Bremervörde"]


def test_a_clause_holds_its_own_words_alone(ranked: Make) -> None:
    """Of a part that is a clause no words lie outside."""
    text = f"The service keeps two logs{' as was said' * 4}: one of access, kept for thirty days; one of audits."
    reading = scored(text, {"logs": 9.0, "thirty": 1.0, "audits": 9.0}, {"logs": 9.0, "days": 1.0, "audits": 9.0})
    clauses = quoting.parts(replace(ranked(text), reading=reading))
    (clause,) = [one for one in clauses if one.text.startswith("one of access")]
    found = pointing.choices(asked("How long?"), clause)
    assert all(clause.start <= one.start < one.end <= clause.end for one in found)
    assert text[found[0].start : found[0].end] == "thirty days"


def test_where_nothing_was_read_there_are_no_words(ranked: Make) -> None:
    """No token, no choice; of no choice none is best."""
    unread = Reading(1.0, (), (0.5, 0.1, 0.4))
    assert said(ranked, STAFF, unread) == []
    assert pointing.best([], {"score": 1.0}) is None


def test_the_share_of_the_best_is_a_probability(ranked: Make) -> None:
    """More of it where the others are worth less; all of it where there are none."""
    few = [Choice(place, place + 1, {"score": 3.0 - place, "same_clause": 0.0}) for place in range(2)]
    shares = []
    for weight in (0.0, 1.0, 1e3):
        chosen = pointing.best(few, {"score": weight})
        assert chosen is not None
        assert chosen[0] is few[0]
        shares.append(chosen[1])
    assert shares == sorted(shares)
    assert (shares[0], shares[2]) == (0.5, 1.0)
    assert pointing.best(few[1:], {"score": 1.0}) == (few[1], 1.0)
