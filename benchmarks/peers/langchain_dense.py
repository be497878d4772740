"""The recipe of most tutorials: LangChain over FAISS, vectors only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from langchain_community.vectorstores import FAISS
from langchain_core.embeddings import Embeddings
from protocol import Built, serve, texts_of
from sentence_transformers import SentenceTransformer


class Plainly(Embeddings):
    """sentence-transformers as LangChain's own class calls it, whose package wants an older huggingface-hub."""

    def __init__(self, folder: str) -> None:
        self._model = SentenceTransformer(folder, device="cpu")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector a text."""
        return self._model.encode(texts, show_progress_bar=False).tolist()

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a question."""
        return self.embed_documents([text])[0]


def prepare(job: Mapping[str, Any]) -> Callable[[], Built]:
    """Put the passages with their vectors into a store in memory."""
    texts, vectors = texts_of(job), np.load(job["vectors"]).tolist()
    model = Plainly(job["model"])

    def build() -> Built:
        places = [{"place": place} for place in range(len(texts))]
        store = FAISS.from_embeddings(list(zip(texts, vectors, strict=True)), model, metadatas=places)
        limit = int(job["limit"])
        return Built(lambda question: [one.metadata["place"] for one in store.similarity_search(question, k=limit)])

    return build


if __name__ == "__main__":
    serve(prepare)
