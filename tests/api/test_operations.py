"""Alive, ready, counts, and what is running."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fastapi.testclient import TestClient

from api.limits import Limits, named_limits
from api.metrics import of_collections
from api.wiring import Pincite

DIALOGUE = {"id": "same", "text": "India and the United States held a dialogue."}


def test_it_is_alive_and_ready(client: TestClient) -> None:
    """Both answer 200, and nothing is behind."""
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "behind": [], "unavailable": {}})


def test_readiness_names_what_is_behind(client: TestClient) -> None:
    """After a deletion the term view counts what is gone until it is made afresh; the service is ready meanwhile."""
    seen: list[str] = []
    for number in range(50):  # it may be made afresh before we look
        client.put(f"/v1/documents/{number}", json={"text": "words"})
        client.delete(f"/v1/documents/{number}")
        ready = client.get("/readyz")
        assert ready.status_code == 200
        seen += ready.json()["behind"]
        if seen:
            break
    assert seen == ["default"]


def test_a_store_that_cannot_be_read_is_not_ready(client: TestClient) -> None:
    """Once the truth is closed under it, readiness is 503 with the reason, and a question says 503 too."""
    client.app.state.running.pincite.catalog.close()  # type: ignore[attr-defined]
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["status"] == "not_ready"
    assert client.get("/healthz").status_code == 200


def test_metrics_count(client: TestClient) -> None:
    """Requests by route and status, questions by outcome, documents and passages."""
    client.post("/v1/ask", json={"query": "How was the 2+2 intersessional dialogue held?"})
    client.get("/v1/documents/never")
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = response.text.splitlines()
    assert 'pincite_questions_total{kind="ask",outcome="answered"} 1.0' in lines
    assert 'pincite_requests_total{method="POST",route="/v1/ask",status="200"} 1.0' in lines
    assert 'pincite_requests_total{method="GET",route="/v1/documents/{id}",status="404"} 1.0' in lines
    assert 'pincite_request_seconds_count{route="/v1/ask"} 1.0' in lines
    assert 'pincite_documents{collection="default"} 3.0' in lines
    assert 'pincite_waiting{queue="questions"} 0.0' in lines
    assert 'pincite_jobs{status="running"} 0.0' in lines
    for stage in ("encode", "retrieve", "assemble", "total"):
        assert f'pincite_question_seconds_count{{kind="ask",stage="{stage}"}} 1.0' in lines
    assert "# TYPE pincite_requests_total counter" in lines


def test_metrics_tell_declined_questions_errors_searches_and_what_was_added(
    client: TestClient, pincite: Pincite
) -> None:
    """Each outcome apart, documents by what became of them, the process and the build."""
    client.post("/v1/ask", json={"query": "xyzzy plugh"})
    client.post("/v1/ask", json={"query": "x", "collection": "nowhere"})
    client.post("/v1/search", json={"queries": ["bridge", "dialogue"]})
    for _ in range(2):
        client.post("/v1/documents", json={"documents": [DIALOGUE, {"text": " "}]})
    lines = client.get("/metrics").text.splitlines()
    assert 'pincite_questions_total{kind="ask",outcome="absent"} 1.0' in lines
    assert 'pincite_questions_total{kind="ask",outcome="error"} 1.0' in lines
    assert 'pincite_questions_total{kind="search",outcome="answered"} 2.0' in lines
    for status, number in (("added", 4.0), ("unchanged", 1.0), ("failed", 2.0)):
        assert f'pincite_ingested_total{{status="{status}"}} {number}' in lines
    assert "pincite_ingested_passages_total 4.0" in lines
    assert 'pincite_view_lag_passages{collection="default"} 0.0' in lines
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)
    assert any(
        line.startswith("pincite_build_info{") and f'encoder="{pincite.encoder.runtime}"' in line for line in lines
    )


def test_metrics_are_told_when_the_store_cannot_be_read(client: TestClient) -> None:
    """All but what would be read from it."""
    client.app.state.running.pincite.catalog.close()  # type: ignore[attr-defined]
    response = client.get("/metrics")
    assert (response.status_code, "pincite_requests_in_flight 1.0" in response.text) == (200, True)


def test_many_collections_are_summed(client: TestClient) -> None:
    """The hundred first have labels of their own; clients cannot make more."""
    infos = [client.app.state.running.collection("default").info()] * 150  # type: ignore[attr-defined]
    named = [replace(info, name=f"c{number:03}") for number, info in enumerate(infos)]
    documents = next(iter(of_collections(named))).samples
    assert len(documents) == 101
    assert documents[-1].labels == {"collection": "*"}
    assert documents[-1].value == 50 * infos[0].documents


def test_a_server_that_is_about_to_end_is_not_ready(client: TestClient) -> None:
    """At once, with a reason and when to come again, while it still answers."""
    client.app.state.running.draining.set()  # type: ignore[attr-defined]
    ready = client.get("/readyz")
    assert (ready.status_code, list(ready.json()["unavailable"])) == (503, ["*"])
    assert int(ready.headers["retry-after"]) > 0
    assert client.get("/healthz").status_code == 200


def test_metrics_hold_nothing_that_was_sent(client: TestClient) -> None:
    """Paths and methods from outside do not become labels."""
    client.get("/canary-4711")
    client.request("CANARY4711", "/v1/ask")
    assert "4711" not in client.get("/metrics").text.upper()


def test_info_tells_versions_model_runtime_limits_and_counts(client: TestClient) -> None:
    """Everything that the contract names."""
    info = client.get("/v1/info").json()
    assert info["name"] == "pincite"
    assert {"python", "faiss-cpu", "tantivy", "apsw"} <= set(info["versions"])
    assert info["model"]["dimension"] == 64
    assert info["runtime"]["encoder"] == "hashing"
    assert ".pdf" in info["formats"]["suffixes"]
    assert info["counts"] == {"collections": 1, "documents": 3, "passages": 3}
    assert info["config"] == client.post("/v1/ask", json={"query": "x"}).json()["snapshot"]["config"]


def test_info_tells_every_limit(serve: Callable[..., TestClient]) -> None:
    """The limits in force, with the values of the contract by default."""
    assert serve(body_bytes=5_000).get("/v1/info").json()["limits"]["body_bytes"] == 5_000
    limits = named_limits(Limits())
    assert limits["query_bytes"] == 8192
    assert limits["body_bytes"] == 64 * 2**20
    assert limits["upload_bytes"] == 256 * 2**20
    assert (limits["queries"], limits["documents"], limits["search_top_k"]) == (256, 1000, 1000)


def test_the_folder_is_verified_while_it_is_served(client: TestClient, pincite: Pincite) -> None:
    """A clean one has no problems; a forged document is named."""
    assert client.post("/v1/verify").json() == {"problems": []}
    with pincite.catalog._store.writing() as writer:
        writer.sql("UPDATE document SET title = 'forged' WHERE id = 'honig'")
    (problem,) = client.post("/v1/verify").json()["problems"]
    assert "'honig'" in problem
