"""How often the gate of `pincite compare` cries wolf, and how often it sees one: over the values of a real result.

Nothing changed: one system's questions are parted into two halves that are paired at random, as if each half were a
system; or two systems' values are swapped at random, question by question. A difference is then found by chance alone,
as often as alpha says. Something got worse: of questions drawn with replacement, some lose their whole value. The mean
falls by just the loss, or each question falls with the same chance and the mean by the loss on average; the rest keeps
its value, or has another system's, swapped, which is harder to see.

    pincite eval DATASET --split dev --output result.json
    python benchmarks/gate.py result.json

Exit status 1 where the false alarms are not within 1.5 points of alpha, the loss is not called a regression in 99 of
100 draws, or a loss of 0.05 is not found as often, within 3 points, as the power says.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from reporting import Bound, finish, table

from rag.evaluation.comparison import Declared, outcome, paired
from rag.evaluation.kept import read_kept
from rag.evaluation.statistics import detectable

Values = NDArray[np.float64]
Pair = tuple[Values, Values]
Random = np.random.Generator
NOTICED = 0.05  # the loss that is to be found as often as the power says
POWER = 0.8


def main() -> None:
    """Draw, compare, count, and hold the counts to what was promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path, help="a result of pincite eval --output")
    parser.add_argument("--system", default="hybrid", help="the system that is compared with itself")
    parser.add_argument("--other", default="dense", help="the system that its values are swapped with")
    parser.add_argument("--measure", default="nDCG@10")
    parser.add_argument("--margin", type=float, default=0.01)
    parser.add_argument("--splits", type=int, default=5000)
    parser.add_argument("--questions", type=int, default=1000, help="how many are drawn to plant the loss among")
    parser.add_argument("--loss", type=float, default=0.02, help="the loss that is planted")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="write the result here as JSON")
    options = parser.parse_args()
    shares = measured(options, *values(options))
    table(["", *next(iter(shares.values()))], [[name, *row.values()] for name, row in shares.items()])
    finish({"seed": options.seed, "splits": options.splits, "shares": shares}, bounds(shares), options.output)


def values(options: argparse.Namespace) -> Pair:
    """Return the values of both systems, in the order of the questions that both have."""
    (one,), (two,) = (
        [kept.values[options.measure] for kept in read_kept(options.result, name).values()]
        for name in (options.system, options.other)
    )
    shared = sorted(set(one) & set(two))
    return np.array([one[query] for query in shared]), np.array([two[query] for query in shared])


def measured(options: argparse.Namespace, one: Values, two: Values) -> dict[str, dict[str, float]]:
    """Return per way to draw how many questions there are, and the shares of splits that came out so or so."""
    declared, count = Declared(options.measure, options.margin), options.questions
    enough = needed(one, two, declared.alpha)
    draws: Mapping[str, Callable[[Random], Pair]] = {
        "no change, halves": lambda random: halves(one, random),
        "no change, swapped": lambda random: swapped(one, two, random),
        f"loss {options.loss:g}": lambda random: losing(*drawn(one, one, count, random), options.loss, random),
        f"loss {options.loss:g}, swapped": lambda random: losing(*drawn(one, two, count, random), options.loss, random),
        f"loss {NOTICED:g} on average, swapped": lambda random: fading(*drawn(one, two, enough, random), random),
    }
    return {name: counted(draw, declared, options.splits, options.seed) for name, draw in draws.items()}


def halves(one: Values, random: Random) -> Pair:
    """Return two halves of the values, paired at random."""
    mixed, half = random.permutation(one), len(one) // 2
    return mixed[:half], mixed[half : 2 * half]


def swapped(one: Values, two: Values, random: Random) -> Pair:
    """Return the values of both, each pair standing either way round."""
    turned = random.random(len(one)) < 0.5
    return np.where(turned, two, one), np.where(turned, one, two)


def drawn(one: Values, two: Values, count: int, random: Random) -> Pair:
    """Return `count` pairs drawn with replacement, swapped."""
    chosen = random.integers(len(one), size=count)
    return swapped(one[chosen], two[chosen], random)


def losing(before: Values, after: Values, loss: float, random: Random) -> Pair:
    """Let so many questions, in random order, lose their whole value that the mean falls by `loss`."""
    order = random.permutation(len(after))
    enough = int(np.searchsorted(np.cumsum(after[order]), loss * len(after))) + 1
    fallen = after.copy()
    fallen[order[:enough]] = 0
    return before, fallen


def fading(before: Values, after: Values, random: Random) -> Pair:
    """Let every question lose its whole value with such a chance that the mean falls by `NOTICED` on average."""
    return before, np.where(random.random(len(after)) < NOTICED / after.mean(), 0, after)


def needed(one: Values, two: Values, alpha: float) -> int:
    """Return how many questions show a loss of `NOTICED` with the power promised."""
    random = np.random.default_rng(0)
    before, after = fading(*drawn(one, two, 200_000, random), random)
    return int(np.ceil((detectable(float((after - before).std()), alpha=alpha, power=POWER) / NOTICED) ** 2))


def counted(draw: Callable[[Random], Pair], declared: Declared, splits: int, seed: int) -> dict[str, Any]:
    """Return the least difference found with 80 % power, and the shares of draws with a finding and each outcome."""
    random, seen, sees = np.random.default_rng(seed), Counter[str](), 0.0
    for at in range(splits):
        before, after = (dict(zip(map(str, range(len(side))), side, strict=True)) for side in draw(random))
        effect = paired({"set": before}, {"set": after}, alpha=declared.alpha, seed=seed + at)
        sees += (effect.detectable or 0) / splits
        seen.update([outcome(effect, declared), *(["found"] if effect.p <= declared.alpha else [])])
    kinds = ("found", "no regression", "regression", "inconclusive")
    return {"questions": len(before), "detectable": round(sees, 3), **{kind: seen[kind] / splits for kind in kinds}}


def bounds(shares: Mapping[str, Mapping[str, float]]) -> list[Bound]:
    """Return what is promised of the shares, in the order that they were measured in."""
    halved, swap, planted, _, noticed = shares.values()
    return [
        Bound("false alarms of halves, points from alpha", round(abs(halved["found"] - 0.05) * 100, 2), most=1.5),
        Bound(
            "false alarms of swapped systems, points from alpha", round(abs(swap["found"] - 0.05) * 100, 2), most=1.5
        ),
        Bound("the loss called a regression", planted["regression"], least=0.99),
        Bound(
            f"a loss of {NOTICED:g} found, points from the power", round(abs(noticed["found"] - POWER) * 100, 2), most=3
        ),
    ]


if __name__ == "__main__":
    main()
