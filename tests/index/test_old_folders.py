"""Data folders that earlier versions made, as they lie in fixtures/: they open, and hold what they held."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.catalog import Catalog
from index.migrations import STEPS
from index.types import text_digest

FIXTURES = Path(__file__).with_name("fixtures")


@pytest.fixture(params=sorted(FIXTURES.glob("*.json")), ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    """What the version that made a folder said of it; the folder itself is copied to `folder`."""
    shutil.copytree(request.param.with_suffix(""), folder)
    told: dict[str, Any] = json.loads(request.param.read_text(encoding="utf-8"))
    return told


def opened(folder: Path, old: dict[str, Any]) -> Catalog:
    """Open the copy as the model that made it."""
    return Catalog(folder, encoder=old["encoder"], dimension=old["dimension"])


def test_an_old_folder_opens_with_all_that_it_held(folder: Path, old: dict[str, Any]) -> None:
    """Documents, texts, tokens and findings are those of then; the layout is today's; verify is clean, twice."""
    for _ in range(2):
        with opened(folder, old) as catalog:
            collection = catalog.collection("default")
            assert catalog.names() == ["default", "empty"]
            assert {info.id for info in collection.documents()} == old["documents"].keys()
            for name, told in old["documents"].items():
                info, text = collection.document(name), collection.text(name)
                assert (info.fingerprint, info.passages, info.published) == (
                    told["fingerprint"],
                    told["passages"],
                    told["published"],
                )
                assert text_digest(text) == told["sha256"]
                assert text.startswith(told["text"])
            found = collection.search(None, "bridge trams honig degrees", limit=10)
            assert sorted(hit.ref.id for hit in found.hits) == old["hits"]
            assert found.token == old["token"]
            assert catalog._store._writer.pragma("user_version") == len(STEPS)
            assert catalog.verify() == []


def test_an_old_folder_can_be_written_to(folder: Path, old: dict[str, Any], maker) -> None:
    """What is added and deleted today is as in a new folder."""
    with opened(folder, old) as catalog:
        collection = catalog.collection("default")
        vectors = np.eye(1, old["dimension"], dtype=np.float32)
        collection.add([maker.document("new", "quince jelly", vectors=vectors)])
        collection.delete([min(old["documents"])])
        assert [hit.ref.document_id for hit in collection.search(vectors[0], "quince", limit=1).hits][-1:] == ["new"]
        assert {info.id for info in collection.documents()} == {"new", *old["documents"]} - {min(old["documents"])}
        assert catalog.verify() == []
