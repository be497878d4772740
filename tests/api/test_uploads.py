"""Multipart bodies that are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize(
    ("files", "data", "field"),
    [
        ([], {"collection": "default"}, "files"),
        ([("files", ("a.txt", b"a"))], {"collection": "a b"}, "collection"),
        ([("files", ("a.txt", b"a"))], {"wait": "true"}, "wait"),
        ([("file", ("a.txt", b"a"))], {}, "file"),
        ([("collection", ("a.txt", b"a"))], {}, "collection"),
    ],
)
def test_a_bad_upload_is_422(empty: TestClient, files: list[Any], data: dict[str, str], field: str) -> None:
    """No files, a bad name, unknown fields, a file where a name belongs."""
    multipart = files or [("collection", (None, "default"))]
    response = empty.post("/v1/documents", files=multipart, data=data if files else {})
    assert (response.status_code, response.json()["field"]) == (422, field)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"rubbish",
        b'--B\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhalf a fi',
        b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--\r\n",
        b'--B\r\nContent-Disposition: form-data; name="collection"\r\n\r\n' + b"x" * 5000 + b"\r\n--B--\r\n",
    ],
)
def test_a_malformed_upload_is_400_and_adds_nothing(empty: TestClient, body: bytes) -> None:
    """Not multipart, cut short, without a name, with an endless field."""
    response = empty.post("/v1/documents", content=body, headers={"Content-Type": "multipart/form-data; boundary=B"})
    assert response.status_code == 400
    assert empty.get("/v1/jobs").json() == {"jobs": []}


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=B; charset=nonsense"])
def test_strange_multipart_headers_are_no_500(empty: TestClient, kind: str) -> None:
    """No boundary, or a charset that does not exist."""
    body = b'--B\r\nContent-Disposition: form-data; name="f\xff"; filename="\xff.txt"\r\n\r\nx\r\n--B--\r\n'
    response = empty.post("/v1/documents", content=body, headers={"Content-Type": kind})
    assert response.status_code in {400, 422}


def test_more_files_than_the_limit_are_413(serve: Callable[..., TestClient]) -> None:
    """The limit is named."""
    files = [("files", (f"{n}.txt", b"x")) for n in range(3)]
    response = serve(upload_files=2).post("/v1/documents", files=files)
    assert (response.status_code, response.json()["limit"]) == (413, 2)
