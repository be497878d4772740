"""The served OpenAPI document, held against the running service by schemathesis, and against itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
OPERATIONS = {
    ("post", "/v1/ask"),
    ("post", "/v1/search"),
    ("post", "/v1/check"),
    ("post", "/v1/citations/verify"),
    ("post", "/v1/documents"),
    ("post", "/v1/documents/delete"),
    ("get", "/v1/documents"),
    ("put", "/v1/documents/{id}"),
    ("get", "/v1/documents/{id}"),
    ("delete", "/v1/documents/{id}"),
    ("get", "/v1/documents/{id}/text"),
    ("get", "/v1/documents/{id}/original"),
    ("get", "/v1/collections"),
    ("get", "/v1/collections/{name}"),
    ("put", "/v1/collections/{name}"),
    ("delete", "/v1/collections/{name}"),
    ("get", "/v1/collections/{name}/rankings"),
    ("post", "/v1/collections/{name}/rankings"),
    ("put", "/v1/collections/{name}/ranking"),
    ("get", "/v1/jobs"),
    ("get", "/v1/jobs/{id}"),
    ("delete", "/v1/jobs/{id}"),
    ("get", "/v1/jobs/{id}/events"),
    ("post", "/v1/verify"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/v1/info"),
}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The address of a server process of its own."""
    command = [sys.executable, Path(__file__).with_name("tiny_server.py"), tmp_path, "httptools"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


def test_the_service_does_what_its_document_says(url: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Generated requests, right and wrong, get declared statuses, types and bodies, and never a server error.

    `pytest tests/api/test_contract.py --contract-examples 1000` makes many more of them.
    """
    examples = pytestconfig.getoption("--contract-examples")
    command = [
        Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{url}/openapi.json",
        f"--checks={','.join(CHECKS)}",
        "--phases=examples,coverage,fuzzing",
        f"--max-examples={examples}",
        "--generation-database=none",
        "--no-color",
    ]
    result = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=300 + 20 * examples, check=False
    )
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr[-5_000:]


def document(client: TestClient) -> dict[str, Any]:
    """Return the served OpenAPI document."""
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_every_call_of_the_contract_is_declared_and_nothing_else(empty: TestClient) -> None:
    """The operations of the document are those of the contract, each with a name of its own."""
    paths = document(empty)["paths"]
    assert {(method, path) for path, methods in paths.items() for method in methods} == OPERATIONS
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(set(names)) == len(names)


def test_the_document_is_complete(empty: TestClient) -> None:
    """OpenAPI 3.1; every reference leads somewhere; every answer has a schema; errors are problems."""
    found = document(empty)
    assert found["openapi"].startswith("3.1")
    schemas = found["components"]["schemas"]
    for reference in references(found):
        assert reference.removeprefix("#/components/schemas/") in schemas
    for methods in found["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                assert all(content.get("schema") for content in response["content"].values()), operation["operationId"]
                if status >= "400" and operation["operationId"] != "readyz":
                    assert set(response["content"]) == {"application/problem+json"}


def references(node: Any) -> Iterator[str]:
    """Yield every `$ref` in a document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_a_question_may_be_answered_as_json_or_as_events(empty: TestClient) -> None:
    """Both content types are declared, and so are both bodies of documents."""
    paths = document(empty)["paths"]
    assert set(paths["/v1/ask"]["post"]["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    assert set(paths["/v1/documents"]["post"]["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    assert {"200", "202"} <= set(paths["/v1/documents"]["post"]["responses"])
