"""Shows what is read of each format and how damaged and hostile files are refused, while the server answers.

A real server is started over an empty folder; every sample is uploaded over HTTP, one job after another, while two
clients ask for its health and ask a question all the time. One file is refused because its reader is killed from
outside. Your own files can be named, and join the table.

    python benchmarks/formats.py --json formats.json [FILE …]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import secrets
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import samples
from reporting import Bound, finish, say, table
from service import CALL_SECONDS, Refused, Service, serving

QUESTION = "When do spring tides come?"
Row = dict[str, Any]
Maker = Callable[[], bytes]

PAGE = f"<html lang='en'><title>All tides</title><h1>Tides</h1><p>{samples.SENTENCE}</p></html>".encode()
READ: Mapping[str, Maker] = {
    **{f"tides{suffix}": make for suffix, make in samples.SAMPLES.items()},
    "tides.txt": lambda: f"date 2025-08-26 Brest, August 26 : {samples.SENTENCE}".encode(),
    "tides.md": lambda: f"---\ntitle: All tides\nlang: en\n---\n# Tides\n\n{samples.SENTENCE}\n".encode(),
    "tides.html": lambda: PAGE,
    "tides.pdf": lambda: samples.pdf(f"BT /F 9 Tf ({samples.SENTENCE})Tj ET".encode(), count=2),
    "tides-aes256-no-password.pdf": lambda: samples.pdf_locked(""),
    "tides.jsonl": lambda: json.dumps({"_id": "row", "title": "All tides", "text": samples.SENTENCE}).encode(),
    "tides.py": lambda: b'"""The tide."""\n\nRISES = True\n',
    "tides.log": lambda: f"2025-08-26T09:30:00Z INFO {samples.SENTENCE}\n".encode(),
    "README": lambda: samples.SENTENCE.encode(),
    "slip-names.epub": lambda: samples.with_member(samples.epub(), "../../../outside.txt", "out"),
    "entities-in-chapter.epub": lambda: samples.epub(f"{samples.outside_entity()}<p>Tide &secret;</p>"),
}
REFUSED: Mapping[str, Maker] = {
    "bomb.docx": lambda: samples.bomb(samples.docx()),
    "bomb.pptx": lambda: samples.bomb(samples.pptx(), "ppt/more.xml"),
    "bomb.xlsx": lambda: samples.bomb(samples.xlsx(), "xl/more.xml"),
    "bomb.epub": lambda: samples.bomb(samples.epub()),
    "bomb.pdf": samples.pdf_bomb,
    "bomb-with-false-size.docx": lambda: samples.lying_bomb(samples.docx()),
    "memory.html": samples.wide_html,
    "time.pdf": samples.pdf_slow,
    "killed.pdf": lambda: samples.pdf_slow(1_999),
    "cycle-of-pages.pdf": samples.pdf_cycle,
    "cycle-of-forms.pdf": samples.pdf_form_cycle,
    "entity-bomb.docx": lambda: _part(samples.docx(), "word/document.xml", f"{samples.BOMB_DOCTYPE}<a>&c11;</a>"),
    "outside-entity.xlsx": lambda: _part(
        samples.xlsx(), "xl/workbook.xml", f"{samples.outside_entity()}<a>&secret;</a>"
    ),
    "entity-bomb.epub": lambda: samples.epub(doctype=samples.BOMB_DOCTYPE),
    "deep.docx": lambda: _part(samples.docx(), "word/document.xml", samples.deep_xml()),
    "deep.html": samples.deep_html,
    "deep.eml": samples.deep_mail,
    "deep.json": lambda: b"[" * 200_000 + b"]" * 200_000,
    "encrypted.docx": samples.encrypted_office,
    "encrypted.xlsx": lambda: samples.encrypted(samples.xlsx()),
    "encrypted.pdf": lambda: samples.pdf_locked("secret"),
    "cut.docx": lambda: samples.docx()[:20_000],
    "cut.epub": lambda: samples.epub()[:700],
    "cut.pdf": lambda: samples.pdf(b"BT ET")[:300],
    "picture.docx": lambda: b"\x89PNG\r\n\x1a\n" + bytes(100),
    "archive.zip": lambda: samples.zipped({"a.txt": "tide"}),
    "archive.tar.gz": lambda: b"\x1f\x8b\x08" + bytes(30),
}


@dataclass
class Watch:
    """A client that asks for something again and again while files are read."""

    name: str
    call: Callable[[], Any]
    milliseconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run(self, over: threading.Event) -> None:
        """Ask until it is over."""
        while not over.wait(0.02):
            started = time.perf_counter()
            try:
                self.call()
            except (Refused, OSError, http.client.HTTPException) as problem:
                self.failures.append(repr(problem))
            self.milliseconds.append((time.perf_counter() - started) * 1000)

    def told(self) -> Row:
        """Return how it went."""
        ordered = sorted(self.milliseconds)
        return {
            "requests": len(ordered),
            "failures": self.failures,
            "p50 ms": round(ordered[len(ordered) // 2], 1),
            "p95 ms": round(ordered[int(len(ordered) * 0.95)], 1),
            "max ms": round(ordered[-1], 1),
        }


def main() -> None:
    """Upload everything, print the table and what was meanwhile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="files of your own to read too")
    parser.add_argument("--json", type=Path, help="write the result here as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch) / "data") as service:
        watches = [
            Watch("GET /healthz", lambda: service.call("GET", "/healthz")),
            Watch("POST /v1/ask", lambda: service.ask(QUESTION)),
        ]
        uploaded(service, "tides.txt", READ["tides.txt"]())  # so that there is something to ask
        before = service.memory()
        with watching(watches):
            rows = [read(service, name, make()) for name, make in READ.items()]
            rows += [read(service, name, make()) for name, make in REFUSED.items()]
            own = [read(service, path.name, path.read_bytes()) for path in options.files]
            again = read(service, "again.html", PAGE.replace(b"twice", b"two times"))
        after = service.memory()
    show([*rows, *own])
    told = {watch.name: watch.told() for watch in watches}
    table(["meanwhile", "requests", "failures", "p50 ms", "p95 ms", "max ms"], lines(told))
    print(f"memory, MiB: {before['rss']:.0f} before, {after['rss']:.0f} after, {after['peak_rss']:.0f} at most")
    result = {"files": [*rows, *own], "meanwhile": told, "memory_mib": {"before": before, "after": after}}
    finish(result, bounds([*rows, again], told, before, after), options.json)


def bounds(rows: list[Row], told: Mapping[str, Row], before: Row, after: Row) -> list[Bound]:
    """Return what must hold of a run."""
    wrong = [row["file"] for row in rows if (row["status"] == "failed") != (row["file"] in REFUSED)]
    for name in wrong:
        say(f"not as expected: {name}")
    bombs = [row["seconds"] for row in rows if row["file"].startswith("bomb")]
    return [
        Bound("files read or refused against expectation", len(wrong), most=0),
        Bound("refusals without a line", sum(row["status"] == "failed" and not row["line"] for row in rows), most=0),
        Bound("failures of /healthz and /v1/ask meanwhile", sum(len(one["failures"]) for one in told.values()), most=0),
        Bound("seconds of the slowest bomb, job and upload included", max(bombs), most=2),
        Bound("MiB that the server grew by", after["rss"] - before["rss"], most=256),
    ]


def show(rows: list[Row]) -> None:
    """Print what became of every file."""
    head = ["file", "kB", "status", "title", "date", "language", "pages", "rows", "characters", "passages", "seconds"]
    table([*head, "line"], [[row[name] if row[name] is not None else "" for name in [*head, "line"]] for row in rows])


def lines(told: Mapping[str, Row]) -> Iterator[list[Any]]:
    """Yield a row of the table for each client."""
    for name, one in told.items():
        yield [name, one["requests"], len(one["failures"]), one["p50 ms"], one["p95 ms"], one["max ms"]]


class watching:  # noqa: N801  a context manager, used like a function
    """Let clients ask for the length of a block."""

    def __init__(self, watches: list[Watch]) -> None:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=watch.run, args=[self._over]) for watch in watches]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def read(service: Service, name: str, data: bytes) -> Row:
    """Upload a file and return what became of it; the reader of a file called `killed` is killed."""
    say(f"{name}: {len(data) / 1000:,.0f} kB")
    started = time.perf_counter()
    results = uploaded(service, name, data, kill=name.startswith("killed"))
    seconds = time.perf_counter() - started
    first = results[0] if results else {"status": "failed", "id": None, "passages": 0, "problem": "no result"}
    row: Row = dict.fromkeys(("title", "date", "language", "pages", "rows", "characters"))
    row |= {"file": name, "kB": round(len(data) / 1000, 1), "status": first["status"], "documents": len(results)}
    row |= {"passages": sum(one["passages"] for one in results), "seconds": round(seconds, 2), "line": first["problem"]}
    return row | (described(service, first["id"]) if first["status"] != "failed" else {})


def described(service: Service, document_id: str) -> Row:
    """Return what the server knows about a document."""
    known = service.call("GET", f"/v1/documents/{document_id}")
    text = service.text(document_id)["text"]
    found = service.search(text[:200], top_k=50, filter={"field": "document_id", "eq": known["id"]})["results"][0][
        "passages"
    ]
    pages = [one["citation"]["page"]["last"] for one in found if one["citation"]["page"]]
    return {
        "title": known["title"],
        "date": known["published"],
        "language": known["language"],
        "pages": max(pages, default=None),
        "rows": sum(line.startswith("- ") and " | " in line for line in text.splitlines()) or None,
        "characters": known["characters"],
    }


def uploaded(service: Service, name: str, data: bytes, *, kill: bool = False) -> list[Row]:
    """Send one file and wait for its job; returns the results."""
    boundary = secrets.token_hex(16)
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    connection = http.client.HTTPConnection(service.address, timeout=CALL_SECONDS)
    connection.request("POST", "/v1/documents", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    if response.status >= 400:
        return [{"status": "failed", "id": None, "passages": 0, "problem": f"{response.status}: {answer['detail']}"}]
    started = time.monotonic()
    while (job := service.call("GET", f"/v1/jobs/{answer['job']['id']}"))["status"] in {"queued", "running"}:
        time.sleep(0.02)
        if kill and time.monotonic() - started > 2:
            for reader in readers(service.pid):
                os.kill(reader, signal.SIGKILL)
    return list(job["results"])


def readers(server: int) -> list[int]:
    """Return the processes that a server reads foreign files in."""
    command = ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(server)]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [int(line.split()[0]) for line in found.splitlines() if "rag.worker" in line]


def _part(data: bytes, name: str, content: str) -> bytes:
    return samples.with_member(data, name, content)


if __name__ == "__main__":
    main()
