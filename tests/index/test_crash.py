"""A process that is killed while it writes: what it acknowledged is there, and nothing is half there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def killed_while_adding(folder: Path, seed: int, prefix: str, lines: int) -> list[list[str]]:
    """Run adding.py until it has printed that many lines, kill it, and return all that it printed, cut into words."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/index/adding.py"), str(folder), str(seed), prefix],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    printed = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    printed += process.stdout.read().splitlines()
    process.stdout.close()
    assert process.wait() == -9
    return [line.split() for line in printed if line.strip()]


def test_kill_9_loses_nothing_that_was_acknowledged(folder: Path, maker) -> None:
    """Three times at random: what was acknowledged is there and found, what was deleted is not, verify is clean."""
    added: set[str] = set()
    doubtful: set[str] = set()
    deleted: set[str] = set()
    for attempt in range(3):
        printed = killed_while_adding(
            folder, maker.random.randrange(10**6), f"k{attempt}-", maker.random.randint(1, 60)
        )
        added |= {words[1] for words in printed if words[0] == "added"}
        doubtful |= {words[1] for words in printed if words[0] == "deleting"}
        deleted |= {words[1] for words in printed if words[0] == "deleted"}
        with maker.open(folder) as catalog:
            assert catalog.verify() == []
            collection = catalog.collection("default")
            stored = {info.id for info in collection.documents(limit=100_000)}
            assert added - doubtful <= stored
            assert not deleted & stored
            for name in sorted(stored & added)[:20]:
                hits = collection.search(None, name.replace("x", " x"), limit=1000).hits
                assert stored >= {hit.ref.document_id for hit in hits}
            found = collection.search(maker.vector(), None, limit=2 * len(stored) + 1).hits
            assert {hit.ref.document_id for hit in found} == stored
    assert added
