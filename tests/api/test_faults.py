"""A disk that is full or fails, as clients see it."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from api.wiring import Pincite


def added(client: TestClient, document_id: str, text: str) -> Any:
    """Send one document."""
    return client.post("/v1/documents", json={"documents": [{"id": document_id, "text": text}]})


def test_a_full_disk_is_507_and_reading_goes_on(client: TestClient, pincite: Pincite) -> None:
    """The write is refused with what to do, questions are answered, and with space writing works again."""
    connection = pincite.catalog._store._writer
    connection.pragma("max_page_count", connection.pragma("page_count"))
    refused = added(client, "big", "x " * 200_000)
    assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
    assert "Free some space" in refused.json()["detail"]
    assert client.post("/v1/ask", json={"query": "bridge trams"}).status_code == 200
    assert client.get("/readyz").status_code == 200
    connection.pragma("max_page_count", 2**30)
    assert added(client, "big", "x " * 200_000).status_code == 200


def test_after_a_failed_sync_writes_are_503_and_the_server_is_not_ready(client: TestClient, pincite: Pincite) -> None:
    """Whoever watches the server learns that it has to be started again; reading goes on."""
    pincite.catalog._store._unsynced = "made by a test"
    refused = added(client, "a", "words")
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert "start Pincite again" in ready.json()["unavailable"]["*"]
    assert client.get("/healthz").status_code == 200
    assert client.post("/v1/ask", json={"query": "bridge trams"}).status_code == 200
