"""What the tests of index/ share: documents made of a few words and random unit vectors, and an open data folder."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.catalog import Catalog
from index.collection import Collection
from index.types import Document, NewDocument, Passage, Vectors, utf16_length

DIMENSION = 16
ENCODER = "sha256:model-a"


class Maker:
    """Makes documents whose passages are given texts, with random unit vectors; prints its seed."""

    dimension = DIMENSION
    encoder = ENCODER

    def __init__(self, seed: int) -> None:
        print(f"seed {seed}")
        self.numbers = np.random.default_rng(seed)
        self.random = random.Random(seed)

    def vectors(self, count: int, dimension: int = DIMENSION) -> Vectors:
        """Return random unit vectors, float32 (count, dimension)."""
        drawn = self.numbers.standard_normal((count, dimension))
        return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)

    def vector(self) -> Vectors:
        """Return one random unit vector, float32 (dimension,)."""
        return self.vectors(1)[0]

    def document(
        self, document_id: str, *texts: str, vectors: Vectors | None = None, headers: Sequence[str] = (), **fields: Any
    ) -> NewDocument:
        """Return a document with one passage per text, the texts being joined by line feeds."""
        text, passages = "\n".join(texts), []
        start = 0
        for ordinal, part in enumerate(texts):
            header = headers[ordinal] if headers else ""
            passages.append(Passage(ordinal, start, start + len(part), utf16_length(text[:start]), header))
            start += len(part) + 1
        made = self.vectors(len(texts)) if vectors is None else vectors
        given = {"original": text.encode(), "media_type": "text/plain", **fields}
        return NewDocument(Document(document_id, text, **given), passages, made)

    def words(self, count: int) -> str:
        """Return that many words out of forty, the first ones often."""
        return " ".join(f"word{min(int(self.random.expovariate(0.15)), 39)}" for _ in range(count))

    def open(self, folder: Path, encoder: str = ENCODER, dimension: int = DIMENSION) -> Catalog:
        """Open a data folder as the model of these tests does."""
        return Catalog(folder, encoder=encoder, dimension=dimension)


@pytest.fixture
def maker(request: pytest.FixtureRequest) -> Maker:
    """A maker with a new seed, which a failing test shows."""
    return Maker(random.SystemRandom().randrange(10**6))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def catalog(folder: Path, maker: Maker) -> Iterator[Catalog]:
    """An open data folder."""
    with maker.open(folder) as opened:
        yield opened


@pytest.fixture
def collection(catalog: Catalog) -> Collection:
    """The empty collection `default`."""
    return catalog.collection("default")
