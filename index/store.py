"""The truth: one SQLite database per data folder, its connections, transactions and checkpoints.

Views are made from it, never it from them.

A write is one transaction and on disk when it returns (WAL, `synchronous=FULL`). Every page carries a checksum that is
checked when it is read (SQLite's checksum VFS). There is one writer at a time; each thread reads by a connection of
its own and is not held up by the writer. Errors of apsw are translated here.

What is deleted is overwritten with zeros in the database, and the WAL, which still holds it, is emptied in the
background. Checkpoints are made here and not by SQLite, which would not tell that one failed.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
import apsw.sqlite_extra

from index.errors import WRITABLE, Damaged, IndexProblem, StorageFull, Unavailable
from index.manifest import sync_folder
from index.migrations import migrate
from index.reading import Reader
from index.writing import Writer

FILE = "pincite.db"
CHECKSUM_VFS = "cksmvfs"
RESERVED = 8  # bytes at the end of each page, where the checksum lies
PAGE = 4_096
BUSY_MS = 10_000
CACHE_KIB = 16_384
WAL_PAGES = 1_000  # after which what is in the WAL goes into the database
ERASE_SECONDS = 0.5  # after a deletion, and between attempts while readers need the WAL
ERASE_BUSY_MS = 100  # how long an attempt may hold up writers
NOT_SYNCED = {apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC}

# Each is set by a call of its own, because a joined string of pragmas runs only to the first row, and read back.
PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "cache_size": -CACHE_KIB}


def translated(error: apsw.Error, path: Path) -> IndexProblem:
    """Return what an error of apsw means to those above, with what can be done."""
    extended = getattr(error, "extendedresult", 0)
    if extended == apsw.SQLITE_IOERR_DATA or isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return Damaged(f"{path} is damaged ({error}). Run `pincite verify`, and ingest what it names again.")
    if isinstance(error, apsw.FullError):
        return StorageFull(f"The disk that holds {path} is full; nothing was written. Free some space and try again.")
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError):
        return Unavailable(f"{path} cannot be written ({type(error).__name__}: {error}). {WRITABLE}")
    return Unavailable(f"{path} cannot be read or written now ({type(error).__name__}: {error}). Try again later.")


class Store:
    """The database of one data folder; `reading` and `writing` are its only doors."""

    def __init__(self, folder: Path) -> None:
        """Open or create the database in `folder`; raises `Damaged`, `VersionTooNew`, `Unavailable`."""
        self.path = folder / FILE
        self._local = threading.local()
        self._open: weakref.WeakSet[apsw.Connection] = weakref.WeakSet()
        self._writing = threading.Lock()
        self._closing = threading.Event()
        self._eraser: threading.Thread | None = None
        self._wal_pages = 0
        self._unsynced: str | None = None  # the error after which it is not known what is on disk
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self._require_room_for_checksums()
        if not self.path.exists():
            with suppress(OSError):  # the folder above may be one that cannot be read
                sync_folder(self.path.parent.parent)  # this folder's own name; SQLite syncs the names in it
        left = _size(self.path.with_name(f"{FILE}-wal"))
        with self._translating():
            self._writer = self._connect()
            self._writer.set_wal_hook(self._note_wal_pages)
            self._require_checksums()
            migrated = migrate(self._writer)
        if left or migrated:  # the one before did not end well, and maybe before it had erased what was deleted
            self._erase_soon()

    def close(self) -> None:
        """Close every connection, the last of which empties the WAL; no thread may be reading or writing."""
        self._closing.set()
        eraser = self._eraser  # which sets it to None when it has done its work
        if eraser is not None:
            eraser.join()
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
            self.require_writable()
            writer = Writer(self._writer)
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            if self._wal_pages >= WAL_PAGES:
                self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)
            if writer.erased:
                self._erase_soon()

    def require_writable(self) -> None:
        """Raise `Unavailable` after the disk failed to keep something: trying again would prove nothing."""
        if self._unsynced:
            raise Unavailable(
                f"The disk failed while {self.path} was written ({self._unsynced}), so nothing more is written; what "
                "was acknowledged is on disk. Check the disk, then start Pincite again."
            )

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
            self._note(error)
            raise translated(error, self.path) from error

    def _note(self, error: apsw.Error) -> None:
        """Remember that the disk failed to keep something: a later success of fsync would not mean that it did."""
        if getattr(error, "extendedresult", 0) in NOT_SYNCED:
            self._unsynced = f"{type(error).__name__}: {error}"

    def _note_wal_pages(self, connection: apsw.Connection, database: str, pages: int) -> int:
        """Take notice, as SQLite's hook after a commit, of how long the WAL is."""
        self._wal_pages = pages
        return int(apsw.SQLITE_OK)

    def _checkpoint(self, mode: int) -> bool:
        """Bring the WAL into the database; returns whether it went well. What was committed is safe either way."""
        try:
            self._writer.wal_checkpoint(mode=mode)
        except apsw.Error as error:
            self._note(error)
            return False
        return True

    def _erase_soon(self) -> None:
        """Have the WAL emptied; called by the writer, or while there is none yet."""
        if self._eraser is None:
            self._eraser = threading.Thread(target=self._erase, name="erase", daemon=True)
            self._eraser.start()

    def _erase(self) -> None:
        """Empty the WAL as soon as no reader needs it, so that nothing that was deleted is left in it."""
        while not self._closing.wait(ERASE_SECONDS):
            with self._writing:
                self._writer.set_busy_timeout(ERASE_BUSY_MS)
                done = self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
                self._writer.set_busy_timeout(BUSY_MS)
                if done or self._unsynced:
                    self._eraser = None
                    return

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
        new = not _size(self.path) or self._broken_off()
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
        header = self.path.open("rb").read(21) if self.path.exists() and not self._broken_off() else b""
        if header and (len(header) < 21 or header[20] != RESERVED):
            raise Damaged(f"{self.path} is no database with page checksums, so damage would go unseen; not opened.")

    def _broken_off(self) -> bool:
        """Return whether a power cut fell into the making of the database, whose first page SQLite then takes back.

        Only before the WAL is there does SQLite keep a journal beside the database.
        """
        return _size(self.path) <= PAGE and _size(self.path.with_name(f"{FILE}-journal")) > 0

    def _require_checksums(self) -> None:
        """Raise `Damaged` unless checksums are written and checked."""
        if self._writer.reserve_bytes() != RESERVED or str(self._writer.pragma("checksum_verification")) != "1":
            raise Damaged(f"{self.path}: page checksums are off, so damage would go unseen; it was not opened.")


def _size(path: Path) -> int:
    """Return how many bytes a file has; none where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def load_checksum_vfs() -> None:
    """Register SQLite's checksum VFS in this process, once."""
    if CHECKSUM_VFS not in apsw.vfs_names():
        apsw.sqlite_extra.load(apsw.Connection(":memory:"), "cksumvfs")
