"""The reader's network in torch: what is trained, what is converted, and what a conversion must equal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from index.types import Vectors
from rag.runtimes.kept import Outputs

VERDICTS = 3
_FROZEN = "encoder.embeddings.word_embeddings.weight"  # the word vectors of the default model, never trained


class ReaderNetwork(torch.nn.Module):
    """A BERT encoder with three heads over its last layer: relevance, the answer's span, and a claim's verdict."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.encoder = BertModel(config, add_pooling_layer=False)
        size = config.hidden_size
        self.relevance = torch.nn.Linear(2 * size, 1)
        self.span = torch.nn.Linear(size, 2)
        self.verdict = torch.nn.Linear(2 * size, VERDICTS)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return logits: relevance (batch,), span (batch, length, 2) for start and end, verdict (batch, 3).

        All inputs are int64 (batch, length). A span of the first token, [CLS], says that there is no answer.
        """
        hidden = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        mask = attention_mask[:, :, None].to(hidden.dtype)
        pooled = torch.cat([hidden[:, 0], (hidden * mask).sum(1) / mask.sum(1)], dim=1)
        return self.relevance(pooled)[:, 0], self.span(hidden), self.verdict(pooled)


class PlainReader:
    """The network run by torch, which uses every core for one batch."""

    places = 1

    def __init__(self, network: ReaderNetwork) -> None:
        self.network = network

    def read(self, tokens: Sequence[Sequence[int]], segments: Sequence[Sequence[int]]) -> Outputs:
        """Return the logits of each pair, as `Outputs` tells."""
        with torch.inference_mode():
            found = self.network(*padded(tokens, segments))
        relevance, span, verdict = (_array(one) for one in found)
        return Outputs(relevance, span, verdict)


def padded(
    tokens: Sequence[Sequence[int]], segments: Sequence[Sequence[int]], multiple: int = 1
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return ids, mask and segments of pairs, int64 (pairs, longest rounded up to a `multiple`)."""
    longest = -(-max(map(len, tokens)) // multiple) * multiple
    made = torch.zeros((3, len(tokens), longest), dtype=torch.long)
    for row, (ids, kinds) in enumerate(zip(tokens, segments, strict=True)):
        made[0, row, : len(ids)] = torch.tensor(ids)
        made[1, row, : len(ids)] = 1
        made[2, row, : len(ids)] = torch.tensor(kinds)
    return made[0], made[1], made[2]


def _array(tensor: torch.Tensor) -> Vectors:
    return np.asarray(tensor.numpy(), dtype=np.float32)


def begin(folder: Path) -> ReaderNetwork:
    """Return a network that starts from the BERT model in `folder`, its heads untrained, without dropout."""
    config = BertConfig.from_pretrained(folder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    network = ReaderNetwork(config)
    found = load_file(folder / "model.safetensors")
    named = {f"encoder.{name}": tensor for name, tensor in found.items() if not name.startswith("pooler.")}
    unknown = network.load_state_dict(named, strict=False)
    expected = {name for name in unknown.missing_keys if name.split(".")[0] == "encoder"}
    assert not expected - {"encoder.embeddings.position_ids"}, expected
    network.encoder.embeddings.word_embeddings.weight.requires_grad = False
    return network.eval()


def save(network: ReaderNetwork, file: Path) -> None:
    """Write what was trained as float16; the word vectors are the default model's own and stay there."""
    kept = {
        name: tensor.detach().to(torch.float16).contiguous()
        for name, tensor in network.state_dict().items()
        if name != _FROZEN and tensor.is_floating_point()
    }
    save_file(kept, file)


def restore(folder: Path, file: Path) -> ReaderNetwork:
    """Return the network of `file` over the word vectors of the default model in `folder`."""
    network = begin(folder)
    found = {name: tensor.to(torch.float32) for name, tensor in load_file(file).items()}
    missing = network.load_state_dict(found, strict=False).missing_keys
    assert set(missing) <= {_FROZEN, "encoder.embeddings.position_ids"}, missing
    return network
