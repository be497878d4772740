"""A collection's own rankings over HTTP: fitted, listed, chosen, and told with every answer."""

from __future__ import annotations

import random
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.dependencies import Running
from index.collection import Collection
from rag.rankings import settings_of
from rag.retrieval import Ranking

RANKINGS, RANKING = "/v1/collections/default/rankings", "/v1/collections/default/ranking"
OTHER = settings_of(Ranking(fusion="reciprocal_rank"))
WORDS = ["bridge", "trams", "Vistula", "honey", "dialogue", "ministries", "virtually", "framework", "builders", "cars"]


def collection(client: TestClient, name: str = "default") -> Collection:
    """Return the collection behind a client."""
    running: Running = client.app.state.running  # type: ignore[attr-defined]
    return running.pincite.catalog.collection(name)


def questions(relevant: dict[str, int] | None, count: int = 12) -> list[dict[str, Any]]:
    """Return questions about the corpus."""
    maker = random.Random(1)
    more = {} if relevant is None else {"relevant": relevant}
    return [{"query": " ".join(maker.sample(WORDS, 3)), **more} for _ in range(count)]


def test_the_ranking_in_use_is_told_with_every_answer(client: TestClient) -> None:
    """By asking, searching and describing; null as long as it is Pincite's own."""
    collection(client).rankings.add(OTHER, {"questions": 12})
    for version in (1, None):
        chosen = client.put(RANKING, json={"version": version}).json()
        assert (chosen["ranking"], chosen["snapshot"]["token"]) == (version, collection(client).token)
        asked = client.post(
            "/v1/ask", json={"query": "trams", "explain": True, "at_least": chosen["snapshot"]["token"]}
        )
        found = client.post("/v1/search", json={"queries": ["trams", "honey"]})
        assert asked.json()["ranking"] == version
        assert [one["ranking"] for one in found.json()["results"]] == [version] * 2
        assert client.get("/v1/collections/default").json()["ranking"] == version
        assert [one["ranking"] for one in client.get("/v1/collections").json()["collections"]] == [version]
        (told,) = client.get(RANKINGS).json()["rankings"]
        assert (told["version"], told["in_use"], told["settings"]) == (1, version == 1, OTHER)
        assert told["figures"] == {"questions": 12}


def test_settings_of_another_version_are_told_as_degraded(client: TestClient) -> None:
    """The answer is Pincite's own, and says that."""
    collection(client).rankings.add({"of": "another version"}, {})
    answer = client.post("/v1/ask", json={"query": "trams"}).json()
    assert (answer["ranking"], answer["degraded"]) == (None, ["ranking_unknown"])
    assert client.get(RANKINGS).json()["rankings"][0]["in_use"] is True


def test_labels_that_say_nothing_keep_nothing(client: TestClient) -> None:
    """Every document is relevant to every question: no order is better."""
    sent = {"questions": questions({"dialogue": 1, "bridge": 1, "honig": 1}), "dry_run": False}
    told = client.post(RANKINGS, json=sent).json()
    assert (told["better"], told["version"], told["settings"]) == (False, None, settings_of(Ranking()))
    assert told["figures"]["questions"] == 12
    assert client.get(RANKINGS).json()["rankings"] == []


def test_places_are_taken_and_texts_that_differ_left_out(client: TestClient) -> None:
    """As `answer_spans`, with the offsets of the contract."""
    text = client.get("/v1/documents/bridge/text").json()["text"]
    place = {"document_id": "bridge", "start_char": 4, "end_char": 14, "text": text[4:14]}
    right = [{**one, "answer_spans": [place]} for one in questions(None)]
    wrong = [{**one, "answer_spans": [{**place, "text": "something else"}]} for one in questions(None, 3)]
    told = client.post(RANKINGS, json={"questions": right + wrong, "dry_run": True}).json()
    assert told["figures"]["left_out"] == {"unlabelled": 0, "not_in_collection": 3}
    assert told["figures"]["questions"] == 12


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PUT", RANKING, {"version": 1}, 404, "ranking_missing"),
        ("PUT", RANKING, {"version": 0}, 422, "invalid_value"),
        ("PUT", RANKING, {}, 422, "missing_field"),
        ("PUT", "/v1/collections/never/ranking", {"version": None}, 404, "collection_missing"),
        ("GET", "/v1/collections/never/rankings", None, 404, "collection_missing"),
        ("POST", RANKINGS, {"questions": []}, 422, "invalid_value"),
        ("POST", RANKINGS, {"questions": questions({"bridge": 1}, 9)}, 422, "questions_too_few"),
        ("POST", RANKINGS, {"questions": questions({"never": 1}, 12)}, 422, "questions_too_few"),
        ("POST", RANKINGS, {"questions": questions({"bridge": 1.5}, 12)}, 422, "invalid_value"),  # type: ignore[dict-item]
        ("POST", RANKINGS, {"questions": [{"query": " "}]}, 422, "invalid_value"),
        ("POST", "/v1/collections/never/rankings", {"questions": questions({"a": 1})}, 404, "collection_missing"),
    ],
)
def test_what_is_wrong_is_told(client: TestClient, method: str, path: str, body: Any, status: int, code: str) -> None:
    """And nothing changes."""
    told = client.request(method, path, json=body)
    assert (told.status_code, told.json()["code"]) == (status, code)
    assert client.get(RANKINGS).json()["rankings"] == []


def test_a_server_that_is_to_end_tunes_no_further(client: TestClient) -> None:
    """It says so before the next question is asked."""
    running: Running = client.app.state.running  # type: ignore[attr-defined]
    running.draining.set()
    told = client.post(RANKINGS, json={"questions": questions({"bridge": 1})})
    assert (told.status_code, told.json()["code"]) == (503, "unavailable")
