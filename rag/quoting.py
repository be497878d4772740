"""Which words of the passages read are the quote: every part that could be one is measured, and weighed. Pure.

A part is a sentence, a list item, a table row, two sentences that follow each other, a clause of a long sentence, a
list with what introduces it, or the paragraph below a question. Its worth is a weighted sum of what is measured; among
the parts of all passages the shares of exp(worth) are probabilities (a conditional logit: D. McFadden, "Conditional
Logit Analysis of Qualitative Choice Behavior", 1974). The weights are those of decision.json, fitted by
benchmarks/reader/decision.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise, takewhile

import numpy as np

from index.types import Vectors
from rag import judging
from rag.asked import POINTS, asks_for
from rag.evidence import Words, needed
from rag.types import QuoteKind, Ranked, TokenScores
from rag.units import Unit, units
from rag.wording import WORD, terms_of

FIRST = 6  # passages of which parts are measured
_LONG, _PAIR, _LIST, _PARAGRAPH = 120, 320, 900, 480  # code points: a clause's sentence at least, the others at most
_SHORT = 20  # code points: a clause has more
_CLAUSE = re.compile(r"[;:][*_]*\s+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_DIGIT = re.compile(r"\d")
_NOT = re.compile(r"\b(?:not|no|never|cannot|without|except|unless|neither|nor|only)\b|n['’]t\b", re.IGNORECASE)
_BECAUSE = re.compile(
    r"\b(?:because|since|due to|so that|in order to|therefore|as a result|reasons?|caus\w+|to avoid)\b", re.IGNORECASE
)
_ENDS = re.compile(r"[.!?。！？…][\"'”’»)\]*_`]*$")
_UNREAD = {"mass": -14.0, "share": -9.0, "peak": -12.0, "unread": 1.0}  # of a part that the reader did not see
_LEAST_MASS, _LEAST_SHARE = 1e-6, 1e-4  # below it one is as good as the other
_COMPARED = ("peak", "context", "coverage")  # what is also measured against the other parts
_BY_DIGIT = frozenset({"count", "measure", "time", "yesno", "reason", "manner"})  # what is asked for, where it matters
_BY_ITEM = frozenset({"manner", "list", "which", "what"})
_BY_LIST = frozenset({"manner", "list", "which", "what", "yesno"})
_BY_LENGTH = frozenset({"reason", "manner", "yesno", "words"})


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a passage that may be quoted: code points of its text."""

    passage: Ranked
    start: int
    end: int
    kind: QuoteKind
    first: int  # its units, from and to (exclusive)
    last: int

    @property
    def text(self) -> str:
        """The words."""
        return self.passage.stored.text[self.start : self.end]


Place = tuple[int, int, QuoteKind, int, int]
"""Start and end in the text, kind, and the units that it is of, from and to (exclusive)."""


def parts(passage: Ranked) -> list[Part]:
    """Return what could be quoted of a passage, each place once; no question and no heading where there is more."""
    text = passage.stored.text
    found = units(text)
    telling = any(not unit.asks and unit.kind != "heading" for unit in found)
    places: dict[tuple[int, int], Place] = {}
    for place in _places(text, found):
        first = found[place[3]]
        if not telling or not (first.asks or first.kind == "heading"):
            places.setdefault(place[:2], place)
    return [Part(passage, *place) for place in places.values()]


def _places(text: str, found: Sequence[Unit]) -> Iterator[Place]:
    for at, unit in enumerate(found):
        kind: QuoteKind = "row" if unit.kind == "row" else "heading" if unit.kind == "heading" else "sentence"
        yield unit.start, unit.end, kind, at, at + 1
        if unit.kind in ("sentence", "item") and unit.end - unit.start > _LONG:
            yield from ((start, end, "sentence", at, at + 1) for start, end in _clauses(text, unit))
    for at, (one, other) in enumerate(pairwise(found)):
        flows = one.kind in ("sentence", "item") and other.kind == "sentence" and one.paragraph == other.paragraph
        if flows and other.end - one.start <= _PAIR:
            yield one.start, other.end, "passage", at, at + 2
    yield from _lists(found)
    yield from _paragraphs(found)


def _clauses(text: str, unit: Unit) -> Iterator[tuple[int, int]]:
    """Yield the parts of a sentence between its semicolons and colons, if it has some."""
    edges = [unit.start, *(at.end() for at in _CLAUSE.finditer(text, unit.start, unit.end)), unit.end]
    for start, end in pairwise(edges):
        length = len(text[start:end].rstrip())
        if len(edges) > 2 and length > _SHORT:
            yield start, start + length


def _lists(found: Sequence[Unit]) -> Iterator[Place]:
    """Yield every run of items, and the same with the sentence before it."""
    at = 0
    while at < len(found):
        run = len(list(takewhile(lambda unit: unit.kind == "item", found[at:])))
        if run > 1 and found[at + run - 1].end - found[at].start <= _LIST:
            yield found[at].start, found[at + run - 1].end, "list", at, at + run
            if at and found[at - 1].kind == "sentence":
                yield found[at - 1].start, found[at + run - 1].end, "list", at - 1, at + run
        at += max(1, run)


def _paragraphs(found: Sequence[Unit]) -> Iterator[Place]:
    """Yield what stands below a question or a heading, up to the end of its paragraph, where it is three or more."""
    for at, unit in enumerate(found[:-1], start=1):
        if unit.asks or unit.kind == "heading":
            last = at
            while last < len(found) and _goes_on(found[at], found[last]):
                last += 1
            if last > at + 2 and found[last - 1].end - found[at].start <= _PARAGRAPH:
                yield found[at].start, found[last - 1].end, "passage", at, last


def _goes_on(first: Unit, one: Unit) -> bool:
    return one.paragraph == first.paragraph and not one.asks and one.kind == "sentence"


@dataclass(frozen=True, slots=True)
class Measured:
    """A part with all that was measured of it, by name."""

    part: Part
    values: dict[str, float]


def measured(words: Words, ranked: Sequence[Ranked]) -> list[Measured]:
    """Measure the parts of the first passages that were read, best passage first."""
    read = [one for one in ranked if one.reading][:FIRST]
    best = max((one.fused for one in read), default=0.0)
    nearest = max((one.dense or 0.0 for one in read), default=0.0)
    found: list[Measured] = []
    for rank, one in enumerate(read):
        about = _Passage(words, one, rank, best, nearest)
        found += _beside([Measured(part, about.measure(part)) for part in parts(one)])
    how = "points" if asks_for(words.question) in POINTS else "tells"
    for name in _COMPARED:
        most = max((each.values[name] for each in found), default=0.0)
        for each in found:
            each.values[f"{name}_most"] = float(each.values[name] == most)
            each.values[f"{how}_{name}"] = each.values[name]
    return found


def _beside(found: list[Measured]) -> list[Measured]:
    """Add how far each part is below the best of its passage."""
    for name in _COMPARED:
        most = max((one.values[name] for one in found), default=0.0)
        for one in found:
            one.values[f"{name}_below"] = one.values[name] - most
    return found


class _Passage:
    """What is measured once for all parts of a passage."""

    def __init__(self, words: Words, passage: Ranked, rank: int, best: float, nearest: float) -> None:
        stored, reading = passage.stored, passage.reading
        assert reading is not None
        self._language = stored.document.language
        self._units = units(stored.text)
        self._question, self._asks = words.question, asks_for(words.question)
        self._needs = needed(words.question)
        self._numbers = set(_NUMBER.findall(words.query))
        self._weights = dict(words.telling(self._language))
        self._whole = sum(self._weights.values()) or 1.0
        self._terms = [self._held(stored.text[unit.start : unit.end]) for unit in self._units]
        self._header = self._held(stored.passage.header)
        self._read = _Read(reading.tokens)
        self._values = {
            "relevance": reading.relevance,
            "logit": judging.logit(passage.score),
            "passage": passage.score,
            "rank": float(rank),
            "below_fused": (passage.fused - best) / max(1.0, best),  # BM25 is no share, where words alone were searched
            "below_dense": (passage.dense or 0.0) - nearest,
            "supported": reading.verdict[0],
            "contradicted": reading.verdict[1],
        }

    def _held(self, text: str) -> Set[str]:
        """Return which of the question's terms a text has."""
        return {term for word in WORD.findall(text) for term in terms_of(word, self._language) if term in self._weights}

    def _share(self, held: Set[str]) -> float:
        """Return what share of the question's terms, weighed, these are."""
        return sum(self._weights[term] for term in held) / self._whole

    def measure(self, part: Part) -> dict[str, float]:
        """Return what is measured of a part."""
        text, unit = part.text, self._units[part.first]
        read = self._read.measure(part.start, part.end)
        return {
            **self._values,
            **read,
            **self._worded(part, text),
            **self._shaped(part, text),
            **self._fits(part, text, unit),
        }

    def _worded(self, part: Part, text: str) -> dict[str, float]:
        """What of the question's words it and its neighbours hold."""
        unit, above = self._units[part.first], self._units[part.first - 1] if part.first else None
        clause = part.last - part.first == 1 and len(text) < unit.end - unit.start
        own = self._held(text) if clause else set().union(*self._terms[part.first : part.last])
        before = set().union(*self._terms[max(0, part.first - 2) : part.first])
        sides = [*self._terms[max(0, part.first - 1) : part.first], *self._terms[part.last : part.last + 1]]
        numbers = bool(self._numbers & set(_NUMBER.findall(text)))
        asked = above is not None and (above.asks or above.kind == "heading")
        return {
            "coverage": self._share(own),
            "beside": max(map(self._share, sides), default=0.0),
            "context": self._share(own | before | self._header),
            "headed": self._share(own | self._header),
            "bare": float(not own),
            "number": float(numbers),
            "no_number": float(bool(self._numbers) and not numbers),
            "asked_above": self._share(self._terms[part.first - 1]) if asked else 0.0,
            "clause": float(clause),
            "below_heading": float(above is not None and above.kind == "heading"),
        }

    def _shaped(self, part: Part, text: str) -> dict[str, float]:
        """What kind of part it is, and how long."""
        unit, of, length = self._units[part.first], part.last - part.first, len(text)
        return {
            "list": float(part.kind == "list"),
            "row": float(part.kind == "row"),
            "item": float(of == 1 and unit.kind == "item"),
            "pair": float(part.kind == "passage" and of == 2),
            "paragraph": float(part.kind == "passage" and of > 2),
            "colon": float(text.endswith(":")),
            "ends": float(bool(_ENDS.search(text))),
            "lower": float(text[0].islower()),
            "tiny": float(length < 25),
            "length": math.log(length),
            "long": max(0.0, math.log(length / 200)),
            "first": float(part.first == 0),
            "place": part.first / len(self._units),
        }

    def _fits(self, part: Part, text: str, unit: Unit) -> dict[str, float]:
        """Whether it is of the kind that is asked for."""
        asks, denies = self._asks, bool(_NOT.search(text))
        need = any(holds.search(text) for holds in self._needs)
        found = {
            "need": float(need),
            "no_need": float(bool(self._needs) and not need),
            "not": float(denies),
            "both_not": float(denies and bool(_NOT.search(self._question))),
            "because": float(asks == "reason" and bool(_BECAUSE.search(text))),
        }
        if asks in _BY_DIGIT:
            found[f"{asks}_digit"] = float(bool(_DIGIT.search(text)))
        if asks in _BY_ITEM:
            found[f"{asks}_item"] = float(unit.kind == "item")
        if asks in _BY_LIST:
            found[f"{asks}_list"] = float(part.kind == "list")
        if asks in _BY_LENGTH:
            found[f"{asks}_long"] = math.log(len(text))
        return found


class _Read:
    """What the reader says of the tokens of a passage: how likely an answer starts and ends at each."""

    def __init__(self, tokens: TokenScores) -> None:
        self._at = np.array([start for start, _ in tokens.offsets], dtype=np.int64)
        self._tokens = tokens
        shares = [_shares(one) for one in (tokens.starts, tokens.ends)]
        self._sums = [np.concatenate([[0.0], np.cumsum(one)]) for one in shares]

    def measure(self, start: int, end: int) -> dict[str, float]:
        """Measure the tokens that start in a part."""
        first, last = np.searchsorted(self._at, [start, end])
        if first == last:
            return dict(_UNREAD)
        mass = [float(one[last] - one[first]) for one in self._sums]
        share = sum(own / (float(one[-1]) + 1e-9) for own, one in zip(mass, self._sums, strict=True)) / 2
        peak = self._tokens.starts[first:last].max() + self._tokens.ends[first:last].max()
        return {
            "mass": math.log(max(0.0, sum(mass) / 2) + _LEAST_MASS),
            "share": math.log(max(0.0, share) + _LEAST_SHARE),
            "peak": float(peak),
            "unread": 0.0,
        }


def _shares(odds: Vectors) -> Vectors:
    """Return the probabilities of tokens, given their log-odds against no answer."""
    most = max(0.0, float(odds.max(initial=0.0)))
    exp = np.exp(odds.astype(np.float64) - most)
    found: Vectors = exp / (exp.sum() + math.exp(-most))
    return found


def chosen(found: Sequence[Measured], weights: Mapping[str, float]) -> tuple[list[float], list[float]]:
    """Return the worth of each part, and its share of exp(worth) among all."""
    worths = [sum(weights.get(name, 0.0) * value for name, value in one.values.items()) for one in found]
    most = max(worths, default=0.0)
    exp = [math.exp(one - most) for one in worths]
    whole = sum(exp) or 1.0
    return worths, [one / whole for one in exp]
