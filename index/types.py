"""What goes into a collection and what comes out of it: frozen values, and what can be computed from them.

Offsets count Unicode code points into a document's stored text, start inclusive, end exclusive; `*_utf16` is the
same place counted in UTF-16 code units, because JavaScript counts those.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Json: TypeAlias = Any  # None | bool | int | float | str | list[Json] | dict[str, Json]
Vectors: TypeAlias = NDArray[np.float32]


def text_digest(text: str) -> str:
    """Return the SHA-256 of `text` in UTF-8 as 64 lower-case hex digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def utf16_length(text: str) -> int:
    """Return how many UTF-16 code units `text` has: one per code point, two per code point above U+FFFF."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def words_of(source: str | None, header: str, text: str) -> str:
    """Return what a passage is found by: its source is a word to ask by, but as a part of a vector only blurs it."""
    return "\n".join(part for part in (source, header, text) if part)


@dataclass(frozen=True, slots=True)
class Document:
    """One document as it is stored; `published` keeps its precision (`2025`, `2025-08`, `2025-08-26`, an instant)."""

    id: str
    text: str
    original: bytes
    media_type: str
    title: str | None = None
    uri: str | None = None
    source: str | None = None
    published: str | None = None
    language: str | None = None
    encoding: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """The digest of the stored text, which every citation carries."""
        return text_digest(self.text)

    @property
    def fingerprint(self) -> str:
        """A digest of everything given: two documents with the same one are the same document."""
        given = [
            self.id,
            self.sha256,
            hashlib.sha256(self.original).hexdigest(),
            self.media_type,
            self.title,
            self.uri,
            self.source,
            self.published,
            self.language,
            self.encoding,
            dict(self.metadata),
        ]
        return text_digest(json.dumps(given, sort_keys=True))


@dataclass(frozen=True, slots=True)
class Passage:
    """A span of a document: what is found and cited. `header` is embedded and indexed with it, never cited."""

    ordinal: int
    start: int
    end: int
    start_utf16: int
    header: str = ""
    heading_path: tuple[str, ...] = ()
    first_page: int | None = None
    last_page: int | None = None


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document with its passages and one float32 unit vector per passage, shape (len(passages), dimension)."""

    document: Document
    passages: Sequence[Passage]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did: per document id its status, and the opaque token that a question can wait for."""

    statuses: Mapping[str, str]  # added | replaced | unchanged | deleted | absent
    token: str


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """A stored document without its text: what lists, filters and citations show."""

    id: str
    sha256: str
    media_type: str
    title: str | None
    uri: str | None
    source: str | None
    published: str | None
    language: str | None
    encoding: str | None
    metadata: Mapping[str, Json]
    added: str  # the instant of the write, UTC, `2025-08-26T09:30:00.123Z`
    characters: int
    bytes: int  # of the original
    passages: int
    fingerprint: str


class PassageRef(NamedTuple):  # of these and of hits there are hundreds a question, and a tuple is made quickest
    """Names a passage of one version of a document; a reference whose digest no longer matches finds nothing."""

    document_id: str
    ordinal: int
    sha256: str

    @property
    def id(self) -> str:
        """The passage's public id; `:` cannot occur in a document id."""
        return f"{self.document_id}:{self.ordinal}"


class Hit(NamedTuple):
    """A candidate of either leg with both raw scores where known, and its rank (from 1) in each leg that found it."""

    ref: PassageRef
    start: int
    dense: float | None = None  # cosine similarity, −1 to 1; set for every hit when a vector was given
    lexical: float | None = None  # BM25, 0 or more; set for the hits of the term leg
    dense_rank: int | None = None
    lexical_rank: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What one search found: hits ordered by (document id, start), the snapshot's token, and what was left out."""

    hits: Sequence[Hit]
    token: str
    documents: int  # how many documents and passages the filter left to search in
    passages: int
    total: int  # passages of the collection without the filter, to which document frequencies relate
    degraded: tuple[str, ...] = ()  # of: term_view_behind
    frequencies: Mapping[str, int] = field(default_factory=dict)  # passages that hold each term that was asked about
    ranking: KeptRanking | None = None  # the one in use at the snapshot, None where it is the product's own


@dataclass(frozen=True, slots=True)
class KeptRanking:
    """One version (from 1) of the rankings that a collection was tuned to; both objects mean something only above."""

    version: int
    created: str  # an instant in UTC
    settings: Mapping[str, Json]
    figures: Mapping[str, Json]  # what it was fitted on, and what it gained
    in_use: bool


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage fetched from the truth, with its text and the document that it belongs to."""

    ref: PassageRef
    passage: Passage
    text: str
    document: DocumentInfo

    @property
    def words(self) -> str:
        """Everything that words find it by."""
        return words_of(self.document.source, self.passage.header, self.text)


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """Counts and facets of one collection."""

    name: str
    documents: int
    passages: int
    characters: int
    updated: str | None  # the instant of the newest change, None while nothing was ever written
    token: str
    encoder: str | None  # the fingerprint that the collection is bound to, None before its first write
    sources: Mapping[str, int]
    languages: Mapping[str, int]
    years: Mapping[str, int]
    dense: str = "exact"  # how the nearest vectors are found, see `DenseView.method`
    pending: int = 0  # deleted passages that the term view's files still hold
    ranking: KeptRanking | None = None  # the one in use, None where it is the product's own
