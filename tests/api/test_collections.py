"""Collections: list, create, describe, drop."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient


def test_default_always_exists(empty: TestClient) -> None:
    """A new service has one collection, and dropping it empties it."""
    (only,) = empty.get("/v1/collections").json()["collections"]
    assert (only["name"], only["documents"], only["passages"], only["updated"]) == ("default", 0, 0, None)
    empty.put("/v1/documents/a", json={"text": "words"})
    assert empty.get("/v1/collections/default").json()["documents"] == 1
    assert empty.delete("/v1/collections/default").status_code == 200
    assert empty.get("/v1/collections/default").json()["documents"] == 0


def test_put_creates_once(empty: TestClient) -> None:
    """201 when it is new, 200 when it is there, with `{}` or without a body."""
    assert empty.put("/v1/collections/notes", json={}).status_code == 201
    again = empty.put("/v1/collections/notes")
    assert (again.status_code, again.json()["name"]) == (200, "notes")
    assert [one["name"] for one in empty.get("/v1/collections").json()["collections"]] == ["default", "notes"]


@pytest.mark.parametrize("name", ["a%20b", "x" * 65, "%C3%A9", "a~b"])
def test_a_bad_name_is_422(empty: TestClient, name: str) -> None:
    """A name has its alphabet and its length."""
    assert empty.put(f"/v1/collections/{name}", json={}).status_code == 422


def test_there_are_no_settings_yet(empty: TestClient) -> None:
    """A setting that has no effect is not taken."""
    response = empty.put("/v1/collections/notes", json={"language": "en"})
    assert (response.status_code, response.json()["code"]) == (422, "unknown_field")
    assert empty.get("/v1/collections/notes").status_code == 404


def test_a_collection_is_described(client: TestClient) -> None:
    """Counts, facets and the instant of the last change."""
    described = client.get("/v1/collections/default").json()
    assert (described["documents"], described["passages"]) == (3, 3)
    assert described["characters"] > 200
    assert described["updated"].endswith("Z")
    assert described["encoder"].startswith("hashing")
    assert described["facets"] == {
        "sources": {"ANI": 1, "Courier": 1},
        "languages": {"en": 2, "de": 1},
        "years": {"2025": 1, "2024": 1},
    }


def test_examples_are_questions_that_are_answered(empty: TestClient) -> None:
    """Each example, asked, has an answer; an empty collection has none."""
    assert empty.get("/v1/collections/default").json()["examples"] == []
    document = {"title": "Honey harvest", "text": "What is said about the honey harvest is this: it is in July."}
    empty.put("/v1/documents/honey", json=document)
    asked = empty.get("/v1/collections/default").json()["examples"]
    assert asked
    assert all(empty.post("/v1/ask", json={"query": query}).json()["answerable"] for query in asked)


def test_examples_follow_the_documents(empty: TestClient) -> None:
    """They are the same while nothing changes, and gone once the documents are."""
    document = {"title": "Honey harvest", "text": "What is said about the honey harvest is this: it is in July."}
    empty.put("/v1/documents/honey", json=document)
    before = empty.get("/v1/collections/default").json()["examples"]
    assert before
    assert empty.get("/v1/collections/default").json()["examples"] == before
    empty.delete("/v1/documents/honey")
    assert empty.get("/v1/collections/default").json()["examples"] == []


def test_drop_takes_the_documents_along(client: TestClient) -> None:
    """A collection made again under the same name is empty."""
    client.put("/v1/collections/notes")
    client.put("/v1/documents/a?collection=notes", json={"text": "words"})
    dropped = client.delete("/v1/collections/notes")
    assert (dropped.status_code, dropped.json()) == (200, {"name": "notes", "status": "dropped"})
    assert client.get("/v1/collections/notes").json()["code"] == "collection_missing"
    assert client.delete("/v1/collections/notes").status_code == 404
    assert client.put("/v1/collections/notes").json()["documents"] == 0
