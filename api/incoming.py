"""A document that was sent as JSON, read by the loader of its media type; the fields that were sent win."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from api.schemas import DocumentIn
from rag.errors import LoadProblem
from rag.loaders.plain import read_wire_head
from rag.parsing import load
from rag.types import FailedRow, IngestResult, LoadedDocument


def loaded(document: DocumentIn) -> LoadedDocument | IngestResult:
    """Return the loaded document, or its failure: blank text, a format that is no text, several documents in one."""
    try:
        if not document.text.strip():
            raise LoadProblem("The text is blank: there is nothing to find in it.")
        return _with_given(_read(document), document)
    except LoadProblem as problem:
        return IngestResult(document.id or "", "failed", problem=str(problem))


def _read(document: DocumentIn) -> LoadedDocument:
    kind = document.media_type.partition(";")[0].strip().lower()
    data = document.text.encode("utf-8")
    if kind == "text/plain":  # already decoded: a loader would look for an encoding once more
        published, metadata = read_wire_head(document.text)
        return LoadedDocument(document.text, kind, data, published=published, encoding="utf-8", metadata=metadata)
    found = list(islice(load(data, name=document.id or "document", media_type=f"{kind}; charset=utf-8"), 2))
    if len(found) != 1:
        raise LoadProblem(f"A {kind} of several documents is a file: send it as multipart.")
    if isinstance(found[0], FailedRow):
        raise LoadProblem(found[0].reason)
    return found[0]


def _with_given(one: LoadedDocument, document: DocumentIn) -> LoadedDocument:
    """Return `one` with the fields that were sent; what is blank or null was not sent. A row's own id is dropped."""
    given = {
        name: value
        for name in ("title", "uri", "source", "published", "language")
        if (value := getattr(document, name)) is not None and value.strip()
    }
    metadata = {name: value for name, value in document.metadata.items() if value is not None}
    return replace(one, id=document.id, **given, metadata={**one.metadata, **metadata})
