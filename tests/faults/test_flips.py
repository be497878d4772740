"""Single bits turned over in the database and in its WAL: nothing wrong is ever served."""

from __future__ import annotations

import random
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
from workload import Name, Told, Version, documents, opened, work

from index.errors import Damaged, IndexProblem
from index.store import FILE, Store

FLIPS = 300  # in each of the two files
WAL = f"{FILE}-wal"


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Name, set[Version]]]:
    """A folder as a kill leaves it, half of it still in the WAL, and every version that a document ever had."""
    folder, versions = tmp_path_factory.mktemp("flips"), defaultdict(set)

    def noted(told: Told) -> None:
        for name, version in told.items():
            versions[name].add(version)

    with opened(folder / "whole") as catalog:
        work(catalog, 1, 12, "a", noted, noted)
    with opened(folder / "whole") as catalog:
        work(catalog, 2, 8, "b", noted, noted)
        (folder / "left").mkdir()
        for name in (FILE, WAL):
            shutil.copy(folder / "whole" / name, folder / "left" / name)
    assert all((folder / "left" / name).stat().st_size > 50_000 for name in (FILE, WAL))
    return folder / "left", versions


def flipped(left: Path, folder: Path, name: str, maker: random.Random) -> int:
    """Copy the folder with one bit of one file turned over; returns its place in bytes."""
    shutil.copytree(left, folder)
    data = bytearray((folder / name).read_bytes())
    offset = maker.randrange(len(data))
    data[offset] ^= 1 << maker.randrange(8)
    (folder / name).write_bytes(data)
    return offset


def served(folder: Path) -> tuple[dict[Name, Version], bool]:
    """Return all that can be read of a folder, and whether damage was told: at opening, at reading or by verifying."""
    there: dict[Name, Version] = {}
    try:
        store = Store(folder)
    except IndexProblem:
        return there, True
    try:
        told = bool(store.problems())
        try:
            with store.reading() as reader:
                there, missed = documents(reader)
        except Damaged:
            return there, True
        return there, told or missed
    finally:
        store.close()


def test_a_flip_in_the_database_is_detected_and_never_served(
    stocked: tuple[Path, dict[Name, set[Version]]], tmp_path: Path
) -> None:
    """Opening, reading or verifying tells of every one, and whatever can still be read is right."""
    left, versions = stocked
    folder, whole = tmp_path / "data", tmp_path / "whole"
    shutil.copytree(left, whole)
    Store(whole).close()  # what the WAL holds goes into the database
    check(whole, folder, FILE, versions, must_tell=True)


def test_a_flip_in_the_wal_is_never_served(stocked: tuple[Path, dict[Name, set[Version]]], tmp_path: Path) -> None:
    """What follows a damaged frame is left out, as after a torn write; no document is other than it once was."""
    left, versions = stocked
    check(left, tmp_path / "data", WAL, versions, must_tell=False)


def check(left: Path, folder: Path, name: str, versions: dict[Name, set[Version]], *, must_tell: bool) -> None:
    """Flip many single bits, each in a fresh copy."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    maker, wrong = random.Random(seed), []
    for _ in range(FLIPS):
        offset = flipped(left, folder, name, maker)
        there, told = served(folder)
        wrong += [(offset, one) for one, version in there.items() if version not in versions[one]]
        if must_tell and not told:
            wrong.append((offset, "nothing was told"))
        shutil.rmtree(folder)
    assert wrong == []
