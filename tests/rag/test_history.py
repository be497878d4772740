"""Follow-up questions completed by the questions before them."""

from __future__ import annotations

import pytest

from rag.history import standalone
from rag.types import Turn

TALK = [Turn("user", "When did the Vistula bridge open?"), Turn("assistant", "It opened in May 1997.")]
FULL = "How many delegations of the European council travelled to the yearly summit in northern Portugal last autumn?"


@pytest.mark.parametrize("query", ["Who built it?", FULL, ""])
def test_a_question_without_talk_before_it_stands_alone(query: str) -> None:
    """Nothing is carried over where nothing was asked before."""
    assert standalone(query, []) is None
    assert standalone(query, [Turn("assistant", "Hello."), Turn("user", "  ")]) is None


@pytest.mark.parametrize("query", ["Who built it?", "And the trams?", "What about its cost?", "Which architect?"])
def test_a_follow_up_gets_what_was_asked_before(query: str) -> None:
    """A pronoun, a word that continues, or few words: the question before comes first, the new one last, whole."""
    assert standalone(query, TALK) == f"When did the Vistula bridge open? {query}"


def test_a_long_question_that_refers_to_nothing_stands_alone() -> None:
    """What can be understood by itself is not blurred by the talk before it."""
    assert standalone(FULL, TALK) is None


def test_a_long_question_that_refers_back_is_completed() -> None:
    """Length alone does not make a question stand by itself."""
    query = FULL.replace("northern Portugal", "that country")
    assert standalone(query, TALK) == f"{TALK[0].content} {query}"


def test_only_the_last_two_questions_are_carried_over_and_never_an_answer() -> None:
    """Older questions and whatever was answered stay out."""
    talk = [
        turn
        for number in range(4)
        for turn in (Turn("user", f" Question {number}? "), Turn("assistant", f"Answer {number}."))
    ]
    assert standalone("Why?", talk) == "Question 2? Question 3? Why?"
