"""Journey 1: files to findable passages. Each document succeeds or fails alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import cast

from index.collection import Collection
from index.errors import DocumentInvalid
from index.types import Document, NewDocument, Passage
from rag.encoding import Encoder
from rag.errors import LoadProblem
from rag.ids import document_id
from rag.loaders import load
from rag.splitting import Packing, split
from rag.types import FailedRow, IngestResult, IngestStatus, LoadedDocument

_BATCH_CHARACTERS = 200_000  # of text encoded and committed together
_BATCH_DOCUMENTS = 64


@dataclass(frozen=True, slots=True)
class File:
    """A file on disk and the name that its documents are known by."""

    path: Path
    name: str


class Ingest:
    """Loads, splits, encodes and adds documents to one collection; `token` is that of the last write."""

    def __init__(self, collection: Collection, encoder: Encoder, packing: Packing | None = None) -> None:
        self._collection = collection
        self._encoder = encoder
        self._packing = packing or Packing()
        self.token = collection.info().token

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

    def file(self, data: bytes, *, name: str, media_type: str | None = None) -> Iterator[IngestResult]:
        """Add the documents of one file that was sent; a file of one document is known by its name."""
        yield from self.documents(_loaded(data, name, media_type))

    def paths(
        self, paths: Iterable[Path], on_file: Callable[[int], None] = lambda number: None
    ) -> Iterator[IngestResult]:
        """Add files and all files below folders (see `find_files`); `on_file` is told how many were read so far."""
        files = (file for path in paths for file in find_files(path))
        yield from self.documents(one for number, file in enumerate(files) for one in _read(file, number, on_file))

    def remove_others(self, keep: Set[str]) -> list[str]:
        """Delete every document of the collection whose id is not in `keep`; return the ids."""
        gone: list[str] = []
        after: str | None = None
        while page := self._collection.documents(after=after, limit=1_000):
            gone += [document.id for document in page if document.id not in keep]
            after = page[-1].id
        if gone:
            self.token = self._collection.delete(gone).token
        return gone

    def _write(
        self, batch: Sequence[Document | IngestResult], sources: dict[str, LoadedDocument]
    ) -> Iterator[IngestResult]:
        documents = [one for one in batch if isinstance(one, Document)]
        known = self._collection.fingerprints([document.id for document in documents])
        new = [document for document in documents if known.get(document.id) != document.fingerprint]
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
                yield _result(one, "unchanged", self._collection.document(one.id).passages)

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


def find_files(path: Path) -> list[File]:
    """Return a file, or all files below a folder in the order of their names; hidden ones are passed over.

    A file's name is its path below the folder that was given. Raises FileNotFoundError.
    """
    if path.is_dir():
        below = ((file, file.relative_to(path)) for file in sorted(path.rglob("*")) if file.is_file())
        return [File(file, _name(name)) for file, name in below if not any(p.startswith(".") for p in name.parts)]
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: name a file or a folder.")
    return [File(path, _name(Path(path.name)))]


def _name(path: Path) -> str:
    """Return a path as text; a byte of it that is no UTF-8 is written as `\\xff`."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _read(file: File, number: int, on_file: Callable[[int], None]) -> Iterator[LoadedDocument | IngestResult]:
    try:
        yield from _loaded(file.path.read_bytes(), file.name, None)
    except OSError as problem:
        yield IngestResult(file.name, "failed", problem=f"The file cannot be read: {problem.strerror}.")
    on_file(number + 1)


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
    return IngestResult(document.id, cast(IngestStatus, status), passages, document.sha256)
