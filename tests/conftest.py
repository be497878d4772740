"""What every test may share: the default model, loaded once a run, and a reader that needs none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from index.types import StoredPassage
from rag.encoding import Encoder, load_encoder
from rag.reading import Reader
from rag.types import Reading


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


class NumberReader:
    """A reader without a model that gives all three verdicts: the same words support, with other numbers contradict."""

    fingerprint = "numbers"
    runtime = "numbers"

    def read(self, question: str, passages: Sequence[StoredPassage], seconds: float | None = None) -> list[Reading]:
        """Compare words of four letters and more, and numbers."""
        return [Reading(0.0, (), self._verdict(question.lower(), one.text.lower())) for one in passages]

    def _verdict(self, claim: str, text: str) -> tuple[float, float, float]:
        words, numbers = (set(re.findall(kind, claim)) - set(re.findall(kind, text)) for kind in (r"[a-z]{4,}", r"\d+"))
        if words:
            return 0.02, 0.03, 0.95
        return (0.06, 0.9, 0.04) if numbers else (0.92, 0.05, 0.03)


@pytest.fixture(scope="session")
def number_reader() -> Reader:
    """A reader that can support and contradict."""
    return NumberReader()
