"""What every test may share: the default model, loaded once a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.encoding import Encoder, load_encoder


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a long run of the contract be asked for."""
    parser.addoption("--contract-examples", type=int, default=30, help="requests generated for each operation (30)")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where models are kept as prepared, once a run."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def model(cache: Path) -> Encoder:
    """The default model; preparing it takes seconds."""
    return load_encoder(None, cache)
