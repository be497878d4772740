"""Chooses how many passages are read and how long a part of each, by what that brings and what it costs.

    python benchmarks/reader/tradeoff.py FOLDER/eval seeds --work WORK --questions 60 --json tradeoff.json

Asked are the questions of fit.py: of the `dev` halves, not trained on. Each is read once for every window, as deep as
the deepest; a depth then reads the first of those passages, ordered by the blend as shipped, and the others follow.
What it costs is the median time of reading the tokens of a question at the speed measured here, in the same run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from fit import Asked, asking, collect, mean, ndcg, places
from reporting import finish, machine, say, table

from api.settings import load_settings
from rag import judging
from rag.encoding import load_encoder
from rag.reading import Reader, load_reader
from rag.types import Ranked, Reading

TIMED = 4  # questions of each set that every depth is timed on
DEPTHS = (0, 4, 6, 8, 10, 12, 16, 24)
WINDOWS = (96, 128, 160)


@dataclass(frozen=True, slots=True)
class Read:
    """A question's passages as first found, and by window what was read of each and in how many seconds all of it."""

    asked: Asked
    readings: Mapping[int, Sequence[Reading]]
    seconds: Mapping[int, Mapping[int, float]]  # by window and depth


def main() -> None:
    """Read, and print nDCG@10 and milliseconds by window and depth."""
    options = asking(__doc__).parse_args()
    cache = load_settings({}).cache
    readers = {window: load_reader(cache, window) for window in WINDOWS}
    by_set: dict[str, list[Read]] = {}
    for place in places(options, load_encoder(None, cache)):
        found = collect(place, None, options.questions, max(DEPTHS))
        able = [one for one in found if any(one.relevant) and not one.taken]
        by_set[place.dataset.name] = [read(one, readers, at < TIMED) for at, one in enumerate(able)]
        say(f"{place.dataset.name}: {len(able)} questions")
    finish(result(by_set), [], options.json)


def read(asked: Asked, readers: Mapping[int, Reader], timed: bool) -> Read:
    """Read the passages of a question with every window; with `timed` once more at every depth, to know the time."""
    stored = [passage.stored for passage in asked.passages]
    readings = {window: reader.read(asked.query, stored) for window, reader in readers.items()}
    seconds: dict[int, dict[int, float]] = {window: {} for window in readers}
    for depth in DEPTHS[1:] if timed else ():
        for window, reader in readers.items():
            began = time.perf_counter()
            reader.read(asked.query, stored[:depth])
            seconds[window][depth] = time.perf_counter() - began
    return Read(asked, readings, seconds)


def result(by_set: Mapping[str, Sequence[Read]]) -> dict[str, object]:
    """Print the table and return it."""
    rows = []
    for window in WINDOWS:
        for depth in DEPTHS:
            values = {name: mean([quality(one, window, depth) for one in found]) for name, found in by_set.items()}
            timed = [one.seconds[window] for found in by_set.values() for one in found if one.seconds[window]]
            spent = [of.get(depth, 0.0) for of in timed]
            rows.append({"window": window, "depth": depth, "milliseconds": round(1000 * float(np.median(spent)), 1),
                         "ndcg": round(mean(list(values.values())), 4), "by_set": values})  # fmt: skip
    names = sorted(by_set)
    table(
        ["window", "depth", "ms", "mean", *names],
        [[row["window"], row["depth"], row["milliseconds"], f"{row['ndcg']:.4f}",
          *(f"{row['by_set'][name]:.3f}" for name in names)] for row in rows],
    )  # fmt: skip
    return {"machine": machine(), "rows": rows}


def quality(one: Read, window: int, depth: int) -> float:
    """Return nDCG@10 of a question, the ideal being what the deepest reading holds."""
    asked = one.asked
    ranked: Sequence[Ranked] = judging.ordered(asked.passages, one.readings[window][:depth])
    place = {id(passage.stored): at for at, passage in enumerate(asked.passages)}
    score = np.zeros(len(ranked))
    for rank, passage in enumerate(ranked):
        score[place[id(passage.stored)]] = -rank
    return ndcg(asked, score.tolist())


if __name__ == "__main__":
    main()
