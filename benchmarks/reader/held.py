"""What questions get by weights that were not fitted to them: the tables that decision.py prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from collected import REAL, Asked
from reporting import table

from rag.deciding import Decided, Decisions
from rag.evaluation.calibration import auroc, ece
from rag.evaluation.replies import OFF_TOPIC
from rag.types import Outcome

LEAST_PAIRS = 21  # of confidences and outcomes, below which an error of calibration says nothing


@dataclass(frozen=True, slots=True)
class Held:
    """A question that was left out of a fit: what is decided of it, and whether its quote and its words are right."""

    asked: Asked
    decided: Decided
    right_quote: bool
    right_words: bool


def report(held: Sequence[Held], least: Mapping[str, float]) -> None:
    """Print what the questions of each set get by the thresholds `least`."""
    by = Decisions({}, {}, {}, {}, {}, {}, **least)
    names = sorted({one.asked.name for one in held})
    real = [one for one in held if one.asked.name in REAL]
    head = (
        *("held out", "n", "AUROC", "ECE", "answered", "absent", "near declined", "off answered", "off absent"),
        *("quote right", "length", "quote ECE", "words shown", "right", "words ECE"),
    )
    rows = [row(name, [one for one in held if one.asked.name == name], by) for name in names]
    table(head, [*rows, row("real together", real, by)])
    declining(real)
    showing(real)


def row(name: str, held: Sequence[Held], by: Decisions) -> list[str]:
    """Return the cells of one row."""
    came = {outcome: [one for one in held if one.decided.outcome(by, None) == outcome] for outcome in get_args(Outcome)}
    able, near, off = (group(held, kind) for kind in ("able", "near", "off"))
    said = group(came["answered"], "able")
    supported = [one for one in said if one.asked.support]
    short = [one for one in able if one.asked.short]
    shown = [one for one in said if one.asked.short and one.decided.choice and one.decided.pointed >= by.least_words]
    confidence = np.array([one.decided.confidence for one in held])
    labels = np.array([one.asked.answerable for one in held])
    return [
        name,
        str(len(held)),
        f"{auroc(confidence, labels):.3f}" if labels.any() and not labels.all() else "",
        f"{ece(confidence, labels):.3f}",
        part(group(came["answered"], "able"), able),
        part(group(came["absent"], "able"), able),
        part([*group(came["related"], "near"), *group(came["absent"], "near")], near),
        part(group(came["answered"], "off"), off),
        part(group(came["absent"], "off"), off),
        part([one for one in supported if one.right_quote], supported),
        f"{np.median([one.decided.part.end - one.decided.part.start for one in supported]):.0f}" if supported else "",
        calibrated([(one.decided.quoted, one.right_quote) for one in supported]),
        part(shown, short),
        part([one for one in shown if one.right_words], shown),
        calibrated([(one.decided.pointed, one.right_words) for one in shown]),
    ]


def group(held: Sequence[Held], kind: Literal["able", "near", "off"]) -> list[Held]:
    """Return those that the documents answer, that they nearly answer, or that are about something else."""

    def of(one: Asked) -> str:
        return "able" if one.answerable else "off" if one.type == OFF_TOPIC else "near"

    return [one for one in held if of(one.asked) == kind]


def calibrated(pairs: Sequence[tuple[float, bool]]) -> str:
    """Return the calibration error of confidences."""
    if len(pairs) < LEAST_PAIRS:
        return ""
    confidence, right = (np.array(each) for each in zip(*pairs, strict=True))
    return f"{ece(confidence, right):.3f}"


def declining(held: Sequence[Held]) -> None:
    """Print what declining costs and gains."""
    able, near = ([one.decided.confidence for one in group(held, kind)] for kind in ("able", "near"))
    rows = []
    for answered in (0.95, 0.92, 0.9, 0.88, 0.86, 0.85, 0.84, 0.8, 0.75, 0.7, 0.6):
        least = float(np.quantile(able, 1 - answered))
        rows.append([f"{answered:.2f}", f"{least:.3f}", part([one for one in near if one < least], near)])
    table(("answerable answered", "threshold", "near misses declined"), rows)


def showing(held: Sequence[Held]) -> None:
    """Print how right words are where more or fewer of them are shown."""
    short = [one for one in group(held, "able") if one.asked.short]
    told = sorted((one for one in short if one.decided.choice), key=lambda one: -one.decided.pointed)
    rows = []
    for shown in (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6):
        first = told[: round(shown * len(short))]
        if first:
            right = part([one for one in first if one.right_words], first)
            rows.append([f"{shown:.2f}", f"{first[-1].decided.pointed:.3f}", right])
    table(("short answers shown", "threshold", "right"), rows)


def part(some: Sequence[object], of: Sequence[object]) -> str:
    """Return a share as a cell, empty where there is nothing to count."""
    return f"{len(some) / len(of):.3f}" if of else ""
