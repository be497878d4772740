"""What is answered and how surely: the quote, the words in it, and the outcome. Pure.

Every weight and threshold is in decision.json, written by benchmarks/reader/decision.py; docs/reader.md tells how. A
confidence is a logistic function of a weighted sum of what is measured.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rag import pointing, quoting
from rag.asked import ASKS, POINTS, asks_for, denies, holds, identifiers, named, several, squeeze, stands
from rag.evidence import Signals, Words, kind_of
from rag.judging import logit
from rag.pointing import Choice
from rag.quoting import Measured, Part
from rag.types import Outcome, Ranked, Span

FILE = Path(__file__).parent / "decision.json"
ANSWERS = 4  # words shown: the first and at most three others
OTHER = 0.5  # the least probability of relevance of a passage whose words are shown beside the first
AS_SURE = 0.9  # of the first words' confidence, which others need at least
UNHEARD = 0.1  # the greatest confidence where an identifier of the question stands nowhere
_JOINED = re.compile(r"[,;/&+\n]|\b(?:and|or|und|et|y|o)\b")  # several things
_NAME_AFTER = re.compile(r"(?: \([^()]*\))?,? (?:and|or|&) (?:the )?[A-ZÀ-ÖØ-Þ]")  # and another one
_NAME_BEFORE = re.compile(r"[A-ZÀ-ÖØ-Þ]\w+(?: \([^()]*\))?,? (?:and|or|&) (?:the )?$")
_WORD = re.compile(r"\w+")
Weights = Mapping[str, float]
"""What each measured thing counts, by name; "bias" is counted once."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """All that decides what follows the reader. The thresholds are probabilities, 0 to 1."""

    quote: Weights  # which part is quoted
    words: Weights  # which words of it
    answered: Weights  # whether the documents hold an answer
    subject: Weights  # whether they speak of the subject at all
    quoted: Weights  # whether the quote answers
    pointed: Weights  # whether the words do
    least_answered: float
    least_subject: float
    least_words: float


@lru_cache(maxsize=1)
def shipped() -> Decisions:
    """Return what was fitted to the reader that is shipped."""
    return Decisions(**json.loads(FILE.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Decided:
    """What is made of the passages that were read; the confidences are probabilities."""

    confidence: float
    subject: float
    part: Part
    quoted: float
    choice: Choice | None = None
    pointed: float = 0.0

    def outcome(self, by: Decisions, least: float | None) -> Outcome:
        """Return the outcome; `least`, where it is given, is the least confidence that is answered, whatever else."""
        if self.confidence >= (by.least_answered if least is None else least):
            return "answered"
        return "related" if self.subject >= by.least_subject else "absent"


def decide(
    words: Words, ranked: Sequence[Ranked], signals: Signals, by: Decisions, *, only: Ranked | None = None
) -> Decided | None:
    """Decide by the passages that were read, best first; None where none of them has a part.

    With `only` nothing but parts of that passage are looked at.
    """
    return decided(words, ranked, signals, quoting.measured(words, ranked if only is None else [only]), by)


def decided(
    words: Words, ranked: Sequence[Ranked], signals: Signals, found: Sequence[Measured], by: Decisions
) -> Decided | None:
    """Decide by parts that were measured already."""
    if not found:
        return None
    seen = Seen.of(words, ranked, signals, found, by)
    part = seen.best.part
    chosen = pointing.best(pointing.choices(words, part), by.words)
    choice, pointed = None, 0.0
    text = part.passage.stored.text
    if chosen is not None and pointable(words.question, text, chosen[0].start, chosen[0].end):
        choice, pointed = chosen[0], sigmoid(chosen_values(seen, *chosen), by.pointed)
    subject = sigmoid(seen.values, by.subject)
    return Decided(
        confidence=min(sigmoid(seen.values, by.answered), subject, *unheard(words, ranked)),
        subject=subject,
        part=part,
        quoted=sigmoid(seen.values, by.quoted),
        choice=choice,
        pointed=pointed,
    )


def pointable(question: str, text: str, start: int, end: int) -> bool:
    """Say whether words of a text may be shown: the question asks for what can be pointed at, and for no more.

    One thing is not shown where several are asked for, nor one name of those that stand together where names are.
    """
    asks, one = asks_for(question), not _JOINED.search(text[start:end])
    if asks not in POINTS or denies(question) or (one and several(question)):
        return False
    others = _NAME_AFTER.match(text, end) or _NAME_BEFORE.search(text, 0, start)
    return not (asks in ("person", "which") and others and kind_of(text[start:end]) == "name")


def unheard(words: Words, ranked: Sequence[Ranked]) -> list[float]:
    """Return UNHEARD where an identifier of the question stands in no passage read: another one is another thing."""
    wanted = identifiers(words.question)
    if not wanted:
        return []
    texts = [squeeze(f"{one.stored.passage.header} {one.stored.text}") for one in ranked if one.reading]
    return [] if all(any(stands(text, each) for text in texts) for each in wanted) else [UNHEARD]


@dataclass(frozen=True, slots=True)
class Sure:
    """Words that are shown as an answer, with the probability that they are right."""

    passage: Ranked
    span: Span
    confidence: float

    @property
    def text(self) -> str:
        """The words."""
        return self.passage.stored.text[self.span.start : self.span.end]


def sure(words: Words, ranked: Sequence[Ranked], signals: Signals, best: Decided, by: Decisions) -> list[Sure]:
    """Return the words of the quote where they are sure enough, then those of other documents that are as sure."""
    kept = [one for one in (_sure(best),) if one is not None and one.confidence >= by.least_words]
    if not kept:
        return []
    told = {best.part.passage.stored.ref.document_id}
    for one in [each for each in ranked if each.reading][: quoting.FIRST]:
        if len(kept) == ANSWERS or one.stored.ref.document_id in told or one.score < OTHER:
            continue
        found = decide(words, [one, *(each for each in ranked if each is not one)], signals, by, only=one)
        other = _sure(found) if found else None
        if other is None or other.confidence < AS_SURE * best.pointed:
            continue
        if not any(_alike(other.text, each.text) for each in kept):
            kept.append(other)
            told.add(one.stored.ref.document_id)
    return kept


def _sure(found: Decided) -> Sure | None:
    if found.choice is None:
        return None
    return Sure(found.part.passage, Span(found.choice.start, found.choice.end), found.pointed)


def _alike(first: str, second: str) -> bool:
    """Say whether the words of one are among those of the other."""
    one, other = (set(_WORD.findall(text.lower())) for text in (first, second))
    return one <= other or other <= one


@dataclass(frozen=True, slots=True)
class Seen:
    """The best part, and what speaks for an answer being there, by name."""

    best: Measured
    values: Mapping[str, float]

    @classmethod
    def of(
        cls, words: Words, ranked: Sequence[Ranked], signals: Signals, found: Sequence[Measured], by: Decisions
    ) -> Seen:
        """Measure a question whose passages have parts."""
        worths, shares = quoting.chosen(found, by.quote)
        first = max(range(len(found)), key=lambda at: worths[at])
        best, passage = found[first], found[first].part.passage
        same = sum(share for one, share in zip(found, shares, strict=True) if one.part.passage is passage)
        near = sum(
            share
            for one, share in zip(found, shares, strict=True)
            if one.part.passage is passage and one.part.start < best.part.end and best.part.start < one.part.end
        )
        read = [one for one in ranked if one.reading][: quoting.FIRST]
        values = {
            **{f"part_{name}": value for name, value in best.values.items() if name in _OF_THE_PART},
            "worth": worths[first],
            "share": math.log(shares[first] + 1e-4),
            "share_near": math.log(near + 1e-4),
            "share_passage": logit(min(max(same, 1e-3), 1 - 1e-3)),
            **_of_passages(read, signals),
            **_of_names(words, read, passage),
            **_of_question(words),
        }
        return cls(best, values)


_OF_THE_PART = frozenset(
    {
        *("mass", "peak", "coverage", "context", "headed", "bare", "need", "no_need", "number", "no_number"),
        *("supported", "contradicted", "relevance", "logit", "rank", "item", "row", "list", "pair", "clause"),
        *("below_dense", "unread", "colon", "asked_above"),
    }
)


def _of_passages(read: Sequence[Ranked], signals: Signals) -> dict[str, float]:
    """What the passages read say together."""
    readings = [one.reading for one in read if one.reading]
    dense = sorted((one.dense for one in read if one.dense is not None), reverse=True) or [0.5]
    held = [1.0 / (1.0 + math.exp(-max(-20.0, min(20.0, _odds(one))))) for one in read]
    best = max(range(len(read)), key=lambda at: readings[at].relevance)
    return {
        "relevance": readings[best].relevance,
        "first_logit": logit(read[0].score),
        "held": math.log(max(held) + 1e-4),
        "held_first": math.log(held[0] + 1e-4),
        "supported": math.log(max(one.verdict[0] for one in readings) + 1e-4),
        "silent": min(one.verdict[2] for one in readings),
        "dense": dense[0],
        "dense_gap": dense[0] - sum(dense) / len(dense),
        "fused": min(1.0, max(one.fused for one in read)),  # a search by words alone has BM25 there, which is no share
        "coverage": signals.coverage,
        "counted": float(signals.counted),
        "missing": math.log1p(len(signals.missing)),
        "agree": float(read[0].dense is not None and read[0].dense >= dense[0]),
    }


def _odds(one: Ranked) -> float:
    """Return the log-odds that a passage holds an answer, by its likeliest span."""
    assert one.reading is not None
    return max((span.score for span in one.reading.spans), default=-12.0) / 2


def _of_names(words: Words, read: Sequence[Ranked], best: Ranked) -> dict[str, float]:
    """Which of the question's names, identifiers, numbers and phrases stand in the best passage, or in none read."""
    names = named(words.query)
    texts = {
        id(one): f"{one.stored.document.title or ''} {one.stored.passage.header} {one.stored.text}".lower()
        for one in read
    }
    own = [not holds(texts[id(best)], name) for name in names]
    nowhere = [not any(holds(text, name) for text in texts.values()) for name in names]
    digits = [gone for gone, name in zip(nowhere, names, strict=True) if any(sign.isdigit() for sign in name)]
    return {
        "names": float(bool(names)),
        "name_gone": float(any(own)),
        "names_gone": sum(own) / len(own) if own else 0.0,
        "name_nowhere": float(any(nowhere)),
        "number_nowhere": float(any(digits)),
    }


def _of_question(words: Words) -> dict[str, float]:
    """What kind of question it is, and how long."""
    asks = asks_for(words.question)
    count = len(words.query.split())
    return {
        **{f"asks_{kind}": float(kind == asks) for kind in ASKS},
        "question": math.log(max(1, count)),
        "few": float(count <= 2),
        "completed": float(words.query != words.question),
    }


def chosen_values(seen: Seen, choice: Choice, share: float) -> dict[str, float]:
    """Return what speaks for the words of a choice, by name."""
    about = {
        name: seen.values[name]
        for name in ("share_near", "share_passage", "worth", "relevance", "first_logit", "dense")
    }
    kinds = {name: value for name, value in seen.values.items() if name.startswith("asks_")}
    return {**about, **kinds, **choice.values, "chosen": logit(min(share, 1 - 1e-3))}


def sigmoid(values: Weights, weights: Weights) -> float:
    """Return the probability that a weighted sum stands for, rounded so that no order of float additions shows."""
    total = weights["bias"] + sum(weight * values.get(name, 0.0) for name, weight in weights.items() if name != "bias")
    total = max(-30.0, min(30.0, total))
    return round(1 / (1 + math.exp(-total)), 6)
