"""Analysis of words, and BM25 against its formula."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

from index.reading import Indexed
from index.terms import MAX_TERMS, TermView, analyze, question_terms


@pytest.mark.parametrize(
    ("text", "language", "terms"),
    [
        ("The Ministries were meeting, again!", "en", ["the", "ministri", "were", "meet", "again"]),
        ("Häuser und Straßen", "de", ["haus", "und", "strass"]),
        ("Los documentos públicos", "es", ["los", "document", "public"]),
        ("running runners", None, ["run", "runner"]),
        ("running", "en-GB", ["run"]),
        ("running", "pl", ["running"]),
        ("Zażółć gęślą", "pl", ["zazolc", "gesla"]),
        ("東京都", "ja", ["東京", "京都"]),
        ("水 is 水道", "zh", ["水", "is", "水道"]),
        ("abc東京def", "ja", ["abc", "東京", "def"]),
        ("서울특별시", "ko", ["서울", "울특", "특별", "별시"]),
        ("2+2 COVID-19 U.S.", "en", ["2", "2", "covid", "19", "u", "s"]),
        ("cafe\u0301 ＦＵＬＬ ﬁne", None, ["cafe", "full", "fine"]),
        ("a\0b \u202eevil 😀", None, ["a", "b", "evil"]),
        ("x" * 100, None, []),
        ("", None, []),
    ],
)
def test_terms_of_a_text(text: str, language: str | None, terms: list[str]) -> None:
    """Each language by its own stemmer or none, CJK as pairs, accents folded, nothing but letters and digits."""
    assert analyze(text, language) == terms


@pytest.mark.parametrize(
    ("question", "languages", "terms"),
    [
        ("Who is the minister of the state?", ["en"], ["minist", "state"]),
        ("Who is the minister?", [None], ["minist"]),
        ("Who is the minister?", [], ["minist"]),
        ("to be or not to be", ["en"], ["to", "to", "be", "be", "or", "not"]),
        ("tax on tax", ["en"], ["tax", "tax"]),
        ("die Häuser", ["de"], ["haus"]),
        ("die Häuser", ["de", "en"], ["haus", "die", "hauser"]),
        ("Üniversite ve okul", ["tr"], ["universi", "ve", "okul"]),
        ("東京 タワー", ["ja", "en"], ["東京", "タワ", "ワー"]),
        ("?!", ["en"], []),
    ],
)
def test_terms_of_a_question(question: str, languages: list[str | None], terms: list[str]) -> None:
    """Stop words go, by each language of the documents, unless nothing is left; repetition is kept."""
    assert Counter(question_terms(question, languages)) == Counter(terms)


def test_every_question_term_is_a_term_of_its_own_text(maker) -> None:
    """What a question looks for is what the same words were indexed as."""
    text = "Résumés of the ministers' 2+2 dialogue 東京都 in Washington, D.C. — naïve coöperation"
    for language in ("en", "fr", "ja", None):
        assert set(question_terms(text, [language])) <= set(analyze(text, language))


def bm25(question: list[str], texts: dict[int, str]) -> dict[int, float]:
    """Return the score of each text that holds a term, by the formula of Robertson and Zaragoza (2009)."""
    bags = {key: Counter(text.split()) for key, text in texts.items()}
    average = sum(bag.total() for bag in bags.values()) / len(bags)
    scores: dict[int, float] = {}
    for term in question:
        holders = [key for key, bag in bags.items() if bag[term]]
        idf = math.log(1 + (len(bags) - len(holders) + 0.5) / (len(holders) + 0.5))
        for key in holders:
            bag = bags[key]
            weighted = bag[term] + 1.2 * (1 - 0.75 + 0.75 * bag.total() / average)
            scores[key] = scores.get(key, 0.0) + idf * bag[term] * 2.2 / weighted
    return scores


def test_scores_are_bm25(tmp_path: Path, maker) -> None:
    """Every score is the formula's, for passages up to 40 words, whose lengths tantivy's one byte holds exactly."""
    texts = {key: maker.words(maker.random.randint(1, 40)) for key in range(1, 200)}
    view = TermView.build(tmp_path / "terms", [Indexed(key, text, "pl") for key, text in texts.items()])
    question = [*maker.words(5).split(), "word1", "word1", "absent"]
    top = view.top(question, 500)
    expected = bm25(question, texts)
    assert dict(zip(top.keys.tolist(), top.scores.tolist(), strict=True)) == pytest.approx(expected, abs=6e-3)


def test_frequencies_count_passages(tmp_path: Path) -> None:
    """A term that a passage repeats counts once, an unknown one is there with 0."""
    view = TermView.build(tmp_path / "terms", [Indexed(1, "tax tax rise", "en"), Indexed(2, "tax", "en")])
    assert view.frequencies(["tax", "rise", "x"]) == {"tax": 2, "rise": 1, "x": 0}


def test_a_very_long_question_is_answered(tmp_path: Path) -> None:
    """More different terms than the limit are cut, not refused."""
    view = TermView.build(tmp_path / "terms", [Indexed(1, "alpha", "en")])
    assert view.top(["alpha", *(f"t{n}" for n in range(3 * MAX_TERMS))], 5).keys.tolist() == [1]


def test_any_text_is_a_question(tmp_path: Path) -> None:
    """Query syntax means nothing: operators, quotes and wildcards are cut away like any other sign."""
    view = TermView.build(tmp_path / "terms", [Indexed(1, "alpha beta", "en"), Indexed(2, "gamma", "en")])
    for question in ('"alpha" AND NOT beta*', "terms:alpha^2", "key:[0 TO 9] OR alpha~", "(alpha\0"):
        assert view.top(question_terms(question, ["en"]), 5).keys.tolist() == [1]


def test_scores_do_not_depend_on_segments(tmp_path: Path, maker) -> None:
    """The same passages written at once and one commit each have the same scores to the bit."""
    rows = [Indexed(key, maker.words(maker.random.randint(5, 60)), "pl") for key in range(1, 120)]
    once = TermView.build(tmp_path / "once", rows)
    often = TermView.build(tmp_path / "often", rows[:1])
    for row in rows[1:]:
        often = often.changed((), [row])
    for _ in range(20):
        question = [*maker.words(8).split(), "word1", "word1"]
        one, other = once.top(question, 30), often.top(question, 30)
        assert dict(zip(one.keys, one.scores, strict=True)) == dict(zip(other.keys, other.scores, strict=True))
