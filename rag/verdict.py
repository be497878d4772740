"""Whether the passages answer, in which words, how surely, and whether their documents disagree. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from rag import assembly, deciding, evidence, judging
from rag.conflicts import Kind, compared, differ, scaled, units
from rag.deciding import Decisions
from rag.judging import Candidate
from rag.retrieval import Retrieved
from rag.splitting import sentences
from rag.types import Conflict, Outcome, Question, Quote, Ranked, Reading, Reason, ShortAnswer, Span

MARKED = 0.1  # the least probability of relevance of a passage whose likeliest words decide which sentence is marked
RIVALS = 3  # values of other documents that are held against the first, at most
SURE = 3.5  # the least worth of a first answer that others are held against
RIVAL = {"number": (0.1, 0.57, -8.0), "date": (0.1, 0.57, -8.0), "name": (0.43, 0.7, 1.0)}
"""By kind, what a value needs to be held against another document's: the least probability that its passage is
relevant, the least share of the question's words in it, of what the first answer's passage holds, and its least worth.
Chosen, as what stands around it, on the `dev` half of the seeds and on squad2's questions that were not trained on."""
SPOKEN = 0.35  # the least probability that such a passage speaks of what the sentence of the first answer says
COUNTED_WORTH, COUNTED_SPOKEN = -12.0, 0.6  # the same for a number that counts the same things as the first answer
_YEAR = re.compile(r"\b(?:1\d|20)\d\d\b")


@dataclass(frozen=True, slots=True)
class Rival:
    """Words that exclude the first answer where their passage speaks of the same with a probability of `spoken`."""

    words: Candidate
    spoken: float


@dataclass(frozen=True, slots=True)
class Dispute:
    """Other documents' values that differ from the first answer as they are written, and the sentence that says it.

    Whether they disagree is only known when `statement` was read against the passages of `others`.
    """

    kind: Kind
    query: str
    statement: str
    first: Candidate
    others: Sequence[Rival]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is said of a question.

    `marked` has the words that are shown as an answer, by their passage's id, `hinted` those that may answer in each.
    `reason` says why there is no answer, None where the passages are shown as one.
    """

    reason: Reason | None
    outcome: Outcome
    confidence: float | None = None
    threshold: float | None = None
    quote: Quote | None = None
    answers: Sequence[ShortAnswer] = ()
    dispute: Dispute | None = None
    marked: Mapping[str, Span] = field(default_factory=dict)
    hinted: Mapping[str, Span] = field(default_factory=dict)


def judge(
    question: Question,
    found: Retrieved,
    words: evidence.Words,
    ranked: Sequence[Ranked],
    collection: str,
    by: Decisions | None,
) -> Judged:
    """Judge by the passages, best first: `by` what was fitted to their reader, else by words and vectors alone."""
    least = question.min_confidence
    if by is not None and least is None:
        least = by.least_answered
    nothing = _nothing(question, found, ranked)
    if nothing is not None:
        return Judged(nothing, "absent", 0.0, least) if by else Judged(nothing, "absent")
    measured = evidence.signals(words, ranked)

    def reason(outcome: Outcome) -> Reason | None:
        told = evidence.explain(measured, found.found.documents, outcome)
        return None if outcome == "answered" else Reason("below_threshold", told)

    if by is None or least is None:
        outcome = _unread(measured)
        return Judged(reason(outcome), outcome)
    decided = deciding.decide(words, ranked, measured, by)
    if decided is None:  # pictures alone: nothing that could be quoted
        outcome = "answered" if least == 0 else "absent"
        return Judged(reason(outcome), outcome, 0.0, least)
    likely = judging.candidates(ranked)
    outcome = decided.outcome(by, question.min_confidence)
    hinted = _likeliest(likely)
    if outcome != "answered":
        return Judged(reason(outcome), outcome, decided.confidence, least, hinted=hinted)
    said = deciding.sure(words, ranked, measured, decided, by)
    return Judged(
        None,
        "answered",
        decided.confidence,
        least,
        _quoted(decided, collection),
        [_short(one, collection) for one in said],
        _disputed(likely, words),
        {one.passage.stored.ref.id: one.span for one in said},
        hinted,
    )


def _unread(measured: evidence.Signals) -> Outcome:
    """Return the outcome by words and vectors alone."""
    if evidence.enough(measured):
        return "answered"
    return "absent" if evidence.apart(measured) else "related"


def _nothing(question: Question, found: Retrieved, ranked: Sequence[Ranked]) -> Reason | None:
    """Return why there is no passage at all, None where there are some."""
    if not found.found.passages and question.filter is not None:
        return Reason("filter_matched_nothing", "No document matches the filter: loosen it or remove it.")
    if not found.found.passages:
        return Reason("empty_collection", "There are no documents here yet: add some, then ask again.")
    if not ranked:  # nothing holds a word of a lexical question
        return Reason("below_threshold", "No passage holds any word of the question: ask in other words.")
    return None


def _likeliest(likely: Sequence[Candidate]) -> dict[str, Span]:
    """Return the best words of each passage that is likely enough."""
    marked: dict[str, Span] = {}
    for one in likely:
        if one.passage.score >= MARKED:
            marked.setdefault(one.passage.stored.ref.id, Span(one.span.start, one.span.end))
    return marked


def _quoted(decided: deciding.Decided, collection: str) -> Quote:
    part = decided.part
    cited = assembly.quote(assembly.block([part.passage], None), Span(part.start, part.end), collection)
    return Quote(part.text, part.kind, cited, part.passage.stored.document, decided.quoted)


def _disputed(likely: Sequence[Candidate], words: evidence.Words) -> Dispute | None:
    """Return what other documents give instead of the best answer, where it is of the same kind."""
    if not likely or likely[0].worth < SURE or (kind := evidence.kind_of(likely[0].text)) is None:
        return None
    first = likely[0]
    value, held = _value(first, kind), RIVAL[kind][1] * _coverage(first, words)
    years = set(_YEAR.findall(words.query)) & _years(first)
    others: list[Rival] = []
    documents = {first.passage.stored.ref.document_id}
    for one in likely[1:]:
        name = one.passage.stored.ref.document_id
        if name in documents or (spoken := _spoken(kind, first, one)) is None:
            continue
        if years and not years & _years(one):  # that of another year may well differ
            continue
        if _coverage(one, words) < held:
            continue
        relation = compared(kind, value, _value(one, kind), words.query)
        if relation == "different":
            others.append(Rival(one, spoken))
        if relation != "unlike":
            documents.add(name)
        if len(others) == RIVALS:
            break
    return Dispute(kind, words.query, _sentence(first), first, others) if others else None


def _years(one: Candidate) -> Set[str]:
    """Return the years that the passage names, its document's own included."""
    stored = one.passage.stored
    return set(_YEAR.findall(f"{stored.document.published or ''} {stored.passage.header} {stored.text}"))


def _spoken(kind: Kind, first: Candidate, one: Candidate) -> float | None:
    """Return how likely it must be that a rival's passage speaks of the same, None where it is no rival."""
    least, _, worth = RIVAL[kind]
    if one.passage.score < least or evidence.kind_of(one.text) != kind:
        return None
    if one.worth >= worth:
        return SPOKEN
    return COUNTED_SPOKEN if one.worth >= COUNTED_WORTH and _counted(kind, first) & _counted(kind, one) else None


def settled(dispute: Dispute, readings: Sequence[Reading], collection: str) -> list[Conflict]:
    """Return the disagreement that is left when the statement was read against the others' passages.

    `readings` are those of the first of them, in their order; what was not read is not told of. A passage with another
    number is often taken to support the sentence, so that only names ask for more than that it is spoken of.
    """
    values, kind = [dispute.first], dispute.kind
    for rival, reading in zip(dispute.others, readings, strict=False):
        supported, contradicted, _ = reading.verdict
        told = supported + contradicted >= rival.spoken and (kind != "name" or contradicted > supported)
        given = _value(rival.words, kind)
        if told and all(differ(kind, given, _value(other, kind), dispute.query) for other in values):
            values.append(rival.words)
    return [Conflict(kind, [_short(one, collection) for one in values])] if len(values) > 1 else []


def _value(one: Candidate, kind: Kind) -> str:
    """Return the words, a number with what scales it."""
    return scaled(one.passage.stored.text, one.span.start, one.span.end) if kind == "number" else one.text


def _counted(kind: Kind, one: Candidate) -> Set[str]:
    """Return what a number counts, nothing of other words."""
    return units(one.passage.stored.text, one.span.start, one.span.end) if kind == "number" else set()


def _sentence(one: Candidate) -> str:
    """Return the sentence that holds the words."""
    text = one.passage.stored.text
    holding = (text[each.start : each.end] for each in sentences(text) if each.start <= one.span.start < each.end)
    return next(holding, text).strip()


def _coverage(one: Candidate, words: evidence.Words) -> float:
    return evidence.signals(words, [one.passage]).coverage


def _short(one: Candidate | deciding.Sure, collection: str) -> ShortAnswer:
    """Cite words; only those that are given as an answer have a confidence."""
    block = assembly.block([one.passage], None)
    span = Span(one.span.start, one.span.end)
    confidence = one.confidence if isinstance(one, deciding.Sure) else None
    return ShortAnswer(one.text, assembly.quote(block, span, collection), one.passage.stored.document, confidence)
