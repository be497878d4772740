"""How the words of a question stand in a passage."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from index.terms import question_terms
from rag.wording import Asked, Wording, inverse_frequencies

EVEN = Asked("copper kettle harbour festival", dict.fromkeys(("copper", "kettl", "harbour", "festiv"), 1.0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nothing of it.", (0, 0, 0)),
        ("A copper.", (0.25, 0.25, 0)),
        ("Copper kettles at the harbour festival", (1, 1, 1)),
        ("festival harbour kettle copper", (1, 1, 0)),  # the order is another one
        ("copper " + "then " * 30 + "kettle", (0.5, 0.25, 0)),  # too far apart for a window
        ("copper " + "then " * 22 + "kettle", (0.5, 0.5, 0)),
        ("copper or tin kettle", (0.5, 0.5, 1 / 3)),  # two between
        ("copper or a tin kettle", (0.5, 0.5, 0)),
    ],
)
def test_words_count_by_number_nearness_and_order(text: str, expected: Sequence[float]) -> None:
    """Each part of the measure, on texts made to differ in that part."""
    assert EVEN.wording(text, "en") == pytest.approx(Wording(*expected))


def test_a_rare_word_counts_for_more() -> None:
    """By its inverse document frequency, over as many passages as there are."""
    asked = Asked("common rare", inverse_frequencies({"common": 90, "rare": 1}, 100))
    assert asked.wording("rare", "en").coverage > 0.9 > 0.1 > asked.wording("common", "en").coverage > 0


def test_a_word_is_read_in_the_language_of_its_passage() -> None:
    """Stems differ by language, and scripts without spaces go by pairs of characters."""
    (stem,) = question_terms("Häusern", ["de"])
    asked = Asked("Häusern", {stem: 1.0})
    assert asked.wording("Häuser", "de").coverage == 1
    assert asked.wording("Häuser", "en").coverage == 0
    assert Asked("東京都", {"東京": 1.0, "京都": 1.0}).wording("東京都", "ja") == pytest.approx(Wording(1, 1, 1))


def test_terms_of_other_languages_are_not_missed() -> None:
    """A passage is held to the terms that the question has in its language, not to those of all."""
    idf = dict.fromkeys(question_terms("the burning forests", ["de", "en"]), 1.0)
    assert idf.keys() > set(question_terms("the burning forests", ["en"]))
    assert Asked("the burning forests", idf).wording("Forests burn.", "en").coverage == 1


def test_a_question_without_terms_finds_nothing() -> None:
    """Nothing to weigh, nothing to divide by."""
    assert Asked("the of", {}).wording("any words", None) == Wording()


def test_every_part_stays_within_its_bounds() -> None:
    """On texts of random words: 0 to 1, a window holds no more than the passage, a phrase is a pair."""
    seed = random.randrange(10**6)
    print("seed", seed)
    maker = random.Random(seed)
    words = ["ba", "ke", "lo", "mi", "su", "ra", "ti"]
    for _ in range(300):
        chosen = maker.sample(words, maker.randint(1, 5))
        found = Asked(" ".join(chosen), {word: maker.uniform(0.1, 5) for word in chosen}).wording(
            " ".join(maker.choices([*words, "other"], k=maker.randint(0, 60))), "xx"
        )
        assert all(0 <= part <= 1 + 1e-12 for part in found)
        assert found.window <= found.coverage + 1e-12
