"""Who has a data folder open? One process at a time; the lock file says which. Imports nothing heavy."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from index.errors import DataFolderLocked, unwritable

FILE = "lock"
_TRIES, _WAIT_SECONDS = 1_000, 0.005  # `holder` has a share of the lock for a moment while it looks


class FolderLock:
    """The lock file of a data folder: held by the operating system, so it ends with the process; says who holds it."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, for its owner only, and take the lock; raises `DataFolderLocked`, `Unavailable`."""
        path = folder / FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise unwritable(folder, error) from error
        try:
            _lock(self._file)
        except OSError as error:
            holder = _written(self._file)
            os.close(self._file)
            raise DataFolderLocked(
                f"The data folder {folder} is in use by {holder or 'another process'}. "
                "Ask that one, stop it, or choose another folder with PINCITE_DATA.",
                holder,
            ) from error
        try:
            self.announce(f"process {os.getpid()}")
        except OSError as error:
            self.release()
            raise unwritable(path, error) from error

    def announce(self, holder: str) -> None:
        """Write who holds the folder."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{holder}\n".encode(), 0)

    def release(self) -> None:
        """Give the folder back; again does nothing."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1


def holder(folder: Path) -> str | None:
    """Return what the process that has the folder open wrote about itself (a server its URL), None where none has."""
    try:
        file = os.open(folder / FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _written(file)
    finally:
        os.close(file)
    return None


def _written(file: int) -> str | None:
    return os.pread(file, 4096, 0).decode("utf-8", "replace").strip() or None


def _lock(file: int) -> None:
    """Take the lock; raises OSError where another process keeps it, and waits while others only look."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # can be shared with those who look, not with a keeper
            fcntl.flock(file, fcntl.LOCK_UN)
            time.sleep(_WAIT_SECONDS)
        else:
            return
    raise TimeoutError("others look at the lock all the time")
