"""Readings become an order, words and a confidence: pure arithmetic, and whether values exclude each other."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from rag import judging
from rag.conflicts import Kind, differ, scaled, units
from rag.evidence import kind_of
from rag.judging import Blend, Candidate
from rag.types import Ranked, Reading, ScoredSpan


def said(relevance: float, *spans: ScoredSpan) -> Reading:
    """Return a reading without a verdict."""
    return Reading(relevance, spans, (0.0, 0.0, 1.0))


@pytest.fixture
def passages(ranked: Callable[..., Ranked]) -> list[Ranked]:
    """Five passages as the first stage orders them."""
    return [replace(ranked(f"text {place}", document=f"d{place}"), fused=0.9 - place / 10) for place in range(5)]


def documents(found: list[Ranked]) -> list[str]:
    """Return the documents in their order."""
    return [one.stored.ref.document_id for one in found]


def test_what_was_read_is_ordered_by_it(passages: list[Ranked]) -> None:
    """Both the reader's logit and the first stage count; what was not read follows as it was."""
    found = judging.ordered(passages, [said(-5.0), said(-5.0), said(4.0)], Blend(10.0, 1.0, -8.0))
    assert documents(found) == ["d2", "d0", "d1", "d3", "d4"]
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert [one.reading is not None for one in found] == [True, True, True, False, False]


def test_what_is_far_from_the_best_is_not_read(ranked: Callable[..., Ranked]) -> None:
    """Read are the first six, of the rest those within reach of the best, and never more than asked for."""
    scores = [0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.7, 0.66, 0.6, 0.7]
    found = [replace(ranked(f"text {place}", document=f"d{place}"), fused=one) for place, one in enumerate(scores)]
    assert documents(list(judging.near(found, reach=0.25))) == [f"d{place}" for place in range(8)]
    assert documents(list(judging.near(found, reach=0.0))) == [f"d{place}" for place in range(6)]
    assert documents(list(judging.near(found, 2, reach=1.0))) == ["d0", "d1"]
    assert len(judging.near([found[0]] * 40)) == judging.DEPTH
    assert not judging.near([])


def test_scores_of_words_alone_count_no_more_than_others(ranked: Callable[..., Ranked]) -> None:
    """BM25 knows no bound: as shares of the best it leaves the reader its say, and something above none."""
    scores = [24.0, 23.0, 18.5, 6.0, 5.0, 4.0, 20.0, 3.0]
    found = [replace(ranked(f"text {place}", document=f"d{place}"), fused=one) for place, one in enumerate(scores)]
    assert documents(list(judging.near(found))) == [f"d{place}" for place in range(7)]
    ordered = judging.ordered(found, [said(-7.0), said(5.0), said(-7.0)])
    assert documents(ordered)[:3] == ["d1", "d0", "d2"]
    assert ordered[1].score < 0.6 < ordered[0].score


def test_nothing_read_changes_nothing(passages: list[Ranked]) -> None:
    """Without a reading the passages are as they were."""
    assert judging.ordered(passages, []) == passages


def test_equal_scores_keep_their_order(ranked: Callable[..., Ranked]) -> None:
    """Ties stay as the first stage broke them."""
    same = [replace(ranked(f"text {place}", document=f"d{place}"), fused=0.5) for place in range(4)]
    assert documents(judging.ordered(same, [said(1.0)] * 4)) == ["d0", "d1", "d2", "d3"]


def test_a_score_is_a_probability_that_rises() -> None:
    """It rises with either part and stays within 0 and 1; the seed is printed."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(200):
        relevance, fused = chance.uniform(-30, 30), chance.uniform(-1, 2)
        score = judging.probability(relevance, fused)
        assert 0 <= score <= 1
        assert judging.probability(relevance + 1, fused) >= score <= judging.probability(relevance, fused + 0.1)


def test_candidates_come_from_all_passages(passages: list[Ranked]) -> None:
    """The best words of all; those of a passage that is no answer count less."""
    sure, vague = said(9.0, ScoredSpan(0, 4, 2.0), ScoredSpan(5, 6, 1.0)), said(-9.0, ScoredSpan(0, 4, 2.5))
    found = judging.candidates(judging.ordered(passages[:2], [vague, sure]))
    assert [(one.passage.stored.ref.document_id, one.text) for one in found] == [
        ("d1", "text"), ("d1", "1"), ("d0", "text"),
    ]  # fmt: skip
    assert all(isinstance(one, Candidate) for one in found)


def test_log_odds_are_finite() -> None:
    """Also those of certainty."""
    assert all(math.isfinite(judging.logit(share)) for share in (0.0, 0.5, 1.0))
    assert judging.logit(0.5) == 0


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("13 March 2025", "date"), ("in 2019", "date"), ("late November", "date"), ("about 1,800", "number"),
        ("three", "number"), ("1800 people", "number"), ("Ruth Pellow", "name"), ("the mayor, Ruth Pellow", "name"),
        ("The 1921 Harbour Hall", "name"), ("a red hat", None), ("because it rained", None),
    ],
)  # fmt: skip
def test_the_kind_of_words(text: str, kind: str | None) -> None:
    """As they are written."""
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    ("text", "number", "whole", "counted"),
    [
        ("In all, 212 homes were left", "212", "212", {"home"}), ("240 new homes", "240", "240", {"new", "home"}),
        ("it cost £12.1 million in all", "12.1", "£12.1 million", {"£"}), ("12 per cent", "12", "12", {"%"}),
        ("a 186-metre bridge", "186", "186", {"metr", "brid"}), ("some twenty people", "twenty", "twenty", {"peop"}),
        ("by 12% then", "12", "12", {"%", "then"}), ("of 12 in all", "12", "12", set()), ("page 7.", "7", "7", set()),
        ("12 million people", "12 million", "12 million", {"peop"}), ("is 5 km long", "5 km", "5 km", {"km", "long"}),
        ("12\nhomes", "12", "12", set()), ("sold 3m of them", "3", "3m", {"m"}), ("12 Homes", "12", "12", {"home"}),
    ],
)  # fmt: skip
def test_a_number_with_what_it_counts(text: str, number: str, whole: str, counted: set[str]) -> None:
    """The scale belongs to the number; what it counts is the sign, or the next words on the line."""
    start = text.index(number)
    assert scaled(text, start, start + len(number)) == whole
    assert units(text, start, start + len(number)) == counted


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("number", "some 300 people", "about 450"), ("number", "£2.5 million", "£2.6 million"),
        ("number", "seven", "9"), ("number", "41 per cent", "14 per cent"), ("date", "2 May 2025", "3 May 2025"),
        ("date", "May", "June"), ("name", "Ruth Pellow", "Owen Sandys"), ("number", "5 km", "6 km"),
        ("number", "£1.2m", "£1.3 million"), ("number", "1 per cent", "2%"), ("number", "3 m", "4 m"),
    ],
)  # fmt: skip
def test_values_that_exclude_each_other(kind: Kind, first: str, second: str) -> None:
    """Either way round."""
    assert differ(kind, first, second)
    assert differ(kind, second, first)


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("number", "three", "3"), ("number", "1,800", "1800 people"), ("number", "29,032 feet", "8,849 metres"),
        ("number", "some people", "4"), ("date", "2025", "May 2025"), ("date", "in May", "2 May"),
        ("number", "$12m", "$12 million"), ("number", "5k people", "5 thousand people"), ("number", "3 m", "3 metres"),
        ("number", "$5", "$6 million"),
        ("number", "40", "38 per cent"), ("name", "Mayor Pellow", "Ruth Pellow"), ("name", "the", "Owen Sandys"),
    ],
)  # fmt: skip
def test_values_that_may_both_be_true(kind: Kind, first: str, second: str) -> None:
    """The same value otherwise written, another unit, another precision."""
    assert not differ(kind, first, second)
    assert not differ(kind, second, first)


def test_a_word_of_the_question_is_none_of_the_name() -> None:
    """Two bridges are two, when a bridge was asked for."""
    assert not differ("name", "Lantern Bridge", "Harbour Bridge")
    assert differ("name", "Lantern Bridge", "Harbour Bridge", "Which bridge is the longest?")
