"""One data folder: its lock, the truth in it, and its collections by name."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from index.catch_up import Place
from index.checking import stored_faults
from index.collection import Collection
from index.errors import CollectionMissing, Damaged, DocumentMissing, IndexProblem, NameInvalid
from index.ledger import Ledger
from index.lock import FolderLock
from index.store import Store

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
DEFAULT = "default"

T = TypeVar("T")


class Catalog:
    """The collections of one data folder, which one process at a time has open; a context manager."""

    def __init__(self, folder: Path, *, encoder: str, dimension: int) -> None:
        """Take the folder's lock and open it, making what is missing; `encoder` is the fingerprint of the model in use.

        Raises `DataFolderLocked`, `Damaged`, `VersionTooNew`, `StorageFull`, `Unavailable`.
        """
        self.folder = folder
        self._encoder = encoder
        self._dimension = dimension
        self._opening = threading.Lock()
        self._collections: dict[int, Collection] = {}
        self._lock = FolderLock(folder)
        try:
            self._store = Store(folder)
        except BaseException:
            self._lock.release()
            raise
        self.ledger = Ledger(self._store, folder)
        try:
            self.create(DEFAULT)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Catalog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop background work, close the truth and give the folder back; closing again does nothing."""
        for collection in self._collections.values():
            collection.close()
        self._collections = {}
        self._store.close()
        self._lock.release()

    def announce(self, url: str) -> None:
        """Write the server's URL into the lock file, for those who find the folder locked."""
        self._lock.announce(url)

    def require_writable(self) -> None:
        """Raise `Unavailable` after the disk failed to keep something: nothing is written until the next start."""
        self._store.require_writable()

    def names(self) -> Sequence[str]:
        """Return the names of all collections, ordered."""
        with self._store.reading() as reader:
            return reader.names()

    def create(self, name: str) -> bool:
        """Make a collection; returns whether it is new; raises `NameInvalid`."""
        if not NAME.fullmatch(name):
            raise NameInvalid(f"{name!r} is no name for a collection: 1 to 64 of A-Z a-z 0-9 . _ -")
        with self._store.writing() as writer:
            return writer.create(name)

    def drop(self, name: str) -> None:
        """Remove a collection with its documents and views; `default` is made again, empty; `CollectionMissing`."""
        with self._opening:
            number = self._number(name)
            collection = self._collections.pop(number, None)
            if collection is not None:
                collection.close()
            with self._store.writing() as writer:
                writer.drop(number)
                writer.create(DEFAULT)
            shutil.rmtree(self._views_folder(number), ignore_errors=True)

    def collection(self, name: str) -> Collection:
        """Return the collection of that name, opening its views at the first call; raises `CollectionMissing`."""
        number = self._number(name)
        with self._opening:
            if number not in self._collections:
                self._collections[number] = self._opened(name, number)
            return self._collections[number]

    def _opened(self, name: str, number: int) -> Collection:
        with self._store.reading() as reader:
            bound = reader.binding(number)
        place = Place(self._store, number, bound[1] if bound else self._dimension, self._views_folder(number))
        return Collection(name, place, self._encoder, self._dimension)

    def _number(self, name: str) -> int:
        with self._store.reading() as reader:
            number = reader.number(name)
        if number is None:
            raise CollectionMissing(f"There is no collection {name!r}.")
        return number

    def _views_folder(self, number: int) -> Path:
        """Return where a collection's views lie: by its number, because a name could be `..`."""
        return self.folder / "views" / str(number)

    def verify(self) -> Sequence[str]:
        """Read everything afresh and return the problems found, each a sentence; empty when clean.

        Page checksums and structure, foreign keys, each document's digests, passages and vectors, the views' state.
        """
        found = self._store.problems()
        for name in _attempt(found, self.names) or ():
            found += self._document_problems(name)
            collection = _attempt(found, partial(self.collection, name))
            found += (_attempt(found, collection.problems) or []) if collection else []
        return list(dict.fromkeys(found))

    def repair(self) -> Sequence[str]:
        """Make all views anew from the truth and return what `verify` still finds."""
        ignored: list[str] = []  # verify says it again
        for name in _attempt(ignored, self.names) or ():
            collection = _attempt(ignored, partial(self.collection, name))
            if collection is not None:
                _attempt(ignored, collection.rebuild)
        return self.verify()

    def _document_problems(self, name: str) -> list[str]:
        """Return what is wrong with the documents of a collection, each one named."""
        found: list[str] = []
        ids = _attempt(found, partial(self._document_ids, name)) or []
        for document_id in ids:
            faults = _attempt(found, partial(self._faults, name, document_id)) or []
            found += [f"collection {name!r}, document {document_id!r}: {fault}; ingest it again" for fault in faults]
        return found

    def _document_ids(self, name: str) -> list[str]:
        with self._store.reading() as reader:
            return reader.document_ids(self._number(name))

    def _faults(self, name: str, document_id: str) -> list[str]:
        """Return what is wrong with one document; one that is deleted while this goes on has nothing wrong."""
        try:
            with self._store.reading() as reader:
                number = self._number(name)
                bound = reader.binding(number)
                return list(stored_faults(reader.stored(number, document_id), bound[1] if bound else self._dimension))
        except DocumentMissing:
            return []
        except Damaged as problem:
            return [str(problem)]


def _attempt(found: list[str], action: Callable[[], T]) -> T | None:
    """Return what `action` returns, or None with its problem added to `found`."""
    try:
        return action()
    except IndexProblem as problem:
        found.append(str(problem))
        return None
