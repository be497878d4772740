"""Bytes that may be gzip-compressed -> lines or the whole, with a running count so that a bomb is refused early."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator

from rag.errors import LoadProblem, NoText
from rag.loaders.source import Source, refuse_binary

UNPACKED_LIMIT = 1 << 30  # bytes of a compressed file after decompression
ROW_LIMIT = 64 << 20  # bytes of one line
WHOLE_LIMIT = 256 << 20  # bytes of a JSON document that has to be parsed in one piece
_RATIO_LIMIT = 200  # text packs 3 to 20 times; deflate can reach 1,032
_RATIO_FROM = 16 << 20  # bytes after which the ratio is looked at: short files may well be repetitive
_CHUNK = 1 << 20
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def iterate_lines(source: Source) -> Iterator[tuple[int, bytes]]:
    """Yield (number from 1, bytes without the line end) of each line; only LF ends a line, a CR before it goes too.

    Never holds more of a compressed file than a chunk and a line. Raises LoadProblem for damaged gzip, for a file
    over 1 GiB or packed over 200 times, for a line over 64 MiB, and for UTF-16 or UTF-32; NoText for an empty file.
    """
    number, begun = 0, bytearray()
    for chunk in _chunks(source):
        pieces = chunk.split(b"\n")
        begun += pieces[0]
        for piece in pieces[1:]:
            number += 1
            yield number, bytes(begun).removesuffix(b"\r")
            begun = bytearray(piece)
        if len(begun) > ROW_LIMIT:
            raise LoadProblem(f"Line {number + 1} is longer than {ROW_LIMIT >> 20} MiB: split it into rows.")
    if begun:
        yield number + 1, bytes(begun).removesuffix(b"\r")


def read_whole(source: Source) -> bytes:
    """Return the whole content, decompressed where the name ends in `.gz`; raises as `iterate_lines`, over 256 MiB."""
    if not is_packed(source) and len(source.data) <= WHOLE_LIMIT:
        refuse_binary(source, "JSON")
        return source.data
    whole = bytearray()
    for chunk in _unpacked(source.data) if is_packed(source) else (source.data,):
        whole += chunk
        if len(whole) > WHOLE_LIMIT:
            raise LoadProblem(f"The JSON is larger than {WHOLE_LIMIT >> 20} MiB: make it JSON Lines, one row a line.")
    return bytes(whole)


def is_packed(source: Source) -> bool:
    """Return whether the file's name says that it is gzip-compressed."""
    return source.name.lower().endswith(".gz")


def _chunks(source: Source) -> Iterator[bytes]:
    """Yield the content in chunks of about 1 MiB, without a UTF-8 byte order mark at its beginning."""
    if not is_packed(source):
        refuse_binary(source, "JSON Lines")
    chunks = _unpacked(source.data) if is_packed(source) else _pieces(source.data)
    for place, chunk in enumerate(chunks):
        if place == 0 and chunk.startswith(_WIDE_MARKS):
            raise LoadProblem("JSON Lines are UTF-8, and this file is UTF-16 or UTF-32: save it again as UTF-8.")
        yield chunk.removeprefix(codecs.BOM_UTF8) if place == 0 else chunk


def _pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]


def _unpacked(data: bytes) -> Iterator[bytes]:
    packed, total = io.BytesIO(data), 0
    try:
        with gzip.GzipFile(fileobj=packed) as stream:
            while chunk := stream.read(_CHUNK):
                total += len(chunk)
                refuse_bomb(total, packed.tell(), UNPACKED_LIMIT)
                yield chunk
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise LoadProblem(f"The file is no whole gzip file ({error}): pack it again.") from error
    if not total:
        raise NoText("The compressed file is empty: there is no text to add.")


def refuse_bomb(unpacked: int, packed: int, limit: int) -> None:
    """Raise LoadProblem where `packed` bytes gave more than `limit`, or more than text that people write can give."""
    if unpacked > limit:
        size = f"{limit >> 30} GiB" if limit >> 30 else f"{limit >> 20} MiB"
        raise LoadProblem(f"The file is larger than {size} unpacked: split it.")
    if unpacked > _RATIO_FROM and unpacked > _RATIO_LIMIT * packed:
        raise LoadProblem(f"The file unpacks to more than {_RATIO_LIMIT} times its size: it looks like a bomb.")
