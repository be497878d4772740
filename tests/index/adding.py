"""Adds documents to the data folder that is named, one after another, and prints each id once it is acknowledged.

Run by the tests in a process of its own; the arguments are the folder, a seed and a prefix for the ids.
"""

import sys
from pathlib import Path

import numpy as np

from index.catalog import Catalog
from index.types import Document, NewDocument, Passage


def document(name: str, numbers: np.random.Generator) -> NewDocument:
    """Return a document of two passages whose words are its own name."""
    text = f"{name} first\n{name} second 😀"
    middle = text.index("\n") + 1
    vectors = numbers.standard_normal((2, 16)).astype(np.float32)
    passages = [Passage(0, 0, middle - 1, 0), Passage(1, middle, len(text), middle)]
    return NewDocument(Document(name, text, text.encode(), "text/plain"), passages, vectors)


def main(folder: str, seed: str, prefix: str) -> None:
    """Add until killed: mostly new documents, now and then replacing or deleting an old one."""
    numbers = np.random.default_rng(int(seed))
    with Catalog(Path(folder), encoder="sha256:model-a", dimension=16) as catalog:
        collection = catalog.collection("default")
        print("ready", flush=True)
        for number in range(100_000):
            batch = [document(f"{prefix}{number}x{place}", numbers) for place in range(int(numbers.integers(1, 5)))]
            for name in collection.add(batch).statuses:
                print("added", name, flush=True)
            if number % 5 == 4:
                gone = f"{prefix}{number - 4}x0"
                print("deleting", gone, flush=True)
                collection.delete([gone])
                print("deleted", gone, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
