"""Journey 1: files to findable passages. Each document succeeds or fails alone."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import cast

from index.collection import Collection
from index.errors import DocumentInvalid
from index.files import Brief
from index.types import Document, NewDocument, Passage, Vectors
from rag.encoding import Encoder
from rag.errors import LoadProblem
from rag.folders import GivenFile, Sent, find_files
from rag.ids import document_id
from rag.parsing import load
from rag.seen import Reading, Record, looked_up
from rag.splitting import Packing, split
from rag.types import FailedRow, IngestResult, IngestStatus, LoadedDocument

_BATCH_CHARACTERS = 200_000  # of text encoded and committed together
_BATCH_DOCUMENTS = 64


@dataclass(slots=True)
class _Batch:
    """Documents that are encoded and committed together, and how far they are."""

    items: list[Document | IngestResult] = field(default_factory=list)
    sources: dict[str, LoadedDocument] = field(default_factory=dict)  # by document id
    size: int = 0  # characters
    known: Mapping[str, Brief] = field(default_factory=dict)
    passages: dict[str, list[Passage]] = field(default_factory=dict)
    new: list[Document] = field(default_factory=list)  # those with passages to encode
    vectors: Future[Vectors] | None = None

    @property
    def full(self) -> bool:
        """Whether no more should be put into it."""
        return self.size > _BATCH_CHARACTERS or len(self.items) >= _BATCH_DOCUMENTS

    def put(self, prepared: Document | IngestResult, loaded: LoadedDocument | IngestResult) -> None:
        """Add one document, or what already became of it."""
        self.items.append(prepared)
        if isinstance(prepared, Document) and isinstance(loaded, LoadedDocument):
            self.sources[prepared.id] = loaded
            self.size += len(prepared.text)

    def encoded(self) -> list[NewDocument]:
        """Wait for the vectors and return the documents with theirs."""
        documents, start = [], 0
        vectors = self.vectors.result() if self.vectors else None
        for document in self.new:
            passages = self.passages[document.id]
            assert vectors is not None
            documents.append(NewDocument(document, passages, vectors[start : start + len(passages)]))
            start += len(passages)
        return documents


class Ingest:
    """Loads, splits, encodes and adds documents to one collection; `token` is that of the last write."""

    def __init__(self, collection: Collection, encoder: Encoder, packing: Packing | None = None) -> None:
        self._collection = collection
        self._encoder = encoder
        self._packing = packing or Packing()
        self.token = collection.token

    def documents(
        self, loaded: Iterable[LoadedDocument | IngestResult], *, raw_ids: bool = True
    ) -> Iterator[IngestResult]:
        """Add documents in batches and yield what became of each, in order; a result given is passed on.

        What is unchanged is not encoded again. A document without an id is known by the digest of its original.
        Names from outside are escaped by `document_id`; with `raw_ids` false they are document ids already.
        """
        pending: _Batch | None = None
        for batch in _batches(loaded, raw_ids):
            if pending and pending.sources.keys() & batch.sources.keys():  # compare with what the earlier made
                yield from self._finish(pending)
                pending = None
            self._begin(batch)
            if pending:  # added and indexed while the vectors of the next batch are made
                yield from self._finish(pending)
            pending = batch
        if pending:
            yield from self._finish(pending)

    def files(
        self, files: Iterable[GivenFile], on_file: Callable[[int], None] = lambda number: None
    ) -> Iterator[tuple[int, IngestResult]]:
        """Add files and yield what became of each document, in order, with the place of its file, from 0.

        A file of one document is known by its name. A file that is as it was when it was ingested last, and whose
        documents are still stored, is not parsed. `on_file` is told how many files were read so far.
        """
        reading: deque[Reading] = deque()  # the file of every item that `documents` took and has not answered yet
        record = Record(self._collection.files)

        def items() -> Iterator[LoadedDocument | IngestResult]:
            for one in looked_up(files, self._collection.files):
                for item in _documents_of(one):
                    reading.append(one)
                    yield item
                on_file(one.place + 1)

        for result in self.documents(items()):
            one = reading.popleft()
            yield one.place, result
            record.add(one, result)
        record.close()

    def file(self, data: bytes, *, name: str) -> Iterator[IngestResult]:
        """Add the documents of one file that was sent."""
        yield from (result for _, result in self.files([Sent(name, data)]))

    def paths(
        self, paths: Iterable[Path], on_file: Callable[[int], None] = lambda number: None
    ) -> Iterator[IngestResult]:
        """Add files and all files below folders (see `find_files`)."""
        files = (file for path in paths for file in find_files(path))
        yield from (result for _, result in self.files(files, on_file))

    def remove_others(self, keep: Set[str]) -> list[str]:
        """Delete every document of the collection whose id is not in `keep`; return the ids."""
        gone = [document_id for document_id in self._collection.document_ids() if document_id not in keep]
        if gone:
            self.token = self._collection.delete(gone).token
        return gone

    def _begin(self, batch: _Batch) -> None:
        """Split what is new in a batch and let its vectors be made."""
        documents = [one for one in batch.items if isinstance(one, Document)]
        batch.known = self._collection.files.known([document.id for document in documents]) if documents else {}
        new = [
            one for one in documents if one.id not in batch.known or batch.known[one.id].fingerprint != one.fingerprint
        ]
        batch.passages = {document.id: self._split(batch.sources[document.id]) for document in new}
        batch.new = [document for document in new if batch.passages[document.id]]
        batch.vectors = self._encoder.submit(
            [
                f"{passage.header}\n{document.text[passage.start : passage.end]}".lstrip("\n")
                for document in batch.new
                for passage in batch.passages[document.id]
            ]
        )

    def _finish(self, batch: _Batch) -> Iterator[IngestResult]:
        """Add what is new in a batch and yield what became of each of its documents."""
        statuses = self._add(batch.encoded())
        for one in batch.items:
            if isinstance(one, IngestResult):
                yield one
            elif isinstance(outcome := statuses.get(one.id), DocumentInvalid):
                yield IngestResult(one.id, "failed", problem=str(outcome))
            elif outcome:
                yield _result(one, outcome, len(batch.passages[one.id]))
            elif one.id in batch.passages:
                yield IngestResult(one.id, "failed", problem="The document holds no text.")
            else:
                yield _result(one, "unchanged", batch.known[one.id].passages)

    def _add(self, new: Sequence[NewDocument]) -> Mapping[str, str | DocumentInvalid]:
        """Add encoded documents together; where one of them cannot be stored, one after another, so it fails alone."""
        if not new:
            return {}
        try:
            written = self._collection.add(new)
        except DocumentInvalid as problem:
            if len(new) == 1:
                return {new[0].document.id: problem}
            return {name: outcome for one in new for name, outcome in self._add([one]).items()}
        self.token = written.token
        return written.statuses

    def _split(self, loaded: LoadedDocument) -> list[Passage]:
        return split(loaded, self._encoder.token_offsets, self._encoder.window, self._packing)


def _batches(loaded: Iterable[LoadedDocument | IngestResult], raw_ids: bool) -> Iterator[_Batch]:
    """Gather documents into batches, none of which holds two of the same id."""
    batch = _Batch()
    for one in loaded:
        prepared = _prepare(one, raw_ids)
        if batch.full or prepared.id in batch.sources:
            yield batch
            batch = _Batch()
        batch.put(prepared, one)
    yield batch


def _documents_of(one: Reading) -> Iterator[LoadedDocument | IngestResult]:
    if one.problem:
        yield IngestResult(one.name, "failed", problem=one.problem)
    elif one.unchanged:
        for brief in one.unchanged:
            yield IngestResult(brief.id, "unchanged", brief.passages, brief.sha256, fingerprint=brief.fingerprint)
    else:
        yield from _loaded(one.data, one.name)
    one.data = b""


def _loaded(data: bytes, name: str) -> Iterator[LoadedDocument | IngestResult]:
    """Load a file and name its documents: a lone one after the file, rows without an id by their place in it."""
    rows = _rows(data, name)
    first, second = next(rows, None), next(rows, None)
    alone = second is None
    for place, row in enumerate(chain([first, second], rows), start=1):
        if isinstance(row, LoadedDocument) and row.id is None:
            yield replace(row, id=name if alone else f"{name}#{place}")
        elif row is not None:
            yield row


def _rows(data: bytes, name: str) -> Iterator[LoadedDocument | IngestResult]:
    try:
        for row in load(data, name=name):
            if isinstance(row, FailedRow):
                yield IngestResult(name, "failed", problem=f"Line {row.line}: {row.reason}")
            else:
                yield row
    except LoadProblem as problem:
        yield IngestResult(name, "failed", problem=str(problem))


def _prepare(loaded: LoadedDocument | IngestResult, raw_ids: bool) -> Document | IngestResult:
    if isinstance(loaded, IngestResult):
        return loaded
    try:
        for written in (loaded.text, loaded.title or ""):
            written.encode("utf-8")
        given = document_id(loaded.id) if loaded.id and raw_ids else loaded.id
        identity = given or hashlib.sha256(loaded.original).hexdigest()[:32]
    except UnicodeEncodeError:
        return IngestResult(
            loaded.id or "", "failed", problem="Its name, title or text holds a lone surrogate, which no file can hold."
        )
    except ValueError as problem:
        return IngestResult(loaded.id or "", "failed", problem=str(problem))
    return Document(
        id=identity,
        text=loaded.text,
        original=loaded.original,
        media_type=loaded.media_type,
        title=loaded.title,
        uri=loaded.uri,
        source=loaded.source,
        published=loaded.published,
        language=loaded.language,
        encoding=loaded.encoding,
        metadata=loaded.metadata,
    )


def _result(document: Document, status: str, passages: int) -> IngestResult:
    return IngestResult(
        document.id, cast(IngestStatus, status), passages, document.sha256, fingerprint=document.fingerprint
    )
