"""Files -> documents, as `rag.loaders.load` reads them, but foreign formats in processes of their own.

A file that crashes its reader, keeps it busy or fills its memory fails alone: its process is ended, and the next file
gets a new one. A process starts when the first foreign file comes, is used for one file after another, and ends when
none came for a while, when it has grown, or when this process is gone.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from rag import worker
from rag.errors import LoadProblem
from rag.loaders import Format, load_by, read_here
from rag.loaders.source import Source
from rag.types import FailedRow, LoadedDocument

WORKERS = 2
MEMORY = 1 << 30  # bytes that a worker may use
SECONDS, SECONDS_PER_MIB, SECONDS_MOST = 30, 30, 600  # for a file; a large one may take longer
_IDLE = 60  # seconds without a file after which a worker ends
_START_SECONDS = 120
_GROWN = 512 << 10  # KiB of memory, at its peak, after which a worker is replaced
_ANSWER_LIMIT = 1 << 30  # bytes that may come back for one file
_ROOT = Path(__file__).parents[1]  # so that a worker runs this installation's code
_CODE = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from rag.worker import main; sys.exit(main({{}}, {{}}))"
_SHORT = "split it, or convert it to plain text."
_WORDS = {
    "memory": f"Reading the file took more memory than the limit of {{memory}} MiB: {_SHORT}",
    "nested": "The file is nested too deeply to be read: convert it to plain text.",
    "time": f"Reading the file took longer than the limit of {{seconds}} seconds: {_SHORT}",
    "crash": "Reading the file made its reader crash ({reason}): it is damaged; convert it to plain text.",
}


class _Crashed(Exception):
    """The worker ended before its answer did; `code` is its exit status."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


class _Late(Exception):
    """The worker was not done at its deadline."""


class _Worker:
    """A process that reads one file at a time, and the two pipes to it."""

    def __init__(self, code: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603  our own code
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process, which then closes the pipe
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input: IO[bytes] = self._process.stdin
        self._output: IO[bytes] = self._process.stdout
        os.set_blocking(self._input.fileno(), False)
        # Takes the exit status when it comes: an ended process would stay in the system's table until then.
        threading.Thread(target=self._process.wait, name="pincite-reader", daemon=True).start()
        try:
            self._receive(time.monotonic() + _START_SECONDS)
        except BaseException:
            self.end()
            raise

    def read(self, source: Source, media_type: str | None, seconds: float) -> tuple[list[worker.Message], Any]:
        """Return what is in a file, as messages, and the last message; raises _Crashed and _Late."""
        deadline = time.monotonic() + seconds
        # The worker ends itself a little later, for the case that this process is gone.
        request = {"name": source.name, "media_type": media_type, "seconds": seconds + 2}
        self._send(worker.packed(request, source.data), deadline)
        self._send(source.data, deadline)
        messages: list[worker.Message] = []
        size = 0
        while True:
            message = self._receive(deadline)
            if "done" in message[0]:
                return messages, message[0]
            messages.append(message)
            size += len(message[1]) + len(message[0].get("text", ""))
            if size > _ANSWER_LIMIT:
                raise _Late

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()

    def end(self) -> None:
        """Kill the process and close the pipes."""
        self.kill()
        self._process.wait()
        self._input.close()
        self._output.close()

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            self._await(deadline, writing=True)
            try:
                view = view[os.write(self._input.fileno(), view[: 1 << 20]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise _Crashed(self._process.wait()) from error

    def _receive(self, deadline: float) -> worker.Message:
        first, second = worker.LENGTHS.unpack(self._exactly(worker.LENGTHS.size, deadline))
        if first + second > _ANSWER_LIMIT:
            raise _Late
        return json.loads(self._exactly(first, deadline)), self._exactly(second, deadline)

    def _exactly(self, count: int, deadline: float) -> bytes:
        parts = []
        while count:
            self._await(deadline, writing=False)
            part = os.read(self._output.fileno(), min(count, 1 << 20))
            if not part:
                raise _Crashed(self._process.wait())
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _await(self, deadline: float, *, writing: bool) -> None:
        """Wait until the pipe can be written or read; raises _Late."""
        waiting = select.poll()
        if writing:
            waiting.register(self._input, select.POLLOUT)
        else:
            waiting.register(self._output, select.POLLIN)
        if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise _Late


class Parser:
    """Reads files; foreign ones in at most `WORKERS` processes, which all threads share."""

    def __init__(self, memory: int = MEMORY, seconds: int = SECONDS, idle: float = _IDLE, code: str = _CODE) -> None:
        self._memory, self._seconds = memory, seconds
        self._code = code.format(memory, idle)
        self._places = threading.BoundedSemaphore(WORKERS)
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._lock = threading.Lock()

    def load(self, data: bytes, *, name: str, media_type: str | None = None) -> Iterator[LoadedDocument | FailedRow]:
        """Yield what `rag.loaders.load` yields, and raise what it raises.

        LoadProblem too where reading takes more memory or time than the limits, or its process crashes. Waits while
        all workers read files of others.
        """

        def read(known: Format, source: Source) -> Iterator[LoadedDocument | FailedRow]:
            if not known.foreign:
                return read_here(known, source)
            kind = known.media_types[0] + (f"; charset={source.charset}" if source.charset else "")
            return iter(self._read(source, kind))

        yield from load_by(read, data, name, media_type)

    def close(self) -> None:
        """End the workers that are idle; a file that comes later starts one again."""
        with self._lock:
            ended, self._idle = self._idle, []
        for one in ended:
            one.end()

    def abandon(self) -> None:
        """End every worker, those that read a file too: nobody waits for it any more."""
        self.close()
        for one in [*self._busy]:
            one.kill()

    def _read(self, source: Source, media_type: str) -> list[LoadedDocument | FailedRow]:
        mib = len(source.data) >> 20
        seconds = max(self._seconds, min(self._seconds + SECONDS_PER_MIB * mib, SECONDS_MOST))
        with self._places:
            messages, done = self._messages(source, media_type, seconds)
        if isinstance(done, list):
            raise worker.PROBLEMS[done[0]](done[1])
        if done:
            raise LoadProblem(_WORDS[done].format(memory=self._memory >> 20, seconds=seconds))
        return [worker.loaded(message, source.data) for message in messages]

    def _messages(self, source: Source, media_type: str, seconds: int) -> tuple[list[worker.Message], Any]:
        """Return the messages of a worker and how it went; a worker that is still good is kept."""
        with self._lock:
            one = self._idle.pop() if self._idle else None
        used = one is not None
        good = False
        try:
            one = one or _Worker(self._code)
            self._busy.add(one)
            messages, last = one.read(source, media_type, seconds)
            good = last["done"] != "memory" and last["peak"] < _GROWN
            return messages, last["done"]
        except _Late:
            return [], "time"
        except _Crashed as crash:
            if not used:
                raise LoadProblem(_WORDS["crash"].format(reason=_reason(crash.code))) from crash
        except OSError as error:
            raise LoadProblem(f"No process could be started to read the file ({error}): add it again later.") from error
        finally:
            if one:
                self._busy.discard(one)
            if one and good:
                with self._lock:
                    self._idle.append(one)
            elif one:
                one.end()
        self.close()  # the worker may have ended before it saw this file: what a new one does is the file's own doing
        return self._messages(source, media_type, seconds)


def _reason(code: int | None) -> str:
    if code is None or code >= 0:
        return f"status {code}"
    return signal.Signals(-code).name if -code in {*signal.Signals} else f"signal {-code}"


_shared = Parser()
load = _shared.load
atexit.register(_shared.abandon)
