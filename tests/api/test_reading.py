"""Asking and searching with a reader: what it adds, and that every field about it changes something."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api import wiring
from rag import deciding, judging, verdict
from rag.reading import WordReader

QUESTION = "When was the 2+2 intersessional dialogue of India and the United States held?"
FEATURES = ("confidence", "threshold", "quote", "answer")


@pytest.fixture
def reading(serve: Callable[..., TestClient], client: TestClient) -> TestClient:
    """A client of a service with a reader, over the same corpus as `client`, which has none."""
    return serve(WordReader())


def ask(client: TestClient, query: str = QUESTION, **fields: Any) -> dict[str, Any]:
    """Ask and return the answer."""
    response = client.post("/v1/ask", json={"query": query, **fields})
    assert response.status_code == 200, response.text
    return response.json()


def search(client: TestClient, query: str = QUESTION, **fields: Any) -> dict[str, Any]:
    """Search and return the only result."""
    response = client.post("/v1/search", json={"query": query, **fields})
    assert response.status_code == 200, response.text
    return response.json()["results"][0]


def shown(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the passages, answer or not."""
    return answer["passages"] + answer["nearest"]


def test_an_exact_answer_stands_where_it_says(reading: TestClient) -> None:
    """The words are those of the document at their offsets, lie in a passage shown, and are marked there."""
    answer = ask(reading, min_confidence=0)
    exact = answer["answer"]
    for said in (answer["quote"], exact, *exact["alternatives"]):
        citation = said["citation"]
        text = reading.get(f"/v1/documents/{said['document']['id']}/text").json()["text"]
        assert text[citation["start_char"] : citation["end_char"]] == citation["quote"] == said["text"]
    place = (exact["citation"]["start_char"], exact["citation"]["end_char"])
    holding = [one for one in answer["passages"] if one["document"]["id"] == exact["document"]["id"]]
    marks = [mark for one in holding for mark in one["highlights"] if mark["kind"] == "answer"]
    assert place in [(mark["start_char"], mark["end_char"]) for mark in marks]


def test_confidence_is_set_whether_it_answers_or_not(reading: TestClient) -> None:
    """A probability beside the threshold that it was held against; a refusal has no exact answer."""
    for query in (QUESTION, "Which enzyme splits lactose in mammals?"):
        answer = ask(reading, query)
        assert 0 <= answer["confidence"] <= 1
        assert 0 < answer["threshold"] < 1
        assert answer["answerable"] is (answer["confidence"] >= answer["threshold"])
        assert answer["answerable"] is (answer["outcome"] == "answered") is (answer["quote"] is not None)
        assert answer["warnings"] == []
        assert (answer["answer"] is None) or answer["answerable"]
        assert (answer["reason"] is None) is answer["answerable"]


def test_the_readers_score_and_time_are_told(reading: TestClient) -> None:
    """Beside the first stage's; and the time that reading took, also to an operator."""
    answer = ask(reading)
    assert {type(one["scores"]["reader"]) for one in shown(answer)} == {float}
    assert 0 < answer["timing_ms"]["read"] < answer["timing_ms"]["total"]
    assert search(reading)["passages"][0]["scores"]["reader"] is not None
    lines = reading.get("/metrics").text.splitlines()
    for kind in ("ask", "search"):
        assert f'pincite_question_seconds_count{{kind="{kind}",stage="read"}} 1.0' in lines
    assert any(one.startswith("pincite_build_info{") and 'reader="words"' in one for one in lines)


def test_read_decides_whether_anything_is_read(client: TestClient, reading: TestClient) -> None:
    """With `false` all is as it is without a reader, but for the digest of what decides."""
    unread, without = ask(reading, read=False), ask(client)
    assert [unread[name] for name in FEATURES] == [None, None, None, None]
    for answer in (unread, without):
        del answer["id"], answer["created"], answer["timing_ms"]
    assert unread.pop("snapshot")["config"] != without.pop("snapshot")["config"]
    assert unread == without
    assert search(reading, read=False) == search(client) != search(reading)


def test_a_budget_cuts_what_is_read_and_says_so(serve: Callable[..., TestClient], client: TestClient) -> None:
    """A reader that is slow for the budget reads less; without a budget it reads all."""
    slow = serve(WordReader(per_second=1.0))
    assert "reader_budget" in ask(slow, budget_ms=1_000)["degraded"]
    assert "reader_budget" in search(slow, budget_ms=1_000)["degraded"]
    assert "reader_budget" not in ask(serve(WordReader()), budget_ms=60_000)["degraded"]


def test_min_confidence_replaces_the_threshold(reading: TestClient) -> None:
    """0 refuses nothing, 1 all that is not certain; the confidence stays."""
    usual, most, least = (ask(reading, **given) for given in ({}, {"min_confidence": 0}, {"min_confidence": 1}))
    assert usual["confidence"] == most["confidence"] == least["confidence"] < 1
    assert (most["threshold"], most["answerable"], most["reason"]) == (0, True, None)
    assert (least["threshold"], least["answerable"], least["passages"]) == (1, False, [])
    assert least["reason"]["code"] == "below_threshold"
    assert reading.post("/v1/search", json={"query": "x", "min_confidence": 0}).json()["code"] == "unknown_field"


def test_the_stream_ends_with_the_same_answer(
    reading: TestClient, events: Callable[[str], list[tuple[str, str]]]
) -> None:
    """Candidates are not read yet; the answer is the one that JSON brings."""
    response = reading.post("/v1/ask", json={"query": QUESTION, "stream": True})
    told = {name: json.loads(data) for name, data in events(response.text)}
    assert {one["scores"]["reader"] for one in told["candidates"]["passages"]} == {None}
    whole = ask(reading)
    assert [told["answer"][name] for name in (*FEATURES, "passages")] == [
        whole[name] for name in (*FEATURES, "passages")
    ]


def test_info_names_the_reader(client: TestClient, reading: TestClient) -> None:
    """With what runs it, or null where there is none."""
    assert reading.get("/v1/info").json()["reader"] == {"fingerprint": "words", "runtime": "words"}
    assert client.get("/v1/info").json()["reader"] is None


@pytest.mark.parametrize(("room", "constant"), [(deciding, "OTHER"), (judging, "SPAN_RELEVANCE"), (verdict, "SPOKEN")])
def test_the_config_tells_of_another_constant(
    reading: TestClient, client: TestClient, monkeypatch: pytest.MonkeyPatch, room: ModuleType, constant: str
) -> None:
    """What decides an answer with a reader changes the digest, and nothing of it changes the one without."""
    both = (reading, client)
    before = [ask(one)["snapshot"]["config"] for one in both]
    monkeypatch.setattr(room, constant, 0.9)
    wiring._config_digest.cache_clear()
    after = [ask(one)["snapshot"]["config"] for one in both]
    wiring._config_digest.cache_clear()
    assert (after[0] != before[0], after[1] == before[1]) == (True, True)
