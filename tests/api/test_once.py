"""Writes that are sent again under the same `Idempotency-Key`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import Response
from fastapi.testclient import TestClient

from api.once import Once
from api.problems import Problem

KEY = {"Idempotency-Key": "3f1c9a"}
BATCH = {"documents": [{"id": "a", "text": "words"}]}


def test_a_batch_that_is_sent_again_gets_the_first_answer(empty: TestClient) -> None:
    """Status, body and type are those of the first time, although the document would be unchanged now."""
    first = empty.post("/v1/documents", json=BATCH, headers=KEY)
    again = empty.post("/v1/documents", json=BATCH, headers=KEY)
    assert first.json()["results"][0]["status"] == "added"
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert empty.post("/v1/documents", json=BATCH).json()["results"][0]["status"] == "unchanged"


def test_an_upload_that_is_sent_again_is_one_job(empty: TestClient) -> None:
    """Whatever boundary the client draws, the same files under the same names are the same request."""
    answers = [
        empty.post(
            "/v1/documents",
            files=[("files", ("a.txt", b"words"))],
            headers={**KEY, "Content-Type": f"multipart/form-data; boundary={boundary}"},
        )
        for boundary in ("first", "second")
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert len(empty.get("/v1/jobs").json()["jobs"]) == 1
    other = empty.post("/v1/documents", files=[("files", ("a.txt", b"other words"))], headers=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/documents/a", {"text": "words"}),
        ("DELETE", "/v1/documents/dialogue", None),
        ("POST", "/v1/documents/delete", {"filter": {"field": "language", "eq": "en"}}),
        ("PUT", "/v1/collections/mine", {}),
        ("PUT", "/v1/collections/default/ranking", {"version": None}),
        ("DELETE", "/v1/collections/default", None),
    ],
)
def test_every_write_takes_a_key(client: TestClient, method: str, path: str, body: Any) -> None:
    """Done once, answered twice; another request under the key is refused and does nothing."""
    first = client.request(method, path, json=body, headers=KEY)
    again = client.request(method, path, json=body, headers=KEY)
    assert first.is_success
    assert (again.status_code, again.content) == (first.status_code, first.content)
    refused = client.put("/v1/documents/other", json={"text": "words"}, headers=KEY)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert refused.json()["field"] == "Idempotency-Key"
    assert client.get("/v1/documents/other").status_code == 404


def test_a_refusal_is_not_kept(empty: TestClient) -> None:
    """What changed nothing may be mended and sent again under the same key."""
    assert empty.put("/v1/documents/a", json={"text": " "}, headers=KEY).status_code == 422
    assert empty.put("/v1/documents/a", json={"text": "words"}, headers=KEY).json()["status"] == "added"


def test_answers_survive_a_restart(serve: Callable[..., TestClient]) -> None:
    """The next server over the folder knows them."""
    first = serve().post("/v1/documents", json=BATCH, headers=KEY)
    assert serve().post("/v1/documents", json=BATCH, headers=KEY).content == first.content


def test_the_oldest_answers_are_let_go(serve: Callable[..., TestClient]) -> None:
    """Beyond the number that is kept, and all of them after their time."""
    client = serve(idempotency_keys=2)
    for key in "abc":
        client.post("/v1/documents", json=BATCH, headers={"Idempotency-Key": key})
    statuses = {
        key: client.put("/v1/documents/x", json={"text": "x"}, headers={"Idempotency-Key": key}).status_code
        for key in "cba"
    }
    assert statuses == {"a": 200, "b": 422, "c": 422}
    late = serve(idempotency_hours=-1)
    assert late.put("/v1/documents/x", json={"text": "x"}, headers={"Idempotency-Key": "c"}).status_code == 200


@pytest.mark.parametrize("key", ["", "two words", "ü".encode("latin-1"), "x" * 201])
def test_a_key_that_is_none_is_422(empty: TestClient, key: str | bytes) -> None:
    """Visible ASCII, 1 to 200 of it, on JSON and on uploads."""
    for body in ({"json": BATCH}, {"files": [("files", ("a.txt", b"words"))]}):
        response = empty.post("/v1/documents", headers={"Idempotency-Key": key}, **body)  # type: ignore[arg-type]
        assert (response.status_code, response.json()["field"]) == (422, "Idempotency-Key")


def test_the_same_key_twice_at_once_is_409(empty: TestClient) -> None:
    """While the first is under way the second is told to wait; afterwards it gets the answer."""
    once: Once = empty.app.state.running.once  # type: ignore[attr-defined]

    async def twice() -> tuple[Problem, Response]:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def act() -> Response:
            begun.set()
            await go_on.wait()
            return Response(b"done", 201)

        first = asyncio.create_task(once.answer("k", "digest", act))
        await begun.wait()
        with pytest.raises(Problem) as refused:
            await once.answer("k", "digest", act)
        go_on.set()
        await first
        return refused.value, await once.answer("k", "digest", act)

    problem, again = empty.portal.call(twice)  # type: ignore[union-attr]
    assert (problem.status_code, problem.code) == (409, "request_under_way")
    assert (again.status_code, again.body) == (201, b"done")


def test_reading_takes_no_key(client: TestClient) -> None:
    """On what changes nothing the header means nothing."""
    for query in ("trams", "honey"):
        assert client.post("/v1/ask", json={"query": query}, headers=KEY).status_code == 200


def test_a_body_over_its_limit_is_refused_with_a_key_too(serve: Callable[..., TestClient]) -> None:
    """While it is read, and the key stays free."""
    client = serve(body_bytes=1_000)
    long = {"documents": [{"id": "a", "text": "words " * 1_000}]}
    body = iter([b'{"documents": [{"id": "a", "text": "', b"words " * 1_000])
    for answer in (
        client.post("/v1/documents", json=long, headers=KEY),
        client.post("/v1/documents", content=body, headers={**KEY, "Content-Type": "application/json"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert client.post("/v1/documents", json=BATCH, headers=KEY).status_code == 200
