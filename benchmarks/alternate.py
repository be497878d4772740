"""Asks two versions of Pincite the same questions by turns and says how many times as long the newer one takes.

    git worktree add BEFORE COMMIT
    python benchmarks/alternate.py --data FOLDER --before BEFORE --queries QUERIES [QUERIES …] --json result.json

Each version serves a copy of the data folder, which was last written by a version no newer than BEFORE. A question goes
to one server, then to the other, the first one changing each time; the first of three rounds is a warm one too.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from reporting import Bound, finish, machine, say, table
from serve import questions
from service import Service

MOST = 1.5  # times what a question took before
ROUNDS = 3


def main() -> None:
    """Start both servers, ask by turns, and print the waiting times and their ratio."""
    options = parsed()
    asked = questions(options.queries, options.questions, options.seed)
    with tempfile.TemporaryDirectory(dir=options.data.parent) as scratch, ExitStack() as stack:
        servers = {}
        for name, code in (("before", options.before), ("now", None)):
            shutil.copytree(options.data, Path(scratch) / name, ignore=shutil.ignore_patterns("lock"))
            servers[name] = Service(Path(scratch) / name, code)
            stack.callback(servers[name].stop)
        rounds = [by_turns(servers, asked) for _ in range(ROUNDS)]
    rows, ratios = [], []
    for number, waits in enumerate(rounds, start=1):
        p50 = {name: float(np.median(found)) for name, found in waits.items()}
        p95 = {name: float(np.percentile(found, 95)) for name, found in waits.items()}
        ratios.append(p50["now"] / p50["before"])
        rows.append([number, *(f"{p50[name]:.1f} / {p95[name]:.1f}" for name in servers), f"{ratios[-1]:.2f}"])
    table(["round", "before p50 / p95 ms", "now p50 / p95 ms", "ratio of p50"], rows)
    result = {"questions": len(asked), "machine": machine(), "rounds": rows, "ratios": ratios}
    finish(
        result, [Bound("p50 of a question, times before", round(float(np.median(ratios)), 3), most=MOST)], options.json
    )


def by_turns(servers: dict[str, Service], asked: Sequence[str]) -> dict[str, list[float]]:
    """Ask every question of both and return the milliseconds that each waited."""
    waits: dict[str, list[float]] = {name: [] for name in servers}
    for number, query in enumerate(asked):
        for name in sorted(servers, reverse=bool(number % 2)):
            started = time.perf_counter()
            servers[name].ask(query)
            waits[name].append((time.perf_counter() - started) * 1000)
    say(f"{len(asked)} questions asked of both")
    return waits


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a data folder, which is copied and left as it is")
    parser.add_argument("--before", type=Path, required=True, help="a checkout of the version to compare with")
    parser.add_argument("--queries", type=Path, nargs="+", required=True, help="queries.jsonl files, .gz or not")
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
