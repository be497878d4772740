"""Prepares a model for this machine; run in a process of its own, so that no other one has to import torch.

The model is converted to OpenVINO's form; each runtime that the processor is made for is compared with the plain path
on real text (a cosine of at least 0.999 for every text) and timed, and the fastest of the equal ones is chosen.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import torch

from index.types import Vectors
from rag.runtimes import fast
from rag.runtimes.kept import PLAIN, Facts, Measured, Runtime, write_facts
from rag.runtimes.plain import PlainRuntime, SentenceEmbedding

import openvino  # isort: skip  # after fast, which keeps it from reporting its use

EQUAL = 0.999  # the least cosine with the plain path's vector that any text may have
_TEXTS = 32
_ROUNDS = 2
_BATCH_SECONDS = 0.1
_BATCH_TOKENS = (256, 2048)


def main(model: str, folder: str) -> int:
    """Prepare the model in the folder `model` into the empty `folder`; 0, or 1 with a line on stderr."""
    warnings.simplefilter("ignore")  # the tracer's, about branches that are the same for every input
    try:
        plain = PlainRuntime(Path(model))
    except Exception as problem:
        print(" ".join(str(problem).split()), file=sys.stderr)
        return 1
    prepare(plain, Path(folder))
    return 0


def prepare(plain: PlainRuntime, folder: Path) -> None:
    """Write tokenizer, converted model and facts into `folder`."""
    tokenizer = plain.model.tokenizer.backend_tokenizer
    window = int(plain.model.max_seq_length or 512)
    tokenizer.no_padding()
    tokenizer.enable_truncation(window)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    tokens = [found.ids for found in tokenizer.encode_batch(real_texts())]
    runtimes: dict[str, Runtime] = {PLAIN: plain}
    try:
        convert(plain, folder / "model.xml")
        runtimes |= {name: fast.FastRuntime(folder / "model.xml", name) for name in fast.available()}
    except Exception as problem:
        print(f"not converted, the plain path is used: {problem}", file=sys.stderr)
    expected = encoded(plain, tokens)
    measured = tuple(_measured(name, runtime, tokens, expected) for name, runtime in runtimes.items())
    best = max((one for one in measured if one.least_cosine >= EQUAL), key=lambda one: one.tokens_per_second)
    if best.runtime == PLAIN:
        for file in folder.glob("model.*"):
            file.unlink()
    budget = int(best.tokens_per_second / runtimes[best.runtime].places * _BATCH_SECONDS)
    dimension = int(expected.shape[1])
    write_facts(folder, Facts(dimension, window, best.runtime, int(np.clip(budget, *_BATCH_TOKENS)), measured))


def convert(plain: PlainRuntime, file: Path) -> None:
    """Write the model in OpenVINO's form, for any batch and length."""
    example = torch.ones((2, 16), dtype=torch.long)
    shape = openvino.PartialShape([-1, -1])
    converted = openvino.convert_model(
        SentenceEmbedding(plain.model).eval(),
        example_input={"input_ids": example, "attention_mask": example},
        input=[("input_ids", shape, openvino.Type.i64), ("attention_mask", shape, openvino.Type.i64)],
    )
    openvino.save_model(converted, str(file), compress_to_fp16=False)


def real_texts() -> list[str]:
    """Return passages of different lengths from the manual that every Python carries."""
    texts = [topics[name] for name in sorted(topics)]
    return [text[: 200 + 61 * (number % 16)] for number, text in enumerate(texts[:_TEXTS])]


def encoded(runtime: Runtime, tokens: Sequence[Sequence[int]]) -> Vectors:
    """Return a unit row for each of `tokens`, by batches of four on every place of the runtime."""
    order = sorted(range(len(tokens)), key=lambda place: -len(tokens[place]))
    batches = [order[start : start + 4] for start in range(0, len(order), 4)]
    with ThreadPoolExecutor(runtime.places) as pool:
        parts = list(pool.map(lambda places: runtime.forward([tokens[place] for place in places]), batches))
    rows: Vectors = np.concatenate(parts)[np.argsort(np.concatenate(batches))]
    return rows


def _measured(name: str, runtime: Runtime, tokens: Sequence[Sequence[int]], expected: Vectors) -> Measured:
    """Return the best of a few rounds, the first of which also meets every shape."""
    least = float((encoded(runtime, tokens) * expected).sum(axis=1).min())
    seconds = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        encoded(runtime, tokens)
        seconds.append(time.perf_counter() - started)
    return Measured(name, round(sum(map(len, tokens)) / min(seconds), 1), round(least, 6))
