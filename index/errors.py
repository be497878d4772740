"""What can go wrong below the seam; errors of apsw, FAISS and tantivy are translated here, at the border.

IndexProblem
├── CollectionMissing    no collection has that name
├── DocumentMissing      the collection has no document with that id
├── RankingMissing       the collection has no ranking of that version
├── FilterInvalid        a filter does not follow the language; says where and what would do
├── NameInvalid          not a name that a collection can have
├── DocumentInvalid      a document that cannot be stored: offsets outside its text, a bad date, a lone surrogate …
├── TokenInvalid         not a token that any write has answered with
├── EncoderMismatch      the collection was built by another model
├── Behind               the collection has not reached the asked-for token yet
├── VersionTooNew        a newer version of Pincite wrote the data folder
├── Unavailable          the truth cannot be read or written now
│   ├── StorageFull      the disk is full: nothing was written
│   └── DataFolderLocked another process holds the data folder
└── Damaged              a page of the truth does not match its checksum, or a pragma did not hold
"""

from __future__ import annotations

import errno
from pathlib import Path


class IndexProblem(Exception):
    """Base of everything that index/ raises on purpose; its text says what to do."""


class CollectionMissing(IndexProblem):
    """No collection has that name."""


class DocumentMissing(IndexProblem):
    """The collection has no document with that id."""


class RankingMissing(IndexProblem):
    """The collection has no ranking of that version."""


class FilterInvalid(IndexProblem):
    """A filter does not follow the language; `path` names the place, such as `filter.and[1].gte`."""

    def __init__(self, message: str, path: str = "filter") -> None:
        super().__init__(message)
        self.path = path


class NameInvalid(IndexProblem):
    """Not a name that a collection can have."""


class DocumentInvalid(IndexProblem):
    """A document that cannot be stored; nothing of it was kept, and the text names the document and the fault."""


class TokenInvalid(IndexProblem):
    """Not a token that any write has answered with."""


class EncoderMismatch(IndexProblem):
    """The collection was built by another model than the one that asks."""


class Behind(IndexProblem):
    """The collection has not reached the asked-for token; asking again later may succeed."""


class VersionTooNew(IndexProblem):
    """A newer version of Pincite wrote the data folder; this one does not touch it."""


class Unavailable(IndexProblem):
    """The truth cannot be read or written now; asking again later may succeed."""


class StorageFull(Unavailable):
    """The disk is full; nothing of the write was kept."""


class DataFolderLocked(Unavailable):
    """Another process holds the data folder; `holder` is what it wrote about itself (its URL, where it serves)."""

    def __init__(self, message: str, holder: str | None = None) -> None:
        super().__init__(message)
        self.holder = holder


class Damaged(IndexProblem):
    """The truth does not match its checksums, or was opened without a protection that it needs."""


WRITABLE = (
    "Pincite writes there even when it only answers: make the folder and all in it writable for this user, or copy it "
    "and choose the copy with PINCITE_DATA."
)


def unwritable(path: Path, error: OSError) -> Unavailable:
    """Return what it means that `path` could not be written."""
    if error.errno == errno.ENOSPC:
        return StorageFull(f"The disk that holds {path} is full. Free some space and try again.")
    todo = WRITABLE if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM) else "Try again."
    return Unavailable(f"{path} cannot be written ({error}). {todo}")
