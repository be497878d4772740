"""A disk that is full, or fails, at some call: what a process that has the folder open does then, and afterwards.

Runs in a process of its own (see test_failing.py), because its disk stays below the truth until the process ends.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from disk import Call, Disk, error
from workload import Expected, opened, work

from index import store
from index.catalog import Catalog
from index.errors import StorageFull, Unavailable

store.ERASE_SECONDS, store.WAL_PAGES = 0.02, 60  # so that checkpoints fail too
STEPS = 4
LATEST = 80  # call
DISK = Disk(lambda call: None)  # the one of this process, there before anything is opened; nothing fails at first


def full(call: Call) -> None:
    """Fail as a disk without space: what would make a file longer, which is a write to the WAL nearly always."""
    if call.kind == "write":
        raise error(apsw.FullError, apsw.SQLITE_FULL)


def unwritable(call: Call) -> None:
    """Fail as a disk with bad sectors."""
    if call.kind == "write":
        raise error(apsw.IOError, apsw.SQLITE_IOERR_WRITE)


def read_only(call: Call) -> None:
    """Fail as a disk that the system has made read-only."""
    if call.kind != "sync":
        raise error(apsw.IOError, apsw.SQLITE_IOERR_WRITE if call.kind == "write" else apsw.SQLITE_READONLY)


def unsynced(call: Call) -> None:
    """Fail as a disk that does not keep what it was given."""
    if call.kind == "sync":
        raise error(apsw.IOError, apsw.SQLITE_IOERR_FSYNC)


def recovering(folder: Path, seed: int, rounds: int, kind: str) -> int:
    """Fail from a random call on, read meanwhile, then stop failing and write on without opening the folder again.

    Returns in how many rounds a write failed with the error that belongs to `kind`, one of `KINDS`.
    """
    failing, problem = KINDS[kind]
    maker, expected, failed = random.Random(seed), Expected(), 0
    with opened(folder) as catalog:
        for number in range(rounds):
            DISK.watch = _from(maker.randrange(1, LATEST), failing)
            try:
                _work(catalog, maker, expected, f"a{number}s")
            except problem as met:
                failed += type(met) is problem
            assert expected.differences(catalog) == []
            assert len(catalog.collection("default").documents(limit=1)) <= 1
            DISK.watch = lambda call: None
            expected.settle(catalog)
            _work(catalog, maker, expected, f"b{number}s")
        assert [*expected.differences(catalog), *catalog.verify()] == []
    assert expected.faults(folder, views=True) == []
    return failed


def distrusting(folder: Path, seed: int, rounds: int, times: int | None) -> tuple[int, int]:
    """Fail `times` syncs (None: all) from a random one on: then nothing is written until the folder is opened again.

    Returns in how many rounds a sync failed, and in how many of these a write with it: a checkpoint can fail too.
    """
    maker, expected, failed, refused = random.Random(seed), Expected(), 0, 0
    for number in range(rounds):
        with opened(folder) as catalog:
            DISK.watch = watch = _from(maker.randrange(1, 7), unsynced, times, kind="sync")
            try:
                _work(catalog, maker, expected, f"s{number}s")
            except Unavailable:
                refused += 1
            if watch.failures:
                failed += 1
                _assert_only_read(catalog, expected)
            DISK.watch = lambda call: None
        assert expected.faults(folder, views=False) == []
        with opened(folder) as catalog:
            expected.settle(catalog)
            _work(catalog, maker, expected, f"t{number}s")
    assert expected.faults(folder, views=True) == []
    return failed, refused


def _assert_only_read(catalog: Catalog, expected: Expected) -> None:
    """Assert that writes are refused with a way out, also though syncing would succeed now, and that reading works."""
    DISK.watch = lambda call: None
    for write in (lambda: catalog.collection("default").delete(["x"]), lambda: catalog.create("x")):
        with pytest.raises(Unavailable, match="start Pincite again"):
            write()
    assert expected.differences(catalog) == []


class _from:  # noqa: N801  reads as a function
    """Pass calls on to `failing` from the `first` one of a kind on, `times` times or always; counts the failures."""

    def __init__(
        self, first: int, failing: Callable[[Call], None], times: int | None = None, kind: str = "write"
    ) -> None:
        self.failures = 0
        self._seen, self._first, self._failing, self._times, self._kind = 0, first, failing, times, kind

    def __call__(self, call: Call) -> None:
        self._seen += call.kind == self._kind
        if self._seen >= self._first and (self._times is None or self.failures < self._times):
            try:
                self._failing(call)
            except apsw.Error:
                self.failures += 1
                raise


def _work(catalog: Catalog, maker: random.Random, expected: Expected, prefix: str) -> None:
    work(catalog, maker.randrange(2**32), STEPS, prefix, expected.begin, expected.done)


KINDS = {"full": (full, StorageFull), "unwritable": (unwritable, Unavailable), "read only": (read_only, Unavailable)}
