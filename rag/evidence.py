"""How well passages bear on a question: which words match, which sentences tell most, whether to answer at all.

Everything here is lexical and pure; where a reader read the passages, rag/judging.py decides instead of `enough`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import Literal

from index.terms import analyze
from rag.types import Mark, Outcome, Ranked, Span
from rag.wording import WORD, asked_terms, inverse_frequencies, terms_of

_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DATE = re.compile(
    rf"\b(?:1[0-9]|20)\d\d\b|\b\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}\b|\b{_MONTH}\b"
    r"|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b"
)
_DIGITS = r"(?:\d[\d.,]*\d|\d)"
_NUMERAL = (
    "(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|sixty|seventy|eighty"
    "|ninety|hundred|thousand|million|billion|half|dozen|once|twice)"
)
_NUMBER = re.compile(rf"\b(?!(?:1[0-9]|20)\d\d\b){_DIGITS}\b|\b{_NUMERAL}\b", re.IGNORECASE)  # but no year
_QUANTITY = re.compile(
    rf"\b(?:{_DIGITS}|{_NUMERAL}|an?)[\s-]?(?:(?:hundred|thousand|million|billion|square|cubic|metric)\s)*"
    r"(?:%|°|per ?cent|kilo\w*|k?m/h|mph|met(?:re|er)s?|centimet\w+|millimet\w+|miles?|feet|foot|inch\w*|km|kg|cm|mm"
    r"|m\b|tonnes?|tons?|grams?|pounds?|euros?|dollars?|degrees?|years?|days?|hours?|minutes?|seconds?|weeks?|months?"
    r"|litres?|knots)|[$€£]\s?\d|\b\d\d?[.:]\d\d\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[^\s.!?\"“”] )[A-ZÀ-ÖØ-Þ]\w+")  # a capital that does not open a sentence
_CAPITAL = re.compile(r"\b[A-ZÀ-ÖØ-Þ]\w")
_OWN = re.compile(  # a word that a date does not have
    r"\b(?!(?:the|of|in|on|at|by|from|to|until|since|between|and|about|around|early|late|mid|end|spring|summer|autumn"
    r"|winter|century)\b)[^\W\d_]{2,}",
    re.IGNORECASE,
)
_NEEDS = (  # what a question asks for, and what a sentence that answers it is likely to hold
    (re.compile(r"\b(?:when|(?:what|which|since what|from what) (?:year|month|day|date))\b", re.I), _DATE),
    (
        re.compile(
            r"\bhow (?:long|old|far|tall|high|deep|wide|large|big|fast|heavy|early|late|hot|cold|thick)\b", re.I
        ),
        _QUANTITY,
    ),
    (
        re.compile(r"\bhow (?:many|much|often)\b|\b(?:what|which) (?:percentage|number|proportion|share)\b", re.I),
        _NUMBER,
    ),
    (re.compile(r"\b(?:who|whom|whose|where|which)\b", re.I), _NAME),
)
_SENTENCES = 3  # highlighted a passage, at most
_NEED = 0.25  # what it counts to hold that, where a sentence that holds every term of the question counts 1
_ANSWERS = 10.0  # and to hold the words that answer: more than all else together
_NEIGHBOUR = 0.3  # what a neighbour's terms count: an answer often follows the sentence that names the subject
FIRST = 5  # passages that are judged
_NEUTRAL = 0.5  # the cosine similarity to assume where only words were compared
_THRESHOLD = 7.2
_APART, _FEW_WORDS = 0.35, 0.6  # cosine similarity, and share of the question's words
_TYPE = re.compile(r"\b(?:which|what)\s+(\w+)", re.IGNORECASE)  # of the answer, which seldom names its own type
_ASKING = (  # words that questions are made with and answers need not repeat
    "become begin bring call cause come consist contain do explain find get give go happen have hold include keep kind"
    " know let like list look long make many mean much name need new number off old out part people person place put"
    " run say see seem show sort stand still take tell thing turn type up use want way work year day date also just"
    " ever really exactly actually please"
)
_HOW_MANY = re.compile(r"\bhow (?:many|much)\b(.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Words:
    """A question and how much each of its terms tells: the inverse document frequency, 0 or more, by term.

    `query` is what was searched for; `question` is the last thing asked, where the talk before completed it.
    """

    query: str
    question: str
    idf: Mapping[str, float]

    def asked(self, language: str | None) -> Mapping[str, float]:
        """Return the terms to look for in a text of this language, without its stop words, each with its weight."""
        return {term: self.idf[term] for term in asked_terms(self.query, language) if term in self.idf}

    def telling(self, language: str | None) -> Mapping[str, float]:
        """Return those that an answer should hold: without words that only ask, unless there are no others."""
        asked = self.asked(language)
        only_ask = _asking() | {term for found in _TYPE.finditer(self.question) for term in analyze(found[1], language)}
        return {term: weight for term, weight in asked.items() if term not in only_ask} or asked


def needed(question: str) -> list[re.Pattern[str]]:
    """Return what a sentence that answers is likely to hold: a date, a number or a name, by what is asked for."""
    return [holds for asks, holds in _NEEDS if asks.search(question)]


def weigh(query: str, question: str, document_frequencies: Mapping[str, int], passages: int) -> Words:
    """Weigh the question's terms by BM25's inverse document frequency over `passages` passages."""
    return Words(query, question, inverse_frequencies(document_frequencies, passages))


def highlights(
    text: str,
    spans: Sequence[Span],
    words: Words,
    language: str | None,
    answers: Sequence[Span] = (),
    quotes: Sequence[Span] = (),
) -> list[tuple[Mark, Span]]:
    """Return (kind, span) of what matters in `text`: answers, at most three sentences, best first, terms in order.

    `spans` are the sentences of `text`; a sentence counts by the question's terms that it or a neighbour holds,
    weighed, and by whether it holds what is asked for (a date, a quantity, a name). `answers` are the words that a
    reader found to answer, and `quotes` what is quoted; their sentences come first.
    """
    asked = words.asked(language)
    needs = needed(words.question)
    sentences = [text[span.start : span.end] for span in spans]
    words_at = [(found[0], found.start(), found.end()) for found in WORD.finditer(text)]
    sought = {word: asked.keys() & terms_of(word, language) for word in {word for word, _, _ in words_at}}
    matched = [(start, end, sought[word]) for word, start, end in words_at if sought[word]]
    held = [_held(matched, span, asked) for span in spans]
    told_first = [*answers, *quotes]
    scores = [
        held[at]
        + _NEIGHBOUR * max(held[max(0, at - 1) : at] + held[at + 1 : at + 2], default=0.0)
        + _NEED * any(holds.search(sentence) for holds in needs)
        + _ANSWERS * any(spans[at].start < one.end and one.start < spans[at].end for one in told_first)
        for at, sentence in enumerate(sentences)
    ]
    told = [at for at, sentence in enumerate(sentences) if scores[at] > 0 and sentence.strip()]
    best = sorted(told, key=lambda at: (-scores[at], at))[:_SENTENCES]
    terms = [Span(start, end) for start, end, _ in matched]
    marks: list[tuple[Mark, Span]] = [("answer", span) for span in answers]
    return [*marks, *(("sentence", _trimmed(text, spans[at])) for at in best), *(("term", span) for span in terms)]


@dataclass(frozen=True, slots=True)
class Signals:
    """What speaks for an answer in the first passages of a ranking."""

    dense: float  # the greatest cosine similarity; neutral where no vectors were compared
    coverage: float  # share of the question's terms, weighed, in the passage that holds most of them, 0 to 1
    missing: tuple[str, ...]  # words of the question that this passage lacks, as they were written
    counted: bool  # whether it holds the thing that a "how many" or "how much" asks for


def signals(words: Words, ranked: Sequence[Ranked]) -> Signals:
    """Measure the first passages of a ranking, which is not empty."""
    first = ranked[:FIRST]
    texts = [(f"{one.stored.passage.header} {one.stored.text}", one.stored.document.language) for one in first]
    covered = [_covered(text, words.telling(language), language) for text, language in texts]
    coverage = max(covered)
    text, language = texts[covered.index(coverage)]
    telling, present = words.telling(language), _present(text, language)
    missing: dict[str, str] = {}  # by term, so that another form of a word is not missed twice
    for found in WORD.finditer(words.query):
        terms = telling.keys() & set(terms_of(found[0], language))
        if terms and not terms & present:
            missing.setdefault(min(terms), found[0])
    return Signals(
        max((one.dense for one in first if one.dense is not None), default=_NEUTRAL),
        coverage,
        tuple(missing.values()),
        _counted(words.question, words.asked(language).keys(), present, language),
    )


def kind_of(text: str) -> Literal["date", "number", "name"] | None:
    """Say what words are, by how they are written: a date, a number with or without its unit, a name, or else."""
    if _DATE.search(text) and not _OWN.search(_DATE.sub(" ", text)):
        return "date"
    if _NUMBER.search(text) or _QUANTITY.search(text):
        return "number"
    if _CAPITAL.search(text):
        return "name"
    return "number" if re.search(r"\d", text) else None


def enough(measured: Signals) -> bool:
    """Say whether the passages are shown as an answer, by a weighted sum against a threshold.

    Its weights and its threshold were fitted on the `dev` half of seeds/questions.jsonl. A long question never finds
    all of its words, so each missing one is forgiven a part of what it costs in coverage; all of them together at
    most eight tenths, or a long question would be answered for its length alone.
    """
    forgiven = min(0.57 * len(measured.missing), 4.0 * (1 - measured.coverage))
    return 4.0 * measured.dense + 5.0 * measured.coverage + forgiven + 1.6 * measured.counted >= _THRESHOLD


def apart(measured: Signals) -> bool:
    """Say whether the passages are of something else altogether, where nothing was read and they are no answer.

    Chosen on the `dev` halves of real folders, so that hardly an answerable question is so far from every passage.
    """
    return measured.dense < _APART and measured.coverage < _FEW_WORDS


def explain(measured: Signals, documents: int, outcome: Outcome) -> str:
    """Say in one sentence what the passages lack."""
    words = ", ".join(f"“{word}”" for word in measured.missing[:5])
    lacks = f"the passage with the most of its words does not have {words}"
    if outcome == "related":
        said = "Passages speak of this, but none says it surely"
    else:
        where = "the one document here" if documents == 1 else f"the {documents:,} documents here"
        said = f"Nothing that was found in {where} seems to speak of this"
    return f"{said}: {lacks}." if measured.missing else f"{said}."


def _counted(question: str, asked: Set[str], present: Set[str], language: str | None) -> bool:
    """Say whether the first thing after "how many" or "how much" is there; true where nothing is counted."""
    counting = _HOW_MANY.search(question)
    things = (asked & set(terms_of(found[0], language)) for found in WORD.finditer(counting[1])) if counting else ()
    thing = next((terms for terms in things if terms), None)
    return thing is None or bool(thing & present)


def _held(matched: Sequence[tuple[int, int, Set[str]]], span: Span, asked: Mapping[str, float]) -> float:
    """Return the share of the question's terms, weighed, that a sentence holds."""
    present = {term for start, _, terms in matched if span.start <= start < span.end for term in terms}
    return _share(present, asked)


def _covered(text: str, asked: Mapping[str, float], language: str | None) -> float:
    return _share(_present(text, language), asked)


def _share(present: Set[str], asked: Mapping[str, float]) -> float:
    return sum(weight for term, weight in asked.items() if term in present) / (sum(asked.values()) or 1.0)


def _present(text: str, language: str | None) -> set[str]:
    return {term for word in set(WORD.findall(text)) for term in terms_of(word, language)}


def _trimmed(text: str, span: Span) -> Span:
    part = text[span.start : span.end]
    return Span(span.start + len(part) - len(part.lstrip()), span.start + len(part.rstrip()))


@cache
def _asking() -> frozenset[str]:
    return frozenset(term for word in _ASKING.split() for term in analyze(word, "en"))
