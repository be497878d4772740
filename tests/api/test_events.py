"""Server-sent events: the order, the last one, errors, heartbeats."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import anyio
import pytest
from fastapi.testclient import TestClient

from api.events import HEARTBEAT, event, with_heartbeat
from api.routes.ask import answer_events
from index.errors import Unavailable
from rag.ask import Candidates
from rag.types import Answer

Events = Callable[[str], list[tuple[str, str]]]
QUESTION = {"query": "How was the 2+2 intersessional dialogue held?"}


def test_a_stream_has_candidates_then_the_answer_then_done(client: TestClient, events: Events) -> None:
    """The answer is the whole JSON answer, and `done` is last."""
    response = client.post("/v1/ask", json={**QUESTION, "stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    told = events(response.text)
    assert [name for name, _ in told] == ["candidates", "answer", "done"]
    assert json.loads(told[0][1])["passages"][0]["document"]["id"] == "dialogue"
    streamed, plain = json.loads(told[1][1]), client.post("/v1/ask", json=QUESTION).json()
    for answer in (streamed, plain):
        del answer["id"], answer["created"], answer["timing_ms"]
    assert streamed == plain


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/event-stream", "text/event-stream"),
        ("text/event-stream, */*;q=0.1", "text/event-stream"),
        ("application/json, text/event-stream", "application/json"),
        ("*/*", "application/json"),
    ],
)
def test_accept_chooses_the_stream(client: TestClient, accept: str, kind: str) -> None:
    """Those who take event streams and no JSON get one without asking in the body."""
    response = client.post("/v1/ask", json=QUESTION, headers={"Accept": accept})
    assert response.headers["content-type"].startswith(kind)


@pytest.mark.parametrize(
    ("fields", "status"), [({"collection": "nowhere"}, 404), ({"filter": {"field": "x", "eq": 1}}, 422)]
)
def test_what_is_wrong_at_once_is_a_status(client: TestClient, fields: dict[str, Any], status: int) -> None:
    """An error before the first event is told as it is without a stream."""
    response = client.post("/v1/ask", json={**QUESTION, **fields, "stream": True})
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")


def steps_then(error: Exception) -> Iterator[Candidates | Answer]:
    """Yield candidates, then fail."""
    yield Candidates([])
    raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [(Unavailable("The disk is gone; mount it again."), "unavailable"), (KeyError("secret"), "internal")],
)
def test_what_goes_wrong_later_is_an_error_event(events: Events, error: Exception, code: str) -> None:
    """The problem ends the stream: no `done`, and nothing of what nobody foresaw."""
    told = events(b"".join(answer_events(steps_then(error), "sha256:", "req_1")).decode())
    assert [name for name, _ in told] == ["candidates", "error"]
    problem = json.loads(told[1][1])
    assert (problem["code"], problem["request_id"]) == (code, "req_1")
    assert "secret" not in told[1][1]


def test_a_line_end_in_a_text_does_not_break_an_event() -> None:
    """JSON escapes it, so that an event stays one line of data."""
    data = json.dumps({"text": "a\nb\r\n\ndata: c\u2028d"})
    assert event("answer", data).decode().count("\n") == 3


def waiting(go_on: threading.Event, closed: threading.Event) -> Generator[bytes, None, None]:
    """Yield once it may, and note being closed."""
    try:
        yield b"first"
        go_on.wait(20)
        yield b"second"
    finally:
        closed.set()


def test_a_slow_answer_is_bridged_by_heartbeats() -> None:
    """A comment comes each time the interval passes, then what was waited for."""

    async def read() -> list[bytes]:
        go_on, closed = threading.Event(), threading.Event()
        steps, told = waiting(go_on, closed), []
        async for chunk in with_heartbeat(next(steps), steps, seconds=0.02):
            told.append(chunk)
            if told.count(HEARTBEAT) == 3:
                go_on.set()
        assert closed.is_set()
        return told

    told = anyio.run(read)
    assert (told[0], told[-1]) == (b"first", b"second")
    assert set(told[1:-1]) == {HEARTBEAT}


def test_a_reader_that_leaves_ends_the_work() -> None:
    """The generator is closed once the step under way is over, so that its place is free again."""

    async def leave() -> bool:
        go_on, closed = threading.Event(), threading.Event()
        steps = waiting(go_on, closed)
        stream = with_heartbeat(next(steps), steps, seconds=0.02)
        async for chunk in stream:
            if chunk == HEARTBEAT:
                break
        await stream.aclose()  # type: ignore[attr-defined]
        go_on.set()
        return await anyio.to_thread.run_sync(closed.wait, 20)

    assert anyio.run(leave)


def test_places_are_free_again_after_streams(serve: Callable[..., TestClient], events: Events) -> None:
    """With one place, one question after another is answered, streamed or not."""
    client = serve(questions_at_once=1, wait_seconds=0.0)
    for stream in (True, False, True, True):
        assert client.post("/v1/ask", json={**QUESTION, "stream": stream}).status_code == 200


def test_a_question_without_a_place_is_503(serve: Callable[..., TestClient]) -> None:
    """The number at once is bounded, and the refusal says when to try again."""
    client = serve(questions_at_once=1, wait_seconds=0.0)
    with client.app.state.running.questions.place():  # type: ignore[attr-defined]
        for stream in (False, True):
            response = client.post("/v1/ask", json={**QUESTION, "stream": stream})
            assert (response.status_code, response.json()["code"]) == (503, "busy")
            assert int(response.headers["retry-after"]) > 0
