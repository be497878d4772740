"""The service as its users meet it: the console script beside this Python, and HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCRIPT = Path(sys.executable).with_name("pincite")
START_SECONDS = 300.0  # the model is loaded, and missing views are made, before the first answer
CALL_SECONDS = 600.0
VARYING = ("id", "created", "timing_ms")  # what may differ between two answers to the same question


class Refused(Exception):
    """The server answered with a status of 400 or more; `status` and the problem it sent."""

    def __init__(self, status: int, problem: Any) -> None:
        super().__init__(f"{status}: {problem}")
        self.status, self.problem = status, problem


class Service:
    """A running `pincite serve`; every call has a connection of its own, so threads may share it."""

    def __init__(self, data: Path, code: Path | None = None) -> None:
        """Start the server over `data` on a free port and wait until it answers; `code` is another checkout to run."""
        program = [str(SCRIPT)] if code is None else [sys.executable, "-P", "-c", "from api.cli import main; main()"]
        command = [*program, "--data", str(data), "serve", "--port", "0"]
        quiet = {**os.environ, "PINCITE_LOG_LEVEL": "warning"}  # a line a request would bury what is told here
        quiet |= {} if code is None else {"PYTHONPATH": str(code)}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=quiet)
        try:
            self.address = self._announced()
            self._wait()
        except BaseException:
            self.kill()
            raise

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send JSON and return the JSON that came back; raises Refused, or OSError and its like where nothing did."""
        connection = http.client.HTTPConnection(self.address, timeout=CALL_SECONDS)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, {} if data is None else {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read() or b"null")
        finally:
            connection.close()
        if response.status >= 400:
            raise Refused(response.status, answer)
        return answer

    def ask(self, query: str, **more: Any) -> Any:
        """Return the whole answer to a question."""
        return self.call("POST", "/v1/ask", {"query": query, **more})

    def search(self, query: str, **more: Any) -> Any:
        """Return the result of one search."""
        return self.call("POST", "/v1/search", {"query": query, **more})

    def documents(self) -> Iterator[dict[str, Any]]:
        """Yield every document of `default` without its text."""
        cursor = ""
        while cursor is not None:
            page = self.call("GET", f"/v1/documents?limit=1000{cursor and '&cursor=' + cursor}")
            yield from page["documents"]
            cursor = page["next_cursor"]

    def text(self, document_id: str, start: int = 0, end: int | None = None) -> Any:
        """Return a part of a document's text with its offsets and the digest of the whole."""
        ending = "" if end is None else f"&end={end}"
        return self.call("GET", f"/v1/documents/{document_id}/text?start={start}{ending}")

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def memory(self) -> dict[str, float]:
        """Return the server's memory now (`rss`) and at its most (`peak_rss`), in MiB."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines if ":" in line)
        return {name: int(status[key].split()[0]) / 1024 for name, key in (("rss", "VmRSS"), ("peak_rss", "VmHWM"))}

    def stop(self) -> None:
        """End the server as Ctrl-C does, and wait for it."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=60)

    def kill(self) -> None:
        """End the server as a power switch does: SIGKILL."""
        self._process.kill()
        self._process.wait()

    def _announced(self) -> str:
        """Return host and port from the line that the server prints."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("Page:"):
                return urllib.parse.urlsplit(line.split()[1]).netloc
        raise RuntimeError("the server did not start; its words are above")

    def _wait(self) -> None:
        started = time.monotonic()
        while time.monotonic() - started < START_SECONDS:
            try:
                if self.call("GET", "/readyz")["status"] == "ready":
                    return
            except (OSError, http.client.HTTPException, Refused):
                time.sleep(0.1)
        raise RuntimeError(f"the server did not answer within {START_SECONDS:.0f} s")


@contextmanager
def serving(data: Path) -> Iterator[Service]:
    """Run the server for the length of a block."""
    service = Service(data)
    try:
        yield service
    finally:
        service.stop()


def command(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one `pincite` command over a data folder and return what it printed; its errors stay on stderr."""
    return subprocess.run(
        [str(SCRIPT), "--data", str(data), *arguments], stdout=subprocess.PIPE, text=True, check=False
    )


def verified(data: Path) -> Sequence[str]:
    """Return what `pincite verify` finds wrong, empty when clean."""
    done = command(data, "verify", "--json")
    if done.returncode not in (0, 1):
        return [f"pincite verify ended with status {done.returncode}"]
    problems: Sequence[str] = json.loads(done.stdout)["problems"]
    return problems


def comparable(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer without what may differ when the same question is asked again."""
    return {key: value for key, value in answer.items() if key not in VARYING}
