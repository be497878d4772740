"""txtai as it comes with `hybrid`: dense and BM25, weighed half and half after its own scaling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from protocol import Built, serve, texts_of
from sentence_transformers import SentenceTransformer
from txtai import Embeddings


def prepare(job: Mapping[str, Any]) -> Callable[[], Built]:
    """Index the passages; vectors come by txtai's `transform`, made beforehand for passages, now for questions."""
    texts, vectors = texts_of(job), np.load(job["vectors"])
    places = {text: place for place, text in enumerate(texts)}
    model = SentenceTransformer(job["model"], device="cpu")

    def transform(wanted: list[str]) -> Any:
        if all(text in places for text in wanted):
            return vectors[[places[text] for text in wanted]]
        return model.encode(wanted, show_progress_bar=False)

    def build() -> Built:
        embeddings = Embeddings(method="external", transform=transform, hybrid=True)
        embeddings.index(enumerate(texts))
        limit = int(job["limit"])
        return Built(lambda question: [int(place) for place, _ in embeddings.search(question, limit)])

    return build


if __name__ == "__main__":
    serve(prepare)
