"""JSON is read strictly, and so are content types, parameters and methods."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.problems import Problem
from api.strict import parse_json

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"query": "a",}',
        b"{'query': 'a'}",
        b'{"query": "a"} x',
        b'{"query": NaN}',
        b'{"query": "a", "top_k": Infinity}',
        b'{"query": "a", "top_k": -Infinity}',
        b'{"query": "a", "top_k": 1e999}',
        b'{"query": "\\ud800"}',
        b'{"query": "\\udfff\\ud800"}',
        b'{"query": "\xed\xa0\x80"}',
        b'{"query": "\xff"}',
        b'\xef\xbb\xbf{"query": "a"}',
        '{"query": "a"}'.encode("utf-16"),
        b'{"query": "a\nb"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"query": "a", "top_k": ' + b"9" * 10_000 + b"}",
    ],
    ids=range(19),
)
def test_malformed_json_is_400(empty: TestClient, body: bytes) -> None:
    """Never 422, never 500, whatever is wrong with it."""
    response = empty.post("/v1/ask", content=body, headers=JSON)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("body", [b"null", b"[]", b'"a"', b"1", b"true"])
def test_json_that_is_no_object_is_422(empty: TestClient, body: bytes) -> None:
    """Well-formed, but not what the route takes."""
    assert empty.post("/v1/ask", content=body, headers=JSON).status_code == 422


def test_a_surrogate_pair_is_one_character(empty: TestClient) -> None:
    """An escaped character outside the BMP is fine."""
    response = empty.post("/v1/ask", content=b'{"query": "\\ud83d\\ude00"}', headers=JSON)
    assert (response.status_code, response.json()["query"]) == (200, "😀")


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/search", "/v1/citations/verify", "/v1/documents"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "", "json"])
def test_another_content_type_is_415(empty: TestClient, path: str, kind: str) -> None:
    """JSON is taken as JSON only where it is called JSON."""
    response = empty.post(path, content=b'{"query": "a"}', headers={"Content-Type": kind})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


def test_a_charset_does_not_change_the_content_type(empty: TestClient) -> None:
    """`application/json; charset=utf-8` is JSON."""
    head = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert empty.post("/v1/ask", content=b'{"query": "a"}', headers=head).status_code == 200


def test_multipart_is_for_documents_only(empty: TestClient) -> None:
    """A question cannot be sent as a form."""
    assert empty.post("/v1/ask", files=[("query", (None, "a"))]).status_code == 415


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/healthz?x=1"),
        ("GET", "/readyz?x=1"),
        ("GET", "/metrics?x=1"),
        ("GET", "/v1/info?x=1"),
        ("GET", "/v1/jobs?x=1"),
        ("GET", "/v1/collections?x=1"),
        ("GET", "/v1/collections/default?x=1"),
        ("PUT", "/v1/collections/new?x=1"),
        ("DELETE", "/v1/collections/new?x=1"),
        ("GET", "/v1/documents/a?x=1"),
        ("GET", "/v1/documents/a/original?x=1"),
        ("DELETE", "/v1/documents/a?x=1"),
        ("POST", "/v1/ask?collection=default"),
        ("POST", "/v1/documents?collection=default"),
    ],
)
def test_an_unknown_parameter_is_422(empty: TestClient, method: str, path: str) -> None:
    """Also where a parameter of this name exists elsewhere."""
    response = empty.request(method, path)
    assert (response.status_code, response.json()["code"]) == (422, "unknown_parameter")


def test_another_method_is_405_and_names_the_right_ones(empty: TestClient) -> None:
    """With the Allow header, as a problem."""
    response = empty.get("/v1/ask")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


@given(st.binary(max_size=64))
def test_any_bytes_are_json_or_a_problem(data: bytes) -> None:
    """Whatever is sent, the answer is a value or a 400, and a value is one that Python's strict reader agrees with."""
    try:
        value = parse_json(data)
    except Problem as problem:
        assert problem.status_code == 400  # noqa: PT017
    else:
        assert value == json.loads(data.decode("utf-8"))


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(), st.lists))
def test_any_value_is_read_back(value: object) -> None:
    """What JSON can say is read as it was written."""
    assert parse_json(json.dumps(value).encode()) == value
