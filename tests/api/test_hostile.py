"""Generated documents, questions and filters: no server error, and every citation holds to the character."""

from __future__ import annotations

import json
from typing import Any

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# One service for all examples of a test: what came before is part of the fuzz.
shared = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
words = st.sampled_from(
    ["bridge", "dialogue", "tram", "Vistula", "😀", "e\u0301", "\u202e", "\0", "\r\n", "東京都", ".", " ", "\n\n"]
)
texts = st.text(max_size=200) | st.lists(words, min_size=1, max_size=60).map(" ".join)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
values = st.recursive(
    scalars, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3)
)
documents = st.fixed_dictionaries(
    {"text": texts},
    optional={
        "title": texts,
        "source": st.text(max_size=20),
        "language": st.text(max_size=10),
        "uri": st.text(max_size=20),
        "media_type": st.sampled_from(["text/plain", "text/markdown", "text/html", "application/json", "a/b", "", ";"]),
        "metadata": st.dictionaries(st.text(max_size=10), values, max_size=4),
    },
)
fields = st.sampled_from(
    ["published", "added", "source", "language", "document_id", "media_type", "metadata.a", "metadata.", "x"]
)
operators = st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "exists", "like"])
conditions = st.builds(lambda field, operator, value: {"field": field, operator: value}, fields, operators, values)
filters = st.recursive(
    conditions,
    lambda below: (
        st.lists(below, max_size=3).flatmap(lambda some: st.sampled_from([{"and": some}, {"or": some}]))
        | below.map(lambda one: {"not": one})
    ),
    max_leaves=5,
)


@shared
@given(document=documents, query=texts)
def test_any_document_can_be_added_and_cited(client: TestClient, document: dict[str, Any], query: str) -> None:
    """A document is taken or refused with a reason; what a search then cites stands where it says."""
    added = client.post("/v1/documents", json={"documents": [{"id": "hostile", **document}]})
    assert added.status_code in {200, 422}, added.text
    found = client.post("/v1/search", json={"query": query})
    assert found.status_code in {200, 422}, found.text
    citations = [one["citation"] for result in found.json().get("results", []) for one in result["passages"]]
    for citation in citations:
        span = {"start": citation["start_char"], "end": citation["end_char"]}
        read = client.get(f"/v1/documents/{citation['document_id']}/text", params=span).json()
        assert read["text"] == citation["quote"]
        assert (read["start_utf16"], read["end_utf16"]) == (citation["start_utf16"], citation["end_utf16"])
    if citations:
        verified = client.post("/v1/citations/verify", json={"citations": citations}).json()["results"]
        assert {one["status"] for one in verified} == {"exact"}


@shared
@given(filter_=filters, query=texts)
def test_any_filter_is_answered_or_refused(client: TestClient, filter_: dict[str, Any], query: str) -> None:
    """Whatever is filtered by, the answer is an answer, or 422 with the place in the filter."""
    response = client.post("/v1/ask", json={"query": query or "x", "filter": filter_, "explain": True})
    assert response.status_code in {200, 422}, response.text
    if response.status_code == 422 and response.json()["code"] == "filter_invalid":
        assert response.json()["field"].startswith("filter")


@shared
@given(body=values)
def test_any_json_is_answered_or_refused(client: TestClient, body: Any) -> None:
    """Every POST and PUT takes what it understands, and says what it does not."""
    sent: dict[str, Any] = {"content": json.dumps(body), "headers": {"Content-Type": "application/json"}}
    for path in ("/v1/ask", "/v1/search", "/v1/citations/verify", "/v1/documents"):
        assert client.post(path, **sent).status_code == 422
    assert client.put("/v1/documents/a", **sent).status_code == 422
