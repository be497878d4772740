"""Journey 2: a question to its cited passages, step by step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from index.collection import Collection
from index.errors import DocumentMissing
from index.types import text_digest
from rag import assembly, evidence, judging, quoting, units
from rag.encoding import Encoder
from rag.errors import QueryInvalid
from rag.rankings import Used, retrieved_by
from rag.reading import Reader
from rag.retrieval import Ranking, Retrieved, retrieve
from rag.splitting import sentences
from rag.types import Answer, AnswerPassage, Conflict, Question, Quote, Ranked, Span
from rag.verdict import Dispute, Judged, judge, settled

BUDGET = "reader_budget"  # in `degraded`: less was read than would have been with more time
UNREAD = "Nothing was read closely: the outcome is by words and vectors alone."
_RESERVE = 0.01  # seconds that are kept for what comes after reading

CitationStatus = Literal["exact", "document_changed", "document_gone", "text_differs"]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The passages as first found, provisional: the answer replaces them."""

    passages: Sequence[AnswerPassage]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found: always the best however weak, nothing collapsed or joined."""

    query: str
    standalone_query: str | None
    passages: Sequence[AnswerPassage]
    token: str
    degraded: tuple[str, ...]
    timing_ms: dict[str, float]
    ranking: int | None = None  # as in Answer


def ask(
    question: Question,
    collection: Collection,
    encoder: Encoder,
    ranking: Ranking | None = None,
    *,
    reader: Reader | None = None,
    candidates: bool = True,
) -> Iterator[Candidates | Answer]:
    """Yield the passages as first found, unless `candidates` are not wanted, then exactly one answer.

    Without `ranking` the collection's own decides, or the default where it has none; without `reader`, or where the
    question says so, nothing is read, and the answer has neither words nor confidence.
    Raises QueryInvalid for a blank question, FilterInvalid for a filter that does not follow the language, and
    Behind where the collection has not reached `at_least`.
    """
    started = time.perf_counter()
    found, words, used = _find(question, collection, encoder, ranking, 4 * question.top_k + 10)
    first = list(found.passages)
    most = max(evidence.FIRST, quoting.FIRST, assembly.considered(question.top_k))
    if candidates:
        ranked = assembly.collapse(first, question.top_k)
        yield Candidates(_cited([[one] for one in ranked], found, None, collection))
    read = _read(question, found, first, reader, started)
    ranked = assembly.collapse(read.passages, most)
    by = reader.decisions if reader is not None and question.read else None
    judged = judge(question, found, words, ranked, collection.name, by)
    settling = time.perf_counter()
    conflicts, cut = _conflicts(question, judged.dispute, reader, started, collection.name)
    reading = read.milliseconds + (time.perf_counter() - settling) * 1000
    shown = _cited(assembly.group(ranked, question.top_k), found, words, collection, judged)
    yield Answer(
        query=question.query,
        standalone_query=found.standalone_query,
        outcome=judged.outcome,
        reason=judged.reason,
        passages=shown if judged.reason is None else [],
        nearest=[] if judged.reason is None else shown,
        token=found.found.token,
        degraded=(*found.found.degraded, *used.degraded, *(read.degraded or cut)),
        timing_ms={**found.timing_ms, "read": reading, "total": (time.perf_counter() - started) * 1000},
        confidence=judged.confidence,
        threshold=judged.threshold,
        quote=_with_columns(judged.quote, collection),
        warnings=[] if judged.confidence is not None else [UNREAD],
        answer=next(iter(judged.answers), None),
        alternatives=judged.answers[1:],
        conflicts=conflicts,
        ranking=used.version,
    )


def search(
    questions: Sequence[Question],
    collection: Collection,
    encoder: Encoder,
    ranking: Ranking | None = None,
    *,
    reader: Reader | None = None,
    highlight: bool = True,
) -> Sequence[SearchResult]:
    """Return for each question its best passages, however weak; the same errors as `ask`.

    Without `highlight` none is marked, which halves the time of deep searches. `reader` is as for `ask`.
    """
    results = []
    for question in questions:
        started = time.perf_counter()
        most = max(question.top_k, judging.depth(reader.runtime) if reader and question.read else 0)
        found, words, used = _find(question, collection, encoder, ranking, most)
        read = _read(question, found, list(found.passages), reader, started)
        shown = [[one] for one in read.passages[: question.top_k]]
        passages = _cited(shown, found, words if highlight else None, collection)
        timing = {**found.timing_ms, "read": read.milliseconds, "total": (time.perf_counter() - started) * 1000}
        results.append(
            SearchResult(
                query=question.query,
                standalone_query=found.standalone_query,
                passages=passages,
                token=found.found.token,
                degraded=(*found.found.degraded, *used.degraded, *read.degraded),
                timing_ms=timing,
                ranking=used.version,
            )
        )
    return results


def examples(
    collection: Collection, encoder: Encoder, limit: int = 3, *, reader: Reader | None = None
) -> Sequence[str]:
    """Return at most `limit` questions, made of titles and headings, that the collection answers."""
    candidates = (
        f"What is said about “{' / '.join(path[-1:]) or title}”?"
        for title, path in collection.outline(8 * limit)
        if title or path
    )
    return list(islice((asked for asked in candidates if _answers(asked, collection, encoder, reader)), limit))


def verify_citation(
    collection: Collection | None, document_id: str, document_sha256: str, start: int, end: int, quote: str
) -> CitationStatus:
    """Say whether `text(document_id)[start:end] == quote` still holds under `document_sha256`.

    `collection` is None where no collection has the citation's name: its document is gone.
    """
    try:
        text = collection.text(document_id) if collection is not None else None
    except DocumentMissing:
        text = None
    if text is None:
        return "document_gone"
    if text_digest(text) != document_sha256:
        return "document_changed"
    return "exact" if text[start:end] == quote and 0 <= start <= end <= len(text) else "text_differs"


def _find(
    question: Question, collection: Collection, encoder: Encoder, ranking: Ranking | None, limit: int
) -> tuple[Retrieved, evidence.Words, Used]:
    if not question.query.strip():
        raise QueryInvalid("The question is blank: write what you want to know.")
    found, used = retrieved_by(collection, ranking, lambda by: retrieve(question, collection, encoder, by, limit))
    query = found.standalone_query or question.query
    return found, evidence.weigh(query, question.query, found.found.frequencies, found.found.total), used


@dataclass(frozen=True, slots=True)
class _Read:
    """The passages in their last order."""

    passages: Sequence[Ranked]
    degraded: tuple[str, ...] = ()
    milliseconds: float = 0.0


def _read(
    question: Question, found: Retrieved, passages: Sequence[Ranked], reader: Reader | None, started: float
) -> _Read:
    """Read the near passages and order all by that: fewer, at least one, where the question's time would not do."""
    if reader is None or not question.read or not passages:
        return _Read(passages)
    began = time.perf_counter()
    query = found.standalone_query or question.query
    first = [one.stored for one in judging.near(passages, judging.depth(reader.runtime))]
    readings = reader.read(query, first, _left(question, started))
    ranked = judging.ordered(passages, readings)
    took = (time.perf_counter() - began) * 1000
    return _Read(ranked, (BUDGET,) if len(readings) < len(first) else (), took)


def _conflicts(
    question: Question, dispute: Dispute | None, reader: Reader | None, started: float, collection: str
) -> tuple[list[Conflict], tuple[str, ...]]:
    """Read the first answer's sentence against the documents that seem to differ; return which do, and what was cut."""
    if dispute is None or reader is None:
        return [], ()
    left, others = _left(question, started), [one.words.passage.stored for one in dispute.others]
    readings = reader.read(dispute.statement, others, left) if left is None or left > 0 else []
    return settled(dispute, readings, collection), (BUDGET,) if len(readings) < len(others) else ()


def _left(question: Question, started: float) -> float | None:
    """Return the seconds that are left for reading, None where they are not counted."""
    if question.budget_ms is None:
        return None
    return question.budget_ms / 1000 - (time.perf_counter() - started) - _RESERVE


def _cited(
    groups: Sequence[Sequence[Ranked]],
    found: Retrieved,
    words: evidence.Words | None,
    collection: Collection,
    judged: Judged | None = None,
) -> list[AnswerPassage]:
    """Cite each group, highlighting what bears on `words`, and what is said of the question in `judged`."""
    shown = []
    for rank, members in enumerate(groups, start=1):
        ref = members[0].stored.ref
        block = assembly.block(members, _text(ref.document_id, ref.sha256, collection) if len(members) > 1 else None)
        language = members[0].stored.document.language
        answers = _within(block, members, judged.marked) if judged else []
        quotes = [*_quoted_in(block, members, judged.quote), *_within(block, members, judged.hinted)] if judged else []
        tiles = sentences(block.text)
        marks = evidence.highlights(block.text, tiles, words, language, answers, quotes) if words else []
        shown.append(assembly.cite(block, rank, collection.name, marks))
    return shown


def _within(block: assembly.Block, members: Sequence[Ranked], marked: Mapping[str, Span]) -> list[Span]:
    """Return the words that answer as spans of the block, which may be one member only, in its order."""
    spans = set()
    for one in members:
        start, span = one.stored.passage.start - block.start, marked.get(one.stored.ref.id)
        if span and start + span.start >= 0 and start + span.end <= len(block.text):
            spans.add(Span(start + span.start, start + span.end))
    return sorted(spans, key=lambda span: span.start)


def _quoted_in(block: assembly.Block, members: Sequence[Ranked], quote: Quote | None) -> list[Span]:
    """Return where the quote lies in the block, if it is of its document and within it."""
    if quote is None or quote.citation.document_id != members[0].stored.ref.document_id:
        return []
    start, end = quote.citation.start - block.start, quote.citation.end - block.start
    return [Span(start, end)] if start >= 0 and end <= len(block.text) else []


def _with_columns(quote: Quote | None, collection: Collection) -> Quote | None:
    """Return a quoted row with the names of its columns, which may stand in another passage."""
    if quote is None or quote.kind != "row":
        return quote
    cited = quote.citation
    text = _text(cited.document_id, cited.document_sha256, collection)
    if text is None:
        return quote
    return replace(quote, columns=units.columns(text, units.Unit(cited.start, cited.end, "row")))


def _text(document_id: str, sha256: str, collection: Collection) -> str | None:
    """Return the text of a document, or None where it changed or went since its passages were found."""
    try:
        text = collection.text(document_id)
    except DocumentMissing:
        return None
    return text if text_digest(text) == sha256 else None


def _answers(query: str, collection: Collection, encoder: Encoder, reader: Reader | None) -> bool:
    *_, answer = ask(Question(query), collection, encoder, reader=reader, candidates=False)
    return isinstance(answer, Answer) and answer.answerable
