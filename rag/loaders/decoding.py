"""Bytes -> text, with the encoding that was used, recorded so that the text can be made again from the bytes.

In this order: a byte order mark; strict UTF-8; UTF-16 without a mark, where every other byte is NUL; what the file
or its sender declares; what charset-normalizer finds. Nothing is replaced: bytes that no encoding explains are
refused, and so are bytes that decode but are plainly no text.
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

from rag.errors import LoadProblem

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Control characters that no text has: not tab, line ends, backspace or escape, which old texts and logs do have.
_CONTROLS = bytes(c for c in range(1, 32) if c not in b"\b\t\n\v\f\r\x1b")
_LATIN = {"ascii": "cp1252", "iso8859-1": "cp1252"}  # as browsers read these names
# Escapes rather than encodings, or encodings that were tried before a declaration is looked at.
_NOT_DECLARABLE = ("utf", "unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined", "mbcs", "oem")
_SAMPLE = 1 << 16
# What is looked for: the encodings of the web. Rarer ones (old Macintosh, DOS) fit the same bytes and only mislead.
_DETECTABLE = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874",
    "iso8859_2", "iso8859_5", "iso8859_7", "iso8859_15", "koi8_r", "koi8_u",
    "shift_jis", "cp932", "euc_jp", "iso2022_jp", "gb18030", "big5", "euc_kr", "cp949",
]  # fmt: skip


class Decoded(NamedTuple):
    """A text and the name of its encoding, as `bytes.decode` understands it: `data.decode(encoding) == text`."""

    text: str
    encoding: str


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """Decode `data`; `declared` is the charset that the file or its sender names, if any.

    A byte order mark belongs to the encoding (`utf-8-sig`, `utf-16`, `utf-32`) and is no part of the text.
    Raises LoadProblem where the bytes are damaged, in no known encoding, or no text at all.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_marked(data, encoding)
    wide = _utf16_without_mark(data)
    if wide is not None:
        return wide
    try:
        return _refuse_rubbish(Decoded(data.decode("utf-8"), "utf-8"))
    except UnicodeDecodeError as error:
        _refuse_damaged_utf8(data, error)
    return _refuse_rubbish(_decode_declared(data, declared) or _decode_detected(data))


def _decode_marked(data: bytes, encoding: str) -> Decoded:
    try:
        return Decoded(data.decode(encoding), encoding)
    except UnicodeDecodeError as error:
        raise LoadProblem(
            f"The file begins as {encoding.upper()} but byte {error.start} is not valid in it: save it again as UTF-8."
        ) from error


def _utf16_without_mark(data: bytes) -> Decoded | None:
    """Recognise UTF-16 of mostly Latin text by its NULs, which all stand on even or all on odd places."""
    head = data[:_SAMPLE]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if len(data) % 2 or max(even, odd) * 4 < len(head) or min(even, odd) * 20 > max(even, odd):
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    try:
        return Decoded(data.decode(encoding), encoding)
    except UnicodeDecodeError:
        return None


def _refuse_damaged_utf8(data: bytes, error: UnicodeDecodeError) -> None:
    """Refuse a UTF-8 text with a few broken bytes: any other encoding would turn all of its letters into rubbish."""
    head = data[: error.start]
    sample = head[-_SAMPLE:] + data[error.start : error.start + _SAMPLE]
    broken = sample.decode("utf-8", "replace").count("\ufffd")
    whole = len(sample.decode("utf-8", "ignore")) - sum(byte < 128 for byte in sample)
    if whole > 2 * broken:
        raise LoadProblem(f"The file is not valid UTF-8 at byte {error.start}: repair it or save it again as UTF-8.")


def _decode_declared(data: bytes, declared: str | None) -> Decoded | None:
    try:
        name = codecs.lookup((declared or "").strip()).name
        if name.replace("-", "_").startswith(_NOT_DECLARABLE):
            return None
        name = _LATIN.get(name, name)
        return Decoded(data.decode(name), name)
    except (LookupError, ValueError):  # unknown name, a name with NUL, or bytes that do not fit it
        return None


def _decode_detected(data: bytes) -> Decoded:
    from charset_normalizer import from_bytes  # here, because few files need it and it is slow to import

    first = next((i for i, byte in enumerate(data) if byte > 127), 0)
    matches = from_bytes(data[max(0, first - 1024) : first + _SAMPLE], cp_isolation=_DETECTABLE)
    best = matches.best()
    if best is not None:
        # Western European where it reads as well as the best: the neighbours of cp1252 share most of its letters.
        western = any(match.encoding == "cp1252" and match.chaos <= best.chaos for match in matches)
        encoding = "cp1252" if western else best.encoding
        try:
            return Decoded(data.decode(encoding), encoding)
        except UnicodeDecodeError:
            pass
    raise LoadProblem("The file is in no encoding that could be recognised: save it again as UTF-8.")


def _refuse_rubbish(decoded: Decoded) -> Decoded:
    """Refuse what decodes but is no text; a NUL here and there is kept, it may stand in a real one."""
    raw = decoded.text.encode("utf-8", "surrogatepass")
    nuls, controls = raw.count(0), len(raw) - len(raw.translate(None, _CONTROLS))
    few = 0.1 if decoded.encoding == "utf-8" else 0.01  # any bytes fit a one-byte encoding, so it proves less
    if controls > few * (len(raw) - nuls) or (controls and nuls > 0.3 * len(raw)):
        raise LoadProblem("The file holds binary data, not text: convert it to text first.")
    return decoded
