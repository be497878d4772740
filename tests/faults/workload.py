"""What the processes that are cut off write, and what must be there afterwards: small documents, some replaced and some
deleted, and rankings, drawn by a seed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import apsw
import numpy as np

from index.catalog import Catalog
from index.errors import Damaged, IndexProblem
from index.rankings import in_use
from index.reading import Reader
from index.types import Document, NewDocument, Passage

ENCODER, DIMENSION = "sha256:model-a", 16
Name, Version = str, str | None  # a document's id; its fingerprint and its vectors, None for none
Told = Mapping[Name, Version]
RANKING = "(ranking)"  # stands among the documents for the ranking in use; its version is the settings


def document(name: str, maker: random.Random) -> NewDocument:
    """Return a document of 1 to 4 passages and up to 30 kB, with an own word in each passage."""
    texts = [
        f"{name} part{n} " + "é" * maker.randrange(1, maker.choice((10, 10, 2_000))) for n in range(maker.randint(1, 4))
    ]
    passages, start = [], 0
    for ordinal, text in enumerate(texts):
        passages.append(Passage(ordinal, start, start + len(text), start))
        start += len(text) + 1
    text = "\n".join(texts)
    vectors = np.array([[maker.gauss(0, 1) for _ in range(DIMENSION)] for _ in texts], dtype=np.float32)
    original = maker.choice((text.encode(), maker.randbytes(maker.randrange(9_000))))
    return NewDocument(
        Document(name, text, original, "text/plain", title=f"of {name}", metadata={"n": 1}), passages, vectors
    )


def version(fingerprint: str, vectors: bytes) -> str:
    """Return what tells one version of a stored document from another."""
    return f"{fingerprint[:16]} {vectors.hex()[:16]} {len(vectors)}"


def work(
    catalog: Catalog, seed: int, steps: int, prefix: str, begin: Callable[[Told], None], done: Callable[[Told], None]
) -> None:
    """Add, replace and delete; `begin` is told what a step makes of which documents, `done` the same afterwards."""
    maker = random.Random(seed)
    collection = catalog.collection("default")
    names: list[str] = []
    for step in range(steps):
        known = maker.sample(names, min(2, len(names)))
        if known and maker.random() < 0.25:
            told: dict[Name, Version] = dict.fromkeys(known)
            begin(told)
            collection.delete(known)
            names = [name for name in names if name not in told]
        else:
            fresh = [f"{prefix}{step}x{place}" for place in range(maker.randint(1, 3))]
            batch = [document(name, maker) for name in [*fresh, *known[:1]]]
            told = {one.document.id: version(one.document.fingerprint, one.vectors.tobytes()) for one in batch}
            begin(told)
            collection.add(batch)
            names = sorted({*names, *told})
        done(told)
        if step % 4 == 3:
            settings = {"step": f"{prefix}{step}"}
            told = {RANKING: json.dumps(settings)}
            begin(told)
            collection.rankings.add(settings, {})
            done(told)


def opened(folder: Path) -> Catalog:
    """Open a data folder as `work` does."""
    return Catalog(folder, encoder=ENCODER, dimension=DIMENSION)


class Expected:
    """What must be there: acknowledged versions, and for documents of the step under way the old or the new one."""

    def __init__(self) -> None:
        self.acknowledged: dict[Name, Version] = {}
        self.under_way: dict[Name, Version] = {}

    def begin(self, told: Told) -> None:
        """Note what a step is about to do."""
        self.under_way = dict(told)

    def done(self, told: Told) -> None:
        """Note that the step is acknowledged."""
        self.acknowledged |= told
        self.under_way = {}

    def faults(self, folder: Path, *, views: bool) -> list[str]:
        """Return what is wrong with a data folder after a cut, empty where all is well; `views` searches it too."""
        try:
            with opened(folder) as catalog:
                wrong = (
                    catalog.verify() if views else [*catalog._store.problems(), *catalog._document_problems("default")]
                )
                return [*self.differences(catalog), *wrong, *(_unfound(catalog) if views else ())]
        except IndexProblem as problem:
            return [f"not opened: {type(problem).__name__}: {problem}"]

    def differences(self, catalog: Catalog) -> list[str]:
        """Return which documents are neither as acknowledged nor as the step under way makes them."""
        there, found = _there(catalog), []
        for name in sorted(there.keys() | self.acknowledged.keys() | self.under_way.keys()):
            may_be = {self.acknowledged.get(name), self.under_way.get(name, self.acknowledged.get(name))}
            if there.get(name) not in may_be:
                found.append(f"{name}: {there.get(name)} and not one of {may_be}")
        return found

    def settle(self, catalog: Catalog) -> None:
        """Take for acknowledged what of the step under way is there."""
        there = _there(catalog)
        self.acknowledged |= {name: there.get(name) for name in self.under_way}
        self.under_way = {}


def _there(catalog: Catalog) -> dict[Name, Version]:
    """Return all documents that are stored; raises `Damaged`."""
    with catalog._store.reading() as reader:
        there, damaged = documents(reader)
        ranking = in_use(reader, reader.number("default") or 0)
    if damaged:
        raise Damaged("a document cannot be read")
    return {**there, RANKING: ranking and json.dumps(dict(ranking.settings))}


def documents(reader: Reader) -> tuple[dict[Name, Version], bool]:
    """Return the documents that can be read, and whether there are some that cannot."""
    there: dict[Name, Version] = {}
    damaged = False
    number = reader.number("default")
    assert number is not None
    for name in reader.document_ids(number):
        try:
            stored = reader.stored(number, name)
        except (apsw.Error, Damaged):
            damaged = True
            continue
        assert stored.as_document().fingerprint == stored.info.fingerprint, name
        there[name] = version(stored.info.fingerprint, stored.vectors)
    return there, damaged


def _unfound(catalog: Catalog) -> list[str]:
    """Return where the views are not what the truth says: all documents by vector, the first ones by their words."""
    collection = catalog.collection("default")
    names = set(collection.document_ids())
    vector = np.eye(1, DIMENSION, dtype=np.float32)[0]
    by_vector = {hit.ref.document_id for hit in collection.search(vector, None, limit=10_000).hits}
    found = [] if by_vector == names else [f"found by vector and not stored, or the reverse: {by_vector ^ names}"]
    for name in sorted(names)[:5]:
        hits = collection.search(None, name, limit=10).hits
        if {hit.ref.document_id for hit in hits} != {name}:
            found.append(f"{name} is not found by its word")
    return found


def called(module: str, name: str, *arguments: Any) -> Any:
    """Call a function of a module that only the process which runs this may import."""
    return getattr(import_module(module), name)(*arguments)
