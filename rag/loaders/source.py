"""What every loader is given, and the checks that they share."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.errors import NoText, UnsupportedFormat

# Whitespace, control characters and invisible format characters: a text of nothing else is blank.
_VISIBLE = re.compile("[^\\s\\x00-\\x1f\\x7f-\\x9f\\u00ad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff]")

# (offset, first bytes, what it is): kinds of file that are no text whatever their name says.
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF87a", "a GIF image"),
    (0, b"GIF89a", "a GIF image"),
    (0, b"II*\x00", "a TIFF image"),
    (0, b"MM\x00*", "a TIFF image"),
    (8, b"WEBPVP8", "a WebP image"),
    (0, b"%PDF-", "a PDF"),
    (0, b"{\\rtf", "an RTF document"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (0, b"PK\x03\x04", "a ZIP archive or a document packed as one (DOCX, XLSX, EPUB, ODT)"),
    (0, b"\x1f\x8b\x08", "gzip-compressed data"),
    (0, b"BZh", "bzip2-compressed data"),
    (0, b"\xfd7zXZ\x00", "xz-compressed data"),
    (0, b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ\x90\x00", "a program"),
    (0, b"SQLite format 3\x00", "an SQLite database"),
    (0, b"OggS", "an audio or video file"),
    (0, b"ID3", "an audio file"),
    (4, b"ftyp", "an audio or video file"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one file, its name, and the charset that it was sent with."""

    data: bytes
    name: str
    charset: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A file in a file: the line (from 1) on which it begins, the name that its loader goes by, and its bytes."""

    line: int
    name: str
    data: bytes


def is_blank(text: str) -> bool:
    """Return whether `text` holds nothing that a reader could see."""
    return _VISIBLE.search(text) is None


def recognise(data: bytes) -> str | None:
    """Return what `data` is by its first bytes ("a PNG image"), or None where they belong to no known binary kind."""
    for offset, signature, kind in _SIGNATURES:
        if data.startswith(signature, offset):
            return kind
    return None


def refuse_binary(source: Source, expected: str) -> None:
    """Raise UnsupportedFormat when the bytes are a known binary kind, whatever the name promised."""
    kind = recognise(source.data)
    if kind is not None:
        raise UnsupportedFormat(
            f"The file holds {kind}, not {expected}: give it its right ending, or convert it to text first."
        )


def refuse_blank(text: str) -> None:
    """Raise NoText when `text` holds nothing that a reader could see."""
    if is_blank(text):
        raise NoText("The file holds only blanks: there is no text to add.")
