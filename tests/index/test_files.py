"""Which files gave which documents: when a file counts as unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from index.catalog import Catalog
from index.collection import Collection
from index.files import FileRecord


@pytest.fixture
def recorded(collection: Collection, maker: Any) -> Collection:
    """A collection whose documents `a` and `b` came from one file, and `c` from another."""
    made = [maker.document(name, f"words of {name}") for name in "abc"]
    collection.add(made)
    prints = {one.document.id: one.document.fingerprint for one in made}
    collection.files.record(
        {
            "two.jsonl": FileRecord("v1", [("b", prints["b"]), ("a", prints["a"])]),
            "c.txt": FileRecord("v1", [("c", prints["c"])]),
        }
    )
    return collection


def unchanged(collection: Collection, **versions: str) -> dict[str, list[str]]:
    """Return the ids of each file that counts as unchanged; `_` stands for a dot."""
    asked = {name.replace("_", "."): version for name, version in versions.items()}
    return {name: [one.id for one in briefs] for name, briefs in collection.files.unchanged(asked).items()}


def test_a_file_is_unchanged_while_its_documents_are(recorded: Collection) -> None:
    """Its documents come in their order with what is known of them; another version or name is unknown."""
    assert unchanged(recorded, two_jsonl="v1", c_txt="v1") == {"two.jsonl": ["b", "a"], "c.txt": ["c"]}
    assert unchanged(recorded, two_jsonl="v2", d_txt="v1") == {}
    (brief,) = recorded.files.unchanged({"c.txt": "v1"})["c.txt"]
    info = recorded.document("c")
    assert (brief.sha256, brief.fingerprint, brief.passages) == (info.sha256, info.fingerprint, info.passages)


def test_a_document_that_was_replaced_makes_its_file_changed(recorded: Collection, maker: Any) -> None:
    """One of two is enough; the other file is not touched by it."""
    recorded.add([maker.document("a", "other words")])
    assert unchanged(recorded, two_jsonl="v1", c_txt="v1") == {"c.txt": ["c"]}


def test_a_document_that_was_deleted_makes_its_file_changed(recorded: Collection) -> None:
    """What is gone must be made again."""
    recorded.delete(["b"])
    assert unchanged(recorded, two_jsonl="v1") == {}


def test_a_new_record_takes_the_place_of_the_old(recorded: Collection) -> None:
    """The version that was ingested last counts."""
    recorded.files.record({"c.txt": FileRecord("v2", [("c", recorded.document("c").fingerprint)])})
    assert unchanged(recorded, c_txt="v1") == {}
    assert unchanged(recorded, c_txt="v2") == {"c.txt": ["c"]}


def test_a_file_is_forgotten_with_any_of_its_documents(recorded: Collection) -> None:
    """Its name must not stay where the document is gone, and it would be read again anyway."""
    recorded.delete(["a"])
    with recorded._store.reading() as reader:
        assert reader.sql("SELECT name FROM file") == [("c.txt",)]
    recorded.delete(["c"])
    with recorded._store.reading() as reader:
        assert reader.sql("SELECT count(*) FROM file") == [(0,)]


def test_collections_do_not_share_files(recorded: Collection, catalog: Catalog) -> None:
    """The same name elsewhere is another file, and a dropped collection takes its files along."""
    catalog.create("other")
    assert unchanged(catalog.collection("other"), c_txt="v1") == {}
    dropped = catalog.collection("other")
    catalog.drop("other")
    dropped.files.record({"x.txt": FileRecord("v1", [])})
    with recorded._store.reading() as reader:
        assert reader.sql("SELECT count(*) FROM file") == [(2,)]
