"""Chooses which passages are read and how long a part of each, by what that brings and what it costs.

    python benchmarks/reader/tradeoff.py FOLDER/eval seeds --work WORK --questions 60 --json tradeoff.json

Asked are the questions of fit.py: of the `dev` halves, not trained on. Each is read once for every window, as deep as
the deepest; a plan then reads some of the first passages, ordered by the blend as shipped, and the others follow: so
many, or of those that are read at most the ones whose first score is within reach of the best. What it costs is the
median time of reading the passages of a question, and the mean, measured in the same run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from fit import Asked, asking, collect, mean, ndcg, places
from reporting import finish, machine, say, table

from api.settings import load_settings
from rag import judging
from rag.encoding import load_encoder
from rag.pairs import WINDOW
from rag.reading import Reader, load_reader
from rag.types import Ranked, Reading

TIMED = 4  # questions of each set that every plan is timed on
WINDOWS = (64, 96, 128, 160)
DEPTHS = (0, 4, 6, 8, 10, 12, 16, 24)
REACHES = (0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read: a window in tokens of at most `depth` passages, within `reach` of the best's first score."""

    window: int
    depth: int
    reach: float | None = None

    def chosen(self, passages: Sequence[Ranked]) -> int:
        """Return how many of the first passages are read."""
        return len(passages[: self.depth] if self.reach is None else judging.near(passages, self.depth, self.reach))


PLANS = [
    *(Plan(window, depth) for window in WINDOWS for depth in DEPTHS),
    *(Plan(WINDOW, judging.DEPTH, reach) for reach in REACHES),
]


@dataclass(frozen=True, slots=True)
class Read:
    """A question's passages as first found, by window what was read of each, and by plan in how many seconds."""

    asked: Asked
    readings: Mapping[int, Sequence[Reading]]
    seconds: Mapping[Plan, float]


def main() -> None:
    """Read, and print nDCG@10 and milliseconds by plan."""
    options = asking(__doc__).parse_args()
    cache = load_settings({}).cache
    readers = {window: load_reader(cache, window) for window in WINDOWS}
    by_set: dict[str, list[Read]] = {}
    for place in places(options, load_encoder(None, cache)):
        found = collect(place, None, options.questions, max(DEPTHS))
        able = [one for one in found if any(one.relevant)]
        by_set[place.dataset.name] = [read(one, readers, at < TIMED) for at, one in enumerate(able)]
        say(f"{place.dataset.name}: {len(able)} questions")
    finish(result(by_set), [], options.json)


def read(asked: Asked, readers: Mapping[int, Reader], timed: bool) -> Read:
    """Read the passages of a question with every window; with `timed` once more by every plan, to know the time."""
    stored = [passage.stored for passage in asked.passages]
    readings = {window: reader.read(asked.query, stored) for window, reader in readers.items()}
    seconds = {}
    for plan in PLANS if timed else ():
        began = time.perf_counter()
        if count := plan.chosen(asked.passages):
            readers[plan.window].read(asked.query, stored[:count])
        seconds[plan] = time.perf_counter() - began
    return Read(asked, readings, seconds)


def result(by_set: Mapping[str, Sequence[Read]]) -> dict[str, object]:
    """Print the table and return it."""
    rows, every = [], [one for found in by_set.values() for one in found]
    for plan in PLANS:
        values = {name: mean([quality(one, plan) for one in found]) for name, found in by_set.items()}
        spent = np.array([one.seconds[plan] for one in every if one.seconds]) * 1000
        rows.append({
            **asdict(plan),
            "passages": round(mean([plan.chosen(one.asked.passages) for one in every]), 1),
            "milliseconds": round(float(np.median(spent)), 1),
            "mean_milliseconds": round(float(spent.mean()), 1),
            "ndcg": round(mean(list(values.values())), 4),
            "by_set": values,
        })  # fmt: skip
    names = sorted(by_set)
    table(
        ["window", "depth", "reach", "passages", "ms, median", "mean", "nDCG@10", *names],
        [[row["window"], row["depth"], row["reach"] or "", row["passages"], row["milliseconds"],
          row["mean_milliseconds"], f"{row['ndcg']:.4f}", *(f"{row['by_set'][name]:.3f}" for name in names)]
         for row in rows],
    )  # fmt: skip
    return {"machine": machine(), "rows": rows}


def quality(one: Read, plan: Plan) -> float:
    """Return nDCG@10 of a question, the ideal being what the deepest reading holds."""
    asked = one.asked
    readings = one.readings[plan.window][: plan.chosen(asked.passages)]
    ranked: Sequence[Ranked] = judging.ordered(asked.passages, readings)
    place = {id(passage.stored): at for at, passage in enumerate(asked.passages)}
    score = np.zeros(len(ranked))
    for rank, passage in enumerate(ranked):
        score[place[id(passage.stored)]] = -rank
    return ndcg(asked, score.tolist())


if __name__ == "__main__":
    main()
