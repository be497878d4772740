"""What the server puts up with, over sockets: half-open, slow, huge and many connections, and its own end."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api import server
from api.limits import Limits

HEAD = b"Host: 127.0.0.1\r\n"
QUESTION = {"query": "Which glaze was too thin?"}
IMPATIENT = {
    "header_seconds": 0.5,
    "body_seconds": 0.5,
    "write_seconds": 0.5,
    "keep_alive_seconds": 0.5,
    "bytes_per_second": 1000,
    "header_bytes": 8192,
    "request_line_bytes": 4096,
    "headers": 40,
    "connections": 150,
}
# Long deadlines, so that only what is tested ends anything; few places.
NARROW = {"connections": 2, "questions_at_once": 1, "drain_seconds": 6}


@dataclass
class Server:
    """A server process: its port, its folder's log, and how to talk to it."""

    port: int
    log: Path
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        """Return a connection that holds as little as it can of what it does not read."""
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        found.settimeout(30)
        found.connect(("127.0.0.1", self.port))
        return found

    def closed(self, reason: str) -> int:
        """Return how many connections were closed for a reason so far."""
        text = httpx.get(f"{self.url}/metrics").text
        found = re.search(rf'pincite_connections_closed_total{{reason="{reason}"}} (\d+)', text)
        return int(found[1]) if found else 0

    def await_closed(self, reason: str, number: int = 1) -> None:
        """Wait until that many connections were closed for a reason."""
        for _ in range(600):
            if self.closed(reason) >= number:
                return
            time.sleep(0.05)
        pytest.fail(f"nothing was closed as {reason}")


@contextmanager
def served(folder: Path, limits: dict[str, Any]) -> Iterator[Server]:
    """Run a server with some limits of its own."""
    command = [sys.executable, Path(__file__).with_name("tiny_server.py"), folder / "data", "httptools"]
    log = folder / "log"
    with (
        log.open("w") as stderr,
        subprocess.Popen([*command, json.dumps(limits)], stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            yield Server(int(process.stdout.readline()), log, process)
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with short deadlines."""
    with served(tmp_path_factory.mktemp("impatient"), IMPATIENT) as server:
        yield server
        assert server.process.poll() is None, "the server did not survive"


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Server]:
    """A server with long deadlines and few places."""
    with served(tmp_path, NARROW) as server:
        yield server


def rest(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes, in whichever way."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def drip(connection: socket.socket, *pieces: bytes) -> bytes:
    """Send the pieces over and over, one at a time, until the server closes; return what it said."""
    connection.settimeout(0.05)
    received = b""
    for number in range(600):
        try:
            connection.sendall(pieces[number % len(pieces)])
            chunk = connection.recv(65536)
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            return received
        if not chunk:
            return received
        received += chunk
    pytest.fail("the server never closed")


def status(response: bytes) -> int:
    """Return the status of a response."""
    assert response.startswith(b"HTTP/1.1 "), response[:200]
    return int(response[9:12])


def post(path: str, *heads: bytes) -> bytes:
    """Return the head of a POST of JSON."""
    lines = [b"POST " + path.encode() + b" HTTP/1.1\r\n", HEAD, b"Content-Type: application/json\r\n"]
    return b"".join([*lines, *(head + b"\r\n" for head in heads), b"\r\n"])


def test_who_says_nothing_is_closed(impatient: Server) -> None:
    """A connection without a byte, in silence."""
    with impatient.connect() as connection:
        assert rest(connection) == b""


@pytest.mark.parametrize(
    "begin", [b"GET / HTTP/1.1\r\n", b"GET ", b"POST /v1/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "], ids=len
)
def test_half_a_head_is_408(impatient: Server, begin: bytes) -> None:
    """It is told why, and closed."""
    with impatient.connect() as connection:
        connection.sendall(begin)
        assert status(rest(connection)) == 408


def test_a_head_byte_by_byte_is_408(impatient: Server) -> None:
    """Bytes that come do not move the deadline."""
    with impatient.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        assert status(drip(connection, b"x")) == 408


def test_line_ends_for_ever_are_no_request(impatient: Server) -> None:
    """Not even between two requests, where parsers skip them."""
    with impatient.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n")
        assert status(connection.recv(65536)) == 200
        assert b"HTTP/1.1 200" not in drip(connection, b"\r\n")


def test_an_idle_connection_is_closed(impatient: Server) -> None:
    """After its answer and a while."""
    with impatient.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n")
        response = rest(connection)
    assert (status(response), response.count(b"HTTP/1.1")) == (200, 1)


@pytest.mark.parametrize(
    ("head", "pieces"),
    [(b"Content-Length: 5000", (b" ",)), (b"Transfer-Encoding: chunked", (b"1\r\n \r\n",))],
    ids=["length", "chunked"],
)
@pytest.mark.parametrize("path", ["/v1/ask", "/v1/documents"])
def test_a_body_byte_by_byte_is_408(impatient: Server, path: str, head: bytes, pieces: tuple[bytes, ...]) -> None:
    """It has to bring so many bytes in each window."""
    with impatient.connect() as connection:
        connection.sendall(post(path, head))
        assert status(drip(connection, *pieces)) == 408


def test_a_body_that_never_comes_is_408(impatient: Server) -> None:
    """Nothing at all after the head."""
    with impatient.connect() as connection:
        connection.sendall(post("/v1/ask", b"Content-Length: 50"))
        assert status(rest(connection)) == 408


def test_a_body_that_is_no_longer_wanted_ends_too(impatient: Server) -> None:
    """A GET with a body that drips on behind its answer."""
    with impatient.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        assert status(drip(connection, b"1\r\n \r\n")) == 200


def test_a_slow_reader_is_cut(impatient: Server) -> None:
    """A large answer, and a stream of events, that nobody reads."""
    text = " ".join(f"The glaze {number} was too thin for kiln {number % 97}." for number in range(15_000))
    response = httpx.put(f"{impatient.url}/v1/documents/large", json={"text": text}, timeout=60)
    assert response.status_code == 200, response.text
    before = impatient.closed("slow_reader")
    with impatient.connect() as connection, impatient.connect() as stream:
        connection.sendall(b"GET /v1/documents/large/text HTTP/1.1\r\n" + HEAD + b"\r\n")
        body = json.dumps({**QUESTION, "stream": True, "top_k": 50}).encode()
        stream.sendall(post("/v1/ask", b"Content-Length: %d" % len(body)) + body)
        impatient.await_closed("slow_reader", before + 2)
        assert 0 < len(rest(connection)) < len(text)
        assert b"event: done" not in rest(stream)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"x" * 9000, 431),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"X: x\r\n" * 60 + b"\r\n", 431),
        (b"GET /?" + b"x" * 5000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414),
        (b"GET /" + b"x" * 9000, 414),
        (b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HEAD + HEAD + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ],
    ids=["value", "endless", "count", "line", "endless line", "bare LF", "no host", "two hosts", "lengths", "CL+TE"],
)
def test_heads_that_are_wrong_are_refused(impatient: Server, request_: bytes, expected: int) -> None:
    """Too large while they come; what two servers could read differently; each closes the connection."""
    with impatient.connect() as connection:
        connection.sendall(request_)
        assert status(rest(connection)) == expected


def test_a_head_without_end_takes_no_memory(impatient: Server) -> None:
    """However much is sent, it is cut off at the limit and what is read in one go."""

    def memory() -> float:
        found = re.search(r"^process_resident_memory_bytes (\S+)$", httpx.get(f"{impatient.url}/metrics").text, re.M)
        assert found
        return float(found[1])

    before = memory()
    for begin in (b"GET / HTTP/1.1\r\nX: ", b"GET /", b"X" * 100):
        with impatient.connect() as connection:
            taken = 0
            with suppress(ConnectionResetError, BrokenPipeError):
                connection.sendall(begin)
                while taken < 2**26:
                    taken += connection.send(b"x" * 2**16)
        assert taken < 2**24
    assert memory() - before < 2**25


def test_nobody_is_sent_away_unread() -> None:
    """What is accepted in one go leaves room for those who were accepted before and are not read yet."""
    assert Limits().connections >= 2 * server._AT_ONCE


def test_honest_clients_work_during_a_flood(impatient: Server) -> None:
    """More half-open connections than there is room for, made again and again: those that wait longest go."""
    before = impatient.closed("crowded")
    with ExitStack() as stack:
        for _ in range(5):
            for number in range(200):
                connection = stack.enter_context(impatient.connect())
                connection.sendall(b"GET / HTTP/1.1\r\n"[: number % 17])
            for _ in range(5):
                assert httpx.post(f"{impatient.url}/v1/ask", json=QUESTION).status_code == 200
    assert impatient.closed("crowded") > before


def test_a_kept_connection_survives_slow_questions(impatient: Server) -> None:
    """Honest clients that keep a connection are served over it."""
    with httpx.Client(base_url=impatient.url) as client:
        for _ in range(20):
            assert client.post("/v1/ask", json=QUESTION).status_code == 200
    assert "pincite_connections 1.0" in httpx.get(f"{impatient.url}/metrics").text


def test_a_head_is_answered_without_a_body(impatient: Server) -> None:
    """HEAD on what GET answers, streams included, and 405 on what it does not."""
    for path, expected in (("/", 200), ("/v1/info", 200), ("/healthz", 200), ("/v1/jobs/no", 404), ("/v1/ask", 405)):
        with impatient.connect() as connection:
            connection.sendall(f"HEAD {path} HTTP/1.1\r\n".encode() + HEAD + b"\r\n")
            head, _, body = rest(connection).partition(b"\r\n\r\n")
        assert (status(head), body) == (expected, b""), path


def test_a_head_on_a_stream_ends(impatient: Server) -> None:
    """The events of a job that runs would go on unseen."""
    given = {"documents": [{"text": "The second glaze was too thin. " * 1_000}] * 20, "wait": False}
    job = httpx.post(f"{impatient.url}/v1/documents", json=given)
    response = httpx.head(f"{impatient.url}{job.headers['location']}/events")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"].startswith("text/event-stream")


def test_where_all_work_the_next_is_503(narrow: Server) -> None:
    """It is told when to come again; a connection that only waits goes instead."""
    with narrow.connect() as first, narrow.connect() as second:
        for connection in (first, second):
            connection.sendall(post("/v1/ask", b"Content-Length: 50", b"Expect: 100-continue"))
            assert connection.recv(12) == b"HTTP/1.1 100"  # its route reads by now
        with narrow.connect() as third:
            response = rest(third)
        assert status(response) == 503
        assert b"\r\nretry-after: " in response
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(narrow.connect())
        assert httpx.get(f"{narrow.url}/healthz").status_code == 200


def test_a_slow_reader_holds_no_place_among_the_questions(narrow: Server) -> None:
    """With one place, others are answered while a stream is not read."""
    text = " ".join(f"The glaze {number} was too thin for kiln {number % 97}." for number in range(2_000))
    assert httpx.put(f"{narrow.url}/v1/documents/large", json={"text": text}, timeout=60).status_code == 200
    with narrow.connect() as stream:
        body = json.dumps({**QUESTION, "stream": True, "top_k": 50}).encode()
        stream.sendall(post("/v1/ask", b"Content-Length: %d" % len(body)) + body)
        stream.recv(100)
        for _ in range(3):
            assert httpx.post(f"{narrow.url}/v1/ask", json=QUESTION).status_code == 200


def test_the_end_waits_for_nobody_that_stalls(tmp_path: Path) -> None:
    """SIGTERM with half-open connections, a stalled body, an unread stream and a job under way: gone in 10 seconds."""
    with served(tmp_path, {"drain_seconds": 6}) as server, ExitStack() as stack:
        for begin in (b"", b"GET / HT", post("/v1/ask", b"Content-Length: 50"), post("/v1/ask", b"Content-Length: 0")):
            stack.enter_context(server.connect()).sendall(begin)
        documents = [{"id": str(number), "text": "The second glaze was too thin. " * 300} for number in range(300)]
        job = httpx.post(f"{server.url}/v1/documents", json={"documents": documents[:100], "wait": False}, timeout=60)
        assert job.status_code == 202, job.text
        follower = stack.enter_context(server.connect())
        follower.sendall(b"GET " + f"{job.headers['location']}/events".encode() + b" HTTP/1.1\r\n" + HEAD + b"\r\n")
        follower.recv(10)
        unread = stack.enter_context(server.connect())
        unread.sendall((b"GET /openapi.json HTTP/1.1\r\n" + HEAD + b"\r\n") * 3)
        unread.recv(10)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) in {0, -signal.SIGTERM}
    assert "Traceback" not in server.log.read_text()


def lines_of(server: Server, ready: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """Return the events in a server's log once `ready` says that they are all there."""
    for _ in range(200):
        events = [json.loads(line) for line in server.log.read_text().splitlines()]
        if ready(events):
            return events
        time.sleep(0.05)
    pytest.fail(f"not logged: {server.log.read_text()[-2000:]}")


def test_each_request_is_one_line_and_tells_no_text(impatient: Server) -> None:
    """Nothing of a question, a path, a header or a document, whatever is in it."""
    for hostile in ("canary\r\n2026 INFO forged", "canary\x1b[2J", "canary‮"):
        httpx.post(f"{impatient.url}/v1/ask", json={"query": hostile})
        httpx.post(f"{impatient.url}/v1/ask", json={"query": "a", hostile: 1})
        httpx.get(f"{impatient.url}/v1/documents/{quote(hostile)}")
    with impatient.connect() as connection:
        connection.sendall(b"GET /canary\x1b HTTP/1.1\r\nX: canary\x1b[2J\r\n\r\n")
        rest(connection)
    last = httpx.get(f"{impatient.url}/v1/info")
    events = lines_of(
        impatient, lambda found: any(one.get("request_id") == last.headers["x-request-id"] for one in found)
    )
    (told,) = [one for one in events if one.get("request_id") == last.headers["x-request-id"]]
    assert {"time", "level", "event", "ms", "bytes_in", "bytes_out"} <= set(told)
    assert (told["method"], told["route"], told["status"]) == ("GET", "/v1/info", 200)
    assert told["bytes_out"] == len(last.content)
    log = impatient.log.read_text()
    assert not any(bad in log for bad in ("canary", "forged", "\x1b", "‮"))
