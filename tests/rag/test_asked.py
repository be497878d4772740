"""What a question asks for and what it names, by its words."""

from __future__ import annotations

import time

import pytest

from rag.asked import ASKS, POINTS, Asks, asks_for, holds, named

QUESTIONS: list[tuple[Asks, str]] = [
    ("time", "When did the bridge open?"),
    ("time", "What year was it built?"),
    ("time", "Which year did it open?"),
    ("time", "By what date must I reply?"),
    ("time", "What time does the shop close?"),
    ("time", "What is the deadline for returns?"),
    ("measure", "How long is the bridge?"),
    ("measure", "How often does it run?"),
    ("measure", "how OLD is she"),
    ("count", "How many guests came?"),
    ("count", "How much does it cost?"),
    ("count", "What percentage of users left?"),
    ("person", "Who built it?"),
    ("person", "Whose idea was it?"),
    ("place", "Where is the office?"),
    ("which", "Which bridge is the longest?"),
    ("which", "In which city was he born?"),
    ("reason", "Why did the dyke break?"),
    ("reason", "How come it failed?"),
    ("reason", "What is the reason for the delay?"),
    ("reason", "What is foo_bar() for?"),
    ("manner", "How do I reset the password?"),
    ("yesno", "Is the bridge open?"),
    ("yesno", "Can I return an opened item?"),
    ("yesno", "I bought a kettle. Can I return it?"),
    ("yesno", "Don't they deliver?"),
    ("list", "List all steps"),
    ("list", "What kinds of bread are there?"),
    ("meaning", "What does HTTP stand for?"),
    ("meaning", "What does idempotent mean?"),
    ("meaning", "What is a token?"),
    ("what", "What is the capital of France?"),
    ("what", "What happens if the token expires?"),
    ("words", "bridge opening hours"),
    ("words", "Wo ist das?"),
    ("words", ""),
]


@pytest.mark.parametrize(("kind", "question"), QUESTIONS)
def test_the_kind_of_a_question(kind: Asks, question: str) -> None:
    """By its question word, or by how it begins; nothing of either asks for words."""
    assert asks_for(question) == kind


def test_every_kind_is_met() -> None:
    """The questions above show each, and those whose answer is a few words are kinds."""
    assert {kind for kind, _ in QUESTIONS} == set(ASKS)
    assert len(set(ASKS)) == len(ASKS)
    assert set(ASKS) > POINTS


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("What does `--dry-run` do?", ["--dry-run"]),
        ("What does foo_bar() return?", ["foo_bar()"]),
        ("What is os.path.join() for?", ["os.path.join()"]),
        ("Where is max_retries set?", ["max_retries"]),
        ("What was CVE-2024-31872?", ["CVE-2024-31872"]),
        ("Is HT-450 still sold?", ["HT-450"]),
        ("Is it there since version 2.13.1?", ["2.13.1"]),
        ("Does python3.11 do?", ["python3.11"]),
        ('Who said "to be or not"?', ["to be or not"]),
        ("Who said “to be or not”?", ["to be or not"]),
        ("Wer schrieb „Der Hut“?", ["Der Hut"]),
        ("Who led Acme Corp in 2019?", ["2019", "Acme Corp"]),
        ("What did Marta O'Neill say in Łódź?", ["Marta O'Neill"]),
        ("Did 1,800 come?", ["1,800"]),
        ("When did it open?", []),
        ("", []),
    ],
)
def test_what_a_question_names(question: str, names: list[str]) -> None:
    """Options, calls, identifiers, versions, phrases, years and names, as written, each once; not its first word."""
    found = named(question)
    assert set(names) <= set(found)
    assert len(set(found)) == len(found)
    assert all(one in question for one in found)
    assert names or not found


def test_a_text_has_a_name_by_its_words() -> None:
    """All of them as whole words, in lower case, however they are joined."""
    text = "the ht-450 of acme, a corp. of 2019, takes --dry-run."
    assert all(holds(text, name) for name in ("HT-450", "Acme Corp", "2019", "--dry-run", "ht 450"))
    assert not any(holds(text, name) for name in ("HT-45", "Acme Corporation", "201", "--dry-runs"))


@pytest.mark.parametrize("question", ["what " * 12_000, "a-" * 30_000, "A" * 60_000, "(" * 60_000, '"' * 60_000])
def test_a_giant_question_takes_no_time(question: str) -> None:
    """60,000 characters are looked through in less than a second."""
    started = time.perf_counter()
    asks_for(question)
    named(question)
    assert time.perf_counter() - started < 1
