"""Is this file as it was when it was ingested last? Then it is not parsed again."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from index.files import Brief, FileRecord, Files
from rag import ids, loaders, parsing, worker
from rag.folders import GivenFile
from rag.types import IngestResult

_WINDOW_FILES, _WINDOW_BYTES = 64, 8 * 2**20  # files that are looked up together
_RECORDS = 256  # files that are recorded together
_RECORDED_DOCUMENTS = 100_000  # of one file; one that gives more is read every time


@dataclass(slots=True)
class Reading:
    """A file of one run: its bytes, or why it cannot be read, and its documents where they are stored already."""

    place: int
    name: str
    data: bytes = b""
    problem: str | None = None
    version: str = ""
    unchanged: Sequence[Brief] = field(default_factory=list)


def _read(files: Iterable[GivenFile]) -> Iterator[Reading]:
    for place, file in enumerate(files):
        try:
            data = file.read()
        except OSError as problem:
            yield Reading(place, file.name, problem=f"The file cannot be read: {problem.strerror}.")
        else:
            yield Reading(place, file.name, data, version=f"{hashlib.sha256(data).hexdigest()}:{_loaders_version()}")


def looked_up(given: Iterable[GivenFile], files: Files) -> Iterator[Reading]:
    """Yield the files with what is known of them, many looked up at once; a name that came before is not trusted."""
    window: list[Reading] = []
    names: set[str] = set()
    size = 0
    for one in _read(given):
        window.append(one)
        size += len(one.data)
        if len(window) >= _WINDOW_FILES or size >= _WINDOW_BYTES:
            yield from _known(window, names, files)
            window, size = [], 0
    yield from _known(window, names, files)


def _known(window: Sequence[Reading], names: set[str], files: Files) -> Iterator[Reading]:
    first = {one.name: one for one in reversed(window) if one.name not in names}
    names.update(first)
    unchanged = files.unchanged({name: one.version for name, one in first.items()}) if first else {}
    for one in window:
        if first.get(one.name) is one:
            one.unchanged = unchanged.get(one.name, ())
        yield one


class Record:
    """Records which documents each file gave, once all of them are stored; a file with a failure is not recorded."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._finished: dict[str, FileRecord] = {}
        self._current: Reading | None = None
        self._documents: list[tuple[str, str]] = []
        self._whole = True

    def add(self, one: Reading, result: IngestResult) -> None:
        """Note the next result; a file is finished when one of another file comes."""
        if one is not self._current:
            self._finish()
            self._current = one
        if result.fingerprint is None or len(self._documents) >= _RECORDED_DOCUMENTS:
            self._whole = False
        else:
            self._documents.append((result.id, result.fingerprint))

    def close(self) -> None:
        """Record what is left."""
        self._finish()
        self._write()

    def _finish(self) -> None:
        one = self._current
        if one and self._whole and not one.unchanged:
            self._finished[one.name] = FileRecord(one.version, self._documents)
        self._current, self._documents, self._whole = None, [], True
        if len(self._finished) >= _RECORDS:
            self._write()

    def _write(self) -> None:
        if self._finished:
            self._files.record(self._finished)
            self._finished = {}


@functools.cache
def _loaders_version() -> str:
    """Return a digest of all that makes documents of bytes: the code, and the versions of the libraries."""
    given = (ids, parsing, worker)  # what names documents, and what carries them from the process that reads
    sources = sorted([*Path(loaders.__file__).parent.rglob("*.py"), *(Path(one.__file__ or "") for one in given)])
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources))
    try:
        named = [re.match(r"[\w.-]+", line) for line in metadata.requires("pincite") or () if "extra ==" not in line]
        digest.update(repr([(name[0], metadata.version(name[0])) for name in named if name]).encode())
    except metadata.PackageNotFoundError:  # run from its sources, where nothing is installed
        pass
    return digest.hexdigest()[:16]
