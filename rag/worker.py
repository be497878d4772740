"""The process that reads foreign files: one after another from its standard input, documents to its standard output.

It imports the loaders and nothing of what encodes, stores or serves. It limits itself: memory for good, processor and
wall time for each file, so that it ends even where nobody watches it; and it ends when its input does. The messages
are JSON with a length, and bytes: nothing that the process which started it would have to execute or trust.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import struct
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from index.types import Json
from rag.errors import LoadProblem, NoText, UnsupportedFormat
from rag.loaders import load
from rag.types import FailedRow, Heading, LoadedDocument, Span

Message = tuple[Any, bytes]  # JSON, and bytes that belong to it
LENGTHS = struct.Struct(">IQ")
PROBLEMS: Mapping[str, type[LoadProblem]] = {kind.__name__: kind for kind in (LoadProblem, NoText, UnsupportedFormat)}
_REST = 16 << 20  # bytes that stay free, so that running out of memory can still be told


def main(memory: int, idle: float, read: Callable[..., Any] = load) -> int:
    """Read files until the input ends or none came for `idle` seconds; at most `memory` bytes more than at the start.

    A request is {name, media_type, seconds} with the file's bytes; each of its documents or failed rows is a message,
    and {"done": …} is the last.
    """
    requests, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # what a library prints must not come between the messages
        os.dup2(nowhere, standard)
    sys.dont_write_bytecode = True
    _limit(memory)
    _send(answers, {"ready": True})
    while select.select([requests], [], [], idle)[0]:
        request = _receive(requests)
        if request is None:
            break
        _deadline(request[0]["seconds"])
        done = _answer(answers, *request, read)
        _deadline(0)
        _send(answers, {"done": done, "peak": _peak()})
        if done == "memory":
            break
    return 0


def packed(message: Json, data: bytes = b"") -> bytes:
    """Return the head of a message: lengths and JSON, after which its bytes come."""
    written = json.dumps(message).encode("ascii")
    return LENGTHS.pack(len(written), len(data)) + written


def loaded(message: Message, original: bytes) -> LoadedDocument | FailedRow:
    """Return the document or the failed row that a message holds; `original` are the bytes of the whole file."""
    fields, data = message
    if "line" in fields:
        return FailedRow(fields["line"], fields["reason"])
    fields["original"] = original if fields.pop("whole") else data
    fields["headings"] = [Heading(**heading) for heading in fields["headings"]]
    fields["body"] = Span(**fields["body"]) if fields["body"] else None
    return LoadedDocument(**fields)


def _answer(answers: int, request: Mapping[str, Any], data: bytes, read: Callable[..., Any]) -> Json:
    """Send what is in a file; returns "" or how it went wrong."""
    reserve: bytes | None = bytes(_REST)
    try:
        for one in read(data, name=request["name"], media_type=request["media_type"]):
            if isinstance(one, FailedRow):
                _send(answers, asdict(one))
            else:
                whole = one.original is data
                original = b"" if whole else one.original
                fields = {name: getattr(one, name) for name in one.__slots__ if name != "original"}
                fields["headings"] = [asdict(heading) for heading in one.headings]
                fields["pages"], fields["body"] = list(one.pages), asdict(one.body) if one.body else None
                _send(answers, {**fields, "whole": whole}, original)
    except LoadProblem as problem:
        return [type(problem).__name__, str(problem)]
    except MemoryError:
        del reserve
        return "memory"
    except RecursionError:
        return "nested"
    return ""


def _limit(memory: int) -> None:
    """Bound memory to `memory` bytes more than is in use, and leave no core file behind."""
    used = 0
    with suppress(OSError, ValueError):
        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    with suppress(OSError, ValueError):  # a system that knows no such limit, or has a lower one
        resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _peak() -> int:
    """Return the most memory that this process has had, in KiB.

    Linux counts in `ru_maxrss` what the process that started this one had at that moment, which can be a gigabyte.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text(encoding="ascii", errors="replace").split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (10 if sys.platform == "darwin" else 0)


def _deadline(seconds: float) -> None:
    """Let the system end this process after so many seconds on the clock or of the processor; 0 calls it off."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(usage.ru_utime + usage.ru_stime + seconds) + 2 if seconds else resource.RLIM_INFINITY
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def _receive(source: int) -> Message | None:
    """Return the next message, or None where the input ended."""
    lengths = _exactly(source, LENGTHS.size)
    if lengths is None:
        return None
    first, second = LENGTHS.unpack(lengths)
    written, data = _exactly(source, first), _exactly(source, second)
    return None if written is None or data is None else (json.loads(written), data)


def _exactly(source: int, count: int) -> bytes | None:
    parts = []
    while count:
        part = os.read(source, min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _send(target: int, message: Json, data: bytes = b"") -> None:
    for part in (packed(message, data), data):
        view = memoryview(part)
        while view:
            view = view[os.write(target, view[: 1 << 20]) :]
