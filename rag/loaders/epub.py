"""EPUB: the pages of its spine, each read as HTML, in one text; fields from the package document."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from lxml import etree

from rag.errors import LoadProblem, NoText
from rag.loaders.dates import normalise_date
from rag.loaders.fields import language_tag
from rag.loaders.html import read_body
from rag.loaders.office import OPC_PARSER
from rag.loaders.source import Source, is_blank
from rag.loaders.written import Written, storable
from rag.loaders.zipped import broken, refuse_entities, unpacked
from rag.types import LoadedDocument

MEDIA_TYPE = "application/epub+zip"
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"


def load_epub(source: Source) -> Iterator[LoadedDocument]:
    """Yield the one document that an EPUB is; raises LoadProblem if it is broken or protected, NoText without text."""
    members = unpacked(source.data, "EPUB")
    with broken("EPUB"):
        package_name = _package_name(members)
        package = _xml(members, package_name)
        spine = _spine(package, posixpath.dirname(package_name))
        _refuse_protected(members, spine)
        written = Written()
        for name in spine:
            if members.get(name, b"").strip():
                written.append(*read_body(members[name]))
        if is_blank(written.text):
            raise NoText("The EPUB holds no text: if its pages are pictures, run OCR first.")
        yield LoadedDocument(
            text=written.text,
            media_type=MEDIA_TYPE,
            original=source.data,
            headings=written.headings,
            title=_first(package, "title"),
            source=_first(package, "publisher"),
            published=normalise_date(_first(package, "date")),
            language=language_tag(_first(package, "language")),
            metadata=_metadata(package),
        )


def _package_name(members: Mapping[str, bytes]) -> str:
    for root_file in _xml(members, _CONTAINER).iter("{*}rootfile"):
        return root_file.get("full-path", "")
    raise LoadProblem("The EPUB names no package document: fetch it again.")


def _xml(members: Mapping[str, bytes], name: str) -> etree._Element:
    if name not in members:
        raise LoadProblem(f"The EPUB has no {name[:200]!r}: it is damaged, or no EPUB; fetch it again.")
    refuse_entities(members[name], "EPUB")
    return etree.fromstring(members[name], OPC_PARSER)


def _spine(package: etree._Element, folder: str) -> list[str]:
    """Return the names of the pages in the order of reading, each once."""
    hrefs = {item.get("id"): item.get("href") for item in package.iter("{*}item")}
    references = (hrefs.get(item.get("idref")) for item in package.iter("{*}itemref"))
    names = (posixpath.normpath(posixpath.join(folder, unquote(href))) for href in references if href)
    return list(dict.fromkeys(names))


def _refuse_protected(members: Mapping[str, bytes], spine: list[str]) -> None:
    """Raise LoadProblem where the pages themselves are encrypted; fonts often are, and are not read."""
    if _ENCRYPTION in members:
        locked = {unquote(one.get("URI", "")) for one in _xml(members, _ENCRYPTION).iter("{*}CipherReference")}
        if locked & set(spine):
            raise LoadProblem("The EPUB is encrypted (copy protection): add one that is not.")


def _first(package: etree._Element, name: str) -> str | None:
    """Return the words of the first Dublin Core element of a name."""
    for element in package.iter(f"{{http://purl.org/dc/elements/1.1/}}{name}"):
        words = " ".join(storable("".join(map(str, element.itertext()))).split())
        if not is_blank(words):
            return words
    return None


def _metadata(package: etree._Element) -> dict[str, str]:
    date = _first(package, "date")
    kept = {
        "author": _first(package, "creator"),
        "description": _first(package, "description"),
        "subject": _first(package, "subject"),
        "identifier": _first(package, "identifier"),
        "date": date if normalise_date(date) is None else None,
    }
    return {name: value for name, value in kept.items() if value}
