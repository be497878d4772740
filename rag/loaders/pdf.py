"""PDF by pypdf, page by page: pages joined by an empty line, the start of each page kept; no OCR."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING

from index.types import Json
from rag.errors import LoadProblem, NoText
from rag.loaders.dates import normalise_date
from rag.loaders.fields import language_tag
from rag.loaders.source import Source, is_blank, recognise
from rag.types import Heading, LoadedDocument

if TYPE_CHECKING:
    from pypdf import PdfReader

PAGE_LIMIT = 10_000
TEXT_LIMIT = 64 << 20  # characters of a whole PDF
_OUTLINE_LIMIT = 2_000  # entries; what comes after them gives no headings
_PAGE_BREAK = "\n\n"

_NO_TITLE = re.compile(r"untitled.*|microsoft word - .*|.*\.(?:docx?|odt|rtf|tex|dvi|indd|pdf|html?|md|txt)", re.I)
_CREATED = re.compile(
    r"(?:D:)?(?P<year>[0-9]{4})(?P<month>[0-9]{2})?(?P<day>[0-9]{2})?"
    r"(?P<clock>[0-9]{6})?(?P<zone>Z|[+-][0-9]{2}'?[0-9]{2}'?)?.*",
    re.DOTALL,
)

# pypdf reports each oddity of a broken file as a warning; what matters is raised here instead.
logging.getLogger("pypdf").addHandler(logging.NullHandler())


def load_pdf(source: Source) -> Iterator[LoadedDocument]:
    """Yield the one document that a PDF is.

    `pages` holds the start of each page, rising even over pages without text. Pages that pypdf cannot read are listed
    by number (from 1) under `metadata.unreadable_pages`. `published` is the day of the creation date in the
    information dictionary, as written there. Raises NoText for a scan and LoadProblem for a PDF that asks for a
    password, is broken, or is over 10,000 pages or 64 Mi characters. A few kB can describe pages that take pypdf hours:
    how long it may take is `rag/parsing.py`'s to say.
    """
    _refuse_other(source.data)
    try:
        yield _load(source)
    except (LoadProblem, GeneratorExit, MemoryError):
        raise
    except Exception as error:  # pypdf meets broken files with errors of many kinds, its own and Python's
        raise LoadProblem(f"The PDF is broken ({type(error).__name__}: {error}): print it to a new PDF.") from error


def _refuse_other(data: bytes) -> None:
    if b"%PDF-" in data[:1024]:
        return
    kind = recognise(data) or "no PDF header"
    raise LoadProblem(f"The file holds {kind}, so it is no PDF whatever its name says: give it its right ending.")


def _load(source: Source) -> LoadedDocument:
    reader = _open(source.data)
    texts, unreadable = _read_pages(reader)
    text = _PAGE_BREAK.join(texts)
    if is_blank(text):
        raise NoText(f"The PDF holds {_count(texts)} but no text: it looks like a scan; run OCR first.")
    pages = _page_starts(texts)
    info = {str(name): str(value) for name, value in (reader.metadata or {}).items() if isinstance(value, str)}
    metadata = _metadata(info)
    if unreadable:
        metadata["unreadable_pages"] = unreadable
    return LoadedDocument(
        text=text,
        media_type="application/pdf",
        original=source.data,
        headings=_headings(reader, text, pages),
        pages=pages,
        title=_title(info.get("/Title")),
        published=_published(info.get("/CreationDate")),
        language=language_tag(reader.root_object.get("/Lang")),
        encoding=None,
        metadata=metadata,
    )


def _open(data: bytes) -> PdfReader:
    from pypdf import PdfReader  # here, so that commands that load no PDF start sooner

    reader = PdfReader(BytesIO(data), strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise LoadProblem("The PDF is encrypted and asks for a password: save a copy without one and add that.")
    count = len(reader.pages)
    if count > PAGE_LIMIT:
        raise LoadProblem(f"The PDF has {count} pages, over the limit of {PAGE_LIMIT}: split it.")
    if not count:
        raise NoText("The PDF has no pages: there is no text to add.")
    return reader


def _read_pages(reader: PdfReader) -> tuple[list[str], list[int]]:
    """Return the text of every page, and the numbers (from 1) of those that cannot be read; these have none."""
    texts: list[str] = []
    unreadable: list[int] = []
    total, last_error = 0, ""
    for number, page in enumerate(reader.pages, 1):
        try:
            texts.append(_storable(page.extract_text()))
        except Exception as error:  # as above: one broken page of many fails alone
            texts.append("")
            unreadable.append(number)
            last_error = f"{type(error).__name__}: {error}"
        total += len(texts[-1])
        if total > TEXT_LIMIT:
            raise LoadProblem(f"The PDF holds more than {TEXT_LIMIT >> 20} Mi characters: split it.")
    if len(unreadable) == len(texts):
        raise LoadProblem(f"The PDF's {_count(texts)} cannot be read ({last_error}): print it to a new PDF.")
    return texts, unreadable


def _count(texts: Sequence[str]) -> str:
    return "1 page" if len(texts) == 1 else f"{len(texts)} pages"


def _storable(text: str) -> str:
    """Join surrogate pairs that a font's character map left apart, and replace halves, which no UTF-8 can hold."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _page_starts(texts: Sequence[str]) -> list[int]:
    starts, at = [], 0
    for text in texts:
        starts.append(at)
        at += len(text) + len(_PAGE_BREAK)
    return starts


def _metadata(info: dict[str, str]) -> dict[str, Json]:
    kept = {
        "author": info.get("/Author"),
        "subject": info.get("/Subject"),
        "keywords": info.get("/Keywords"),
        "pdf_creation_date": _created(info.get("/CreationDate"), whole=True) or info.get("/CreationDate"),
    }
    return {name: _storable(value) for name, value in kept.items() if value and not is_blank(value)}


def _title(written: str | None) -> str | None:
    title = " ".join(_storable(written or "").split())
    return None if is_blank(title) or _NO_TITLE.fullmatch(title) else title


def _published(written: str | None) -> str | None:
    return _created(written, whole=False)


def _created(written: str | None, *, whole: bool) -> str | None:
    """Read a PDF date, `D:20250826093000+02'00'`: the day as written, or with `whole` all of it."""
    match = _CREATED.fullmatch(written or "")
    if match is None:
        return None
    day = "-".join(part for part in match.group("year", "month", "day") if part)
    clock, zone = match["clock"], (match["zone"] or "").replace("'", "")
    if whole and clock:
        return normalise_date(f"{day}T{clock[:2]}:{clock[2:4]}:{clock[4:]}{zone}") or normalise_date(day)
    return normalise_date(day)


def _headings(reader: PdfReader, text: str, pages: Sequence[int]) -> list[Heading]:
    """Return the outline's entries that stand on their page as exactly one line; all others have no exact place."""
    found: dict[int, Heading] = {}
    try:
        for level, title, page in islice(_outline(reader, reader.outline, 1), _OUTLINE_LIMIT):
            end = pages[page + 1] if page + 1 < len(pages) else len(text)
            lines = [*re.finditer(rf"^[ \t]*{re.escape(title)}[ \t]*$", text[pages[page] : end], re.MULTILINE)]
            if len(lines) == 1:
                start = pages[page] + lines[0].start()
                found.setdefault(start, Heading(start, pages[page] + lines[0].end(), level, title))
    except Exception:  # a broken outline costs the headings, not the document
        return []
    return [found[start] for start in sorted(found)]


def _outline(reader: PdfReader, entries: Sequence[object], level: int) -> Iterator[tuple[int, str, int]]:
    """Yield (level, title, page from 0) of the outline in its order; lists hold the children of what precedes them."""
    from pypdf.generic import Destination

    for entry in entries:
        if isinstance(entry, list):
            yield from _outline(reader, entry, level + 1)
        elif isinstance(entry, Destination):
            title, page = " ".join(_storable(entry.title or "").split()), reader.get_destination_page_number(entry)
            if title and page is not None and page >= 0:
                yield level, title, page
