"""What was read becomes an order, and words that may answer. Pure.

`Blend` was fitted by benchmarks/reader/fit.py, `DEPTH` and `REACH` chosen by tradeoff.py beside it, on questions of
`dev` halves; docs/reader.md has the commands. What is made of the passages in their order is decided in deciding.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, takewhile

from rag.types import Ranked, Reading, ScoredSpan

LEAST, DEPTH = 6, 12  # passages that are read, at least and at most
FULL_DEPTH = 8  # at most, where the processor multiplies in full precision only: each takes it 40 ms, else 8
REACH = 0.25  # of the first stage's score: of more than LEAST, those further below the best are hardly ever lifted


@dataclass(frozen=True, slots=True)
class Blend:
    """How a passage's score is made: its logit is `slope` * `sum` + `offset`.

    `fused` says how many points of the reader's logit the first stage's whole range, 0 to 1, is worth; the more, the
    less the reader moves. `slope` and `offset` make a probability of it (J. Platt, "Probabilistic Outputs for Support
    Vector Machines", 1999).
    """

    fused: float = 20.0
    slope: float = 0.167
    offset: float = -2.3384

    def sum(self, relevance: float, fused: float) -> float:
        """Return what orders the passages: the reader's logit and the first stage's score at its price."""
        return relevance + self.fused * fused


@dataclass(frozen=True, slots=True)
class Candidate:
    """Words that may answer, in their passage; `worth` orders them, and is above 0 where an answer is likelier."""

    passage: Ranked
    span: ScoredSpan
    worth: float

    @property
    def text(self) -> str:
        """The words."""
        return self.passage.stored.text[self.span.start : self.span.end]


SPAN_RELEVANCE = 3.0  # what a point of a passage's logit counts for its words


def depth(runtime: str) -> int:
    """Return how many passages are read at most by a reader that runs on `runtime`."""
    return FULL_DEPTH if runtime.endswith("f32") else DEPTH


def near(passages: Sequence[Ranked], most: int = DEPTH, reach: float = REACH) -> Sequence[Ranked]:
    """Return the first passages, best first, that are worth reading: LEAST, and those within `reach` of the best."""
    edge = max((one.fused for one in passages), default=0.0) - reach * _scale(passages)
    first = passages[:most]
    return [*first[:LEAST], *takewhile(lambda one: one.fused >= edge, first[LEAST:])]


def ordered(passages: Sequence[Ranked], readings: Sequence[Reading], blend: Blend = Blend()) -> list[Ranked]:
    """Order the first passages by what was read of them; those that were not read follow as they were.

    `readings` are those of the first `len(readings)` passages. Every score becomes a probability of relevance; equal
    ones keep their order.
    """
    scale = _scale(passages)
    read = [
        replace(one, reading=reading, score=probability(reading.relevance, one.fused / scale, blend))
        for one, reading in zip(passages, readings, strict=False)
    ]
    read.sort(key=lambda one: -one.score)
    rest = passages[len(read) :]
    if not read or not rest:
        return read or list(passages)
    least, edge = read[-1].score, max(one.fused for one in rest)
    below = [replace(one, score=round(least * one.fused / edge if edge > 0 else 0.0, 6)) for one in rest]
    return list(chain(read, below))


def _scale(passages: Sequence[Ranked]) -> float:
    """Return what a first score is divided by to be at most 1: a search by words alone orders by BM25, which is not."""
    return max((1.0, *(one.fused for one in passages)))


def probability(relevance: float, fused: float, blend: Blend = Blend()) -> float:
    """Return how likely a passage is relevant, 0 to 1, rounded so that no order of float additions shows."""
    return round(_sigmoid(blend.slope * blend.sum(relevance, fused) + blend.offset), 6)


def candidates(ranked: Sequence[Ranked]) -> list[Candidate]:
    """Return the words of all passages read that may answer, best first."""
    found = [
        Candidate(one, span, span.score + SPAN_RELEVANCE * logit(one.score))
        for one in ranked
        if one.reading
        for span in one.reading.spans
    ]
    return sorted(found, key=lambda one: -one.worth)


def logit(share: float) -> float:
    """Return the log-odds of a probability, kept within what float rounding leaves of it."""
    kept = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(kept / (1 - kept))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
