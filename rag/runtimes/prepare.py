"""Prepares a model for this machine; run in a process of its own, so that no other one has to import torch.

The model is converted to OpenVINO's form; each runtime that the processor is made for is compared with the plain path
on real text (a cosine of at least 0.999 for every text) and timed, and the fastest of the equal ones is chosen.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pydoc_data.topics import topics
from typing import Protocol, TypeVar

import numpy as np
import torch
from tokenizers import Tokenizer

from index.types import Vectors
from rag.pairs import WINDOW, pair, tokenize
from rag.runtimes import fast
from rag.runtimes.kept import PLAIN, Facts, Measured, ReaderRuntime, Runtime, write_facts
from rag.runtimes.plain import PlainRuntime, SentenceEmbedding
from rag.runtimes.reader import PlainReader, ReaderNetwork, restore

import openvino  # isort: skip  # after fast, which keeps it from reporting its use

EQUAL = 0.999  # the least cosine with the plain path's vector that any text may have
_TEXTS = 32
_ROUNDS = 2
_BATCH_SECONDS = 0.1
_BATCH_TOKENS = (256, 2048)


class _HasPlaces(Protocol):
    @property
    def places(self) -> int: ...


Placed = TypeVar("Placed", bound=_HasPlaces)


def main(model: str, folder: str, reader: str = "") -> int:
    """Prepare the model in the folder `model`, or the weights `reader` over it, into the empty `folder`.

    Returns 0, or 1 with a line on stderr.
    """
    warnings.simplefilter("ignore")  # the tracer's, about branches that are the same for every input
    try:
        plain = PlainRuntime(Path(model))
        network = restore(Path(model), Path(reader)) if reader else None
    except Exception as problem:
        print(" ".join(str(problem).split()), file=sys.stderr)
        return 1
    if network is None:
        prepare(plain, Path(folder))
    else:
        prepare_reader(plain, network, Path(folder))
    return 0


def prepare(plain: PlainRuntime, folder: Path) -> None:
    """Write tokenizer, converted model and facts into `folder`."""
    tokenizer, window = _tokenizer(plain, folder)
    tokens = [found.ids for found in tokenizer.encode_batch(real_texts())]

    def forward(runtime: Runtime, places: Sequence[int]) -> Vectors:
        return runtime.forward([tokens[place] for place in places])

    runtimes: dict[str, Runtime] = {PLAIN: plain}
    runtimes |= _fast(fast.FastRuntime, SentenceEmbedding(plain.model), ["input_ids", "attention_mask"], folder)
    lengths = [len(one) for one in tokens]
    measured = {name: _measured(runtime, forward, lengths) for name, runtime in runtimes.items()}
    _choose(folder, window, {name: runtime.places for name, runtime in runtimes.items()}, measured)


def prepare_reader(plain: PlainRuntime, network: ReaderNetwork, folder: Path) -> None:
    """Write tokenizer, converted reader and facts into `folder`."""
    tokenizer, window = _tokenizer(plain, folder)
    tokenizer.no_truncation()
    texts = tokenize(tokenizer, real_texts())
    pairs = [pair(text, texts[0], text, WINDOW) for text in texts]
    lengths = [len(one.ids) for one in pairs]
    longest = max(lengths)

    def read(runtime: ReaderRuntime, places: Sequence[int]) -> Vectors:
        found = runtime.read([pairs[place].ids for place in places], [pairs[place].segments for place in places])
        spans = np.zeros((len(places), 2 * longest), np.float32)
        for row, place in enumerate(places):
            said = found.span[row, : len(pairs[place].ids)].ravel()
            spans[row, : len(said)] = said
        rows = np.concatenate([found.relevance[:, None], found.verdict, spans], axis=1)
        scaled: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return scaled

    runtimes: dict[str, ReaderRuntime] = {PLAIN: PlainReader(network)}
    runtimes |= _fast(fast.FastReader, network, ["input_ids", "attention_mask", "token_type_ids"], folder)
    measured = {name: _measured(runtime, read, lengths) for name, runtime in runtimes.items()}
    _choose(folder, window, {name: runtime.places for name, runtime in runtimes.items()}, measured)


def _tokenizer(plain: PlainRuntime, folder: Path) -> tuple[Tokenizer, int]:
    """Write the tokenizer into `folder` as it cuts texts for the encoder; return it with its window."""
    tokenizer: Tokenizer = plain.model.tokenizer.backend_tokenizer
    window = int(plain.model.max_seq_length or 512)
    tokenizer.no_padding()
    tokenizer.enable_truncation(window)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    return tokenizer, window


def _fast(
    make: Callable[[Path, str], Placed], network: torch.nn.Module, inputs: Sequence[str], folder: Path
) -> dict[str, Placed]:
    """Write the network in OpenVINO's form, for any batch and length; return it opened by each runtime there is."""
    try:
        example = torch.ones((2, 16), dtype=torch.long)
        shape = openvino.PartialShape([-1, -1])
        converted = openvino.convert_model(
            network.eval(),
            example_input=dict.fromkeys(inputs, example),
            input=[(name, shape, openvino.Type.i64) for name in inputs],
        )
        openvino.save_model(converted, str(folder / "model.xml"), compress_to_fp16=False)
        return {name: make(folder / "model.xml", name) for name in fast.available()}
    except Exception as problem:
        print(f"not converted, the plain path is used: {problem}", file=sys.stderr)
        return {}


def _choose(folder: Path, window: int, places: Mapping[str, int], found: Mapping[str, tuple[Vectors, float]]) -> None:
    """Write the facts: of the runtimes whose rows are equal to the plain path's, the fastest is chosen."""
    expected = found[PLAIN][0]
    measured = [
        Measured(name, round(speed, 1), round(float((rows * expected).sum(axis=1).min()), 6))
        for name, (rows, speed) in found.items()
    ]
    best = max((one for one in measured if one.least_cosine >= EQUAL), key=lambda one: one.tokens_per_second)
    if best.runtime == PLAIN:
        for file in folder.glob("model.*"):
            file.unlink()
    budget = int(best.tokens_per_second / places[best.runtime] * _BATCH_SECONDS)
    batch = int(np.clip(budget, *_BATCH_TOKENS))
    write_facts(folder, Facts(int(expected.shape[1]), window, best.runtime, batch, tuple(measured)))


def real_texts() -> list[str]:
    """Return passages of different lengths from the manual that every Python carries."""
    texts = [topics[name] for name in sorted(topics)]
    return [text[: 200 + 61 * (number % 16)] for number, text in enumerate(texts[:_TEXTS])]


def encoded(runtime: Placed, forward: Callable[[Placed, Sequence[int]], Vectors], lengths: Sequence[int]) -> Vectors:
    """Return what `forward` makes of all places, by batches of four like lengths on every place of the runtime."""
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    batches = [order[start : start + 4] for start in range(0, len(order), 4)]
    with ThreadPoolExecutor(runtime.places) as pool:
        parts = list(pool.map(lambda places: forward(runtime, places), batches))
    rows: Vectors = np.concatenate(parts)[np.argsort(np.concatenate(batches))]
    return rows


def _measured(
    runtime: Placed, forward: Callable[[Placed, Sequence[int]], Vectors], lengths: Sequence[int]
) -> tuple[Vectors, float]:
    """Return the rows, and tokens per second in the best of a few rounds; the first of all meets every shape."""
    rows = encoded(runtime, forward, lengths)
    seconds = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        encoded(runtime, forward, lengths)
        seconds.append(time.perf_counter() - started)
    return rows, sum(lengths) / min(seconds)
