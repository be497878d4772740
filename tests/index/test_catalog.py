"""A data folder: its lock, its collections, its permissions, verify and repair."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from index.catalog import Catalog
from index.errors import CollectionMissing, DataFolderLocked, NameInvalid

ROOT = Path(__file__).parents[2]
OPEN = """
import sys
from pathlib import Path
from index.catalog import Catalog
from index.errors import DataFolderLocked
try:
    Catalog(Path(sys.argv[1]), encoder="e", dimension=16).close()
    print("opened")
except DataFolderLocked as problem:
    print(problem.holder, "|", problem)
"""


def opened_elsewhere(folder: Path) -> str:
    """Return what another process says that tries to open the folder."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.stdout.strip()


def test_a_second_process_is_refused_and_told_who_holds_the_folder(folder: Path, maker) -> None:
    """First the process, then the URL that it announced; after closing, the folder is free."""
    with maker.open(folder) as catalog:
        assert opened_elsewhere(folder).startswith(f"process {os.getpid()} | ")
        catalog.announce("http://127.0.0.1:8000")
        said = opened_elsewhere(folder)
        assert said.startswith("http://127.0.0.1:8000 | ")
        assert "PINCITE_DATA" in said
    assert opened_elsewhere(folder) == "opened"


def test_a_second_catalog_in_the_same_process_is_refused(folder: Path, maker) -> None:
    """The lock is not the process's but the catalog's."""
    with maker.open(folder), pytest.raises(DataFolderLocked):
        maker.open(folder)
    maker.open(folder).close()


def test_the_folder_is_its_owners_only(folder: Path, maker) -> None:
    """Nobody else can list or read it."""
    with maker.open(folder):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_collections_are_made_listed_and_dropped(catalog: Catalog) -> None:
    """`default` is always there; making one again says so; names are checked."""
    assert catalog.names() == ["default"]
    assert (catalog.create("b.c-d_1"), catalog.create("b.c-d_1"), catalog.create("..")) == (True, False, True)
    assert catalog.names() == ["..", "b.c-d_1", "default"]
    assert catalog.collection("..").info().documents == 0
    catalog.drop("..")
    with pytest.raises(CollectionMissing):
        catalog.collection("..")
    with pytest.raises(CollectionMissing):
        catalog.drop("never")
    for name in ("", "a b", "a/b", "é", "a" * 65, "a\n"):
        with pytest.raises(NameInvalid):
            catalog.create(name)


def test_dropping_removes_documents_and_views(catalog: Catalog, folder: Path, maker) -> None:
    """Nothing of a dropped collection stays on disk; its neighbour stays whole."""
    catalog.create("x")
    catalog.collection("x").add([maker.document("a", "secret words")])
    catalog.collection("default").add([maker.document("a", "kept words")])
    assert (folder / "views" / "2").exists()
    catalog.drop("x")
    assert not (folder / "views" / "2").exists()
    assert catalog.collection("default").text("a") == "kept words"
    assert catalog.verify() == []
    catalog.drop("default")
    assert catalog.names() == ["default"]
    assert catalog.collection("default").info().documents == 0


def test_collections_do_not_mix(catalog: Catalog, maker) -> None:
    """The same id in two collections is two documents, and statistics are each collection's own."""
    catalog.create("x")
    one, two = catalog.collection("default"), catalog.collection("x")
    one.add([maker.document("a", "common words"), maker.document("b", "common")])
    two.add([maker.document("a", "other common")])
    assert (one.text("a"), two.text("a")) == ("common words", "other common")
    counted = [each.search(None, None, limit=1, count="common").frequencies for each in (one, two)]
    assert counted == [{"common": 2}, {"common": 1}]
    assert len(one.search(maker.vector(), "common", limit=9).hits) == 2
    two.delete(["a"])
    assert one.search(None, "words", limit=9).hits


def test_the_same_object_is_given_for_a_name(catalog: Catalog) -> None:
    """A collection's views are opened once."""
    assert catalog.collection("default") is catalog.collection("default")


def test_verify_is_clean_for_hostile_documents(catalog: Catalog, maker) -> None:
    """Offsets in UTF-16 are checked against the text: emoji, NUL and CRLF included."""
    collection = catalog.collection("default")
    collection.add([maker.document("a", "😀😀 x", "\0y\r\n", "z 東京 👩‍👩‍👧")])
    assert catalog.verify() == []


def test_verify_names_what_does_not_fit(catalog: Catalog, maker) -> None:
    """A text, a passage, a vector and a view that were tampered with are each named."""
    collection = catalog.collection("default")
    collection.add([maker.document(name, f"text of {name}", metadata={"k": 1}) for name in "abcdef"])
    with catalog._store.writing() as writer:
        key = {info.id: place for place, info in enumerate(collection.documents(), start=1)}
        writer.sql("UPDATE text SET text = 'forged text' WHERE document = ?", key["a"])
        writer.sql("UPDATE passage SET stop = 999 WHERE document = ?", key["b"])
        writer.sql("UPDATE passage SET start_utf16 = 5 WHERE document = ?", key["c"])
        writer.sql("UPDATE vectors SET data = ? WHERE document = ?", b"\xff" * 64, key["d"])
        writer.sql("UPDATE document SET title = 'forged' WHERE key = ?", key["e"])
        writer._log(1, range(0), range(0))
    found = catalog.verify()
    for name, fault in zip("abcde", ("text", "outside", "UTF-16", "NaN", "fields"), strict=True):
        assert any(f"'{name}'" in problem and fault in problem for problem in found), (name, found)
    assert not any("'f'" in problem for problem in found)
    assert any("the views are at" in problem for problem in found)


def test_repair_makes_views_good_and_reports_the_rest(catalog: Catalog, maker) -> None:
    """A view that differs is made anew; a document that is damaged stays named."""
    collection = catalog.collection("default")
    collection.add([maker.document("a", "one"), maker.document("b", "two")])
    (file,) = (catalog.folder / "views" / "1").glob("terms-*/*.fieldnorm")
    file.write_bytes(b"")
    assert any("term view" in problem for problem in catalog.verify())
    assert catalog.repair() == []
    with catalog._store.writing() as writer:
        writer.sql("UPDATE text SET text = 'forged' WHERE document = 1")
    assert any("'a'" in problem for problem in catalog.repair())
