"""The rankings that are kept with a collection: versions, the one in use, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.catalog import Catalog
from index.collection import Collection
from index.errors import CollectionMissing, IndexProblem, RankingMissing

SETTINGS = {"fusion": "convex", "dense_weight": 0.25, "pool": 200}
FIGURES = {"gain": {"mean": 0.02, "low": 0.01, "high": 0.03}, "questions_sha256": "ab"}


def in_use(collection: Collection) -> int | None:
    """Return the version in use."""
    return collection.ranking and collection.ranking.version


def test_a_new_collection_has_none(collection: Collection) -> None:
    """It ranks as the product does."""
    assert (collection.ranking, list(collection.rankings.all())) == (None, [])
    assert collection.info().ranking is None
    assert collection.search(None, "words", limit=1).ranking is None


def test_versions_are_kept_and_the_newest_is_in_use(collection: Collection) -> None:
    """Numbered from 1, each with what was given, until another one is chosen, or none."""
    assert [collection.rankings.add(SETTINGS, FIGURES), collection.rankings.add({"name": "é"}, {})] == [1, 2]
    first, second = collection.rankings.all()
    assert (first.version, first.settings, first.figures, first.in_use) == (1, SETTINGS, FIGURES, False)
    assert (second.settings, second.in_use) == ({"name": "é"}, True)
    assert first.created <= second.created
    assert collection.ranking == second
    for version in (1, None, 2):
        collection.rankings.use(version)
        assert in_use(collection) == version
        assert [one.version for one in collection.rankings.all() if one.in_use] == ([version] if version else [])
        assert collection.search(None, "words", limit=1).ranking == collection.info().ranking == collection.ranking
    assert collection.rankings.add({}, {}) == 3


def test_choosing_is_a_change_that_can_be_waited_for(collection: Collection, maker) -> None:
    """Each has a token of its own, of which a question can make sure; what is found stays the same."""
    collection.add([maker.document("a", "words here")])
    before = collection.search(None, "words", limit=5)
    tokens = [before.token]
    for act in (lambda: collection.rankings.add(SETTINGS, {}), lambda: collection.rankings.use(None)):
        act()
        tokens.append(collection.token)
        assert collection.search(None, "words", limit=5, at_least=tokens[-1]).hits == before.hits
    assert len(set(tokens)) == 3
    assert collection.problems() == []


def test_one_that_is_not_there_cannot_be_used(collection: Collection) -> None:
    """Nothing changes."""
    collection.rankings.add(SETTINGS, {})
    token = collection.token
    for version in (0, 2, -1):
        with pytest.raises(RankingMissing, match=str(version)):
            collection.rankings.use(version)
    assert (in_use(collection), collection.token) == (1, token)


def test_what_raises_leaves_nothing(collection: Collection) -> None:
    """Settings that are no JSON: neither a version nor a change of the one in use."""
    collection.rankings.add(SETTINGS, {})
    with pytest.raises(TypeError):
        collection.rankings.add({"weights": object()}, {})  # type: ignore[dict-item]
    with pytest.raises(IndexProblem), collection._changing() as writer:
        writer.sql(
            "UPDATE collection SET ranking = 2; INSERT INTO ranking VALUES (1, 2, '', '{}', 'no'), (1, 1, '', '', '')"
        )
    assert [one.version for one in collection.rankings.all()] == [1]
    assert in_use(collection) == 1


def test_they_survive_a_restart_and_new_views(folder: Path, maker) -> None:
    """Opened again, and with views made anew, the same one is in use."""
    with maker.open(folder) as catalog:
        catalog.create("other")
        collection = catalog.collection("default")
        collection.add([maker.document("a", "words")])
        collection.rankings.add(SETTINGS, FIGURES)
        collection.rankings.add({}, {})
        collection.rankings.use(1)
    with maker.open(folder) as catalog:
        collection = catalog.collection("default")
        assert in_use(collection) == 1
        collection.rebuild()
        collection.add([maker.document("b", "words")])
        collection.delete(["a"])
        collection.compact()
        assert collection.ranking == collection.rankings.all()[0]
        assert catalog.collection("other").ranking is None
        assert catalog.verify() == []


def test_they_go_with_their_collection(catalog: Catalog) -> None:
    """A collection of the same name starts without; its neighbour keeps its own."""
    catalog.create("x")
    dropped = catalog.collection("x")
    dropped.rankings.add(SETTINGS, {})
    catalog.collection("default").rankings.add(SETTINGS, {})
    catalog.drop("x")
    with pytest.raises(CollectionMissing):
        dropped.rankings.use(None)
    catalog.create("x")
    assert (catalog.collection("x").ranking, list(catalog.collection("x").rankings.all())) == (None, [])
    assert in_use(catalog.collection("default")) == 1
    with catalog._store.reading() as reader:
        assert reader.sql("SELECT count(*) FROM ranking") == [(1,)]
