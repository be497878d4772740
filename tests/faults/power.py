"""Simulated power cuts: what a real run wrote is recorded, and for any moment of it the folder is made that a disk
could hold after a cut.

What was synced is there. Of what was not, each sector (512 or 4,096 bytes) may be there, be lost, or be garbage where
the file had grown; so writes are torn and reordered. A name is durable from the first sync of a journal on, which is
when SQLite syncs the folder.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from disk import Call, Disk
from workload import Expected, Told, opened, work

FULL, NORMAL = 2, 1  # values of `PRAGMA synchronous`
SHARES = (0.0, 0.1, 0.5, 0.9, 1.0)  # how much of what was not synced survives
BEGINNINGS = (12, 100)  # calls in which the file and the tables are made; one in eight cuts falls into each
Mark = tuple[str, Told]  # `begin` or `done`, and of what
Log = Sequence[Call | Mark]


def recorded(folder: Path, seed: int, steps: int, synchronous: int) -> Log:
    """Work on a new data folder in a process of its own; returns every call and every acknowledgement, in order."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_record, folder, seed, steps, synchronous).result()


def _record(folder: Path, seed: int, steps: int, synchronous: int) -> Log:
    from index import store

    log: list[Call | Mark] = []
    disk = Disk(log.append)  # lives as long as this name
    store.PRAGMAS["synchronous"] = synchronous
    store.ERASE_SECONDS, store.WAL_PAGES = 0.2, 200  # many checkpoints in a short run
    with opened(folder) as catalog:
        work(
            catalog, seed, steps, "p", lambda told: log.append(("begin", told)), lambda told: log.append(("done", told))
        )
    disk.unregister()
    return log


@dataclass
class _Content:
    """The bytes of a file that are on disk, and the calls since its last sync."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Call] = field(default_factory=list)

    def sync(self) -> None:
        for call in self.pending:
            _apply(self.durable, call)
        self.pending = []

    def after_cut(self, maker: random.Random) -> bytes:
        """Return what a disk could hold."""
        data, size, share = bytearray(self.durable), maker.choice((512, 4096)), maker.choice(SHARES)
        garbage = maker.random() < 0.2
        for call in self.pending:
            for piece in _pieces(call, size):
                if maker.random() < share:
                    _apply(data, piece)
                elif garbage and piece.offset >= len(data) and piece.data:
                    _apply(data, Call("write", piece.file, piece.offset, maker.randbytes(len(piece.data))))
        return bytes(data)


@dataclass
class Platter:
    """A disk during the run: which names and which bytes would survive."""

    files: dict[str, _Content] = field(default_factory=dict)  # as the process sees it
    durable: dict[str, _Content] = field(default_factory=dict)  # the names that are on disk

    def take(self, call: Call) -> None:
        """Follow one call."""
        if call.kind == "open":
            self.files[call.file] = _Content()
        elif call.kind == "delete":
            self.files.pop(call.file, None)
            self._sync_names(call.offset > 0)
        elif call.kind == "sync":
            self.files[call.file].sync()
            self._sync_names(call.file not in self.durable and call.file.endswith(("-wal", "-journal")))
        else:
            self.files[call.file].pending.append(call)

    def _sync_names(self, synced: bool) -> None:
        if synced:
            self.durable = dict(self.files)

    def after_cut(self, folder: Path, maker: random.Random) -> None:
        """Make the folder that could be found after a cut now."""
        folder.mkdir()
        for name in sorted(self.files.keys() | self.durable.keys()):
            versions = [place.get(name) for place in (self.files, self.durable)]
            content = maker.choice(versions)
            if content is not None:
                (folder / name).write_bytes(content.after_cut(maker))
        if maker.random() < 0.5:
            (folder / "pincite.db-shm").write_bytes(maker.randbytes(32_768))  # nobody syncs it: it can be anything


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut that was tried: after how many calls, how many documents were acknowledged, and what was wrong then."""

    calls: int
    acknowledged: int
    faults: Sequence[str]


def cuts(log: Log, scratch: Path, points: int, seed: int, views: Path | None = None) -> Iterator[Cut]:
    """Cut at `points` random moments, open what is left and check it.

    With `views`, a folder of views that fit the end of the run, one in ten is searched too.
    """
    maker = random.Random(seed)
    chosen = sorted(maker.randrange(maker.choice((*[len(log)] * 6, *BEGINNINGS)) + 1) for _ in range(points))
    platter, expected, place = Platter(), Expected(), 0
    for number, cut in enumerate(chosen):
        for entry in log[place:cut]:
            if isinstance(entry, Call):
                platter.take(entry)
            else:
                (expected.begin if entry[0] == "begin" else expected.done)(entry[1])
        place, folder, searched = cut, scratch / f"cut{number}", views is not None and number % 10 == 0
        platter.after_cut(folder, maker)
        if views is not None and searched:
            shutil.copytree(views, folder / "views")
        faults = deepcopy(expected).faults(folder, views=searched)
        yield Cut(cut, sum(version is not None for version in expected.acknowledged.values()), faults)
        shutil.rmtree(folder)


def _pieces(call: Call, size: int) -> Iterator[Call]:
    """Yield a write cut at multiples of `size`; a truncate stays whole."""
    if call.kind == "truncate":
        yield call
    start = 0
    while start < len(call.data):
        stop = min(len(call.data), ((call.offset + start) // size + 1) * size - call.offset)
        yield Call("write", call.file, call.offset + start, call.data[start:stop])
        start = stop


def _apply(data: bytearray, call: Call) -> None:
    """Do to `data` what the call did to the file."""
    if call.kind == "truncate":
        del data[call.offset :]
    data.extend(bytes(max(0, call.offset + len(call.data) - len(data))))
    if call.kind == "write":
        data[call.offset : call.offset + len(call.data)] = call.data
