"""POST /v1/check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.limits import CHECK_BYTES, CHECK_SENTENCES
from api.wiring import Pincite
from rag.reading import Reader

HOST = "http://127.0.0.1:8000"
NOTES = [
    {"id": "bridge", "text": "The bridge 🌉 opened in 2024. It carries trams and bicycles.", "language": "en"},
    {"id": "honey", "text": "Honey is harvested in July.", "source": "Courier"},
]


@pytest.fixture
def reading(pincite: Pincite, number_reader: Reader) -> Iterator[TestClient]:
    """A client of a service with a reader, over two documents."""
    with TestClient(create_app(replace(pincite, reader=number_reader)), base_url=HOST) as client:
        assert client.post("/v1/documents", json={"documents": NOTES}).status_code == 200
        yield client


def check(client: TestClient, text: str, **fields: Any) -> dict[str, Any]:
    """Check a text and return the JSON."""
    response = client.post("/v1/check", json={"text": text, **fields})
    assert response.status_code == 200, response.text
    return response.json()


def test_each_sentence_has_its_verdict_and_its_quotes(reading: TestClient) -> None:
    """Offsets into the text that was sent, in both countings; quotes that verify as they are."""
    text = "😀 Honey is harvested in July. The bridge opened in 1066. Why? Nobody collects stamps."
    found = check(reading, text)
    assert [one["verdict"] for one in found["claims"]] == ["supported", "contradicted", "not_found", "not_found"]
    for one in found["claims"]:
        assert text[one["start_char"] : one["end_char"]] == one["text"]
        assert (one["end_utf16"] - one["start_utf16"]) * 2 == len(one["text"].encode("utf-16-le"))
    first, second, asking, last = found["claims"]
    assert (second["start_char"], second["start_utf16"]) == (30, 31)
    assert [cited["quote"] for cited in second["citations"]] == ["The bridge 🌉 opened in 2024."]
    assert (asking["confidence"], asking["nearest"], last["citations"]) == (None, [], [])
    assert all(0 < one["confidence"] <= 1 for one in (first, second, last))
    cited = [one for claim in found["claims"] for side in ("citations", "nearest") for one in claim[side]]
    verified = reading.post("/v1/citations/verify", json={"citations": cited}).json()["results"]
    assert [one["status"] for one in verified] == ["exact"] * 3
    assert found["snapshot"] == check(reading, text)["snapshot"]
    assert (set(found["timing_ms"]), found["degraded"]) == ({"encode", "retrieve", "read", "total"}, [])


def test_sources_that_disagree_are_both_quoted(reading: TestClient) -> None:
    """Under `against` what says the contrary of the verdict."""
    reading.put("/v1/documents/other", json={"text": "The bridge opened in 1999."})
    (claim,) = check(reading, "The bridge opened in 1999.")["claims"]
    assert claim["verdict"] == "supported"
    assert [cited["document_id"] for cited in claim["citations"]] == ["other"]
    assert [cited["document_id"] for cited in claim["against"]] == ["bridge"]


def test_filter_and_collection_decide_what_is_read(reading: TestClient) -> None:
    """Every field that is declared does something."""
    text = "Honey is harvested in July."
    (elsewhere,) = check(reading, text, filter={"field": "document_id", "eq": "bridge"})["claims"]
    assert (elsewhere["verdict"], elsewhere["nearest"][0]["document_id"]) == ("not_found", "bridge")
    reading.put("/v1/collections/void", json={})
    (nowhere,) = check(reading, text, collection="void")["claims"]
    assert (nowhere["verdict"], nowhere["confidence"], nowhere["nearest"]) == ("not_found", 1.0, [])


@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({}, 422, "missing_field", "text"),
        ({"text": " \n"}, 422, "invalid_value", "text"),
        ({"text": "é" * (CHECK_BYTES // 2 + 1)}, 422, "invalid_value", "text"),
        ({"text": "It is so. " * (CHECK_SENTENCES + 1)}, 422, "invalid_value", "text"),
        ({"text": "Why?", "filter": {"field": "colour", "eq": 1}}, 422, "filter_invalid", "filter.field"),
        ({"text": "It is so.", "collection": "never"}, 404, "collection_missing", None),
        ({"text": "It is so.", "top_k": 3}, 422, "unknown_field", "top_k"),
    ],
)
def test_what_is_wrong_is_told(
    reading: TestClient, fields: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    """With its code and the field at fault."""
    response = reading.post("/v1/check", json=fields)
    told = response.json()
    assert (response.status_code, told["code"], told.get("field")) == (status, code, field)


def test_limits_are_told_where_they_are_passed(reading: TestClient) -> None:
    """As many sentences as are allowed are checked, and one more is refused with the number."""
    assert len(check(reading, "Oh no. " * CHECK_SENTENCES)["claims"]) == CHECK_SENTENCES
    refused = reading.post("/v1/check", json={"text": "Oh no. " * (CHECK_SENTENCES + 1)}).json()
    assert refused["limit"] == CHECK_SENTENCES


def test_without_a_reader_nothing_is_checked(client: TestClient) -> None:
    """The problem says how to turn it on."""
    response = client.post("/v1/check", json={"text": "Honey is harvested in July."})
    assert (response.status_code, response.json()["code"]) == (409, "reader_off")
    assert "PINCITE_READER=on" in response.json()["detail"]


def test_checks_are_counted(reading: TestClient) -> None:
    """By whether anything was found, and errors apart; with what their stages took."""
    for text in ("Honey is harvested in July.", "Nobody collects stamps.", "Nobody collects coins."):
        check(reading, text)
    reading.post("/v1/check", json={"text": "It is so.", "collection": "never"})
    lines = reading.get("/metrics").text.splitlines()
    for outcome, count in (("answered", 1), ("declined", 2), ("error", 1)):
        assert f'pincite_questions_total{{kind="check",outcome="{outcome}"}} {count}.0' in lines
    assert 'pincite_question_seconds_count{kind="check",stage="read"} 3.0' in lines
