"""Journey 1: files to findable passages. Each document succeeds or fails alone."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import cast

from index.collection import Collection
from index.errors import DocumentInvalid
from index.types import Document, NewDocument, Passage
from rag.encoding import Encoder
from rag.errors import LoadProblem
from rag.folders import Sent, find_files
from rag.ids import document_id
from rag.loaders import load
from rag.seen import GivenFile, Reading, Record, looked_up
from rag.splitting import Packing, split
from rag.types import FailedRow, IngestResult, IngestStatus, LoadedDocument

_BATCH_CHARACTERS = 200_000  # of text encoded and committed together
_BATCH_DOCUMENTS = 64


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
        batch: list[Document | IngestResult] = []
        sources: dict[str, LoadedDocument] = {}
        size = 0
        for one in loaded:
            prepared = _prepare(one, raw_ids)
            if prepared.id in sources or size > _BATCH_CHARACTERS or len(batch) >= _BATCH_DOCUMENTS:
                yield from self._write(batch, sources)
                batch, sources, size = [], {}, 0
            batch.append(prepared)
            if isinstance(prepared, Document) and isinstance(one, LoadedDocument):
                sources[prepared.id] = one
                size += len(prepared.text)
        yield from self._write(batch, sources)

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
            self._collection.files.sweep()
        return gone

    def _write(
        self, batch: Sequence[Document | IngestResult], sources: dict[str, LoadedDocument]
    ) -> Iterator[IngestResult]:
        documents = [one for one in batch if isinstance(one, Document)]
        known = self._collection.files.known([document.id for document in documents]) if documents else {}
        new = [one for one in documents if one.id not in known or known[one.id].fingerprint != one.fingerprint]
        passages = {document.id: self._split(sources[document.id]) for document in new}
        statuses = self._add(self._encoded([document for document in new if passages[document.id]], passages))
        for one in batch:
            if isinstance(one, IngestResult):
                yield one
            elif isinstance(outcome := statuses.get(one.id), DocumentInvalid):
                yield IngestResult(one.id, "failed", problem=str(outcome))
            elif outcome:
                yield _result(one, outcome, len(passages[one.id]))
            elif one.id in passages:
                yield IngestResult(one.id, "failed", problem="The document holds no text.")
            else:
                yield _result(one, "unchanged", known[one.id].passages)

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

    def _encoded(self, documents: Sequence[Document], passages: dict[str, list[Passage]]) -> list[NewDocument]:
        texts = [
            f"{passage.header}\n{document.text[passage.start : passage.end]}".lstrip("\n")
            for document in documents
            for passage in passages[document.id]
        ]
        vectors = self._encoder.encode(texts)
        encoded, start = [], 0
        for document in documents:
            end = start + len(passages[document.id])
            encoded.append(NewDocument(document, passages[document.id], vectors[start:end]))
            start = end
        return encoded


def _documents_of(one: Reading) -> Iterator[LoadedDocument | IngestResult]:
    if one.problem:
        yield IngestResult(one.name, "failed", problem=one.problem)
    elif one.unchanged:
        for brief in one.unchanged:
            yield IngestResult(brief.id, "unchanged", brief.passages, brief.sha256, fingerprint=brief.fingerprint)
    else:
        yield from _loaded(one.data, one.name, None)
    one.data = b""


def _loaded(data: bytes, name: str, media_type: str | None) -> Iterator[LoadedDocument | IngestResult]:
    """Load a file and name its documents: a lone one after the file, rows without an id by their place in it."""
    rows = _rows(data, name, media_type)
    first, second = next(rows, None), next(rows, None)
    alone = second is None
    for place, row in enumerate(chain([first, second], rows), start=1):
        if isinstance(row, LoadedDocument) and row.id is None:
            yield replace(row, id=name if alone else f"{name}#{place}")
        elif row is not None:
            yield row


def _rows(data: bytes, name: str, media_type: str | None) -> Iterator[LoadedDocument | IngestResult]:
    try:
        for row in load(data, name=name, media_type=media_type):
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
