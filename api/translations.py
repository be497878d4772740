"""From the domain to the response models of answers.py, and to JSON.

`answer_json` and its siblings are pure but for an id and the time, and need no server: the command line's `--json`
prints the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from api.answers import (
    AnswerOut,
    CandidatesOut,
    CheckOut,
    CitationOut,
    CitedDocument,
    ClaimOut,
    ConflictOut,
    DocumentNamed,
    HighlightOut,
    PageOut,
    PassageOut,
    QuoteOut,
    ReasonOut,
    SaidOut,
    ScoresOut,
    SearchOut,
    SearchResultOut,
    ShortAnswerOut,
    Shown,
    SnapshotOut,
)
from api.inventory import CollectionOut, CollectionSummary, DocumentOut, DocumentResult, FacetsOut
from index.types import CollectionInfo, DocumentInfo
from rag.ask import SearchResult
from rag.claims import Checked, Claim
from rag.types import Answer, AnswerPassage, Citation, Highlight, IngestResult, Quote, ShortAnswer


def now() -> str:
    """Return the present instant in UTC to the millisecond, such as `2025-08-26T09:30:00.123Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def document_url(collection: str, document_id: str, span: tuple[int, int] | None = None) -> str:
    """Return the page's address of a document, at a span of code points where one is given."""
    given = {} if collection == "default" else {"collection": collection}
    if span is not None:
        given["s"] = f"{span[0]}-{span[1]}"
    path = f"/d/{quote(document_id, safe='')}"
    return f"{path}?{urlencode(given)}" if given else path


def _citation(citation: Citation) -> CitationOut:
    page = None
    if citation.first_page is not None and citation.last_page is not None:
        page = PageOut(first=citation.first_page, last=citation.last_page)
    return CitationOut(
        collection=citation.collection,
        document_id=citation.document_id,
        document_sha256=citation.document_sha256,
        start_char=citation.start,
        end_char=citation.end,
        start_utf16=citation.start_utf16,
        end_utf16=citation.end_utf16,
        quote=citation.quote,
        page=page,
        heading_path=list(citation.heading_path),
        url=document_url(citation.collection, citation.document_id, (citation.start, citation.end)),
    )


def _highlight(highlight: Highlight) -> HighlightOut:
    return HighlightOut(
        kind=highlight.kind,
        start_char=highlight.start,
        end_char=highlight.end,
        start_utf16=highlight.start_utf16,
        end_utf16=highlight.end_utf16,
    )


def _cited_document(document: DocumentInfo) -> CitedDocument:
    return CitedDocument(
        id=document.id,
        title=document.title,
        uri=document.uri,
        source=document.source,
        published=document.published,
        language=document.language,
        metadata=dict(document.metadata),
    )


def _passage(passage: AnswerPassage) -> PassageOut:
    extra: dict[str, Any] = {} if passage.explain is None else {"explain": dict(passage.explain)}
    return PassageOut(
        rank=passage.rank,
        id=passage.id,
        text=passage.text,
        score=passage.score,
        scores=ScoresOut(dense=passage.dense, lexical=passage.lexical, fused=passage.fused, reader=passage.reader),
        document=_cited_document(passage.document),
        citation=_citation(passage.citation),
        highlights=[_highlight(one) for one in passage.highlights],
        **extra,
    )


def _said(said: ShortAnswer | Quote) -> SaidOut:
    about = said.document
    document = DocumentNamed(id=about.id, title=about.title, source=about.source, published=about.published)
    return SaidOut(text=said.text, citation=_citation(said.citation), document=document)


def _short(answer: Answer) -> ShortAnswerOut | None:
    if answer.answer is None:
        return None
    others = [_said(one) for one in answer.alternatives]
    return ShortAnswerOut(**dict(_said(answer.answer)), confidence=answer.answer.confidence, alternatives=others)


def _quote(quoted: Quote | None) -> QuoteOut | None:
    if quoted is None:
        return None
    said = dict(_said(quoted))
    return QuoteOut(**said, kind=quoted.kind, confidence=quoted.confidence, columns=list(quoted.columns))


def answer_out(answer: Answer, config: str) -> AnswerOut:
    """Translate an answer; `config` is the digest of the encoder and of the settings that decide answers."""
    return AnswerOut(
        id=f"ask_{uuid.uuid4().hex}",
        object="answer",
        created=now(),
        query=answer.query,
        standalone_query=answer.standalone_query,
        outcome=answer.outcome,
        answerable=answer.answerable,
        confidence=answer.confidence,
        threshold=answer.threshold,
        reason=ReasonOut(code=answer.reason.code, text=answer.reason.text) if answer.reason else None,
        quote=_quote(answer.quote),
        answer=_short(answer),
        passages=[_passage(one) for one in answer.passages],
        nearest=[_passage(one) for one in answer.nearest],
        conflicts=[
            ConflictOut(kind=one.kind, values=[_said(value) for value in one.values]) for one in answer.conflicts
        ],
        snapshot=SnapshotOut(token=answer.token, config=config),
        ranking=answer.ranking,
        timing_ms=_rounded(answer.timing_ms),
        degraded=list(answer.degraded),
        warnings=list(answer.warnings),
    )


def candidates_out(passages: Sequence[AnswerPassage]) -> CandidatesOut:
    """Translate the passages as first found."""
    return CandidatesOut(passages=[_passage(one) for one in passages])


def search_out(results: Sequence[SearchResult], config: str) -> SearchOut:
    """Translate what several questions found (at least one); the timings are sums over them."""
    names = sorted({name for result in results for name in result.timing_ms})
    timing = {name: sum(result.timing_ms.get(name, 0.0) for result in results) for name in names}
    return SearchOut(
        results=[
            SearchResultOut(
                query=result.query,
                standalone_query=result.standalone_query,
                passages=[_passage(one) for one in result.passages],
                ranking=result.ranking,
                degraded=list(result.degraded),
            )
            for result in results
        ],
        snapshot=SnapshotOut(token=results[0].token, config=config),
        timing_ms=_rounded(timing),
    )


def check_out(checked: Checked, config: str) -> CheckOut:
    """Translate what became of the sentences of a text."""
    return CheckOut(
        claims=[_claim(one) for one in checked.claims],
        snapshot=SnapshotOut(token=checked.token, config=config),
        timing_ms=_rounded(checked.timing_ms),
        degraded=list(checked.degraded),
    )


def _claim(claim: Claim) -> ClaimOut:
    return ClaimOut(
        text=claim.text,
        start_char=claim.start,
        end_char=claim.end,
        start_utf16=claim.start_utf16,
        end_utf16=claim.end_utf16,
        verdict=claim.verdict,
        confidence=claim.confidence,
        citations=[_citation(one) for one in claim.citations],
        against=[_citation(one) for one in claim.against],
        nearest=[_citation(one) for one in claim.nearest],
    )


def document_out(document: DocumentInfo, collection: str) -> DocumentOut:
    """Translate a stored document."""
    return DocumentOut(
        **_cited_document(document).model_dump(),
        collection=collection,
        document_sha256=document.sha256,
        media_type=document.media_type,
        encoding=document.encoding,
        added=document.added,
        characters=document.characters,
        bytes=document.bytes,
        passages=document.passages,
        url=document_url(collection, document.id),
    )


def result_out(result: IngestResult) -> DocumentResult:
    """Translate what became of one document."""
    return DocumentResult(
        id=result.id or None,
        status=result.status,
        passages=result.passages,
        document_sha256=result.document_sha256,
        problem=result.problem,
    )


def summary_out(info: CollectionInfo, config: str) -> CollectionSummary:
    """Translate a collection's counts."""
    return CollectionSummary(
        name=info.name,
        documents=info.documents,
        passages=info.passages,
        characters=info.characters,
        dense=info.dense,
        pending=info.pending,
        ranking=None if info.ranking is None else info.ranking.version,
        updated=info.updated,
        snapshot=SnapshotOut(token=info.token, config=config),
    )


def collection_out(info: CollectionInfo, config: str, examples: Sequence[str]) -> CollectionOut:
    """Translate one collection in full."""
    return CollectionOut(
        **dict(summary_out(info, config)),
        encoder=info.encoder,
        facets=FacetsOut(sources=dict(info.sources), languages=dict(info.languages), years=dict(info.years)),
        examples=list(examples),
    )


def as_json(shown: Shown) -> dict[str, Any]:
    """Return the JSON value of anything here; what was not set (`explain`) is left out."""
    return shown.model_dump(mode="json", exclude_unset=True)


def answer_json(answer: Answer, config: str) -> dict[str, Any]:
    """Return the JSON of `/v1/ask`."""
    return as_json(answer_out(answer, config))


def search_json(results: Sequence[SearchResult], config: str) -> dict[str, Any]:
    """Return the JSON of `/v1/search`."""
    return as_json(search_out(results, config))


def _rounded(timing: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in timing.items()}
