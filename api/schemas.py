"""What clients send: Pydantic models that take nothing for anything else and refuse what they do not know.

They are the OpenAPI document's request schemas; what is answered is in answers.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from api import limits
from index.checking import ID
from index.dates import interval
from index.types import Json, utf16_length
from rag.splitting import sentences
from rag.types import Mode, Question, Turn

DOCUMENT_ID = f"^{ID.pattern}$"
COLLECTION_NAME = r"^[A-Za-z0-9._-]{1,64}$"


def _real_id(value: str) -> str:
    if value in {".", ".."}:
        raise PydanticCustomError("document_id", "'.' and '..' name no document")
    return value


def _date(value: str) -> str:
    if interval(value) is None:
        raise PydanticCustomError("date", "must be a date as 2025, 2025-08, 2025-08-26 or 2025-08-26T09:30:00Z")
    return value


def _short_query(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "must not be blank: ask in words")
    if len(value.encode("utf-8")) > limits.QUERY_BYTES:
        raise PydanticCustomError("too_long", "may have {limit} bytes of UTF-8 at most", {"limit": limits.QUERY_BYTES})
    return value


DocumentId = Annotated[str, StringConstraints(pattern=DOCUMENT_ID), AfterValidator(_real_id)]
CollectionName = Annotated[str, StringConstraints(pattern=COLLECTION_NAME)]
Published = Annotated[
    str,
    AfterValidator(_date),
    Field(
        description="A year, a month, a day, or an instant (UTC where it has no offset); the precision is kept.",
        examples=["2025", "2025-08", "2025-08-26", "2025-08-26T09:30:00Z"],
        json_schema_extra={"pattern": r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2}([Tt ].+)?)?)?$"},
    ),
]
# 8,192 bytes are 8,192 characters at most; a question in another script meets the limit sooner, with 422 as well.
Query = Annotated[
    str,
    StringConstraints(max_length=limits.QUERY_BYTES),
    AfterValidator(_short_query),
    Field(json_schema_extra={"pattern": r"\S"}),
]


class Strict(BaseModel):
    """Base of all that is read: no coercion, no unknown field, frozen."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Filter(RootModel[dict[str, Any]]):
    """A filter, kept as it was sent: index/filters.py knows the language and says what is wrong where."""

    model_config = ConfigDict(strict=True, frozen=True)


class TurnIn(Strict):
    """One turn of the talk before a question."""

    role: Literal["user", "assistant"]
    content: str


class _Talked(Strict):
    """What every question may have."""

    filter: Filter | None = None
    history: Annotated[list[TurnIn], Field(max_length=limits.HISTORY_TURNS)] = []

    @model_validator(mode="after")
    def _history_fits(self) -> _Talked:
        if sum(len(turn.content.encode("utf-8")) for turn in self.history) > limits.HISTORY_BYTES:
            message = "history may have {limit} bytes of UTF-8 in all; leave the oldest turns out"
            raise PydanticCustomError("history_too_long", message, {"limit": limits.HISTORY_BYTES})
        return self


class _Asked(_Talked):
    """What asking and searching share."""

    collection: CollectionName = "default"
    mode: Mode = "hybrid"
    explain: bool = False
    read: Annotated[bool, Field(description="Whether the first passages are read, where a reader is loaded.")] = True
    budget_ms: Annotated[
        int | None,
        Field(ge=1, le=limits.BUDGET_MS, description="Of each question: fewer passages are read when time is short."),
    ] = None

    def _question(self, query: str, top_k: int) -> Question:
        return Question(
            query=query,
            top_k=top_k,
            filter=self.filter.root if self.filter else None,
            mode=self.mode,
            history=tuple(Turn(turn.role, turn.content) for turn in self.history),
            explain=self.explain,
            read=self.read,
            budget_ms=self.budget_ms,
        )


class AskRequest(_Asked):
    """A question; `stream` (or `Accept: text/event-stream`) asks for server-sent events."""

    query: Query
    top_k: Annotated[int, Field(ge=1, le=limits.ASK_TOP_K)] = 5
    at_least: Annotated[
        str | None, Field(max_length=200, description="The token of a write that the answer must have seen, or 503.")
    ] = None
    min_confidence: Annotated[
        float | None, Field(ge=0, le=1, description="In place of the threshold; 0 refuses nothing.")
    ] = None
    stream: bool = False

    @property
    def question(self) -> Question:
        """The question that rag/ask.py answers."""
        found = self._question(self.query, self.top_k)
        return replace(found, at_least=self.at_least, min_confidence=self.min_confidence)


class SearchRequest(_Asked):
    """One question or several: exactly one of `query` and `queries`."""

    query: Query | None = None
    queries: Annotated[list[Query] | None, Field(min_length=1, max_length=limits.QUERIES)] = None
    top_k: Annotated[int, Field(ge=1, le=limits.SEARCH_TOP_K)] = 10

    @model_validator(mode="after")
    def _one_of_both(self) -> SearchRequest:
        if (self.query is None) == (self.queries is None):
            raise PydanticCustomError("one_of_both", "send either query or queries")
        return self

    @property
    def questions(self) -> list[Question]:
        """The questions in the order in which they were sent."""
        queries = self.queries if self.query is None else (self.query,)
        return [self._question(query, self.top_k) for query in queries or ()]


def _checkable(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "must not be blank: send the sentences to check")
    if len(value.encode("utf-8")) > limits.CHECK_BYTES:
        message = "may have {limit} bytes of UTF-8 at most: check it in parts"
        raise PydanticCustomError("too_long", message, {"limit": limits.CHECK_BYTES})
    if len(sentences(value)) > limits.CHECK_SENTENCES:
        message = "may have {limit} sentences at most: check it in parts"
        raise PydanticCustomError("too_many", message, {"limit": limits.CHECK_SENTENCES})
    return value


class CheckRequest(Strict):
    """A text, whose sentences are held against the documents of a collection that match a filter."""

    text: Annotated[
        str,
        StringConstraints(max_length=limits.CHECK_BYTES),
        AfterValidator(_checkable),
        Field(json_schema_extra={"pattern": r"\S"}),
    ]
    collection: CollectionName = "default"
    filter: Filter | None = None

    @property
    def condition(self) -> Json:
        """The filter as it was sent, None where none was."""
        return self.filter.root if self.filter else None


_Offset = Annotated[int, Field(ge=0, le=2**53 - 1)]


class PageRange(Strict):
    """First and last page of a citation, from 1."""

    first: Annotated[int, Field(ge=1)]
    last: Annotated[int, Field(ge=1)]


class CitationIn(Strict):
    """A citation as it was answered; `page`, `heading_path` and `url` may come along and are not checked."""

    collection: CollectionName = "default"
    document_id: DocumentId
    document_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    start_char: _Offset
    end_char: _Offset
    quote: str
    start_utf16: _Offset | None = None
    end_utf16: _Offset | None = None
    page: PageRange | None = None
    heading_path: list[str] = []
    url: str | None = None

    @property
    def utf16_agrees(self) -> bool:
        """Whether the UTF-16 offsets, where they were sent, span as many code units as the quote has."""
        if self.start_utf16 is None or self.end_utf16 is None:
            return True
        return self.end_utf16 - self.start_utf16 == utf16_length(self.quote)


class VerifyRequest(Strict):
    """Citations to hold against what is stored now."""

    citations: Annotated[list[CitationIn], Field(min_length=1, max_length=limits.CITATIONS)]


class DocumentIn(Strict):
    """One document; what is blank or null is absent, and without an id its content names it."""

    id: DocumentId | None = None
    text: str
    title: Annotated[str | None, Field(max_length=10_000)] = None
    media_type: Annotated[str, Field(max_length=200)] = "text/plain"
    uri: Annotated[str | None, Field(max_length=8_192)] = None
    source: Annotated[str | None, Field(max_length=1_000)] = None
    published: Published | None = None
    language: Annotated[str | None, Field(max_length=35)] = None
    metadata: dict[str, Json] = Field(default_factory=dict)


class DocumentsRequest(Strict):
    """A batch of documents; `wait` answers after all are findable, otherwise with a job at once."""

    collection: CollectionName = "default"
    documents: Annotated[list[DocumentIn], Field(min_length=1, max_length=limits.DOCUMENTS)]
    wait: bool = True


class DeleteRequest(Strict):
    """Which documents to delete; with `dry_run` they are only counted and named."""

    collection: CollectionName = "default"
    filter: Filter
    dry_run: bool = False


class SpanIn(Strict):
    """A place that answers, and the text that stands there."""

    document_id: DocumentId
    start_char: _Offset
    end_char: _Offset
    text: Annotated[str, Field(min_length=1)]


class LabelledIn(_Talked):
    """A question with what is right: places that answer it, or else relevant documents, by id with their grades."""

    query: Query
    answer_spans: Annotated[list[SpanIn], Field(max_length=limits.TUNING_LABELS)] = []
    relevant: Annotated[
        dict[DocumentId, Annotated[int, Field(ge=0, le=1_000)]], Field(max_length=limits.TUNING_LABELS)
    ] = Field(default_factory=dict)


class TuningRequest(Strict):
    """Questions to tune a collection by; with `dry_run` nothing is kept."""

    questions: Annotated[list[LabelledIn], Field(min_length=1, max_length=limits.TUNING_QUESTIONS)]
    dry_run: bool = False


class RankingChoice(Strict):
    """The version of the collection's own rankings to use, or null for Pincite's."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None


class CollectionSettings(Strict):
    """The settings of a collection; there are none yet."""
