"""The exact words inside a quote: which of its tokens answer, where a question asks for what can be pointed at. Pure.

Words never cross a cell of a row, an item or a sentence. Each choice is measured, and weighed as parts are in
quoting.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag.asked import asks_for
from rag.evidence import Words, kind_of, needed
from rag.quoting import Part
from rag.types import TokenScores
from rag.units import Unit, cells, columns, units
from rag.wording import WORD, terms_of

CHOICES = 5
_LIKELY, _LONGEST = 8, 30  # starts and ends that are tried, each with each; tokens
_EDGES = '\\s,.;:!?"“”„«»()\\[\\]–—*_`>#|-'
_EDGE = re.compile(rf"^[{_EDGES}]+|[{_EDGES}]+$")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_DIGIT = re.compile(r"\d")
_CLAUSE = re.compile(r"[;,]\s|\s[–—-]\s|\.\s|\b(?:and|but|while|whereas)\b")


@dataclass(frozen=True, slots=True)
class Choice:
    """Words that may answer: code points of the passage's text, with what was measured of them, by name."""

    start: int
    end: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Found:
    """A span of a unit that may answer, with the log-odds that the reader gives it."""

    start: int
    end: int
    score: float
    unit: Unit


def choices(words: Words, part: Part) -> list[Choice]:
    """Return the likeliest words of a part, best first by the reader alone, none overlapping another."""
    reading, text = part.passage.reading, part.passage.stored.text
    assert reading is not None
    found = [
        _Found(first, last, score, unit)
        for unit, start, end in _rooms(text, part)
        for score, first, last in _spans(text, reading.tokens, start, end)
    ]
    kept: list[_Found] = []
    for one in sorted(found, key=lambda each: (-each.score, each.start, each.end)):
        if not any(one.start < other.end and other.start < one.end for other in kept):
            kept.append(one)
        if len(kept) == CHOICES:
            break
    about = _About(words, part)
    exp = [math.exp(one.score - kept[0].score) for one in kept]
    return [
        Choice(one.start, one.end, about.measure(one, share / sum(exp), at))
        for at, (one, share) in enumerate(zip(kept, exp, strict=True))
    ]


def _rooms(text: str, part: Part) -> Iterator[tuple[Unit, int, int]]:
    """Yield where words may lie: the units of a part, and of a row its cells."""
    for unit in units(text)[part.first : part.last]:
        if unit.kind == "row":
            yield from ((unit, start, end) for start, end in cells(text, unit) if start < end)
        else:
            yield unit, max(unit.start, part.start), min(unit.end, part.end)


def _spans(text: str, tokens: TokenScores, start: int, end: int) -> Iterator[tuple[float, int, int]]:
    offsets = tokens.offsets
    inside = [at for at, (first, last) in enumerate(offsets) if start <= first and last <= end]
    if not inside:
        return
    base = inside[0]
    starts, ends = (one[base : inside[-1] + 1] for one in (tokens.starts, tokens.ends))
    firsts, lasts = (np.argsort(-one, kind="stable")[:_LIKELY] for one in (starts, ends))
    seen = set()
    for first in firsts:
        for last in lasts:
            if first <= last < first + _LONGEST:
                place = _trimmed(text, offsets[base + first][0], offsets[base + last][1], start, end)
                if place[0] < place[1] and place not in seen:
                    seen.add(place)
                    yield float(starts[first] + ends[last]), *place


def _trimmed(text: str, start: int, end: int, least: int, most: int) -> tuple[int, int]:
    """Widen to whole words, leave out marks and white space at both ends, and close a bracket that is open."""
    while start > least and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < most and text[end].isalnum() and text[end - 1].isalnum():
        end += 1
    part = text[start:end]
    inner = _EDGE.sub("", part)
    if not inner:
        return start, start
    begin = start + part.index(inner)
    end = begin + len(inner)
    while begin > least and text[begin - 1] in "$€£":
        begin -= 1
    for left, right in ("()", "[]"):
        opened = text[begin:end].count(left) > text[begin:end].count(right)
        if opened and end < most and text[end] == right:
            end += 1
    if end < most and text[end] == "%":
        end += 1
    return begin, end


class _About:
    """What is measured once for all words of a part."""

    def __init__(self, words: Words, part: Part) -> None:
        stored, reading = part.passage.stored, part.passage.reading
        assert reading is not None
        self._part, self._text, self._language = part, stored.text, stored.document.language
        self._best = reading.spans[0] if reading.spans else None
        self._asks, self._needs = asks_for(words.question), needed(words.question)
        self._weights = words.asked(self._language)
        self._whole = sum(self._weights.values()) or 1.0
        self._numbers = set(_NUMBER.findall(part.text)) & set(_NUMBER.findall(words.query))
        edges = (at.end() for at in _CLAUSE.finditer(stored.text, part.start, part.end))
        self._edges = [part.start, *edges, part.end]

    def measure(self, one: _Found, share: float, at: int) -> dict[str, float]:
        """Measure words: how likely the reader finds them, whether they are of the kind asked for, what is near."""
        said = self._text[one.start : one.end]
        count = max(1, len(WORD.findall(said)))
        first = self._best
        return {
            "score": one.score,
            "share": math.log(share + 1e-4),
            "first": float(at == 0),
            "best": float(first is not None and first.start < one.end and one.start < first.end),
            "repeats": self._share(said),
            "words": math.log(count),
            "long": max(0.0, math.log(count / 6)),
            "all": float(len(said) > 0.8 * len(self._part.text)),
            "cell": float(one.unit.kind == "row"),
            "column": float(one.unit.kind == "row" and bool(self._held(self._column(one)))),
            **self._fits(said),
            **self._near(one),
        }

    def _fits(self, said: str) -> dict[str, float]:
        """Whether words are of the kind that is asked for."""
        asks, kind = self._asks, kind_of(said)
        need = any(holds.search(said) for holds in self._needs)
        counts, times, people = asks in ("count", "measure"), asks == "time", asks == "person"
        return {
            "need": float(need),
            "no_need": float(bool(self._needs) and not need),
            "number": float(bool(_DIGIT.search(said))),
            "counts": float(counts and kind == "number"),
            "no_count": float(counts and kind != "number"),
            "dates": float(times and kind in ("date", "number")),
            "no_date": float(times and kind not in ("date", "number")),
            "named": float(people and kind == "name"),
            "no_name": float(people and kind != "name"),
        }

    def _near(self, one: _Found) -> dict[str, float]:
        """What of the question stands in the clause of the words."""
        before = max(edge for edge in self._edges if edge <= one.start)
        clause = self._text[before : min(edge for edge in self._edges if edge >= one.end)]
        here = bool(self._numbers & set(_NUMBER.findall(clause)))
        return {
            "same_clause": float(here),
            "other_clause": float(bool(self._numbers) and not here),
            "clause": self._share(clause),
        }

    def _column(self, one: _Found) -> str:
        """Return the name of the column that a cell stands in, as far as the passage has it."""
        names, places = columns(self._text, one.unit), cells(self._text, one.unit)
        return next((name for name, (a, b) in zip(names, places, strict=False) if a <= one.start < b), "")

    def _held(self, text: str) -> set[str]:
        """Return which of the question's terms a text has."""
        return {term for word in WORD.findall(text) for term in terms_of(word, self._language) if term in self._weights}

    def _share(self, text: str) -> float:
        """Return what share of the question's terms, weighed, a text has."""
        return sum(self._weights[term] for term in self._held(text)) / self._whole


def best(found: Sequence[Choice], weights: Mapping[str, float]) -> tuple[Choice, float] | None:
    """Return the worthiest choice and its share of exp(worth) among all; None where there is none."""
    found = [one for one in found if one.values["same_clause"]] or found
    if not found:
        return None
    worths = [sum(weights.get(name, 0.0) * value for name, value in one.values.items()) for one in found]
    first = max(range(len(found)), key=lambda at: worths[at])
    return found[first], 1 / sum(math.exp(worth - worths[first]) for worth in worths)
