"""LanceDB's hybrid search as it comes: its own full-text index, vectors by brute force, its default reranker (RRF)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import lancedb
import numpy as np
from lancedb.index import FTS
from protocol import Built, serve, texts_of
from sentence_transformers import SentenceTransformer


def prepare(job: Mapping[str, Any]) -> Callable[[], Built]:
    """Write the passages with their vectors to a table and index their words."""
    texts, vectors = texts_of(job), np.load(job["vectors"])
    model = SentenceTransformer(job["model"], device="cpu")

    def build() -> Built:
        database = lancedb.connect(tempfile.mkdtemp(dir=job["work"]))
        rows = [
            {"place": place, "text": text, "vector": vector}
            for place, (text, vector) in enumerate(zip(texts, vectors, strict=True))
        ]
        table = database.create_table("passages", data=rows)
        table.create_index("text", config=FTS())
        limit = int(job["limit"])

        def ask(question: str) -> list[int]:
            vector = model.encode(question, show_progress_bar=False)
            words = question.replace('"', " ")  # its index as it comes refuses phrases, and quotes make one
            found = table.search(query_type="hybrid").vector(vector).text(words).limit(limit).to_list()
            return [row["place"] for row in found]

        return Built(ask)

    return build


if __name__ == "__main__":
    serve(prepare)
