"""What do a million passages cost, and what do the codes of the dense view miss?

    python benchmarks/million.py --from FOLDER --data OUT --queries queries.jsonl.gz … --json out.json

The passages of a data folder are repeated under new ids until there are enough: every tenth word changed, noise on the
vectors, so that nothing has to be encoded. Documents carry a number from 0 to 99, by which filters leave 1, 10 and 50
of a hundred. Then real questions are asked: of the dense view, whose ten best are compared with those of a search over
all vectors, and over HTTP.
"""

from __future__ import annotations

import argparse
import re
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from reporting import Bound, finish, say, table
from serve import asked_by, questions, told
from service import serving

from api.settings import load_settings
from index.catalog import Catalog
from index.collection import Collection
from index.filters import parse
from index.store import Store
from index.types import Document, NewDocument, Vectors
from rag.encoding import Encoder, load_encoder

MOST_MS, LEAST_RECALL = 25.0, 0.98
SHARES = (None, 1, 10, 50)  # of a hundred documents that a filter leaves
NOISE = 0.02  # standard deviation of what is added to each component of a unit vector
WARM, AT_ONCE, NEAREST = 30, 512, 10
WORD = re.compile(r"[A-Za-z]+")


def changed(text: str, time_over: int) -> str:
    """Return a text of the same length with every tenth word reversed, other words each time over."""

    def word(found: re.Match[str]) -> str:
        return found[0][::-1] if zlib.crc32(f"{time_over} {found[0]}".encode()) % 10 == 0 else found[0]

    return WORD.sub(word, text) if time_over else text


def sources(folder: Path) -> Iterator[NewDocument]:
    """Yield the documents of the first collection of a data folder with their passages and vectors."""
    store = Store(folder)
    with store.reading() as reader:
        number = reader.number("default")
        assert number is not None
        for name in reader.document_ids(number):
            held = reader.stored(number, name)
            document = Document(id=name, text=held.text, original=held.text.encode(), media_type="text/plain")
            vectors = np.frombuffer(held.vectors, dtype="<f4").reshape(len(held.passages), -1)
            yield NewDocument(document, held.passages, vectors)
    store.close()


def repeated(folder: Path, passages: int, seed: int) -> Iterator[NewDocument]:
    """Yield documents until they have as many passages."""
    drawn = np.random.default_rng(seed)
    made, number, over = 0, 0, 0
    while made < passages:
        for one in sources(folder):
            text = changed(one.document.text, over)
            vectors = one.vectors + drawn.normal(0, NOISE if over else 0, one.vectors.shape).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            document = replace(
                one.document,
                id=f"{over}-{zlib.crc32(one.document.id.encode()):08x}-{number}",
                text=text,
                original=text.encode(),
                metadata={"share": number % 100},
            )
            yield NewDocument(document, one.passages, vectors)
            number += 1
            made += len(one.passages)
            if made >= passages:
                return
        over += 1


def build(collection: Collection, new: Iterator[NewDocument], passages: int) -> dict[str, float]:
    """Add everything and return the seconds that adding took, with those of the slowest batch."""
    seconds: list[float] = []
    held, batch = 0, []
    for one in new:
        batch.append(one)
        held += len(one.passages)
        if len(batch) == AT_ONCE or held >= passages:
            started = time.perf_counter()
            collection.add(batch)
            seconds.append(time.perf_counter() - started)
            batch = []
            if len(seconds) % 20 == 0:
                say(f"{held} of {passages} passages, {sum(seconds):.0f} s")
    return {"build_seconds": sum(seconds), "slowest_batch_seconds": max(seconds)}


def condition(share: int | None) -> dict[str, Any] | None:
    """Return the filter that leaves so many of a hundred documents."""
    return None if share is None else {"field": "metadata.share", "lt": share}


def recall(collection: Collection, data: Path, asked: Vectors) -> dict[str, dict[str, float]]:
    """Compare the ten nearest of the dense view with those over all vectors, by filter; and time the search."""
    store = Store(data)
    with store.reading() as reader:
        number = reader.number("default")
        assert number is not None
        held, vectors = reader.vectors(number, asked.shape[1])
        keys = held.to_array()
        found: dict[str, dict[str, float]] = {}
        for share in SHARES:
            tree = parse(condition(share))
            rows = np.arange(len(keys)) if tree is None else np.flatnonzero(reader.allowed(number, tree)[1].among(keys))
            shares, seconds = [], []
            for vector in asked:
                products = vectors[rows] @ vector if tree is not None else vectors @ vector
                nearest = keys[rows[np.argpartition(-products, NEAREST)[:NEAREST]]]
                true = {place.ref for place in reader.located(nearest.tolist()).values()}
                started = time.perf_counter()
                hits = collection.search(vector, None, limit=200, filter=condition(share)).hits
                seconds.append(time.perf_counter() - started)
                ours = {hit.ref for hit in hits if hit.dense_rank is not None and hit.dense_rank <= NEAREST}
                shares.append(len(true & ours) / NEAREST)
            name = "all" if share is None else f"{share} %"
            found[name] = {"recall": float(np.mean(shares)), "p50_ms": float(np.median(seconds) * 1000)}
            say(f"{name}: {found[name]}")
    store.close()
    return found


def over_http(data: Path, asked: Sequence[str]) -> dict[str, Any]:
    """Ask over HTTP with one client, by filter."""
    started = time.perf_counter()
    with serving(data) as service:
        result: dict[str, Any] = {"start_seconds": time.perf_counter() - started, "runs": {}}
        for share in SHARES:
            more = {} if share is None else {"filter": condition(share)}
            asked_by(1, service.address, asked[:WARM], **more)
            name = "all" if share is None else f"{share} %"
            result["runs"][name] = told(asked_by(1, service.address, asked[WARM:], **more))
            say(f"over HTTP, {name}: {result['runs'][name]['all']}")
        result["info"] = service.call("GET", "/v1/collections/default")
        result["memory_mib"] = service.memory()
    return result


def opened(folder: Path, encoder: Encoder) -> Catalog:
    """Open a data folder for the encoder in use."""
    return Catalog(folder, encoder=encoder.fingerprint, dimension=encoder.dimension)


def main() -> None:
    """Build what is missing, measure, print and check the bounds."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, required=True, help="a data folder that nothing has open")
    parser.add_argument("--data", type=Path, required=True, help="where to build; what is complete is used as it is")
    parser.add_argument("--queries", type=Path, nargs="+", required=True)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    settings = load_settings({})
    encoder = load_encoder(settings.model, settings.cache)
    asked = questions(options.queries, options.questions + WARM, options.seed)
    result: dict[str, Any] = {"seed": options.seed, "passages": options.passages, "questions": options.questions}
    with opened(options.data, encoder) as catalog:
        collection = catalog.collection("default")
        if collection.info().passages < options.passages:
            result |= build(collection, repeated(options.source, options.passages, options.seed), options.passages)
        started = time.perf_counter()
        collection.compact()
        result |= {"compact_seconds": time.perf_counter() - started, "method": collection.info().dense}
        dense = recall(collection, options.data, encoder.encode(asked[WARM:]))
    http = over_http(options.data, asked)
    report(result | {"dense": dense, "http": http}, options.json)


def report(result: Mapping[str, Any], output: Path | None) -> None:
    """Print the table and check the bounds."""
    dense, http = result["dense"], result["http"]
    rows = [
        (
            name,
            f"{dense[name]['recall']:.3f}",
            f"{dense[name]['p50_ms']:.1f}",
            *(f"{http['runs'][name]['all'][p]:.1f}" for p in ("p50", "p95")),
            http["runs"][name]["errors"],
        )
        for name in dense
    ]
    table(("filter", "recall@10", "dense search p50 ms", "HTTP p50 ms", "HTTP p95 ms", "errors"), rows)
    for name in ("build_seconds", "slowest_batch_seconds", "compact_seconds", "method"):
        print(name, result.get(name, "(built before)"))
    print("start seconds", round(http["start_seconds"], 1), "memory", http["memory_mib"])
    bounds = [Bound(f"recall@10, {name}", one["recall"], least=LEAST_RECALL) for name, one in dense.items()]
    bounds += [
        Bound(f"p50 over HTTP, {name}, ms", round(one["all"]["p50"], 1), most=MOST_MS)
        for name, one in http["runs"].items()
    ]
    finish(dict(result), bounds, output)


if __name__ == "__main__":
    main()
