"""What travels between the stages: frozen values, and what can be computed from them.

Offsets count Unicode code points into a document's stored text, start inclusive, end exclusive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from index.types import DocumentInfo, Json, StoredPassage, Vectors

Mode = Literal["hybrid", "dense", "lexical"]
Mark = Literal["answer", "sentence", "term"]
Outcome = Literal["answered", "related", "absent"]
QuoteKind = Literal["sentence", "list", "row", "passage", "heading"]
IngestStatus = Literal["added", "replaced", "unchanged", "failed"]


@dataclass(frozen=True, slots=True)
class Span:
    """Code points `start` to `end` (exclusive) of a text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a document: where its line starts, where it ends, how deep it is (1 is the highest), its words."""

    start: int
    end: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class LoadedDocument:
    """What a loader made of a file or of one row of it.

    `text` is stored and cited as it is. `body` is the part of it that becomes passages (front matter is left out).
    `headings` lie in the order of the text. `pages` holds the start offset of each page, the first being 0, or is
    empty where the format has no pages. `id` is set where the format carries one (a row's `_id`), and is raw: not
    escaped yet.
    """

    text: str
    media_type: str
    original: bytes
    body: Span | None = None
    headings: Sequence[Heading] = ()
    pages: Sequence[int] = ()
    id: str | None = None
    title: str | None = None
    uri: str | None = None
    source: str | None = None
    published: str | None = None
    language: str | None = None
    encoding: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A row of a file that could not become a document, with its line (from 1) and its reason."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the talk before a question."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question with everything that decides its answer."""

    query: str
    top_k: int = 5
    filter: Json = None  # the filter language of index/filters.py, unparsed; None filters nothing
    mode: Mode = "hybrid"
    history: Sequence[Turn] = ()
    at_least: str | None = None
    explain: bool = False
    read: bool = True  # whether the first passages are read, where there is a reader
    budget_ms: int | None = None  # of the whole question: fewer passages are read when time is short
    min_confidence: float | None = None  # 0 to 1, in place of the threshold


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """Words of a passage that may answer: code points of its text; `score` is the log-odds against no answer."""

    start: int
    end: int
    score: float


def _none() -> Vectors:
    return np.empty(0, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class TokenScores:
    """Where in a passage an answer may start and end, for each token that was read.

    `offsets` are code points of the passage's text; `starts` and `ends`, float32 (tokens,), are log-odds against no
    answer. A long passage is read in part: what lies outside has no tokens.
    """

    offsets: Sequence[tuple[int, int]] = ()
    starts: Vectors = field(default_factory=_none)
    ends: Vectors = field(default_factory=_none)

    def __eq__(self, other: object) -> bool:
        """Say whether all numbers are the same: arrays do not say so in one word."""
        if not isinstance(other, TokenScores):
            return NotImplemented
        same = np.array_equal(self.starts, other.starts) and np.array_equal(self.ends, other.ends)
        return same and list(self.offsets) == list(other.offsets)

    __hash__ = None  # type: ignore[assignment]  # as of everything that holds arrays


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader says of a question and one passage.

    `relevance` is a logit; `spans` are the likeliest answers, best first, none overlapping another; `verdict` has the
    probabilities that the passage supports the question read as a claim, contradicts it, or says nothing of it.
    """

    relevance: float
    spans: tuple[ScoredSpan, ...]
    verdict: tuple[float, float, float]
    tokens: TokenScores = field(default_factory=TokenScores)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate passage in its place.

    `score` orders; with a reader it is the probability that the passage answers, else it equals `fused`, the first
    stage's score. The others are the raw scores that made it, None where a stage did not see the passage.
    """

    stored: StoredPassage
    score: float
    dense: float | None
    lexical: float | None
    explain: Mapping[str, Json] | None = None
    fused: float = 0.0
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """The exact place of a quote: `text(collection, document_id)[start:end] == quote` under `document_sha256`."""

    collection: str
    document_id: str
    document_sha256: str
    start: int
    end: int
    start_utf16: int
    end_utf16: int
    quote: str
    first_page: int | None
    last_page: int | None
    heading_path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Highlight:
    """A part of a passage that matters to the question; offsets into the document's stored text."""

    kind: Mark
    start: int
    end: int
    start_utf16: int
    end_utf16: int


@dataclass(frozen=True, slots=True)
class AnswerPassage:
    """One passage as it is shown: rank from 1, the quote with its citation, highlights in the order of the text."""

    rank: int
    id: str
    text: str
    score: float
    dense: float | None
    lexical: float | None
    document: DocumentInfo
    citation: Citation
    highlights: Sequence[Highlight]
    explain: Mapping[str, Json] | None = None
    fused: float = 0.0
    reader: float | None = None  # the reader's logit of relevance


@dataclass(frozen=True, slots=True)
class ShortAnswer:
    """The exact words that answer, with their citation, and the document that says them.

    `confidence` is the probability that they are right, None where they are no first answer.
    """

    text: str
    citation: Citation
    document: DocumentInfo
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """What a person would accept as the answer: a sentence, list, table row or paragraph, whole and no longer.

    `columns` are the names of a row's columns, in order, empty where it has none; `confidence` is the probability that
    it answers, None where nothing was read.
    """

    text: str
    kind: QuoteKind
    citation: Citation
    document: DocumentInfo
    confidence: float | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conflict:
    """Different values that sources give for one thing, each with its place."""

    kind: Literal["number", "date", "name"]
    values: Sequence[ShortAnswer]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why there is no answer: a stable code and one sentence that a person understands."""

    code: Literal["below_threshold", "empty_collection", "filter_matched_nothing"]
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said: passages when answered, otherwise a reason and what came nearest.

    `related`: passages speak of it, but none says it surely; `absent`: the documents lack the subject.
    """

    query: str
    standalone_query: str | None
    outcome: Outcome
    reason: Reason | None
    passages: Sequence[AnswerPassage]
    nearest: Sequence[AnswerPassage]
    token: str
    degraded: tuple[str, ...]
    timing_ms: Mapping[str, float]
    warnings: Sequence[str] = ()
    confidence: float | None = None  # the probability that the documents hold an answer, None without a reader
    threshold: float | None = None  # the least confidence that is answered, None without a reader
    quote: Quote | None = None  # of an answered question
    answer: ShortAnswer | None = None
    alternatives: Sequence[ShortAnswer] = ()  # other answers that passages give, best first
    conflicts: Sequence[Conflict] = ()
    ranking: int | None = None  # the version of the collection's own ranking that decided, None for the default

    @property
    def answerable(self) -> bool:
        """Whether the passages are shown as an answer."""
        return self.outcome == "answered"


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of one document: its status, how many passages it has, and why it failed if it did."""

    id: str
    status: IngestStatus
    passages: int = 0
    document_sha256: str | None = None
    problem: str | None = None
    fingerprint: str | None = None  # of the document as it is stored now
