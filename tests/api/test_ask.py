"""POST /v1/ask as JSON: what it answers, and that every field of the question changes something."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from rag.ask import UNREAD

QUESTION = "How was the 2+2 intersessional dialogue held?"


def ask(client: TestClient, query: str = QUESTION, **fields: Any) -> dict[str, Any]:
    """Ask and return the answer."""
    response = client.post("/v1/ask", json={"query": query, **fields})
    assert response.status_code == 200, response.text
    return response.json()


def documents(answer: dict[str, Any]) -> list[str]:
    """Return the ids of the documents shown, in their order, answer or not."""
    return [passage["document"]["id"] for passage in answer["passages"] + answer["nearest"]]


def test_an_answer_has_every_member_of_the_contract(client: TestClient) -> None:
    """The members are there, null where no reader is loaded."""
    answer = ask(client)
    assert answer["object"] == "answer"
    assert answer["id"].startswith("ask_")
    assert answer["created"].endswith("Z")
    assert (answer["query"], answer["standalone_query"]) == (QUESTION, None)
    assert (answer["answerable"], answer["reason"], answer["nearest"]) == (True, None, [])
    assert answer["outcome"] == "answered"
    assert [answer[name] for name in ("confidence", "threshold", "quote", "answer")] == [None, None, None, None]
    assert (answer["conflicts"], answer["degraded"], answer["warnings"]) == ([], [], [UNREAD])
    assert answer["snapshot"]["config"].startswith("sha256:")
    assert answer["timing_ms"]["total"] > 0


def test_a_passage_has_every_member_of_the_contract(client: TestClient) -> None:
    """Rank, scores, document, citation and highlights of the best passage; no explanation that was not asked for."""
    passage = ask(client)["passages"][0]
    assert passage["rank"] == 1
    assert passage["score"] == passage["scores"]["fused"]
    assert set(passage["scores"]) == {"dense", "lexical", "fused", "reader"}
    assert passage["scores"]["reader"] is None
    assert passage["document"] == {
        "id": "dialogue",
        "title": "Dialogue of two ministries",
        "uri": "https://example.org/dialogue",
        "source": "ANI",
        "published": "2025-08-26",
        "language": "en",
        "metadata": {"place": "New Delhi", "pages": 2},
    }
    citation = passage["citation"]
    assert citation["url"] == f"/d/dialogue?s={citation['start_char']}-{citation['end_char']}"
    assert citation["page"] is None
    assert citation["heading_path"] == []
    assert "explain" not in passage
    assert {"sentence", "term"} >= {highlight["kind"] for highlight in passage["highlights"]} > set()


def test_a_quote_is_the_text_at_its_offsets(client: TestClient) -> None:
    """Code points by `/text`, UTF-16 units by counting them, in a text with a character outside the BMP."""
    citation = ask(client, "Which bridge carries trams and when did its builders finish?")["passages"][0]["citation"]
    given = client.get(f"/v1/documents/{citation['document_id']}/text").json()["text"]
    assert given[citation["start_char"] : citation["end_char"]] == citation["quote"]
    units = given.encode("utf-16-le")
    assert units[2 * citation["start_utf16"] : 2 * citation["end_utf16"]].decode("utf-16-le") == citation["quote"]
    assert citation["end_utf16"] - citation["start_utf16"] == len(citation["quote"]) + 1


def test_what_nothing_answers_is_declined(client: TestClient) -> None:
    """Not answerable is 200: a reason, no passages, no answer."""
    answer = ask(client, "zymurgy", mode="lexical")
    assert (answer["answerable"], answer["passages"], answer["answer"]) == (False, [], None)
    assert answer["reason"]["code"] == "below_threshold"
    assert answer["reason"]["text"]


def test_an_empty_collection_says_so(empty: TestClient) -> None:
    """Without documents the reason is that there are none; without a reader nothing is said of confidence."""
    answer = ask(empty)
    assert (answer["reason"]["code"], answer["confidence"], answer["threshold"]) == ("empty_collection", None, None)


def test_collection_decides_where_is_asked(client: TestClient) -> None:
    """Another collection holds other documents, and its citations carry its name."""
    client.put("/v1/collections/other", json={})
    assert ask(client, collection="other")["reason"]["code"] == "empty_collection"
    document = {"id": "dialogue", "text": "The 2+2 intersessional dialogue was held virtually."}
    client.post("/v1/documents", json={"collection": "other", "documents": [document]})
    citation = ask(client, collection="other")["passages"][0]["citation"]
    assert citation["collection"] == "other"
    assert citation["url"].startswith("/d/dialogue?collection=other&s=")


def test_an_unknown_collection_is_404(client: TestClient) -> None:
    """A collection that does not exist is not made up."""
    response = client.post("/v1/ask", json={"query": QUESTION, "collection": "nowhere"})
    assert (response.status_code, response.json()["code"]) == (404, "collection_missing")


def test_top_k_bounds_the_passages(client: TestClient) -> None:
    """At most so many passages are shown."""
    assert len(documents(ask(client, top_k=1))) == 1
    assert len(documents(ask(client, top_k=3))) > 1


def test_filter_decides_what_is_searched(client: TestClient) -> None:
    """Only what the filter leaves is found, and a filter that leaves nothing is the reason."""
    answer = ask(client, filter={"and": [{"field": "language", "eq": "de"}]})
    assert set(documents(answer)) <= {"honig"}
    nothing = ask(client, filter={"field": "published", "gte": "2026"})
    assert nothing["reason"]["code"] == "filter_matched_nothing"


def test_a_filter_that_does_not_follow_the_language_names_the_place(client: TestClient) -> None:
    """A bad operand is 422 with the path into the filter."""
    bad = {"and": [{"field": "published", "gte": "26.8.2025"}]}
    response = client.post("/v1/ask", json={"query": QUESTION, "filter": bad})
    assert response.status_code == 422
    assert response.json()["code"] == "filter_invalid"
    assert response.json()["field"] == "filter.and[0].gte"


@pytest.mark.parametrize(("mode", "silent"), [("dense", "lexical"), ("lexical", "dense")])
def test_mode_decides_which_leg_is_asked(client: TestClient, mode: str, silent: str) -> None:
    """With one leg the other gives no score."""
    answer = ask(client, mode=mode)
    scores = (answer["passages"] + answer["nearest"])[0]["scores"]
    assert scores[silent] is None
    assert scores[mode] is not None


def test_at_least_waits_for_a_write_or_says_503(client: TestClient) -> None:
    """The token of a write that happened is fine, one of the future is not reached, and rubbish is no token."""
    token = client.put("/v1/documents/late", json={"text": "A late document."}).json()["snapshot"]["token"]
    assert ask(client, at_least=token)["snapshot"]["token"] == token
    future = client.post("/v1/ask", json={"query": QUESTION, "at_least": str(int(token) + 1000)})
    assert (future.status_code, future.json()["code"]) == (503, "behind")
    assert int(future.headers["retry-after"]) > 0
    rubbish = client.post("/v1/ask", json={"query": QUESTION, "at_least": "soon"})
    assert (rubbish.status_code, rubbish.json()["code"]) == (422, "token_invalid")


def test_history_completes_a_question(client: TestClient) -> None:
    """What a follow-up leaves out is carried over, and `standalone_query` shows it."""
    history = [
        {"role": "user", "content": "Tell me about the bridge over the Vistula."},
        {"role": "assistant", "content": "The bridge carries trams."},
    ]
    answer = ask(client, "When did it open?", history=history)
    assert answer["standalone_query"] is not None
    assert "bridge" in answer["standalone_query"]
    assert ask(client, "When did it open?")["standalone_query"] is None


def test_explain_adds_the_explanation(client: TestClient) -> None:
    """Each passage tells how it came to its place."""
    assert ask(client, explain=True)["passages"][0]["explain"]


def test_the_same_question_on_the_same_snapshot_has_the_same_answer(client: TestClient) -> None:
    """Only id, time and timings differ."""
    first, second = ask(client), ask(client)
    for answer in (first, second):
        del answer["id"], answer["created"], answer["timing_ms"]
    assert first == second


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"query": ""}, "query", "invalid_value"),
        ({"query": " \n\t\u2003"}, "query", "invalid_value"),
        ({"top_k": 0}, "top_k", "invalid_value"),
        ({"top_k": 51}, "top_k", "invalid_value"),
        ({"top_k": "5"}, "top_k", "invalid_value"),
        ({"top_k": True}, "top_k", "invalid_value"),
        ({"explain": "true"}, "explain", "invalid_value"),
        ({"stream": 1}, "stream", "invalid_value"),
        ({"mode": "magic"}, "mode", "invalid_value"),
        ({"history": [{"role": "system", "content": "x"}]}, "history[0].role", "invalid_value"),
        ({"history": [{"role": "user", "content": "x"}] * 65}, "history", "invalid_value"),
        ({"collection": "a/b"}, "collection", "invalid_value"),
        ({"filter": "language"}, "filter", "invalid_value"),
        ({"read": "no"}, "read", "invalid_value"),
        ({"budget_ms": 0}, "budget_ms", "invalid_value"),
        ({"budget_ms": 60_001}, "budget_ms", "invalid_value"),
        ({"budget_ms": 1.5}, "budget_ms", "invalid_value"),
        ({"min_confidence": -0.1}, "min_confidence", "invalid_value"),
        ({"min_confidence": 1.1}, "min_confidence", "invalid_value"),
        ({"min_confidence": "0.5"}, "min_confidence", "invalid_value"),
        ({"answer": True}, "answer", "unknown_field"),
        ({"history": [{"role": "user", "content": "x", "name": "y"}]}, "history[0].name", "unknown_field"),
    ],
)
def test_a_bad_field_is_422_and_named(client: TestClient, fields: dict[str, Any], field: str, code: str) -> None:
    """Nothing is coerced, and nothing unknown is taken."""
    response = client.post("/v1/ask", json={"query": QUESTION, **fields})
    assert response.status_code == 422
    assert (response.json()["field"], response.json()["code"]) == (field, code)


def test_a_question_may_have_8192_bytes(client: TestClient) -> None:
    """The limit counts bytes of UTF-8, and the problem names it."""
    assert client.post("/v1/ask", json={"query": "é" * 4096}).status_code == 200
    response = client.post("/v1/ask", json={"query": "é" * 4097})
    assert response.status_code == 422
    assert (response.json()["field"], response.json()["limit"]) == ("query", 8192)


def test_a_question_of_a_megabyte_is_refused(client: TestClient) -> None:
    """A very long question is told its limit, and is not repeated in the problem."""
    response = client.post("/v1/ask", json={"query": "why " * 2**18})
    assert (response.status_code, response.json()["limit"]) == (422, 8192)
    assert len(response.content) < 2000


def test_a_history_may_have_64_kb(client: TestClient) -> None:
    """All turns together are bounded."""
    turns = [{"role": "user", "content": "x" * 40_000}] * 2
    response = client.post("/v1/ask", json={"query": QUESTION, "history": turns})
    assert (response.status_code, response.json()["limit"]) == (422, 65_536)
