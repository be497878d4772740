"""A collection's own ranking: it decides the order where this version understands it, and is left alone otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from index.types import Found, Json
from rag import ask as asking
from rag.rankings import settings_of, understood, used_by
from rag.retrieval import Ranking
from rag.types import Question

OTHER = Ranking(fusion="reciprocal_rank")
ASKED = Question("which bridge carries trams", explain=True)


@pytest.fixture
def filled(shelf: Any) -> Any:
    """A shelf with three short documents."""
    shelf.add("The bridge carries trams.", "Honey is harvested in July.", "A bridge is a card game, not trams.")
    return shelf


def fusion(shelf: Any, ranking: Ranking | None = None) -> Json:
    """Return how the best passage was scored."""
    (found,) = asking.search([ASKED], shelf.collection, shelf.encoder, ranking)
    explained = found.passages[0].explain
    assert explained is not None
    return explained["fusion"]


def test_the_collections_own_ranking_decides_until_it_is_not_used(filled: Any) -> None:
    """At the next question, for asking and for searching; a ranking that is given wins."""
    assert (fusion(filled), filled.ask("trams").ranking) == (Ranking().fusion, None)
    filled.collection.rankings.add(settings_of(OTHER), {})
    assert (fusion(filled), filled.ask("trams").ranking, filled.search("trams").ranking) == (OTHER.fusion, 1, 1)
    assert fusion(filled, Ranking()) == Ranking().fusion
    filled.collection.rankings.use(None)
    assert (fusion(filled), filled.ask("trams").ranking) == (Ranking().fusion, None)
    assert filled.ask("trams").degraded == ()


def test_settings_come_back_as_they_were(filled: Any) -> None:
    """By way of JSON."""
    for ranking in (Ranking(), OTHER):
        assert understood(json.loads(json.dumps(settings_of(ranking)))) == ranking


@pytest.mark.parametrize(
    "change",
    [
        lambda settings: settings | {"colour": 1},
        lambda settings: {name: value for name, value in settings.items() if name != "pool"},
        lambda settings: settings | {"pool": "200"},
        lambda settings: settings | {"pool": True},
        lambda settings: settings | {"fusion": "magic"},
        lambda settings: settings | {"fusion": ["convex"]},
        lambda settings: {},
    ],
)
def test_settings_of_another_version_are_not_used_and_that_is_said(filled: Any, change: Callable[..., Any]) -> None:
    """Fields that are unknown or missing, and values of another kind: the default ranks, whatever is kept."""
    filled.collection.rankings.add(change(settings_of(OTHER)), {})
    used = used_by(filled.collection)
    assert (used.ranking, used.version, used.degraded) == (Ranking(), None, ("ranking_unknown",))
    for told in (filled.ask("trams"), filled.search("trams")):
        assert (told.ranking, told.degraded) == (None, ("ranking_unknown",))
    assert fusion(filled) == Ranking().fusion
    filled.collection.rankings.add(settings_of(OTHER), {})
    assert (filled.ask("trams").degraded, filled.ask("trams").ranking) == ((), 2)


def test_a_number_that_is_none_is_not_understood() -> None:
    """JSON of old may hold NaN; nothing could be ordered by it."""
    numbers = [name for name, value in settings_of(Ranking()).items() if type(value) is float]
    assert numbers
    assert all(understood({**settings_of(Ranking()), name: float("nan")}) is None for name in numbers)


def test_a_question_that_another_ranking_overtakes_is_asked_again(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer, version and token are of one state, also where a ranking is chosen between the look and the search."""
    really, calls = filled.collection.search, []

    def overtaken(*given: Any, **more: Any) -> Found:
        calls.append(1)
        if len(calls) == 1:
            filled.collection.rankings.add(settings_of(OTHER), {})
        return really(*given, **more)

    monkeypatch.setattr(filled.collection, "search", overtaken)
    found = filled.search(ASKED.query, explain=True)
    assert (found.ranking, found.token, len(calls)) == (1, filled.collection.token, 2)
    assert (found.passages[0].explain or {})["fusion"] == OTHER.fusion


def test_the_default_is_frozen() -> None:
    """Nobody changes it for all; another one is another value."""
    assert replace(Ranking(), pool=1) != Ranking()
    with pytest.raises(AttributeError):
        Ranking().pool = 1  # type: ignore[misc]
