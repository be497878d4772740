"""Journey 2: a question to its cited passages, step by step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from index.collection import Collection
from index.errors import DocumentMissing
from index.types import text_digest
from rag import assembly, evidence
from rag.encoding import Encoder
from rag.errors import QueryInvalid
from rag.rankings import Used, retrieved_by
from rag.reading import Reader
from rag.retrieval import Ranking, Retrieved, retrieve
from rag.splitting import sentences
from rag.types import Answer, AnswerPassage, Question, Ranked, Reason

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

    Without `ranking` the collection's own decides, or the default where it has none.
    Raises QueryInvalid for a blank question, FilterInvalid for a filter that does not follow the language, and
    Behind where the collection has not reached `at_least`.
    """
    started = time.perf_counter()
    found, words, used = _find(question, collection, encoder, ranking, 4 * question.top_k + 10)
    ranked = assembly.collapse(found.passages, max(evidence.FIRST, assembly.considered(question.top_k)))
    if candidates:
        yield Candidates(_cited([[one] for one in ranked[: question.top_k]], found, None, collection))
    shown = _cited(assembly.group(ranked, question.top_k), found, words, collection)
    reason = _reason(question, found, words, ranked)
    yield Answer(
        query=question.query,
        standalone_query=found.standalone_query,
        answerable=reason is None,
        reason=reason,
        passages=shown if reason is None else [],
        nearest=[] if reason is None else shown,
        token=found.found.token,
        degraded=(*found.found.degraded, *used.degraded),
        timing_ms={**found.timing_ms, "total": (time.perf_counter() - started) * 1000},
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

    Without `highlight` none is marked, which halves the time of deep searches.
    """
    results = []
    for question in questions:
        started = time.perf_counter()
        found, words, used = _find(question, collection, encoder, ranking, question.top_k)
        passages = _cited([[one] for one in found.passages], found, words if highlight else None, collection)
        timing = {**found.timing_ms, "total": (time.perf_counter() - started) * 1000}
        results.append(
            SearchResult(
                query=question.query,
                standalone_query=found.standalone_query,
                passages=passages,
                token=found.found.token,
                degraded=(*found.found.degraded, *used.degraded),
                timing_ms=timing,
                ranking=used.version,
            )
        )
    return results


def examples(collection: Collection, encoder: Encoder, limit: int = 3) -> Sequence[str]:
    """Return at most `limit` questions, made of titles and headings, that the collection answers."""
    candidates = (
        f"What is said about “{' / '.join(path[-1:]) or title}”?"
        for title, path in collection.outline(8 * limit)
        if title or path
    )
    return list(islice((asked for asked in candidates if _answers(asked, collection, encoder)), limit))


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


def _cited(
    groups: Sequence[Sequence[Ranked]], found: Retrieved, words: evidence.Words | None, collection: Collection
) -> list[AnswerPassage]:
    """Cite each group, highlighting what bears on `words`."""
    shown = []
    for rank, members in enumerate(groups, start=1):
        block = assembly.block(members, _text(members, collection) if len(members) > 1 else None)
        language = members[0].stored.document.language
        marks = evidence.highlights(block.text, sentences(block.text), words, language) if words else []
        shown.append(assembly.cite(block, rank, collection.name, marks))
    return shown


def _text(members: Sequence[Ranked], collection: Collection) -> str | None:
    """Return the text of the members' document, or None where it changed or went since they were found."""
    ref = members[0].stored.ref
    try:
        text = collection.text(ref.document_id)
    except DocumentMissing:
        return None
    return text if text_digest(text) == ref.sha256 else None


def _reason(question: Question, found: Retrieved, words: evidence.Words, ranked: Sequence[Ranked]) -> Reason | None:
    """Return why there is no answer, or None where the passages are shown as one."""
    considered = found.found
    if not considered.passages and question.filter is not None:
        return Reason("filter_matched_nothing", "No document matches the filter: loosen it or remove it.")
    if not considered.passages:
        return Reason("empty_collection", "There are no documents here yet: add some, then ask again.")
    if not ranked:  # nothing holds a word of a lexical question
        return Reason("below_threshold", "No passage holds any word of the question: ask in other words.")
    measured = evidence.signals(words, ranked)
    if evidence.enough(measured):
        return None
    return Reason("below_threshold", evidence.explain(measured, considered.documents))


def _answers(query: str, collection: Collection, encoder: Encoder) -> bool:
    *_, answer = ask(Question(query), collection, encoder)
    return isinstance(answer, Answer) and answer.answerable
