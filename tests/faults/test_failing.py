"""A disk that is full, that fails to write, that fails to sync: nothing acknowledged is lost, and reading goes on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from workload import called, opened

ROUNDS = 8


@pytest.fixture(scope="module")
def apart() -> Iterator[Callable[..., Any]]:
    """Runs a function of failing.py by name in a process of its own, whose disk can fail."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        yield lambda *arguments: pool.submit(called, "failing", *arguments).result()


@pytest.fixture
def seed() -> int:
    """A new seed, which a failing test shows."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    return seed


@pytest.mark.parametrize("kind", ["full", "unwritable", "read only"])
def test_writes_fail_and_go_on_when_the_disk_does(apart, tmp_path: Path, seed: int, kind: str) -> None:
    """The error is the right one, reads go on meanwhile, and writing again needs no restart."""
    assert apart("recovering", tmp_path / "data", seed, ROUNDS, kind) > 0


@pytest.mark.parametrize("times", [1, None], ids=["once", "from then on"])
def test_nothing_is_written_after_a_failed_sync(apart, tmp_path: Path, seed: int, times: int | None) -> None:
    """What failed was not acknowledged or is there; writes are refused until the folder is opened again."""
    failed, refused = apart("distrusting", tmp_path / "data", seed, ROUNDS, times)
    assert 0 < refused <= failed


def test_views_without_room_are_said_and_catch_up_later(tmp_path: Path) -> None:
    """The truth has what was written, searching goes on as before, and with room the next write brings both up."""
    program = Path(__file__).with_name("full_views.py")
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    command = ["unshare", "-rm", sys.executable, program, tmp_path / "data"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout == "OK\n", done.stderr


def test_a_read_only_folder_is_refused_with_a_way_out(tmp_path: Path) -> None:
    """On a file system that is mounted read-only, as a new folder and as one that holds documents."""
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    opened(tmp_path / "old").close()
    code = "import sys; from pathlib import Path; from workload import opened; opened(Path(sys.argv[1])).close()"
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$2" -c "$3" "$1/$4"'
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    for name in ("old", "new"):
        command = ["unshare", "-rm", "sh", "-c", script, "sh", tmp_path, sys.executable, code, name]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}
        )
        assert done.returncode == 1
        assert "Unavailable" in done.stderr
        assert "copy it and choose the copy with PINCITE_DATA" in done.stderr
