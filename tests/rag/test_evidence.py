"""Which words and sentences bear on a question, and whether the passages answer it at all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.terms import question_terms
from rag.evidence import Signals, Words, enough, explain, highlights, signals, weigh
from rag.splitting import sentences
from rag.types import Ranked

Make = Callable[..., Ranked]
STRONG = Signals(dense=0.8, coverage=1.0, missing=(), counted=True)


def asked(query: str, frequencies: Mapping[str, int] | None = None, question: str | None = None) -> Words:
    """Weigh a question over 100 passages, each of its terms being in one of them unless told otherwise."""
    found = dict.fromkeys(question_terms(query, ["en"]), 1) | dict(frequencies or {})
    return weigh(query, question or query, found, 100)


def marked(text: str, words: Words, language: str | None = None) -> tuple[list[str], list[str]]:
    """Return the sentences and the terms that are highlighted, as they stand in the text."""
    marks = highlights(text, sentences(text), words, language)
    shown = [(kind, text[span.start : span.end]) for kind, span in marks]
    return [s for kind, s in shown if kind == "sentence"], [s for kind, s in shown if kind == "term"]


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    """Weights are BM25's inverse document frequency: a word in no passage most, one in every passage almost nothing."""
    words = weigh("q", "q", {"gone": 0, "rare": 1, "common": 60, "everywhere": 100, "stale": 120}, 100)
    assert words.idf["rare"] == pytest.approx(math.log(1 + 99.5 / 1.5))
    assert words.idf["gone"] > words.idf["rare"] > words.idf["common"] > words.idf["everywhere"] > 0
    assert words.idf["stale"] > 0


def test_highlights_are_the_sentence_that_tells_most_and_the_terms() -> None:
    """The sentence with the question's words comes first, trimmed; a term is a word of the question, inflected too."""
    text = "The mayor spoke.  The bridges over the river opened in May. \n Nobody wept."
    told, terms = marked(text, asked("Which bridge opened over the river?"))
    assert told[0] == "The bridges over the river opened in May."
    assert terms == ["bridges", "river", "opened"]


def test_at_most_three_sentences_best_first() -> None:
    """Of many sentences that hold a word of the question the three with most of its weight are shown."""
    text = "The dyke. The dyke broke. Rain fell on the dyke. The dyke broke in March. So it did."
    told, _ = marked(text, asked("Which dyke broke in March?"))
    assert len(told) == 3
    assert told[0] == "The dyke broke in March."


def test_nothing_is_highlighted_where_no_word_occurs() -> None:
    """Stop words and other words mark nothing."""
    assert marked("The cat sat on the mat.", asked("What is the price of copper?")) == ([], [])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("When did the ferry strike end?", "The ferry strike was over by 4 March 2024."),
        ("How many crews joined the ferry strike?", "In the ferry strike 311 crews took part."),
        ("How long was the ferry strike?", "The ferry strike took eleven days in all."),
        ("Who led the ferry strike?", "Above all the ferry strike was the work of Marta Kowal."),
    ],
)
def test_the_sentence_that_holds_what_is_asked_for_is_preferred(query: str, expected: str) -> None:
    """Of sentences with the same words the one with a date, a number, a length or a name is the first highlight."""
    text = "\n\n".join(
        [
            "Everyone talks about the ferry strike.",
            "The ferry strike was over by 4 March 2024.",
            "In the ferry strike 311 crews took part.",
            "The ferry strike took eleven days in all.",
            "Above all the ferry strike was the work of Marta Kowal.",
        ]
    )
    if query.startswith("Who"):  # a month is written as a name is
        text = text.replace("4 March 2024", "the week's end")
    frequencies = dict.fromkeys(question_terms(query, ["en"]), 100) | {"ferri": 1, "strike": 1}
    assert marked(text, asked(query, frequencies))[0][0] == expected


def test_the_need_is_that_of_the_last_question_not_of_the_talk_before() -> None:
    """A follow-up asks for what its own words ask for, though it is searched with those before it."""
    text = (
        "The dyke broke by night.\n\nThe dyke broke on 9 May 1997.\n\nBefore all others Anna Berg saw the dyke broken."
    )
    query = "When did the dyke break? Who saw it?"
    assert marked(text, asked(query, question="Who saw it?"))[0][0].startswith("Before all others Anna Berg")


def test_words_are_compared_in_the_language_of_the_document() -> None:
    """German inflection is undone in a German text, and German stop words mark nothing."""
    query = "Wann wird der Honig geerntet?"
    words = weigh(query, query, dict.fromkeys(question_terms(query, ["de"]), 1), 10)
    text = "Die Honige reifen spät. Was der Imker wird, weiß niemand."
    told, terms = marked(text, words, "de")
    assert (told[0], terms) == ("Die Honige reifen spät.", ["Honige"])


HOSTILE = st.text(
    st.sampled_from("dam rivers. The\n\r\t?!5—“”'’é\u0301😀\u200d中。\x00\u202e-"), min_size=1, max_size=200
)


@settings(max_examples=200, deadline=None)
@given(HOSTILE, st.sampled_from(["When did the dam on the rivers break?", "how many 5", "中", "The"]))
def test_highlights_of_hostile_text_lie_in_their_sentences(text: str, query: str) -> None:
    """At most three sentences, each within one sentence and trimmed; then words in the order of the text."""
    spans = sentences(text)
    marks = highlights(text, spans, asked(query), None)
    told = [span for kind, span in marks if kind == "sentence"]
    terms = [span for kind, span in marks if kind == "term"]
    assert [kind for kind, _ in marks] == ["sentence"] * len(told) + ["term"] * len(terms)
    assert len(told) <= 3
    for span in told:
        assert 0 <= span.start < span.end <= len(text)
        assert any(whole.start <= span.start and span.end <= whole.end for whole in spans)
        assert text[span.start : span.end] == text[span.start : span.end].strip()
    assert terms == sorted(terms, key=lambda span: span.start)
    assert all(before.end <= after.start for before, after in itertools.pairwise(terms))


def test_signals_name_what_the_best_passage_lacks_as_it_was_written(ranked: Make) -> None:
    """Coverage is that of the passage with most of the question; missing words keep their form and come once."""
    given_ = [ranked("Nothing of note."), ranked("The dyke broke at night.", document="e", dense=0.3)]
    measured = signals(asked("When have Engineers seen the dyke at night, and have Engineers measured it?"), given_)
    assert measured.missing == ("Engineers", "seen", "measured")
    twice = signals(asked("Who measured the engineer whom Engineers measure?"), given_)
    assert twice.missing == ("measured", "engineer")  # another form of a word is not missed, and forgiven, twice
    assert 0 < measured.coverage < 1
    assert measured.dense == 0.5
    assert signals(asked("Which dyke broke?"), given_).coverage == pytest.approx(1)


def test_signals_read_the_header_and_only_the_first_five(ranked: Make) -> None:
    """A word of the title counts; a passage in the sixth place does not, however close it is."""
    titled = ranked("It opened in May.", header="The Vistula bridge")
    assert signals(asked("When did the Vistula bridge open?"), [titled]).missing == ()
    rest = [ranked("Nothing.", document=f"d{n}", dense=0.1) for n in range(5)]
    late = ranked("Copper", document="z", dense=0.9)
    measured = signals(asked("Copper?"), [*rest, late])
    assert (measured.dense, measured.coverage) == (0.1, 0)


def test_signals_without_vectors_assume_nothing(ranked: Make) -> None:
    """Where only words were compared the similarity counts neither for nor against."""
    assert signals(asked("dyke"), [ranked("dyke", dense=None)]).dense == 0.5


@pytest.mark.parametrize(
    ("query", "counted"),
    [
        ("How many trams cross the bridge?", True),
        ("How many lorries cross the bridge?", False),
        ("How much copper is in the bridge?", False),
        ("Who built the bridge?", True),
    ],
)
def test_what_is_counted_must_be_there(ranked: Make, query: str, counted: bool) -> None:
    """A "how many" is answered only where the thing itself is named; other questions count nothing."""
    assert signals(asked(query), [ranked("Forty trams cross the bridge every day.")]).counted is counted


def test_strong_evidence_is_enough_and_none_is_not() -> None:
    """All words in one near passage is an answer; nothing in common is none."""
    assert enough(STRONG)
    assert not enough(Signals(0.0, 0.0, ("copper",), False))
    assert not enough(Signals(0.1, 0.2, ("copper", "price"), True))


@given(st.floats(-1, 1), st.floats(0, 1), st.integers(0, 8), st.floats(0, 1), st.floats(0, 1))
def test_more_evidence_never_takes_an_answer_away(
    dense: float, coverage: float, missing: int, nearer: float, fuller: float
) -> None:
    """A closer vector, more of the words, or the counted thing itself can only speak for an answer."""
    less = Signals(dense, coverage, tuple(f"w{n}" for n in range(missing)), False)
    more = [
        replace(less, dense=min(1.0, dense + nearer)),
        replace(less, coverage=min(1.0, coverage + fuller)),
        replace(less, counted=True),
    ]
    assert all(enough(one) or not enough(less) for one in more)


@pytest.mark.parametrize("count", [1, 5, 12, 40])
def test_a_long_question_of_which_nothing_is_there_is_never_answered(count: int) -> None:
    """However many words are missing, missing words alone are no evidence."""
    assert not enough(Signals(0.05, 0.0, tuple(f"word{n}" for n in range(count)), True))


def test_the_reason_names_what_is_missing() -> None:
    """One sentence with at most five of the missing words; without any it says that nothing is close."""
    lacking, one = replace(STRONG, missing=tuple("abcdefg")), replace(STRONG, missing=("a",))
    said = explain(lacking, 12, "absent")
    assert "12 documents" in said
    assert "most of its words does not have “a”" in said
    assert "“e”" in said
    assert "“f”" not in said
    assert "most of its words does not have “a”." in explain(one, 12, "absent")
    assert "“" not in explain(STRONG, 12, "absent")
    assert "1 documents" not in explain(lacking, 1, "absent")
    assert all(text.count(".") == 1 and text.endswith(".") for text in (said, explain(STRONG, 12, "absent")))


def test_the_reason_tells_the_outcomes_apart() -> None:
    """Where passages speak of it no one is told that nothing does; both name what is missing."""
    lacking = replace(STRONG, missing=("copper",))
    related, absent = (explain(lacking, 12, outcome) for outcome in ("related", "absent"))
    assert ("Passages speak of this" in related, "Nothing that was found in the 12 documents" in related) == (
        True,
        False,
    )
    assert ("Passages speak of this" in absent, "Nothing that was found in the 12 documents" in absent) == (False, True)
    assert all("“copper”" in said and said.count(".") == 1 and said.endswith(".") for said in (related, absent))
    assert "“" not in explain(STRONG, 12, "related")
