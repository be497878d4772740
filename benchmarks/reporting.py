"""What the programs here share: words on stderr, the result as JSON, and bounds that decide the exit status."""

from __future__ import annotations

import gzip
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure with the least or the most that it may be."""

    name: str
    value: float
    least: float | None = None
    most: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the figure lies within."""
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    def line(self) -> str:
        """Say the figure, the bound, and whether it is kept."""
        bound = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        return f"{'kept  ' if self.kept else 'MISSED'}  {self.name}: {self.value:g} ({bound})"


def rows_of(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSON Lines file, compressed or not."""
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def say(message: str) -> None:
    """Tell on stderr how far it is."""
    print(message, file=sys.stderr, flush=True)


def machine() -> str:
    """Say what this runs on: the processor, how many cores there are to run on, the memory."""
    processor = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), processor)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{processor}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under a head, in columns as wide as they need."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def finish(result: dict[str, Any], bounds: Sequence[Bound], output: Path | None) -> NoReturn:
    """Print the bounds, write everything as JSON where asked to, and leave: status 1 where a bound is missed."""
    for bound in bounds:
        print(bound.line())
    if output is not None:
        whole = {**result, "bounds": [{**asdict(bound), "kept": bound.kept} for bound in bounds]}
        output.write_text(json.dumps(whole, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        say(f"written: {output}")
    sys.exit(0 if all(bound.kept for bound in bounds) else 1)
