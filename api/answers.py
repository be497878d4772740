"""What is answered to a question; translations.py makes the response models of what the journeys return."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from index.types import Json


class Shown(BaseModel):
    """Base of all that is answered."""

    model_config = ConfigDict(frozen=True)


class PageOut(Shown):
    """First and last page, from 1."""

    first: int
    last: int


class CitationOut(Shown):
    """The exact place of a quote; `url` opens it in the page."""

    collection: str
    document_id: str
    document_sha256: str
    start_char: int
    end_char: int
    start_utf16: int
    end_utf16: int
    quote: str
    page: PageOut | None
    heading_path: list[str]
    url: str


class HighlightOut(Shown):
    """What answers, or a sentence or term that matters to the question; offsets into the document's text."""

    kind: Literal["answer", "sentence", "term"]
    start_char: int
    end_char: int
    start_utf16: int
    end_utf16: int


class ScoresOut(Shown):
    """The raw scores, null where a stage did not see the passage, and the one that the first stage makes of them."""

    dense: float | None
    lexical: float | None
    fused: float
    reader: float | None


class CitedDocument(Shown):
    """What a passage says about its document."""

    id: str
    title: str | None
    uri: str | None
    source: str | None
    published: str | None
    language: str | None
    metadata: dict[str, Json]


class PassageOut(Shown):
    """One passage; `explain` is there only where it was asked for."""

    rank: int
    id: str
    text: str
    score: float
    scores: ScoresOut
    document: CitedDocument
    citation: CitationOut
    highlights: list[HighlightOut]
    explain: dict[str, Json] | None = None


class ReasonOut(Shown):
    """Why there is no answer."""

    code: Literal["below_threshold", "empty_collection", "filter_matched_nothing"]
    text: str


class DocumentNamed(Shown):
    """A document as it is named beside what it says."""

    id: str
    title: str | None
    source: str | None
    published: str | None


class SaidOut(Shown):
    """Exact words of a document, with their place."""

    text: str
    citation: CitationOut
    document: DocumentNamed


class QuoteOut(SaidOut):
    """What a person would accept as the answer; `columns` are the names of a table row's columns."""

    kind: Literal["sentence", "list", "row", "passage", "heading"]
    confidence: float | None
    columns: list[str]


class ShortAnswerOut(SaidOut):
    """The exact words that answer; `alternatives` are other answers that passages give, best first."""

    confidence: float | None
    alternatives: list[SaidOut]


class ConflictOut(Shown):
    """Different values that sources give for one thing."""

    kind: Literal["number", "date", "name"]
    values: list[SaidOut]


class SnapshotOut(Shown):
    """What was seen: `token` names the state of the collection, `config` all that else decides an answer."""

    token: str
    config: str


class AnswerOut(Shown):
    """The answer to `/v1/ask`; `confidence`, `threshold`, `quote` and `answer` are null without a reader."""

    id: str
    object: Literal["answer"]
    created: str
    query: str
    standalone_query: str | None
    outcome: Literal["answered", "related", "absent"]
    answerable: bool
    confidence: float | None
    threshold: float | None
    reason: ReasonOut | None
    quote: QuoteOut | None
    answer: ShortAnswerOut | None
    passages: list[PassageOut]
    nearest: list[PassageOut]
    conflicts: list[ConflictOut]
    snapshot: SnapshotOut
    ranking: int | None
    timing_ms: dict[str, float]
    degraded: list[str]
    warnings: list[str]


class CandidatesOut(Shown):
    """The passages as first found, provisional."""

    passages: list[PassageOut]


class SearchResultOut(Shown):
    """What one question found."""

    query: str
    standalone_query: str | None
    passages: list[PassageOut]
    ranking: int | None
    degraded: list[str]


class SearchOut(Shown):
    """The answer to `/v1/search`, results in the order of the questions."""

    results: list[SearchResultOut]
    snapshot: SnapshotOut
    timing_ms: dict[str, float]


class ClaimOut(Shown):
    """A sentence of a text that was checked; offsets into that text."""

    text: str
    start_char: int
    end_char: int
    start_utf16: int
    end_utf16: int
    verdict: Literal["supported", "contradicted", "not_found"]
    confidence: float | None
    citations: list[CitationOut]
    against: list[CitationOut]
    nearest: list[CitationOut]


class CheckOut(Shown):
    """The answer to `/v1/check`, sentences in the order of the text."""

    claims: list[ClaimOut]
    snapshot: SnapshotOut
    timing_ms: dict[str, float]
    degraded: list[str]


class VerdictOut(Shown):
    """Whether one citation still holds."""

    status: Literal["exact", "document_changed", "document_gone", "text_differs"]


class VerifyOut(Shown):
    """The answer to `/v1/citations/verify`, in the order of the citations."""

    results: list[VerdictOut]
