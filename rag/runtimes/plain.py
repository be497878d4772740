"""The plain path, sentence-transformers on torch: what converts, what is fallen back to, and what others must equal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from index.types import Vectors


class PlainRuntime:
    """A sentence-transformers model in a folder; torch uses every core for one batch."""

    places = 1

    def __init__(self, folder: Path) -> None:
        self.model = load_model(folder)

    def forward(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        """Return one unit row for each list of token ids."""
        length = max(map(len, tokens))
        ids = torch.zeros((len(tokens), length), dtype=torch.long)
        mask = torch.zeros((len(tokens), length), dtype=torch.long)
        for row, found in enumerate(tokens):
            ids[row, : len(found)] = torch.tensor(found)
            mask[row, : len(found)] = 1
        with torch.inference_mode():
            vectors = SentenceEmbedding(self.model)(ids, mask)
        return vectors.numpy().astype(np.float32)  # type: ignore[no-any-return]


class SentenceEmbedding(torch.nn.Module):
    """A sentence-transformers model from token ids (batch, length) and their mask to unit vectors."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return float32 rows of length 1, shape (batch, dimension)."""
        found = self.model({"input_ids": input_ids, "attention_mask": attention_mask})
        return torch.nn.functional.normalize(found["sentence_embedding"], p=2, dim=1)


def load_model(folder: Path) -> SentenceTransformer:
    """Load a model from its folder, without the network and without running code that lies in it."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # ours is the only progress shown
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=False)
