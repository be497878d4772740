"""What is kept of a model that was prepared for this machine, and what every runtime can do."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from index.types import Vectors

VERSION = 1  # of what is kept; another one is prepared anew
FACTS = "facts.json"
PLAIN = "torch-f32"


class Runtime(Protocol):
    """Runs a model; `places` threads may call `forward` at the same time."""

    places: int

    def forward(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        """Return unit vectors, float32, shape (len(tokens), dimension), of token ids, special ones included."""
        ...


class Outputs(NamedTuple):
    """A reader's logits, float32: relevance (pairs,), span (pairs, length, 2), start and end, and verdict (pairs, 3).

    `length` is that of the longest pair or more; what lies after a pair's own tokens means nothing.
    """

    relevance: Vectors
    span: Vectors
    verdict: Vectors


class ReaderRuntime(Protocol):
    """Runs a reader; `places` threads may call `read` at the same time."""

    places: int

    def read(self, tokens: Sequence[Sequence[int]], segments: Sequence[Sequence[int]]) -> Outputs:
        """Return the logits of pairs given as token ids, special ones included, and their segments, 0 or 1."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """How one runtime did on this machine: tokens per second, and its least cosine with the plain path's vectors."""

    runtime: str
    tokens_per_second: float
    least_cosine: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a prepared model: `runtime` is the one chosen, `batch_tokens` take it about 100 ms."""

    dimension: int
    window: int
    runtime: str
    batch_tokens: int
    measured: tuple[Measured, ...]


def read_facts(folder: Path) -> Facts | None:
    """Return what is known about a prepared folder, None where a file is missing or not what was written."""
    try:
        kept = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        if kept["version"] != VERSION or any(file_digest(folder / name) != sha for name, sha in kept["files"].items()):
            return None
        return Facts(**{**kept["facts"], "measured": tuple(Measured(**one) for one in kept["facts"]["measured"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_facts(folder: Path, facts: Facts) -> None:
    """Write what is known beside the files that it is about, with their digests."""
    files = {file.name: file_digest(file) for file in sorted(folder.iterdir()) if file.name != FACTS}
    kept: Mapping[str, Any] = {"version": VERSION, "facts": asdict(facts), "files": files}
    (folder / FACTS).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def file_digest(file: Path) -> str:
    """Return the sha256 of a file as 64 hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
