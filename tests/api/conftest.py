"""A real service over a small corpus: HashingEncoder, a Catalog in a temporary folder, the app without a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.limits import Limits
from api.settings import Settings
from api.wiring import Pincite
from index.catalog import Catalog
from rag.encoding import HashingEncoder
from rag.reading import Reader

HOST = "http://127.0.0.1:8000"
CORPUS: list[dict[str, Any]] = [
    {
        "id": "dialogue",
        "text": "India and the United States held the 2+2 intersessional dialogue virtually on Monday. "
        "The two sides agreed a ten-year framework for the major defence partnership.",
        "title": "Dialogue of two ministries",
        "uri": "https://example.org/dialogue",
        "source": "ANI",
        "published": "2025-08-26",
        "language": "en",
        "metadata": {"place": "New Delhi", "pages": 2},
    },
    {
        "id": "bridge",
        "text": "The new bridge over the Vistula opened in May. It carries trams, bicycles and no cars. 😀 "
        "Its builders finished three weeks early.",
        "title": "A bridge for trams",
        "source": "Courier",
        "published": "2024",
        "language": "en",
    },
    {"id": "honig", "text": "Der Honig wird im Juli geerntet. Die Imker sind zufrieden.", "language": "de"},
]


@pytest.fixture
def pincite(tmp_path: Path) -> Iterator[Pincite]:
    """The parts of a service over an empty data folder."""
    encoder = HashingEncoder()
    with Catalog(tmp_path / "data", encoder=encoder.fingerprint, dimension=encoder.dimension) as catalog:
        yield Pincite(Settings(data=tmp_path / "data"), catalog, encoder)


@pytest.fixture
def serve(pincite: Pincite) -> Iterator[Callable[..., TestClient]]:
    """A function that starts the app with the reader and the limits it is given and returns a client of it."""
    clients: list[TestClient] = []

    def start(reader: Reader | None = None, **limits: Any) -> TestClient:
        client = TestClient(create_app(replace(pincite, reader=reader), Limits(**limits)), base_url=HOST)
        clients.append(client.__enter__())
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def empty(serve: Callable[..., TestClient]) -> TestClient:
    """A client of a service without documents."""
    return serve()


@pytest.fixture
def client(empty: TestClient) -> TestClient:
    """A client of a service that holds the corpus in `default`."""
    response = empty.post("/v1/documents", json={"documents": CORPUS})
    assert response.status_code == 200, response.text
    return empty


@pytest.fixture
def events() -> Callable[[str], list[tuple[str, str]]]:
    """A reader of server-sent events: (name, data) of each, comments left out."""

    def read(body: str) -> list[tuple[str, str]]:
        blocks = [block.split("\n") for block in body.split("\n\n") if block and not block.startswith(":")]
        return [(name.removeprefix("event: "), data.removeprefix("data: ")) for name, data in blocks]

    return read
