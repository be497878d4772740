"""The border: Host, Origin, sizes and headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.middleware import CONTENT_SECURITY_POLICY
from api.settings import Settings
from api.wiring import Pincite


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "[::1]", "127.0.0.1"])
def test_the_names_of_loopback_are_this_server(empty: TestClient, host: str) -> None:
    """With any port, in any case."""
    assert empty.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.2", "10.0.0.1"],
)
def test_another_host_is_403(empty: TestClient, host: str) -> None:
    """A name that an attacker's DNS may point here is not this server's."""
    for path in ("/", "/v1/info", "/page/app.js"):
        response = empty.get(path, headers={"Host": host})
        assert (response.status_code, response.json()["code"]) == (403, "host_refused")


@pytest.mark.parametrize("host", ["", "a b", "localhost:port", "localhost:8000@evil", "user@localhost", "[::1", "::1"])
def test_a_malformed_host_is_400(empty: TestClient, host: str) -> None:
    """What is no host at all is told so."""
    response = empty.get("/healthz", headers={"Host": host})
    assert (response.status_code, response.json()["code"]) == (400, "host_malformed")


def test_the_bound_host_is_this_server_too(pincite: Pincite) -> None:
    """Another loopback address that is listened on counts."""
    settings = Settings(data=pincite.settings.data, host="127.0.0.7")
    app = create_app(Pincite(settings, pincite.catalog, pincite.encoder))
    with TestClient(app, base_url="http://127.0.0.7:9000") as client:
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8000", 200),
        ("http://evil.example", 403),
        ("http://127.0.0.1:9999", 403),
        ("http://localhost:8000", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_origin_must_be_this_very_place(empty: TestClient, origin: str, status: int) -> None:
    """A page of another origin, another port of this machine included, is refused."""
    response = empty.post("/v1/ask", json={"query": "a"}, headers={"Origin": origin})
    assert response.status_code == status


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)]
)
def test_other_sites_change_nothing(empty: TestClient, site: str, status: int) -> None:
    """What a browser calls cross-site may follow a link, but not write."""
    head = {"Sec-Fetch-Site": site}
    assert empty.put("/v1/documents/a", json={"text": "words"}, headers=head).status_code == status
    assert empty.get("/", headers=head).status_code == 200


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/v1/info", "/v1/documents/never", "/nowhere", "/metrics"])
def test_every_answer_carries_the_security_headers(empty: TestClient, path: str) -> None:
    """Pages, parts, answers and problems alike; no answer of the API is kept by a cache."""
    response = empty.get(path)
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == ("no-cache" if path in {"/", "/page/app.js"} else "no-store")
    assert "access-control-allow-origin" not in response.headers


def test_a_refusal_at_the_border_carries_them_too(empty: TestClient) -> None:
    """What is refused before any route is reached."""
    response = empty.get("/", headers={"Host": "evil.example"})
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert response.headers["x-request-id"] == response.json()["request_id"]


def chunks(size: int, count: int, taken: list[int]) -> Iterator[bytes]:
    """Yield `count` chunks and note each that was taken."""
    for number in range(count):
        taken.append(number)
        yield b" " * size


@pytest.mark.parametrize(
    ("kind", "limit"), [("application/json", "body_bytes"), ("multipart/form-data; boundary=B", "upload_bytes")]
)
def test_a_body_over_the_limit_is_413(serve: Callable[..., TestClient], kind: str, limit: str) -> None:
    """Whether its length was declared or not; uploads have a limit of their own."""
    client = serve(**{limit: 10_000})
    head = {"Content-Type": kind}
    for content in (b" " * 10_001, chunks(1000, 11, [])):
        response = client.post("/v1/documents", content=content, headers=head)
        assert (response.status_code, response.json()["code"]) == (413, "too_large")
        assert response.json()["limit"] == 10_000
    assert client.post("/v1/documents", content=b" " * 10_000, headers=head).status_code == 400


def test_a_declared_length_that_is_absurd_is_413(empty: TestClient) -> None:
    """A number with a thousand digits costs nothing."""
    head = {"Content-Type": "application/json", "Content-Length": "9" * 1000}
    assert empty.post("/v1/ask", content=b"{}", headers=head).status_code == 413


@pytest.mark.parametrize("length", ["-1", "ten", "1e3", "+5", "٣"])
def test_a_declared_length_that_is_no_number_is_400(empty: TestClient, length: str) -> None:
    """Not guessed."""
    head = {"Content-Type": "application/json", "Content-Length": length.encode()}
    assert empty.post("/v1/ask", content=b"{}", headers=head).status_code == 400


def test_writes_at_once_are_bounded(serve: Callable[..., TestClient]) -> None:
    """A write without a place is 503, and reading goes on."""
    client = serve(writes_at_once=1, wait_seconds=0.0)
    with client.app.state.running.writes.place():  # type: ignore[attr-defined]
        response = client.put("/v1/documents/a", json={"text": "words"})
        assert (response.status_code, response.json()["limit"]) == (503, 1)
        assert client.get("/v1/documents").status_code == 200
    assert client.put("/v1/documents/a", json={"text": "words"}).status_code == 200
