"""A disk between SQLite and the real one, made as a VFS of apsw: it tells of every call that changes a file, and each
call can be made to fail, or to be the last thing that the process does.

Registered as the default before the truth is opened, it lies below SQLite's checksum VFS. Only for processes of tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw

NAME = "disk of the tests"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: `open` (of a file that was not there), `write`, `truncate`, `sync` or `delete`, before it is made.

    `offset` counts bytes; of a truncate it is the new size.
    """

    kind: str
    file: str
    offset: int = 0
    data: bytes = b""


class Disk(apsw.VFS):
    """Passes everything on to the system's VFS after telling `watch`, which may raise an error of apsw instead."""

    def __init__(self, watch: Callable[[Call], None]) -> None:
        self.watch = watch
        super().__init__(NAME, "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        """Open a file."""
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None:
            return apsw.VFSFile("unix", name, flags)  # one of SQLite's own that nobody opens again
        if not Path(path).exists():
            self.watch(Call("open", Path(path).name))
        return _File(self, name, Path(path).name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        """Delete a file."""
        self.watch(Call("delete", Path(filename).name, int(syncdir)))
        super().xDelete(filename, syncdir)


class _File(apsw.VFSFile):
    """An open file."""

    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, file: str, flags: list[int]) -> None:
        self._disk, self._file = disk, file
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        """Write bytes."""
        self._disk.watch(Call("write", self._file, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        """Set the size."""
        self._disk.watch(Call("truncate", self._file, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        """Have on disk what was written."""
        self._disk.watch(Call("sync", self._file))
        super().xSync(flags)


def error(kind: type[apsw.Error], extended: int) -> apsw.Error:
    """Return an error that SQLite takes for the extended result."""
    made = kind("made by a test")
    made.result, made.extendedresult = extended & 0xFF, extended
    return made
