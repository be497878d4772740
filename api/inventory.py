"""What is answered about what is kept and what runs: documents, collections, jobs and the server."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.answers import CitedDocument, Shown, SnapshotOut
from index.types import Json


class DocumentResult(Shown):
    """What became of one document; `id` is null where it failed before it had one."""

    id: str | None
    status: Literal["added", "replaced", "unchanged", "failed"]
    passages: int
    document_sha256: str | None
    problem: str | None


class DocumentsOut(Shown):
    """The answer to a batch, in its order, once all of it is findable."""

    results: list[DocumentResult]
    snapshot: SnapshotOut


class DocumentWritten(DocumentResult):
    """The answer to a PUT."""

    snapshot: SnapshotOut


class DocumentDeleted(Shown):
    """The answer to the DELETE of a document."""

    id: str
    status: Literal["deleted"]
    snapshot: SnapshotOut


class DocumentsDeleted(Shown):
    """What a filter matched, by id up to a page of a list; nothing was deleted where `dry_run` is true."""

    dry_run: bool
    count: int
    ids: list[str]
    ids_left_out: int
    snapshot: SnapshotOut


class DocumentOut(CitedDocument):
    """A stored document without its text."""

    collection: str
    document_sha256: str
    media_type: str
    encoding: str | None
    added: str
    characters: int
    bytes: int
    passages: int
    url: str


class DocumentList(Shown):
    """One page of documents in the order of their ids; `next_cursor` is null on the last."""

    documents: list[DocumentOut]
    next_cursor: str | None


class TextOut(Shown):
    """A part of a document's text, with where it really begins and ends."""

    text: str
    start_char: int
    end_char: int
    start_utf16: int
    end_utf16: int
    document_sha256: str


class CollectionSummary(Shown):
    """A collection with its counts."""

    name: str
    documents: int
    passages: int
    characters: int
    dense: str
    pending: int
    ranking: int | None
    updated: str | None
    snapshot: SnapshotOut


class FacetsOut(Shown):
    """How many documents each value has."""

    sources: dict[str, int]
    languages: dict[str, int]
    years: dict[str, int]


class CollectionOut(CollectionSummary):
    """One collection in full; `examples` are questions that it answers, or empty."""

    encoder: str | None
    facets: FacetsOut
    examples: list[str]


class CollectionList(Shown):
    """Every collection, by name."""

    collections: list[CollectionSummary]


class RankingOut(Shown):
    """One version of a collection's own rankings: what it is, what it was fitted on, and what it gained."""

    version: int
    created: str
    in_use: bool
    settings: dict[str, Json]
    figures: dict[str, Json]


class RankingList(Shown):
    """Every version, the oldest first."""

    rankings: list[RankingOut]
    snapshot: SnapshotOut


class RankingChosen(Shown):
    """The version that ranks now, null for Pincite's own ranking."""

    ranking: int | None
    snapshot: SnapshotOut


class TuningOut(Shown):
    """What tuning found: the ranking, whether it is better, and the version under which it is kept and used."""

    better: bool
    version: int | None
    settings: dict[str, Json]
    figures: dict[str, Json]
    snapshot: SnapshotOut


class CollectionDropped(Shown):
    """The answer to the DELETE of a collection."""

    name: str
    status: Literal["dropped"]


JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]


class Progress(Shown):
    """How far a job is; `current` is the file under way, `failed` counts documents and whole files."""

    files: int
    files_done: int
    documents: int
    passages: int
    failed: int
    current: str | None


class JobResult(Shown):
    """What became of one document of a job, or of a whole file that could not be read (then `id` is null)."""

    file: str | None
    id: str | None
    status: Literal["added", "replaced", "unchanged", "failed"]
    passages: int
    document_sha256: str | None
    problem: str | None


class JobSummary(Shown):
    """A job without its results; `problem` says why it could not go on, `snapshot` what a question must have seen."""

    id: str
    kind: Literal["upload", "documents"]
    collection: str
    status: JobStatus
    created: str
    started: str | None
    finished: str | None
    progress: Progress
    problem: str | None
    snapshot: SnapshotOut | None


class JobOut(JobSummary):
    """A job with its results in the order in which they came; those beyond the page or the limit are counted only."""

    results: list[JobResult]
    results_left_out: int


class JobAccepted(Shown):
    """The answer to what is done later."""

    job: JobOut


class JobList(Shown):
    """The jobs that are remembered, the newest first."""

    jobs: list[JobSummary]


class ReaderOut(Shown):
    """What reads the passages, and what runs it."""

    fingerprint: str
    runtime: str


class InfoOut(Shown):
    """What is running, with which limits, on how much."""

    name: Literal["pincite"]
    version: str
    versions: dict[str, str]
    model: dict[str, Json]
    reader: ReaderOut | None
    runtime: dict[str, Json]
    config: str
    formats: dict[str, list[str]]
    limits: dict[str, int | float]
    counts: dict[str, int]


class VerificationOut(Shown):
    """What is wrong with the data folder, a sentence a problem; empty when it is clean."""

    problems: list[str]


class HealthOut(Shown):
    """Alive."""

    status: Literal["ok"]


class ReadyOut(Shown):
    """Ready to answer; `behind` names the collections that lag behind the truth, `unavailable` those that fail."""

    status: Literal["ready", "not_ready"]
    behind: list[str]
    unavailable: Annotated[dict[str, str], Field(description="By collection, what is wrong.")]
