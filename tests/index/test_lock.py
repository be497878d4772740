"""Who has a data folder open, as others see it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from index.errors import DataFolderLocked
from index.lock import FolderLock, holder


def test_the_holder_is_who_announced_itself(tmp_path: Path) -> None:
    """A process at first, then its URL, and nobody once it has given the folder back."""
    assert holder(tmp_path / "nowhere") is None
    lock = FolderLock(tmp_path)
    assert (holder(tmp_path) or "").startswith("process ")
    lock.announce("http://127.0.0.1:8000")
    assert holder(tmp_path) == "http://127.0.0.1:8000"
    lock.release()
    assert holder(tmp_path) is None


def test_what_a_killed_process_left_in_the_file_is_not_believed(tmp_path: Path) -> None:
    """Only the lock of the operating system counts, which ends with its process."""
    (tmp_path / "lock").write_text("http://127.0.0.1:8000\n")
    assert holder(tmp_path) is None


def test_a_second_lock_is_refused_with_the_holder(tmp_path: Path) -> None:
    """And whoever looks disturbs neither."""
    lock = FolderLock(tmp_path)
    lock.announce("http://127.0.0.1:8000")
    with pytest.raises(DataFolderLocked) as refused:
        FolderLock(tmp_path)
    assert refused.value.holder == "http://127.0.0.1:8000"
    lock.release()


def test_looking_does_not_keep_anybody_from_taking_the_folder(tmp_path: Path) -> None:
    """However often others look meanwhile, the lock is had."""
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            holder(tmp_path)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(50):
            FolderLock(tmp_path).release()
    finally:
        done.set()
        looking.join()
