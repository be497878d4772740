"""What came of the questions by their type: how many were answered, related or absent, and what was shown with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from rag.evaluation.measures import Observed
from rag.evaluation.replies import quote_length
from rag.types import Outcome

OUTCOMES: Sequence[Outcome] = get_args(Outcome)
SHOWN = ("Right@1", "Right@3", "Lit@3", "Quote right", "Words shown", "Words right")
"""The measures that are told by type."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came of the questions that are `answerable`, or are not: of those of one type, or of all where it is None.

    `outcomes` are counts by outcome, `measures` means of `SHOWN`, those left out that say nothing about any of them.
    """

    type: str | None
    answerable: bool
    questions: int
    outcomes: Mapping[Outcome, int]
    measures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class QuoteLength:
    """The median length of the quotes of `n` answered, answerable questions, in code points.

    Of an even number it is the longer of the two in the middle.
    """

    median: int
    n: int


def came(observed: Sequence[Observed], values: Mapping[str, Mapping[str, float]]) -> Sequence[Came]:
    """Return what came of the questions that were asked, answerable ones first, all of them before their types.

    `values` are those of the measures by query id.
    """
    asked = [seen for seen in observed if seen.answer is not None]
    return tuple(row for answerable in (True, False) for row in _rows(asked, answerable, values))


def _rows(asked: Sequence[Observed], answerable: bool, values: Mapping[str, Mapping[str, float]]) -> Iterator[Came]:
    labelled = [seen for seen in asked if seen.question.answerable is answerable]
    for kind in (None, *sorted({seen.question.type for seen in labelled if seen.question.type is not None})):
        some = [seen for seen in labelled if kind in (None, seen.question.type)]
        if some:
            yield Came(kind, answerable, len(some), _counts(some), dict(_means(some, values)))


def _counts(some: Sequence[Observed]) -> Mapping[Outcome, int]:
    counts = Counter(seen.answer.outcome for seen in some if seen.answer)
    return {outcome: counts[outcome] for outcome in OUTCOMES}


def _means(some: Sequence[Observed], values: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, float]]:
    for measure in SHOWN:
        by_query = values.get(measure, {})
        known = [by_query[seen.question.id] for seen in some if seen.question.id in by_query]
        if known:
            yield measure, sum(known) / len(known)


def quote_lengths(observed: Sequence[Observed]) -> QuoteLength | None:
    """Return how long the quotes are that were shown, None where none was."""
    lengths = sorted(
        length for seen in observed if seen.answer and (length := quote_length(seen.question, seen.answer)) is not None
    )
    return QuoteLength(lengths[len(lengths) // 2], len(lengths)) if lengths else None
