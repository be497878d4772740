"""How well passages bear on a question: which words match, which sentences tell most, whether to answer at all.

Everything here is lexical and pure; a reader will later judge better and replace `judge`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from index.terms import analyze

from rag.types import Ranked, Span

_WORD = re.compile(r"\w+(?:['’]\w+)?")
_YEAR_OR_DAY = re.compile(
    r"\b(?:1[0-9]|20)\d\d\b|\b\d{1,2}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:January|February|March|April|May|June|July|August"
    r"|September|October|November|December)\b|\b(?:January|February|March|April|May|June|July|August|September|October"
    r"|November|December|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)\b"
)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|twenty|thirty|forty|fifty|sixty|seventy"
    r"|eighty|ninety|hundred|thousand|million|billion|half|once|twice)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[^\s.!?\"“”] )[A-ZÀ-ÖØ-Þ]\w+")
_SENTENCES = 3  # highlighted a passage, at most
_FIRST = 5  # passages that are judged
_ASKED = (  # what a question asks for, and what a sentence that answers it must hold
    (re.compile(r"\b(when|what year|which year|what date|what day|which day|what month)\b", re.I), _YEAR_OR_DAY),
    (re.compile(r"\bhow (many|much|long|old|far|tall|high|deep|wide|large|big|fast|often|heavy)\b", re.I), _NUMBER),
    (re.compile(r"\b(what (percentage|number|proportion|share)|which number)\b", re.I), _NUMBER),
    (re.compile(r"\b(who|whom|whose|where)\b", re.I), _NAME),
)


@dataclass(frozen=True, slots=True)
class Words:
    """The question's terms (stop words cut) with how much each tells: its inverse document frequency, 0 or more."""

    idf: Mapping[str, float]

    @property
    def total(self) -> float:
        """What all terms tell together."""
        return sum(self.idf.values())


def weigh(document_frequencies: Mapping[str, int], passages: int) -> Words:
    """Weigh the question's terms by BM25's inverse document frequency over `passages` passages."""
    return Words(
        {term: math.log(1 + (passages - count + 0.5) / (count + 0.5)) for term, count in document_frequencies.items()}
    )


def highlights(
    query: str, text: str, spans: Sequence[Span], words: Words, language: str | None
) -> list[tuple[str, Span]]:
    """Return (kind, span) of what matters in `text`: at most three sentences, best first, then the terms in order."""
    scores = sentence_scores(query, text, spans, words, language)
    best = sorted((at for at in range(len(spans)) if scores[at] > 0), key=lambda at: (-scores[at], at))[:_SENTENCES]
    trimmed = [_trimmed(text, spans[at]) for at in best]
    return [("sentence", span) for span in trimmed] + [("term", span) for span in matches(text, words, language)]


def matches(text: str, words: Words, language: str | None) -> list[Span]:
    """Return the spans of `text` whose word is one of the question's terms, in order."""
    return [Span(*found.span()) for found in _WORD.finditer(text) if words.idf.keys() & _terms(found[0], language)]


def sentence_scores(query: str, text: str, spans: Sequence[Span], words: Words, language: str | None) -> list[float]:
    """Score each sentence by the question's terms that it holds, weighed, and by whether it holds what is asked for."""
    needs = [holds for asks, holds in _ASKED if asks.search(query)]
    scores = []
    for span in spans:
        sentence = text[span.start : span.end]
        score = _covered(sentence, words, language)
        scores.append(score + 0.25 * any(holds.search(sentence) for holds in needs))
    return scores


@dataclass(frozen=True, slots=True)
class Signals:
    """What speaks for an answer, each from 0 to 1 but `dense` (a cosine)."""

    dense: float  # of the best passage
    coverage: float  # share of the question's terms, weighed, in the best of the first passages
    sentence: float  # the same in the best sentence


def signals(query: str, words: Words, ranked: Sequence[Ranked]) -> Signals:
    """Measure the first passages of a ranking."""
    first = [one.stored for one in ranked[:_FIRST]]
    return Signals(
        max((one.dense or 0.0 for one in ranked[:_FIRST]), default=0.0),
        max((_covered(one.text, words, one.document.language) for one in first), default=0.0),
        0.0,
    )


def enough(measured: Signals) -> bool:
    """Say whether the passages are shown as an answer."""
    return measured.dense > 0


def explain(query: str, words: Words, ranked: Sequence[Ranked], documents: int) -> str:
    """Say in one sentence what the passages lack."""
    return f"Nothing in {documents} documents answers this."


def _covered(text: str, words: Words, language: str | None) -> float:
    present = {term for found in _WORD.finditer(text) for term in _terms(found[0], language)}
    return sum(weight for term, weight in words.idf.items() if term in present) / (words.total or 1.0)


def _trimmed(text: str, span: Span) -> Span:
    part = text[span.start : span.end]
    return Span(span.start + len(part) - len(part.lstrip()), span.start + len(part.rstrip()))


@lru_cache(maxsize=65_536)
def _terms(word: str, language: str | None) -> tuple[str, ...]:
    return tuple(analyze(word, language))
