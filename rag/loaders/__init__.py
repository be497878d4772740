"""Files -> documents: a table of suffix and media type -> loader, one format a file.

A new format is a file here and a line in the table; the loader contract in the tests then covers it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rag.errors import NoText, UnsupportedFormat
from rag.loaders.html import load_html
from rag.loaders.json_rows import load_json, load_json_lines
from rag.loaders.markdown import load_markdown
from rag.loaders.pdf import load_pdf
from rag.loaders.plain import load_plain
from rag.loaders.source import Source
from rag.types import FailedRow, LoadedDocument

__all__ = ["load", "supported_media_types", "supported_suffixes"]

Loader = Callable[[Source], Iterator[LoadedDocument | FailedRow]]


@dataclass(frozen=True, slots=True)
class Format:
    """One line of the table: which endings and media types a loader reads."""

    suffixes: tuple[str, ...]
    media_types: tuple[str, ...]
    loader: Loader


FORMATS = (
    Format((".txt", ".text"), ("text/plain",), load_plain),
    Format((".md", ".markdown"), ("text/markdown", "text/x-markdown"), load_markdown),
    Format((".html", ".htm"), ("text/html", "application/xhtml+xml"), load_html),
    Format((".pdf",), ("application/pdf",), load_pdf),
    Format((".json", ".json.gz"), ("application/json",), load_json),
    Format(
        (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"),
        ("application/x-ndjson", "application/jsonl", "application/x-jsonlines"),
        load_json_lines,
    ),
)

# Media types that say nothing about what is inside: the name decides.
_NEUTRAL = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/gzip", "application/x-gzip"})
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst")


def load(data: bytes, *, name: str, media_type: str | None = None) -> Iterator[LoadedDocument | FailedRow]:
    """Yield the documents of one file, and a FailedRow for each row of it that cannot become one.

    `name` is the file's name; its ending chooses the loader unless `media_type` does (`text/html; charset=…`, whose
    charset counts as declared). Only JSON and JSON Lines have rows; every other file is one document. Raises, at the
    call or while iterating, LoadProblem for the whole file: UnsupportedFormat where no loader reads its kind, NoText
    where there is no text in it. Rows of a compressed file that is damaged at the end were yielded before.
    """
    kind, charset = _parse_media_type(media_type or "")
    loader = _by_suffix(name) if kind in _NEUTRAL else _by_media_type(kind)
    if not data:
        raise NoText("The file is empty: there is no text to add.")
    return loader(Source(data, name, charset))


def supported_suffixes() -> Sequence[str]:
    """Return the endings of files that a loader reads, in lower case with their dot (`.jsonl.gz` is one)."""
    return tuple(suffix for known in FORMATS for suffix in known.suffixes)


def supported_media_types() -> Sequence[str]:
    """Return the media types that a loader reads, without parameters."""
    return tuple(media_type for known in FORMATS for media_type in known.media_types)


def _by_suffix(name: str) -> Loader:
    lower = name.lower()
    matches = [known for known in FORMATS if lower.endswith(known.suffixes)]
    if matches:
        return matches[0].loader
    if lower.endswith(_ARCHIVES):
        raise UnsupportedFormat("The file is an archive: unpack it and add the files that are in it.")
    raise UnsupportedFormat(
        f"No loader reads this kind of file: convert it to one of {', '.join(supported_suffixes())}."
    )


def _by_media_type(kind: str) -> Loader:
    for known in FORMATS:
        if kind in known.media_types:
            return known.loader
    raise UnsupportedFormat(f"No loader reads {kind!r}: send one of {', '.join(supported_media_types())}.")


def _parse_media_type(value: str) -> tuple[str, str | None]:
    """Split `text/html; charset=iso-8859-1` into its type in lower case and its charset, if any."""
    kind, *parameters = value.split(";")
    charsets = [p.partition("=")[2].strip(" \"'") for p in parameters if p.strip().lower().startswith("charset=")]
    return kind.strip().lower(), charsets[0] if charsets else None
