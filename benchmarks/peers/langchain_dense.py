"""The recipe of most tutorials: LangChain over FAISS, vectors only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from langchain_community.vectorstores import FAISS
from langchain_huggingface import HuggingFaceEmbeddings
from protocol import Built, serve, texts_of


def prepare(job: Mapping[str, Any]) -> Callable[[], Built]:
    """Put the passages with their vectors into a store in memory."""
    texts, vectors = texts_of(job), np.load(job["vectors"]).tolist()
    model = HuggingFaceEmbeddings(model_name=job["model"], model_kwargs={"device": "cpu"})

    def build() -> Built:
        places = [{"place": place} for place in range(len(texts))]
        store = FAISS.from_embeddings(list(zip(texts, vectors, strict=True)), model, metadatas=places)
        limit = int(job["limit"])
        return Built(lambda question: [one.metadata["place"] for one in store.similarity_search(question, k=limit)])

    return build


if __name__ == "__main__":
    serve(prepare)
