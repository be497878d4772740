"""Pincite, in process as the peers are: documents are read, split, encoded and stored durably, then searched."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from protocol import Built, serve

from api.settings import load_settings
from index.catalog import Catalog
from rag.ask import search
from rag.encoding import load_encoder
from rag.ingest import Ingest
from rag.types import Question


def prepare(job: Mapping[str, Any]) -> Callable[[], Built]:
    """Ingest the corpus into a collection, or open the one that an earlier run of the same code ingested whole."""
    encoder = load_encoder(None, load_settings({}).cache)
    encoder.encode(["loaded now"])
    home = Path(job["work"]) / "ours" / job["name"]
    timed = home / "seconds.json"
    if not timed.exists():  # a build that was broken off says nothing of how long one takes
        shutil.rmtree(home, ignore_errors=True)

    def build() -> Built:
        catalog = Catalog(home, encoder=encoder.fingerprint, dimension=encoder.dimension)
        collection = catalog.collection("default")
        if not timed.exists():
            started = time.perf_counter()
            for _ in Ingest(collection, encoder).paths([Path(job["corpus"])]):
                pass
            timed.write_text(json.dumps(time.perf_counter() - started))
        limit = int(job["limit"])

        def ask(question: str) -> list[tuple[str, int, int]]:
            asked = Question(question, top_k=limit)
            (result,) = search([asked], collection, encoder, highlight=False)
            places = [passage.citation for passage in result.passages]
            return [(place.document_id, place.start, place.end) for place in places]

        return Built(ask, json.loads(timed.read_text()))

    return build


if __name__ == "__main__":
    serve(prepare)
