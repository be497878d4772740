"""POST /v1/search and POST /v1/citations/verify."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient


def search(client: TestClient, **fields: Any) -> dict[str, Any]:
    """Search and return the JSON."""
    response = client.post("/v1/search", json=fields)
    assert response.status_code == 200, response.text
    return response.json()


def test_one_query_has_one_result(client: TestClient) -> None:
    """A result repeats its query and carries citations; the whole carries snapshot and timings."""
    found = search(client, query="bridge trams")
    (result,) = found["results"]
    assert result["query"] == "bridge trams"
    assert result["passages"][0]["citation"]["document_id"] == "bridge"
    assert found["snapshot"]["token"]
    assert found["timing_ms"]["total"] > 0


def test_several_queries_have_results_in_their_order(client: TestClient) -> None:
    """The first result belongs to the first query."""
    found = search(client, queries=["honey Honig", "bridge trams"])
    assert [result["passages"][0]["document"]["id"] for result in found["results"]] == ["honig", "bridge"]


def test_the_best_are_shown_however_weak(client: TestClient) -> None:
    """A search declines nothing."""
    assert search(client, query="Which enzyme splits lactose in mammals?")["results"][0]["passages"]


@pytest.mark.parametrize("fields", [{}, {"query": "a", "queries": ["b"]}, {"queries": []}, {"queries": ["a"] * 257}])
def test_exactly_one_of_query_and_queries_is_sent(client: TestClient, fields: dict[str, Any]) -> None:
    """Neither, both, none at all or too many are refused."""
    assert client.post("/v1/search", json=fields).status_code == 422


def test_a_bad_query_among_several_is_named(client: TestClient) -> None:
    """The problem says which one is blank."""
    response = client.post("/v1/search", json={"queries": ["bridge", "  "]})
    assert (response.status_code, response.json()["field"]) == (422, "queries[1]")


def test_top_k_bounds_the_passages(client: TestClient) -> None:
    """Up to 1,000 may be asked for, and no more are answered."""
    assert len(search(client, query="bridge", top_k=1)["results"][0]["passages"]) == 1
    assert len(search(client, query="bridge", top_k=1000)["results"][0]["passages"]) == 3
    assert client.post("/v1/search", json={"query": "bridge", "top_k": 1001}).status_code == 422


def test_filter_mode_collection_history_and_explain_change_the_result(client: TestClient) -> None:
    """Every field that is declared does something."""
    (german,) = search(client, query="bridge", filter={"field": "language", "eq": "de"})["results"]
    assert {passage["document"]["id"] for passage in german["passages"]} == {"honig"}
    (lexical,) = search(client, query="bridge", mode="lexical")["results"]
    assert {passage["document"]["id"] for passage in lexical["passages"]} == {"bridge"}
    client.put("/v1/collections/void", json={})
    assert search(client, query="bridge", collection="void")["results"][0]["passages"] == []
    history = [{"role": "user", "content": "Tell me about the bridge over the Vistula."}]
    (followed,) = search(client, query="When did it open?", history=history)["results"]
    assert "bridge" in followed["standalone_query"]
    (explained,) = search(client, query="bridge", explain=True)["results"]
    assert explained["passages"][0]["explain"]
    assert "explain" not in lexical["passages"][0]


def citation_of(client: TestClient) -> dict[str, Any]:
    """Return a citation of the bridge."""
    return search(client, query="bridge trams")["results"][0]["passages"][0]["citation"]


def verify(client: TestClient, *citations: dict[str, Any]) -> list[str]:
    """Return the status of each citation."""
    response = client.post("/v1/citations/verify", json={"citations": citations})
    assert response.status_code == 200, response.text
    return [result["status"] for result in response.json()["results"]]


def test_a_citation_is_exact_until_its_document_changes_or_goes(client: TestClient) -> None:
    """The same citation, sent as it was answered, through the life of its document."""
    citation = citation_of(client)
    assert verify(client, citation) == ["exact"]
    client.put("/v1/documents/bridge", json={"text": "The bridge is closed."})
    assert verify(client, citation) == ["document_changed"]
    client.delete("/v1/documents/bridge")
    assert verify(client, citation) == ["document_gone"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "exact"),
        ({"quote": "The new bridge is made of cheese."}, "text_differs"),
        ({"start_char": 1}, "text_differs"),
        ({"end_char": 40}, "text_differs"),
        ({"end_char": 2**53 - 1}, "text_differs"),
        ({"start_utf16": 1}, "text_differs"),
        ({"end_utf16": 40}, "text_differs"),
        ({"document_sha256": "0" * 64}, "document_changed"),
        ({"document_id": "tunnel"}, "document_gone"),
        ({"collection": "nowhere"}, "document_gone"),
    ],
)
def test_every_field_of_a_citation_counts(client: TestClient, change: dict[str, Any], status: str) -> None:
    """A citation with one field changed is no longer exact, and says why."""
    assert verify(client, {**citation_of(client), **change}) == [status]


def test_a_citation_may_leave_out_what_does_not_decide(client: TestClient) -> None:
    """Five fields are enough, in the default collection."""
    deciding = {"document_id", "document_sha256", "start_char", "end_char", "quote"}
    short = {name: value for name, value in citation_of(client).items() if name in deciding}
    assert verify(client, short, short) == ["exact", "exact"]


@pytest.mark.parametrize(
    "change",
    [{"start_char": -1}, {"document_sha256": "zz"}, {"page": {"first": 0, "last": 1}}, {"url": 3}, {"note": ""}],
)
def test_a_malformed_citation_is_422(client: TestClient, change: dict[str, Any]) -> None:
    """The place of the fault is named."""
    response = client.post("/v1/citations/verify", json={"citations": [{**citation_of(client), **change}]})
    assert response.status_code == 422
    assert response.json()["field"].startswith("citations[0].")
