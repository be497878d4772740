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
_CLAUSE = re.compile(r"[;,]\s|\s[–—-]\s|\.\s|\b(?:and|but|while|whereas)\b")


@dataclass(frozen=True, slots=True)
class Choice:
    """Words that may answer: code points of the passage's text, with what was measured of them, by name."""

    start: int
    end: int
    score: float  # log-odds against no answer
    values: Mapping[str, float]


def choices(words: Words, part: Part) -> list[Choice]:
    """Return the likeliest words of a part, best first by the reader alone, none overlapping another."""
    reading, text = part.passage.reading, part.passage.stored.text
    assert reading is not None
    found: list[tuple[float, int, int, Unit | None]] = []
    for unit, start, end in _rooms(text, part):
        found += [(score, first, last, unit) for score, first, last in _spans(text, reading.tokens, start, end)]
    kept: list[tuple[float, int, int, Unit | None]] = []
    for one in sorted(found, key=lambda each: (-each[0], each[1], each[2])):
        if not any(one[1] < other[2] and other[1] < one[2] for other in kept):
            kept.append(one)
        if len(kept) == CHOICES:
            break
    most = kept[0][0] if kept else 0.0
    share = sum(math.exp(one[0] - most) for one in kept)
    return [
        Choice(start, end, score, _measured(words, part, (start, end), unit, score, math.exp(score - most) / share, at))
        for at, (score, start, end, unit) in enumerate(kept)
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


def _measured(
    words: Words, part: Part, place: tuple[int, int], unit: Unit | None, score: float, share: float, at: int
) -> dict[str, float]:
    """Measure words: how likely the reader finds them, whether they are of the kind asked for, and what is near."""
    stored, reading = part.passage.stored, part.passage.reading
    assert reading is not None
    text, said = stored.text, stored.text[place[0] : place[1]]
    language = stored.document.language
    asks, needs = asks_for(words.question), needed(words.question)
    weights = words.asked(language)
    own = {term for word in WORD.findall(said) for term in terms_of(word, language)}
    clause = _clause(text, place, part)
    numbers, near = set(_NUMBER.findall(words.query)), set(_NUMBER.findall(clause))
    others = set(_NUMBER.findall(part.text)) & numbers
    kind = kind_of(said)
    count = len(WORD.findall(said))
    best = reading.spans[0] if reading.spans else None
    around = {term for word in WORD.findall(clause) for term in terms_of(word, language)}
    whole = sum(weights.values()) or 1.0
    named = 0.0
    if unit is not None and unit.kind == "row":
        names = columns(text, unit)
        inside = next((n for n, (a, b) in enumerate(cells(text, unit)) if a <= place[0] < b), None)
        if inside is not None and inside < len(names):
            named = float(
                bool({t for w in WORD.findall(names[inside]) for t in terms_of(w, language)} & weights.keys())
            )
    return {
        "score": score,
        "share": math.log(share + 1e-4),
        "first": float(at == 0),
        "best": float(best is not None and best.start < place[1] and place[0] < best.end),
        "need": float(any(holds.search(said) for holds in needs)),
        "no_need": float(bool(needs) and not any(holds.search(said) for holds in needs)),
        "number": float(bool(re.search(r"\d", said))),
        "counts": float(asks in ("count", "measure") and kind == "number"),
        "no_count": float(asks in ("count", "measure") and kind != "number"),
        "dates": float(asks == "time" and kind in ("date", "number")),
        "no_date": float(asks == "time" and kind not in ("date", "number")),
        "named": float(asks == "person" and kind == "name"),
        "no_name": float(asks == "person" and kind != "name"),
        "repeats": sum(weights.get(term, 0.0) for term in own) / whole,
        "same_clause": float(bool(others & near)),
        "other_clause": float(bool(others) and not others & near),
        "clause": sum(weight for term, weight in weights.items() if term in around) / whole,
        "words": math.log(max(1, count)),
        "long": max(0.0, math.log(max(1, count) / 6)),
        "all": float(len(said) > 0.8 * len(part.text)),
        "column": named,
        "cell": float(unit is not None and unit.kind == "row"),
    }


def _clause(text: str, place: tuple[int, int], part: Part) -> str:
    """Return the clause of a part that words stand in."""
    edges = [part.start, *(at.end() for at in _CLAUSE.finditer(text, part.start, part.end)), part.end]
    before = max(edge for edge in edges if edge <= place[0])
    after = min(edge for edge in edges if edge >= place[1])
    return text[before:after]


def best(found: Sequence[Choice], weights: Mapping[str, float]) -> tuple[Choice, float] | None:
    """Return the worthiest choice and its share of exp(worth) among all; None where there is none."""
    found = [one for one in found if one.values["same_clause"]] or found
    if not found:
        return None
    worths = [sum(weights.get(name, 0.0) * value for name, value in one.values.items()) for one in found]
    first = max(range(len(found)), key=lambda at: worths[at])
    return found[first], 1 / sum(math.exp(worth - worths[first]) for worth in worths)
