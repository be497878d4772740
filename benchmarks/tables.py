"""What the programs that compare systems over several sets share: headline measures, paired tests, Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rag.evaluation.comparison import Effect, paired
from rag.evaluation.statistics import Estimate, mean_estimate

MEASURES = ("nDCG@10", "R@10", "R@20", "R@100", "Answer@5", "Answer@20", "Answer@50", "Passage token IoU@5")
LONG = ("covidqa", "wice")  # few long documents: the passage must be found
OUTSIDE = ("clapnq", "vitaminc")  # no headroom; the relevant revision is one of several

Values = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Per system, per measure, per question its value."""


def headline(name: str) -> str:
    """Return the measure that a set is judged by."""
    return "Answer@5" if name in LONG else "nDCG@10"


def estimates(results: Mapping[str, Values], measure: str) -> dict[str, dict[str, Estimate]]:
    """Return per set that has the measure, per system, the mean with its interval."""
    rows = {
        name: {
            system: mean_estimate(list(values[measure].values()), seed=0)
            for system, values in systems.items()
            if values.get(measure)
        }
        for name, systems in results.items()
    }
    return {name: row for name, row in rows.items() if row}


def standing(
    results: Mapping[str, Values],
    one: str,
    outside: Sequence[str] = OUTSIDE,
    judged_by: Callable[[str], str] = headline,
) -> dict[str, Any]:
    """Return the mean over the sets of every system, and what `one` has before each other, in all and set by set.

    A set counts by the measure that `judged_by` gives it, each as much as another; those of `outside` are left out of
    the mean. The test is paired, over all questions, each flipped and drawn within its set.
    """
    judged = {
        name: {system: values[judged_by(name)] for system, values in systems.items()}
        for name, systems in results.items()
    }
    inside = {name: systems for name, systems in judged.items() if name not in outside} or judged
    names = list(next(iter(inside.values())))
    means = {name: sum(mean(systems[name]) for systems in inside.values()) / len(inside) for name in names}
    found: dict[str, Any] = {"sets": list(inside), "mean": means}
    if one in names:
        others = [name for name in names if name != one]
        found["against"] = {other: asdict(effect(inside, one, other)) for other in others}
        found["by_set"] = {
            name: {other: asdict(effect({name: systems}, one, other)) for other in others}
            for name, systems in judged.items()
        }
    return found


def mean(values: Mapping[str, float]) -> float:
    """Return the mean over questions, NaN without any."""
    return sum(values.values()) / len(values) if values else float("nan")


def effect(judged: Mapping[str, Mapping[str, Mapping[str, float]]], one: str, other: str) -> Effect:
    """Return how much better `one` is than `other`, with the paired test."""
    sides = [{name: systems[system] for name, systems in judged.items()} for system in (other, one)]
    return paired(*sides)


def cell(one: Estimate) -> str:
    """Say a mean with its interval."""
    return f"{one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]"


def difference(row: Mapping[str, Any]) -> str:
    """Say a difference with its interval and its p-value."""
    return f"{row['effect']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}], p {row['p']:.4f}"


def print_measure(measure: str, rows: Mapping[str, Mapping[str, Estimate]]) -> None:
    """Print one measure as a Markdown table, a set a line; nothing where no set has it."""
    if not rows:
        return
    systems = list(next(iter(rows.values())))
    print(f"\n### {measure}\n")
    lines = [
        (name, next(iter(row.values())).n, *(cell(row[system]) for system in systems)) for name, row in rows.items()
    ]
    markdown(("set", "questions", *systems), lines)


def print_standing(found: Mapping[str, Any], one: str) -> None:
    """Print the means, and what `one` has before each other, in all and set by set."""
    print(f"\n### Mean of {len(found['sets'])} sets\n")
    markdown(list(found["mean"]), [[f"{value:.4f}" for value in found["mean"].values()]])
    if "against" in found:
        print(f"\n### {one} less each other\n")
        rows = {f"mean of {len(found['sets'])} sets": found["against"], **found["by_set"]}
        markdown(
            ("set", *found["against"]), [(n, *(difference(part) for part in row.values())) for n, row in rows.items()]
        )


def markdown(head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> None:
    """Print a Markdown table."""
    for line in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(map(str, line))} |")
