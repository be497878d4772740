"""Which files lie below a folder, what are they called, and did they change? Imports nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

Seen: TypeAlias = Mapping["File", tuple[int, int, int]]  # a file's time of change, size and number on its disk


class GivenFile(Protocol):
    """A file that is read when its turn has come; its name says the format and names its documents."""

    @property
    def name(self) -> str:
        """The name."""
        ...

    def read(self) -> bytes:
        """Return its bytes; raises OSError."""
        ...


@dataclass(frozen=True, slots=True)
class File:
    """A file on disk and the name that its documents are known by."""

    path: Path
    name: str

    def read(self) -> bytes:
        """Return what is in it now; raises OSError."""
        return self.path.read_bytes()


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that came as bytes under a name."""

    name: str
    data: bytes

    def read(self) -> bytes:
        """Return the bytes."""
        return self.data


def find_files(path: Path) -> list[File]:
    """Return a file, or all files below a folder in the order of their names; hidden ones are passed over.

    A file's name is its path below the folder that was given. Raises FileNotFoundError.
    """
    if path.is_dir():
        below = ((file, file.relative_to(path)) for file in sorted(path.rglob("*")) if file.is_file())
        return [File(file, _name(name)) for file, name in below if not any(p.startswith(".") for p in name.parts)]
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: name a file or a folder.")
    return [File(path, _name(Path(path.name)))]


def look(folders: Iterable[Path]) -> Seen:
    """Return every file below the folders with what tells that it changed; one that goes meanwhile is left out."""
    seen = {}
    for file in (file for folder in folders for file in find_files(folder)):
        try:
            stat = file.path.stat()
        except OSError:
            continue
        seen[file] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return seen


def _name(path: Path) -> str:
    """Return a path as text; a byte of it that is no UTF-8 is written as `\\xff`."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
