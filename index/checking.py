"""What must be true of a document: asked before it is stored, and again of what is stored."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

import numpy as np

from index.dates import interval
from index.errors import DocumentInvalid
from index.reading import Stored
from index.types import Document, NewDocument, Passage, text_digest, utf16_length

ID = re.compile(r"[A-Za-z0-9._~-]{1,200}")


def require_storable(new: NewDocument, dimension: int) -> None:
    """Raise `DocumentInvalid` unless the document, its passages and its vectors fit each other and can be stored."""
    document = new.document
    faults = [
        *_document_faults(document),
        *passage_faults(new.passages, len(document.text)),
        *_vector_faults(new, dimension),
    ]
    if faults:
        raise DocumentInvalid(f"Document {document.id!r} cannot be stored: {'; '.join(faults)}.")


def _document_faults(document: Document) -> Iterator[str]:
    """Yield what is wrong with the fields of a document."""
    if not ID.fullmatch(document.id) or document.id in (".", ".."):
        yield "its id is not 1 to 200 of A-Z a-z 0-9 . _ ~ -"
    if document.published is not None and interval(document.published) is None:
        yield f"{document.published!r} is no date (2025, 2025-08, 2025-08-26 or an instant)"
    try:
        strings = [document.text, document.media_type, document.title, document.uri, document.source]
        strings += [document.language, document.encoding]
        strings.append(json.dumps(dict(document.metadata), ensure_ascii=False, allow_nan=False))
        "".join(string or "" for string in strings).encode("utf-8")
    except UnicodeEncodeError:
        yield "it holds a lone surrogate, which is no character"
    except (TypeError, ValueError):
        yield "its metadata is no JSON, or holds NaN or an infinity"


def passage_faults(passages: Sequence[Passage], characters: int) -> Iterator[str]:
    """Yield what is wrong with the passages of a text of that many code points."""
    if [passage.ordinal for passage in passages] != list(range(len(passages))):
        yield "its passages are not numbered 0, 1, 2, …"
    for passage in passages:
        if not 0 <= passage.start < passage.end <= characters:
            span = f"passage {passage.ordinal} ({passage.start} to {passage.end})"
            yield f"{span} lies outside its {characters} characters"


def _vector_faults(new: NewDocument, dimension: int) -> Iterator[str]:
    """Yield what is wrong with the vectors."""
    expected = (len(new.passages), dimension)
    if new.vectors.shape != expected:
        yield f"its vectors have shape {new.vectors.shape} and not {expected}"
    elif not np.isfinite(new.vectors).all():
        yield "its vectors hold NaN or an infinity"


def stored_faults(stored: Stored, dimension: int) -> Iterator[str]:
    """Yield what is wrong with a document as the truth holds it."""
    info, text = stored.info, stored.text
    if text_digest(text) != info.sha256 or len(text) != info.characters:
        yield "its text is not the one that was stored"
    if stored.as_document().fingerprint != info.fingerprint or len(stored.original) != info.bytes:
        yield "its original or its fields are not those that were stored"
    if len(stored.passages) != info.passages:
        yield f"it has {len(stored.passages)} passages and not {info.passages}"
    yield from passage_faults(stored.passages, len(text))
    yield from _utf16_faults(stored.passages, text)
    if len(stored.vectors) != 4 * dimension * info.passages:
        yield "its vectors are not one per passage"
    elif not np.isfinite(np.frombuffer(stored.vectors, dtype="<f4")).all():
        yield "its vectors hold NaN or an infinity"


def _utf16_faults(passages: Sequence[Passage], text: str) -> Iterator[str]:
    """Yield the passages whose start in UTF-16 is not that of their start in code points; one pass over the text."""
    code_points = units = 0
    for passage in sorted(passages, key=lambda one: one.start):
        units += utf16_length(text[code_points : passage.start])
        code_points = passage.start
        if passage.start_utf16 != units:
            yield f"passage {passage.ordinal} starts at {units} in UTF-16 and not at {passage.start_utf16}"
