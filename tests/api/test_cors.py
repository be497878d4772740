"""Pages of other origins: refused unless their origin is named, and then let in as far as CORS goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings, load_settings
from api.wiring import Pincite

ORIGIN = "https://notes.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


@pytest.fixture
def open_to_one(pincite: Pincite) -> Iterator[TestClient]:
    """A client of a service that lets pages of one origin in."""
    settings = Settings(data=pincite.settings.data, cors_origins=(ORIGIN,))
    app = create_app(Pincite(settings, pincite.catalog, pincite.encoder))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def allowed(headers: object) -> list[str]:
    """Return the names of the CORS headers of a response."""
    return [name for name in headers if name.startswith("access-control-")]  # type: ignore[attr-defined]


def test_a_named_origin_may_ask_and_read(open_to_one: TestClient) -> None:
    """Also what its browser calls cross-site; errors can be read too, and no credentials are let through."""
    head = {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}
    for query, status in (("words", 200), (" ", 422)):
        response = open_to_one.post("/v1/ask", json={"query": query}, headers=head)
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == ORIGIN
        assert "x-request-id" in response.headers["access-control-expose-headers"].lower()
        assert "access-control-allow-credentials" not in response.headers
        assert "Origin" in response.headers["vary"]


def test_a_preflight_is_answered(open_to_one: TestClient) -> None:
    """With the methods and headers that the API has."""
    response = open_to_one.options("/v1/ask", headers={"Origin": ORIGIN, **PREFLIGHT})
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in response.headers["access-control-allow-methods"]
    assert {"content-type", "idempotency-key"} <= set(
        response.headers["access-control-allow-headers"].lower().split(", ")
    )


@pytest.mark.parametrize(
    "origin",
    [
        "https://notes.example.evil",
        "http://notes.example",
        "https://notes.example:444",
        "https://NOTES.example",
        "null",
        "",
    ],
)
def test_any_other_origin_stays_out(open_to_one: TestClient, origin: str) -> None:
    """Origins are compared whole; a refusal grants nothing."""
    for response in (
        open_to_one.post("/v1/ask", json={"query": "words"}, headers={"Origin": origin}),
        open_to_one.options("/v1/ask", headers={"Origin": origin, **PREFLIGHT}),
    ):
        assert (response.status_code, allowed(response.headers)) == (403, [])


def test_two_origins_are_none(open_to_one: TestClient) -> None:
    """A named one does not cover for another."""
    heads = [("Origin", ORIGIN), ("Origin", "https://evil.example")]
    assert open_to_one.post("/v1/ask", json={"query": "words"}, headers=heads).status_code == 403


def test_a_named_origin_does_not_open_another_host(open_to_one: TestClient) -> None:
    """DNS rebinding is refused as before."""
    assert open_to_one.get("/v1/info", headers={"Origin": ORIGIN, "Host": "notes.example"}).status_code == 403


def test_without_the_setting_nothing_is_granted(empty: TestClient) -> None:
    """No CORS header at all, and no preflight."""
    assert allowed(empty.get("/v1/info").headers) == []
    assert empty.options("/v1/ask", headers={"Origin": ORIGIN, **PREFLIGHT}).status_code == 403


def test_the_setting_takes_several_and_no_pattern(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the environment between commas, from the file as a list; what a browser would not send is refused."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PINCITE_CORS_ORIGINS", "https://a.example, http://localhost:5173")
    assert load_settings({}).cors_origins == ("https://a.example", "http://localhost:5173")
    monkeypatch.delenv("PINCITE_CORS_ORIGINS")
    Path("pincite.toml").write_text('cors_origins = ["https://b.example"]')
    assert load_settings({}).cors_origins == ("https://b.example",)
    for bad in ("*", "https://*.example", "b.example", "https://b.example/", "https://B.example", "null"):
        with pytest.raises(ValueError, match="cors_origins"):
            load_settings({"cors_origins": [bad]})
