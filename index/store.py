"""The truth: one SQLite database per data folder, and all of its writing. Views are made from it, never it from them.

A write is one transaction and on disk when it returns (WAL, `synchronous=FULL`). Every page carries a checksum that is
checked when it is read (SQLite's checksum VFS). There is one writer at a time; each thread reads by a connection of
its own and is not held up by the writer. Errors of apsw are translated here.
"""

from __future__ import annotations

import json
import secrets
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import apsw.sqlite_extra

from index import dates
from index.errors import Damaged, EncoderMismatch, IndexProblem, StorageFull, Unavailable
from index.filters import attributes
from index.migrations import migrate
from index.reading import PIECE, Reader
from index.types import Document, NewDocument

FILE = "pincite.db"
CHECKSUM_VFS = "cksmvfs"
RESERVED = 8  # bytes at the end of each page, where the checksum lies
BUSY_MS = 10_000
CACHE_KIB = 16_384

# Each is set by a call of its own, because a joined string of pragmas runs only to the first row, and read back.
PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "cache_size": -CACHE_KIB}


def translated(error: apsw.Error, path: Path) -> IndexProblem:
    """Return what an error of apsw means to those above, with what can be done."""
    extended = getattr(error, "extendedresult", 0)
    if extended == apsw.SQLITE_IOERR_DATA or isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return Damaged(f"{path} is damaged ({error}). Run `pincite verify`, and ingest what it names again.")
    if isinstance(error, apsw.FullError):
        return StorageFull(f"The disk that holds {path} is full; nothing was written. Free some space and try again.")
    return Unavailable(f"{path} cannot be read or written now ({type(error).__name__}: {error}). Try again later.")


class Store:
    """The database of one data folder; `reading` and `writing` are its only doors."""

    def __init__(self, folder: Path) -> None:
        """Open or create the database in `folder`; raises `Damaged`, `VersionTooNew`, `Unavailable`."""
        self.path = folder / FILE
        self._local = threading.local()
        self._open: weakref.WeakSet[apsw.Connection] = weakref.WeakSet()
        self._writing = threading.Lock()
        self._require_room_for_checksums()
        with self._translating():
            self._writer = self._connect()
            self._require_checksums()
            migrate(self._writer)

    def close(self) -> None:
        """Close every connection; no thread may be reading or writing."""
        for connection in list(self._open):
            connection.close()

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Yield a reader of one unchanging state of the truth: that of its first query."""
        connection = self._reader()
        with self._translating():
            if connection.in_transaction:
                yield Reader(connection)
                return
            connection.execute("BEGIN")
            try:
                yield Reader(connection)
            finally:
                if connection.in_transaction:  # an error of the disk has ended it already
                    connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Yield a writer; what it wrote is kept as a whole when the block ends, or not at all if it raises."""
        with self._writing, self._translating():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield Writer(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def problems(self) -> list[str]:
        """Read every page afresh and return what SQLite finds: checksums, structure, foreign keys."""
        connection = self._connect()
        try:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
            dangling = [f"foreign key: a row of {row[0]}" for row in connection.execute("PRAGMA foreign_key_check")]
            return found + dangling
        except apsw.Error as error:
            return [str(translated(error, self.path))]
        finally:
            connection.close()

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except apsw.Error as error:
            raise translated(error, self.path) from error

    def _reader(self) -> apsw.Connection:
        """Return this thread's connection for reading."""
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            with self._translating():
                connection = self._connect()
                connection.pragma("query_only", True)
            self._local.connection = connection
        return connection

    def _connect(self) -> apsw.Connection:
        """Return a connection with the checksum VFS and every pragma set and read back."""
        load_checksum_vfs()
        new = not self.path.exists() or not self.path.stat().st_size
        connection = apsw.Connection(str(self.path), vfs=CHECKSUM_VFS)
        self._open.add(connection)
        connection.set_busy_timeout(BUSY_MS)
        if new:  # before the first page is written, or the file would silently be unchecked
            connection.reserve_bytes(reserve=RESERVED)
        for name, value in PRAGMAS.items():
            connection.pragma(name, value)
            if (held := connection.pragma(name)) != value:
                raise Damaged(f"{self.path}: the pragma {name} is {held} and not {value}; it was not opened.")
        return connection

    def _require_room_for_checksums(self) -> None:
        """Raise `Damaged` before a database is touched that has no room for checksums; byte 20 says how much."""
        header = self.path.open("rb").read(21) if self.path.exists() else b""
        if header and (len(header) < 21 or header[20] != RESERVED):
            raise Damaged(f"{self.path} is no database with page checksums, so damage would go unseen; not opened.")

    def _require_checksums(self) -> None:
        """Raise `Damaged` unless checksums are written and checked."""
        if self._writer.reserve_bytes() != RESERVED or str(self._writer.pragma("checksum_verification")) != "1":
            raise Damaged(f"{self.path}: page checksums are off, so damage would go unseen; it was not opened.")


def load_checksum_vfs() -> None:
    """Register SQLite's checksum VFS in this process, once."""
    if CHECKSUM_VFS not in apsw.vfs_names():
        apsw.sqlite_extra.load(apsw.Connection(":memory:"), "cksumvfs")


class Writer(Reader):
    """What can be written within one transaction."""

    def create(self, name: str) -> bool:
        """Make a collection; returns whether it is new."""
        self.sql("INSERT OR IGNORE INTO collection (name) VALUES (?)", name)
        return bool(self._connection.changes())

    def drop(self, collection: int) -> None:
        """Remove a collection with all that it holds."""
        self.sql("DELETE FROM collection WHERE id = ?", collection)

    def bind(self, collection: int, encoder: str, dimension: int) -> None:
        """Bind a collection to the model of its first write; raises `EncoderMismatch` if another one made it."""
        bound = self.binding(collection)
        if bound is None:
            self.sql("UPDATE collection SET encoder = ?, dimension = ? WHERE id = ?", encoder, dimension, collection)
        elif bound != (encoder, dimension):
            raise EncoderMismatch(mismatch(bound[0], encoder))

    def put(self, collection: int, new: NewDocument) -> str:
        """Store a document with its passages and vectors; returns `added`, `replaced` or `unchanged`."""
        document, fingerprint = new.document, new.document.fingerprint
        if self.fingerprints(collection, [document.id]).get(document.id) == fingerprint:
            return "unchanged"
        removed = self._remove(collection, document.id)
        first = self._next_passage()
        key = self._insert_document(collection, document, fingerprint, range(first, first + len(new.passages)))
        self._insert_content(key, document, new)
        self._insert_passages(key, first, new)
        self._insert_attributes(collection, key, document)
        self._log(collection, document.id, removed or range(0), range(first, first + len(new.passages)))
        return "added" if removed is None else "replaced"

    def delete(self, collection: int, document_id: str) -> str:
        """Remove a document with all that belongs to it; returns `deleted` or `absent`."""
        removed = self._remove(collection, document_id)
        if removed is None:
            return "absent"
        self._log(collection, document_id, removed, range(0))
        return "deleted"

    def _remove(self, collection: int, document_id: str) -> range | None:
        """Delete a document's rows; returns the keys its passages had, None where there was no such document."""
        rows = self.sql(
            "DELETE FROM document WHERE collection = ? AND id = ? RETURNING first_passage, passages",
            collection,
            document_id,
        )
        return range(rows[0][0], rows[0][0] + rows[0][1]) if rows else None

    def _next_passage(self) -> int:
        """Return the first passage key that was never used."""
        return int(self.sql("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'passage'")[0][0]) + 1

    def _insert_document(self, collection: int, document: Document, fingerprint: str, keys: range) -> int:
        """Insert the row of a document and return its key."""
        added = dates.now()
        published, moment = dates.interval(document.published or ""), dates.interval(added)
        assert moment is not None
        values = {
            "collection": collection,
            "id": document.id,
            "sha256": document.sha256,
            "fingerprint": fingerprint,
            "media_type": document.media_type,
            "title": document.title,
            "uri": document.uri,
            "source": document.source,
            "published": document.published,
            "published_low": published and published.low,
            "published_high": published and published.high,
            "language": document.language,
            "encoding": document.encoding,
            "metadata": json.dumps(dict(document.metadata), ensure_ascii=False),
            "added": added,
            "added_low": moment.low,
            "added_high": moment.high,
            "characters": len(document.text),
            "bytes": len(document.original),
            "first_passage": keys.start,
            "passages": len(keys),
        }
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        self.sql(f"INSERT INTO document ({columns}) VALUES ({marks})", *values.values())  # noqa: S608  fixed names
        return self._connection.last_insert_rowid()

    def _insert_content(self, key: int, document: Document, new: NewDocument) -> None:
        """Insert text, original bytes and vectors; an original that is the UTF-8 of the text is not kept twice."""
        text = document.text
        for piece, start in enumerate(range(0, len(text), PIECE)):
            self.sql("INSERT INTO text VALUES (?, ?, ?)", key, piece, text[start : start + PIECE])
        if document.original != text.encode("utf-8"):
            self.sql("INSERT INTO original VALUES (?, ?)", key, document.original)
        self.sql("INSERT INTO vectors VALUES (?, ?)", key, new.vectors.astype("<f4").tobytes())

    def _insert_passages(self, key: int, first: int, new: NewDocument) -> None:
        """Insert the passages under consecutive keys from `first`."""
        rows = (
            (
                first + place,
                key,
                passage.ordinal,
                passage.start,
                passage.end,
                passage.start_utf16,
                passage.header,
                json.dumps(passage.heading_path, ensure_ascii=False),
                passage.first_page,
                passage.last_page,
            )
            for place, passage in enumerate(new.passages)
        )
        self._connection.executemany("INSERT INTO passage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _insert_attributes(self, collection: int, key: int, document: Document) -> None:
        """Insert what filters can find in the metadata; a value that a list repeats counts once."""
        rows = ((collection, name, found.kind, found.value, key) for name, found in attributes(document.metadata))
        self._connection.executemany("INSERT OR IGNORE INTO attribute VALUES (?, ?, ?, ?, ?)", rows)

    def _log(self, collection: int, document_id: str, removed: range, added: range) -> None:
        """Append to the change log."""
        self.sql(
            "INSERT INTO change (collection, document_id, removed_first, removed_count, added_first, added_count, at,"
            " mark) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(collection, document_id, removed.start, len(removed), added.start, len(added)),
            *(dates.now(), secrets.token_hex(8)),
        )


def mismatch(bound: str, encoder: str) -> str:
    """Return the text of an `EncoderMismatch`."""
    return (
        f"The collection was built with the model {bound}, and the model in use is {encoder}; their vectors cannot be "
        "compared. Choose the first one with PINCITE_MODEL, or use another collection or data folder."
    )
