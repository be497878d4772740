"""The truth's own protections: checksums, pragmas, layouts; and what damage looks like from outside."""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
from pathlib import Path

import apsw
import pytest

from index.catalog import Catalog
from index.errors import Damaged, IndexProblem, StorageFull, Unavailable, VersionTooNew
from index.migrations import STEPS
from index.store import FILE, PRAGMAS, Store, translated


def stock(folder: Path, maker, count: int = 30) -> None:
    """Fill a data folder and close it."""
    with maker.open(folder) as catalog:
        made = [maker.document(f"d{n}", *[maker.words(80)] * 3, metadata={"n": n}) for n in range(count)]
        catalog.collection("default").add(made)


def flip(file: Path, offset: int, bit: int) -> None:
    """Turn one bit over."""
    data = bytearray(file.read_bytes())
    data[offset] ^= 1 << bit
    file.write_bytes(data)


def problems(folder: Path, maker) -> list[str]:
    """Return what opening and verifying says."""
    try:
        with maker.open(folder) as catalog:
            return list(catalog.verify())
    except (Damaged, VersionTooNew) as problem:
        return [str(problem)]


def test_damaged_text_is_never_served(folder: Path, maker) -> None:
    """Reading a document whose page is damaged raises `Damaged`, and verify names the document."""
    stock(folder, maker, 3)
    with maker.open(folder) as catalog:
        catalog.collection("default").add([maker.document("victim", "UNMISTAKABLE " * 2000)])
    place = (folder / FILE).read_bytes().rindex(b"UNMISTAKABLE")
    flip(folder / FILE, place, 0)
    with maker.open(folder) as catalog:
        collection = catalog.collection("default")
        with pytest.raises(Damaged, match="pincite verify"):
            collection.text("victim")
        assert collection.text("d0")
        assert any("victim" in problem for problem in catalog.verify())


def test_vectors_that_are_missing_are_named(folder: Path, maker) -> None:
    """A document without its vectors, or with too few, makes its collection damaged, and verify names the document."""
    for damage in (
        "DELETE FROM vectors WHERE document = 2",
        "UPDATE vectors SET data = x'00000000' WHERE document = 2",
    ):
        stock(folder, maker, 3)
        store = Store(folder)
        with store.writing() as writer:
            writer.sql(damage)
        store.close()
        with maker.open(folder) as catalog:
            with pytest.raises(Damaged, match="pincite verify"):
                catalog.collection("default")
            assert any("'d1'" in problem for problem in catalog.verify())
        shutil.rmtree(folder)


def test_a_database_without_checksums_is_refused_untouched(folder: Path, maker) -> None:
    """A file that some other program made is not opened, and stays as it is."""
    folder.mkdir()
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    before = (folder / FILE).read_bytes()
    with pytest.raises(Damaged, match="checksums"):
        maker.open(folder)
    assert (folder / FILE).read_bytes() == before


def test_garbage_instead_of_a_database_is_refused(folder: Path, maker) -> None:
    """Bytes that are no database are named as damage."""
    folder.mkdir()
    for garbage in (b"x", b"not a database" * 1000, b"\0" * 20 + b"\x08" + b"\0" * 9000):
        (folder / FILE).write_bytes(garbage)
        with pytest.raises(Damaged):
            maker.open(folder)


def test_a_newer_layout_is_refused(folder: Path, maker) -> None:
    """A data folder of a later version is not touched, and the way out is said."""
    stock(folder, maker, 1)
    store = Store(folder)
    connection = apsw.Connection(str(store.path), vfs="cksmvfs")
    connection.pragma("user_version", len(STEPS) + 1)
    connection.close()
    store.close()
    with pytest.raises(VersionTooNew, match="Install the version"):
        maker.open(folder)


def test_migrations_never_change(folder: Path) -> None:
    """A released step stays as it is: its digest is written here, and a new step brings a new line."""
    digests = [hashlib.sha256(re.sub(r"--.*", "", step).encode()).hexdigest()[:16] for step in STEPS]
    assert digests == [
        "cd882908f775b443",
        "df0a916c61137d35",
        "07ffd500a4abe428",
        "35de28c489aed264",
        "b5933219acf3abf4",
    ]


def test_pragmas_hold_on_every_connection(folder: Path) -> None:
    """What protects acknowledged writes is on, for the writer and for readers, and checksums are checked."""
    folder.mkdir()
    store = Store(folder)
    with store.writing() as writer, store.reading() as reader:
        for one in (writer, reader):
            for name, value in PRAGMAS.items():
                assert one.sql(f"PRAGMA {name}") == [(value,)]
            assert str(one.sql("PRAGMA checksum_verification")[0][0]) == "1"
    assert (folder / FILE).read_bytes()[20] == 8
    store.close()


def test_a_write_that_raises_leaves_nothing(folder: Path, maker) -> None:
    """A transaction is kept as a whole or not at all."""
    folder.mkdir()
    store = Store(folder)
    with store.writing() as writer:
        writer.create("x")

    def broken_off() -> None:
        with store.writing() as writer:
            writer.bind(1, "model", maker.dimension)
            writer.put(1, maker.document("a", "text"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken_off()
    with store.reading() as reader:
        assert (reader.counts(1), reader.token(1), reader.binding(1)) == ((0, 0), "0", None)
    store.close()


def test_deleted_text_leaves_the_file(folder: Path, maker) -> None:
    """After a delete and a clean close the words are in no file of the truth."""
    with maker.open(folder) as catalog:
        catalog.collection("default").add([maker.document("a", "CONFIDENTIAL " * 3000), maker.document("b", "kept")])
        catalog.collection("default").delete(["a"])
    for file in folder.glob(FILE + "*"):
        assert b"CONFIDENTIAL" not in file.read_bytes()


def test_a_full_disk_is_said_and_reading_goes_on(folder: Path, maker) -> None:
    """When no page can be added, the write fails whole, reading goes on, and with space writing works again."""
    stock(folder, maker, 3)
    with maker.open(folder) as catalog:
        collection, connection = catalog.collection("default"), catalog._store._writer
        pages = connection.pragma("page_count")
        connection.pragma("max_page_count", pages)
        with pytest.raises(StorageFull, match="Free some space"):
            collection.add([maker.document("big", "x " * 200_000)])
        assert len(collection.documents()) == 3
        assert collection.search(maker.vector(), "word1", limit=3).hits
        connection.pragma("max_page_count", 2**30)
        assert collection.add([maker.document("big", "x " * 200_000)]).statuses == {"big": "added"}
        assert catalog.verify() == []


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (apsw.FullError("full"), StorageFull),
        (apsw.CorruptError("malformed"), Damaged),
        (apsw.NotADBError("no"), Damaged),
        (apsw.IOError("disk I/O error"), Unavailable),
        (apsw.ReadOnlyError("readonly"), Unavailable),
        (apsw.BusyError("locked"), Unavailable),
        (apsw.CantOpenError("cannot"), Unavailable),
    ],
)
def test_errors_of_the_database_are_translated(error: apsw.Error, problem: type[IndexProblem]) -> None:
    """Nothing above sees apsw: each kind has its meaning, and a text that says what to do."""
    made = translated(error, Path("x/pincite.db"))
    assert type(made) is problem
    assert "x/pincite.db" in str(made)


def test_a_replaced_document_keeps_no_row_of_the_old_one(folder: Path, maker) -> None:
    """Everything that belongs to a document goes with it."""
    with maker.open(folder) as catalog:
        collection = catalog.collection("default")
        for text in ("one", "two", "three"):
            collection.add([maker.document("a", text, text, original=b"raw", metadata={"k": text})])
        with catalog._store.reading() as reader:
            for table, rows in (
                ("document", 1),
                ("passage", 2),
                ("text", 1),
                ("vectors", 1),
                ("original", 1),
                ("attribute", 1),
            ):
                assert reader.sql(f"SELECT count(*) FROM {table}") == [(rows,)], table


def test_the_catalog_can_be_opened_again_after_a_refusal(folder: Path, maker) -> None:
    """A refused open gives the lock back."""
    folder.mkdir()
    (folder / FILE).write_bytes(b"garbage" * 100)
    with pytest.raises(Damaged):
        maker.open(folder)
    (folder / FILE).unlink()
    with maker.open(folder) as catalog:
        assert isinstance(catalog, Catalog)
