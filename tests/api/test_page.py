"""The page's routes: what is served, and that nothing else can be."""

from __future__ import annotations

import gzip
import re

import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize("path", ["/", "/?q=a&filter=b", "/d/dialogue?s=0-5", "/d/anything~2Fat.all?collection=x"])
def test_the_page_is_served(empty: TestClient, path: str) -> None:
    """The same page at `/` and for every document."""
    response = empty.get(path)
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert response.text.lstrip().lower().startswith("<!doctype html>")


def test_every_part_that_the_page_names_is_served(empty: TestClient) -> None:
    """Each script and style of the page is there, with its type and compressed."""
    parts = re.findall(r'(?:src|href)="(/page/[^"]+)"', empty.get("/").text)
    assert parts
    for part in parts:
        response = empty.get(part)
        assert response.status_code == 200, part
        assert response.headers["content-encoding"] == "gzip"
        assert re.match(r"(text/(javascript|css)|image/svg)", response.headers["content-type"])


def test_a_part_is_not_compressed_for_those_who_cannot_read_it(empty: TestClient) -> None:
    """Without gzip in Accept-Encoding the bytes are plain, and the same."""
    plain = empty.get("/", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == empty.get("/").content
    assert gzip.decompress(gzip.compress(plain.content)) == plain.content


def test_an_unchanged_part_is_not_sent_again(empty: TestClient) -> None:
    """304 for the tag that the client has."""
    tag = empty.get("/").headers["etag"]
    again = empty.get("/", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    ["__init__.py", "../app.py", "..%2Fapp.py", "%2e%2e/app.py", "vendor/../../app.py", "/etc/passwd", "vendor", ""],
)
def test_nothing_else_is_served(empty: TestClient, path: str) -> None:
    """The files were listed at start; a path cannot name another one."""
    response = empty.get(f"/page/{path}")
    assert response.status_code in {404, 422}
    assert "import" not in response.text


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/static/x.js", "/v1", "/v1/ask/"])
def test_an_unknown_path_is_a_problem(empty: TestClient, path: str) -> None:
    """404 as problem+json, and no interactive documentation that loads from elsewhere."""
    response = empty.get(path)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert response.json()["code"] == "not_found"
