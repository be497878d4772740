"""Shows that a power cut loses nothing that was acknowledged, at thousands of simulated ones.

Runs that add, replace and delete documents are recorded call by call, and cut at random moments: what was synced is
there, and of what was not each sector may be there, lost or garbage. Each folder that a disk could hold then is opened
and checked: every acknowledged document is there with its digest, passages and vectors, every other one is there whole
or not at all, and nothing is damaged. The control does the same with `synchronous=NORMAL`, and must lose.

    python benchmarks/powercut.py --points 10000 --json power.json
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from reporting import Bound, finish, say, table

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "faults"))

from power import FULL, NORMAL, cuts, recorded

STEPS = 60  # of a run
CUTS = 500  # in one run; the next run has another seed
SHOWN = 20  # faults that are written down


def main() -> None:
    """Cut the power at all points, and at a tenth as many for the control."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=2_000)
    parser.add_argument("--seed", type=int, help="what draws texts and moments (default: a new one, which is printed)")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}")
    full = tried("FULL", FULL, options.points, seed)
    control = tried("NORMAL, the control", NORMAL, max(100, options.points // 10), seed)
    table(["synchronous", "points", "acknowledged at the last", "points with a loss"], [row(full), row(control)])
    for fault in full["faults"]:
        print(fault)
    bounds = [
        Bound("points tried", full["points"], least=options.points),
        Bound("points at which something acknowledged was lost or anything was damaged", full["lost"], most=0),
        Bound("the same in the control, which must lose", control["lost"], least=1),
    ]
    finish({"seed": seed, "full": full, "control": control}, bounds, options.json)


def tried(name: str, synchronous: int, points: int, seed: int) -> dict[str, Any]:
    """Record as many runs as it takes and cut them."""
    result: dict[str, Any] = {"synchronous": name, "points": 0, "acknowledged": 0, "lost": 0, "faults": []}
    while result["points"] < points:
        with tempfile.TemporaryDirectory() as scratch:
            data = Path(scratch) / "data"
            log = recorded(data, seed, STEPS, synchronous)
            for cut in cuts(log, Path(scratch), min(CUTS, points - result["points"]), seed, data / "views"):
                result["points"] += 1
                result["acknowledged"] = max(result["acknowledged"], cut.acknowledged)
                result["lost"] += bool(cut.faults)
                result["faults"] += [f"seed {seed}, call {cut.calls}: {one}" for one in cut.faults[:1]]
                if result["points"] % 100 == 0:
                    say(f"{name}: {result['points']} of {points} points, {result['lost']} with a loss")
        seed += 1
    result["faults"] = result["faults"][:SHOWN]
    return result


def row(result: dict[str, Any]) -> list[Any]:
    """Return a line of the table."""
    return [result["synchronous"], result["points"], result["acknowledged"], result["lost"]]


if __name__ == "__main__":
    main()
