"""What routes are given: the running parts, and the parameters that several of them share."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Path, Query, Request

from api.answers import SnapshotOut
from api.jobs import Jobs
from api.limits import Limits
from api.metrics import Metrics
from api.once import Once
from api.problems import Problem
from api.schemas import CollectionName, DocumentId
from api.wiring import Pincite
from index.collection import Collection
from rag.encoding import Encoder
from rag.ingest import Ingest
from rag.types import IngestResult, LoadedDocument


class Gate:
    """Lets a bounded number through at once; who finds no place within `wait_seconds` gets a 503."""

    def __init__(self, places: int, what: str, wait_seconds: float) -> None:
        self._free = threading.BoundedSemaphore(places)
        self._places, self._what, self._wait = places, what, wait_seconds
        self._lock = threading.Lock()
        self.waiting = 0  # who waits for a place now

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while the block runs; raises Problem 503 where none becomes free in time."""
        if not (self._free.acquire(blocking=False) or self._waited()):
            detail = f"{self._places} {self._what} are under way already; try again in a moment."
            raise Problem(503, "busy", detail, limit=self._places, retry_after=1)
        try:
            yield
        finally:
            self._free.release()

    def _waited(self) -> bool:
        with self._lock:
            self.waiting += 1
        try:
            return self._free.acquire(timeout=self._wait)
        finally:
            with self._lock:
                self.waiting -= 1


class CountedIngest(Ingest):
    """Counts what becomes of every document."""

    def __init__(self, collection: Collection, encoder: Encoder, metrics: Metrics) -> None:
        super().__init__(collection, encoder)
        self._metrics = metrics

    def documents(
        self, loaded: Iterable[LoadedDocument | IngestResult], *, raw_ids: bool = True
    ) -> Iterator[IngestResult]:
        """Add documents as Ingest does; files come this way too."""
        for result in super().documents(loaded, raw_ids=raw_ids):
            self._metrics.added(result.status, result.passages)
            yield result


@dataclass(frozen=True, slots=True)
class Running:
    """Everything that one running server holds."""

    pincite: Pincite
    limits: Limits
    metrics: Metrics
    jobs: Jobs
    once: Once
    questions: Gate
    writes: Gate
    verifying: Gate
    tuning: Gate
    draining: threading.Event = field(default_factory=threading.Event)  # set once the server is to end
    examples: dict[str, tuple[str, Sequence[str]]] = field(default_factory=dict)  # by collection: token, questions

    def collection(self, name: str) -> Collection:
        """Return a collection by name; raises CollectionMissing."""
        return self.pincite.catalog.collection(name)

    def ingest(self, collection: Collection) -> Ingest:
        """Return what adds documents to a collection."""
        return CountedIngest(collection, self.pincite.encoder, self.metrics)

    def snapshot(self, token: str) -> SnapshotOut:
        """Return the snapshot that an answer carries."""
        return SnapshotOut(token=token, config=self.pincite.config_digest)


async def _running(request: Request) -> Running:
    running: Running = request.app.state.running
    return running


RunningParts = Annotated[Running, Depends(_running)]
InCollection = Annotated[CollectionName, Query(alias="collection", description="The collection's name.")]
DocumentPath = Annotated[DocumentId, Path(alias="id", description="The document's id.")]
CollectionPath = Annotated[CollectionName, Path(alias="name", description="The collection's name.")]
