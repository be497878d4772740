"""Alive, ready, counts, and what is running."""

from __future__ import annotations

from collections.abc import Callable

from fastapi.testclient import TestClient

from api.limits import Limits, named_limits
from api.wiring import Pincite


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
    assert info["runtime"]["encoder"] == "HashingEncoder"
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
