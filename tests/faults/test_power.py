"""Power cuts at hundreds of moments of a run: what was acknowledged is there, and nothing is half there."""

from __future__ import annotations

import random
from pathlib import Path

from power import FULL, NORMAL, Cut, cuts, recorded

POINTS = 240


def tried(scratch: Path, synchronous: int, points: int) -> list[Cut]:
    """Record a run and cut it."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    log = recorded(scratch / "data", seed, 30, synchronous)
    return list(cuts(log, scratch, points, seed, scratch / "data" / "views"))


def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """At every moment: it opens, each document is there whole or as it was before, verify is clean, views fit."""
    made = tried(tmp_path, FULL, POINTS)
    assert [cut for cut in made if cut.faults] == []
    assert len(made) == POINTS
    assert max(cut.acknowledged for cut in made) > 10


def test_the_simulation_can_lose(tmp_path: Path) -> None:
    """With `synchronous=NORMAL` acknowledged documents are lost at some moments: else the test above proves nothing."""
    assert any(cut.faults for cut in tried(tmp_path, NORMAL, POINTS // 2))
