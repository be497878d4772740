"""Documents that are packed as ZIP -> their members in memory, counted while they are inflated.

Nothing is written to a disk, so a member's name is a key and no path. A member that carries pictures, sound or fonts
is kept by name only: nothing here reads it.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO

from rag.errors import LoadProblem
from rag.loaders.packed import refuse_bomb
from rag.loaders.source import recognise

UNPACKED_LIMIT = 256 << 20  # bytes of all members that are read
MEMBER_LIMIT = 20_000
_CHUNK = 1 << 20
_ENCRYPTED = 0x1  # the flag of a member
_MEDIA = ("/media/", "/embeddings/", "/fonts/", "/activex/", "/thumbnail")
_MEDIA_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".gif", ".emf", ".wmf", ".tif", ".tiff", ".bmp", ".webp", ".mp3", ".mp4", ".m4a", ".wav",
    ".avi", ".mov", ".wmv", ".ttf", ".otf", ".woff", ".woff2", ".odttf", ".bin", ".ico", ".wdp",
)  # fmt: skip
# "Strict" files, which Office can write too, differ in their namespaces, and the libraries know the others only.
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/([a-zA-Z]+)/")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")


def unpacked(data: bytes, kind: str) -> dict[str, bytes]:
    """Return the members of a document of `kind` ("DOCX") by their names; media are there but empty.

    Raises LoadProblem where it is no whole ZIP file, encrypted, has over 20,000 members, or inflates to over 256 MiB
    or, from 16 MiB on, to over 200 times the size of the file. Never holds more than that.
    """
    _refuse_other(data, kind)
    members: dict[str, bytes] = {}
    total = 0
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > MEMBER_LIMIT:
                raise LoadProblem(f"The {kind} has {len(entries)} parts, over the limit of {MEMBER_LIMIT}: split it.")
            for entry in entries:
                if entry.flag_bits & _ENCRYPTED:
                    raise LoadProblem(_LOCKED.format(kind))
                members[entry.filename] = b"" if _is_media(entry.filename) else _read(archive, entry, total, len(data))
                total += len(members[entry.filename])
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise LoadProblem(f"The {kind} is damaged ({error}): it is no whole file; save or fetch it again.") from error
    return members


_LOCKED = "The {} is encrypted: save a copy without a password and add that."


def repacked(members: Mapping[str, bytes], kind: str) -> BytesIO:
    """Return members as a plain ZIP for a library that opens files itself: what it reads has been counted.

    Raises LoadProblem where a part declares entities, which Office's formats forbid.
    """
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            if name.endswith((".xml", ".rels", ".vml")):
                refuse_entities(content, kind)
                content = _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", content)
            archive.writestr(zipfile.ZipInfo(name), content)
    packed.seek(0)
    return packed


def refuse_entities(xml: bytes, kind: str) -> None:
    """Raise LoadProblem where XML declares entities, in UTF-8 or UTF-16."""
    for written in (xml, xml.replace(b"\0", b"")) if b"\0" in xml else (xml,):
        if b"<!ENTITY" in written:
            raise LoadProblem(f"The {kind} declares entities, which no {kind} needs: it is not read; save it again.")


@contextmanager
def broken(kind: str) -> Iterator[None]:
    """Turn whatever a library meets in a broken file into a LoadProblem; running out of memory stays what it is."""
    try:
        yield
    except (LoadProblem, MemoryError, GeneratorExit):
        raise
    except Exception as error:  # of many kinds: the library's own, the XML parser's and Python's
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise LoadProblem(f"The {kind} is damaged ({reason}): open it in its program and save it again.") from error


def _refuse_other(data: bytes, kind: str) -> None:
    if data.startswith(b"PK"):
        return
    if data.startswith(_OLE):
        if _ENCRYPTED_PACKAGE in data:
            raise LoadProblem(_LOCKED.format(kind))
        raise LoadProblem(f"The file is an old Office document, not a {kind}: save it in the new format.")
    found = recognise(data) or "something else"
    raise LoadProblem(f"The file holds {found}, so it is no {kind} whatever its name says: give it its right ending.")


def _is_media(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(_MEDIA_SUFFIXES) or any(part in lower for part in _MEDIA)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, before: int, packed: int) -> bytes:
    """Inflate one member chunk by chunk; `before` bytes came from others, `packed` is the size of the file."""
    content = bytearray()
    with archive.open(entry) as stream:
        while chunk := stream.read(_CHUNK):
            content += chunk
            refuse_bomb(before + len(content), packed, UNPACKED_LIMIT)
    return bytes(content)
