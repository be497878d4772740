"""A real server over sockets: malformed, lying and half-sent requests, with both parsers that uvicorn has."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HEAD = b"Host: 127.0.0.1\r\n"
QUESTION = b'{"query": "words"}'
Exchange = Callable[..., bytes]


@pytest.fixture(scope="module", params=["httptools", "h11"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server process of its own."""
    command = [
        sys.executable,
        Path(__file__).with_name("tiny_server.py"),
        tmp_path_factory.mktemp("data"),
        request.param,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        assert process.poll() is None, "the server did not survive"
        process.terminate()


@pytest.fixture
def exchange(port: int) -> Exchange:
    """A function that sends pieces, may close its side, and returns all that comes back until the server closes."""

    def talk(*pieces: bytes, close: bool = False) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            for piece in pieces:
                connection.sendall(piece)
            if close:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        return received

    return talk


def post(path: str, body: bytes, *heads: bytes, kind: bytes = b"application/json") -> bytes:
    """Return a request that asks the server to close afterwards."""
    lines = [b"POST " + path.encode() + b" HTTP/1.1\r\n", HEAD, b"Content-Type: " + kind + b"\r\nConnection: close\r\n"]
    return b"".join([*lines, *(head + b"\r\n" for head in heads), b"\r\n", body])


def status(response: bytes) -> int:
    """Return the status of the first response."""
    assert response.startswith(b"HTTP/1.1 "), response[:200]
    return int(response[9:12])


def problem(response: bytes) -> dict[str, object]:
    """Return the problem document of a response."""
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    found: dict[str, object] = json.loads(body)
    return found


def declared(body: bytes) -> bytes:
    """Return the Content-Length of a body."""
    return b"Content-Length: %d" % len(body)


def test_a_question_is_answered(exchange: Exchange) -> None:
    """The plain case works over a socket."""
    assert status(exchange(post("/v1/ask", QUESTION, declared(QUESTION)))) == 200


def test_a_chunked_question_is_answered(exchange: Exchange) -> None:
    """A body without a length."""
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(QUESTION), QUESTION)
    assert status(exchange(post("/v1/ask", chunks, b"Transfer-Encoding: chunked"))) == 200


@pytest.mark.parametrize(
    "heads",
    [
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Content-Length: 18", b"Transfer-Encoding: chunked"),
        (b"Content-Length: -1",),
        (b"Content-Length: +18",),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        (b"Bad Header: x", b"Content-Length: 18"),
    ],
    ids=["two lengths", "length and chunked", "negative", "signed", "two codings", "space in a name"],
)
def test_what_is_no_http_is_400_and_closed(exchange: Exchange, heads: tuple[bytes, ...]) -> None:
    """Requests that two servers could read differently are read by none."""
    assert status(exchange(post("/v1/ask", QUESTION, *heads))) == 400


@pytest.mark.parametrize(
    "request_",
    [b"rubbish\r\n\r\n", b"GET /\r\n\r\n\r\n", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n"],
    ids=["rubbish", "no version", "TLS"],
)
def test_rubbish_is_no_answer_or_400(exchange: Exchange, request_: bytes) -> None:
    """What is not even a request line."""
    response = exchange(request_, close=True)
    assert response == b"" or status(response) == 400


def test_a_request_without_a_host_is_400(exchange: Exchange) -> None:
    """HTTP/1.1 has one."""
    assert status(exchange(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")) == 400


def test_a_body_that_is_cut_short_does_nothing(exchange: Exchange) -> None:
    """Half of a document is no document, and the server goes on."""
    body = b'{"documents": [{"id": "half", "text": "words"}]}'
    exchange(post("/v1/documents", body[:20], declared(body)), close=True)
    exchange(post("/v1/documents", b"30\r\n" + body[:20], b"Transfer-Encoding: chunked"), close=True)
    assert status(exchange(b"GET /v1/documents/half HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")) == 404


def test_an_upload_that_is_cut_short_is_no_job(exchange: Exchange) -> None:
    """A file that did not come whole is not added."""
    body = b'--B\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nwords'
    kind = b"multipart/form-data; boundary=B"
    exchange(post("/v1/documents", body, b"Content-Length: 5000", kind=kind), close=True)
    response = exchange(b"GET /v1/jobs HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
    assert json.loads(response.partition(b"\r\n\r\n")[2]) == {"jobs": []}


def test_a_body_longer_than_declared_is_read_as_declared(exchange: Exchange) -> None:
    """What lies beyond the declared length is no part of the question."""
    response = exchange(post("/v1/ask", QUESTION + b'{"query": "more"}', declared(QUESTION)))
    assert status(response) == 200
    assert response.count(b"HTTP/1.1 200") == 1


def test_a_body_declared_over_the_limit_is_refused_before_it_comes(exchange: Exchange) -> None:
    """413 at once, and nothing of the body needs to be sent."""
    response = exchange(post("/v1/ask", b"", b"Content-Length: 99999999"))
    assert status(response) == 413
    assert problem(response)["limit"] == 2**20


FILE = b'--B\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'


@pytest.mark.parametrize(
    ("kind", "start", "limit"),
    [(b"application/json", b'{"text": "', 2**20), (b"multipart/form-data; boundary=B", FILE, 2**21)],
    ids=["json", "upload"],
)
def test_a_chunked_body_over_the_limit_is_refused_while_it_comes(
    exchange: Exchange, kind: bytes, start: bytes, limit: int
) -> None:
    """The client reads the refusal although it was still sending."""
    head = post("/v1/documents", b"", b"Transfer-Encoding: chunked", kind=kind)
    first, chunk = b"%x\r\n%s\r\n" % (len(start), start), b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    response = exchange(head, first, *[chunk] * (limit // 0x10000 + 4))
    assert status(response) == 413
    assert b"\r\nconnection: close\r\n" in response.lower()
    assert problem(response)["limit"] == limit


@pytest.mark.parametrize("path", ["/v1/ask", "/nowhere"])
def test_an_early_refusal_reaches_a_client_that_is_still_sending(exchange: Exchange, path: str) -> None:
    """Another content type or no such path, told before the body was read."""
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    response = exchange(post(path, b"", b"Transfer-Encoding: chunked", kind=b"text/plain"), *[chunk] * 8, b"0\r\n\r\n")
    assert status(response) in {404, 415}


def test_a_client_that_expects_to_be_told_first_is_told(exchange: Exchange) -> None:
    """`Expect: 100-continue` with a body over the limit gets the refusal instead."""
    response = exchange(post("/v1/ask", b"", b"Content-Length: 99999999", b"Expect: 100-continue"))
    assert status(response) == 413


def test_a_reader_that_leaves_a_stream_does_no_harm(exchange: Exchange, port: int) -> None:
    """Connections dropped in the middle of an answer free their places."""
    body = b'{"query": "words", "stream": true}'
    for _ in range(40):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(post("/v1/ask", body, declared(body)))
    for _ in range(200):
        response = exchange(post("/v1/ask", body, declared(body)))
        if status(response) == 200:
            break
        time.sleep(0.05)
    assert b"event: done" in response


def test_paths_that_are_strange_are_no_500(exchange: Exchange) -> None:
    """Bytes that are no UTF-8, NUL, dots."""
    for path in (
        b"/v1/documents/%ff",
        b"/v1/documents/%00",
        b"/v1/documents/..%2f..",
        b"/%2e%2e/%2e%2e/etc/passwd",
        b"/d/%ff",
    ):
        response = exchange(b"GET " + path + b" HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
        assert status(response) in {200, 404, 422}, path
