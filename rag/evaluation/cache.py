"""The corpus of a dataset as a collection, ingested once and kept: `eval` never writes into a user's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from index.catalog import Catalog
from index.collection import Collection
from rag import folders, ids, ingest, loaders, parsing, splitting, worker
from rag.encoding import Encoder
from rag.evaluation.datasets import Dataset
from rag.evaluation.manifest import digest
from rag.evaluation.run import Progress, no_progress

_COMPLETE = "complete.json"


@contextmanager
def cached_collection(
    dataset: Dataset, folder: Path, encoder: Encoder, *, on_progress: Progress = no_progress
) -> Iterator[Collection]:
    """Open the collection that holds the corpus of `dataset`, ingesting it first where `folder` lacks it.

    It is kept by the digests of the corpus, of the encoder and of all that makes passages of files. An ingestion
    that was broken off is taken up again. `on_progress` is told documents done and in all.
    Raises DataFolderLocked while another process has the same one open.
    """
    home = folder / cache_key(dataset, encoder)
    with Catalog(home, encoder=encoder.fingerprint, dimension=encoder.dimension) as catalog:
        collection = catalog.collection("default")
        if not (home / _COMPLETE).exists():
            _fill(collection, dataset, encoder, on_progress)
            (home / _COMPLETE).write_text(json.dumps({"dataset": dataset.name, "model": encoder.fingerprint}) + "\n")
        yield collection


def cache_key(dataset: Dataset, encoder: Encoder) -> str:
    """Return the folder name for `dataset` and `encoder`, which changes with whatever changes a passage."""
    made_by = [dataset.corpus_sha256, encoder.fingerprint, asdict(splitting.Packing()), _code_digest()]
    return f"{dataset.name}-{digest(made_by)[:16]}"


def _fill(collection: Collection, dataset: Dataset, encoder: Encoder, on_progress: Progress) -> None:
    results = ingest.Ingest(collection, encoder).files(dataset.files())
    for done, _ in enumerate(results, start=1):
        on_progress(min(done, dataset.documents), dataset.documents)
    # Statistics of the term view then are those of a fresh one, whatever order documents came in.
    collection.compact()


def _code_digest() -> str:
    """Return a digest of the code from a file to its passages, so that no version has to be raised by hand."""
    files = [Path(module.__file__ or "") for module in (folders, ids, ingest, parsing, splitting, worker)]
    files += sorted(Path(loaders.__file__ or "").parent.rglob("*.py"))
    return digest([file.read_text(encoding="utf-8") for file in files])
