"""What Office's formats share: the core properties of a package, and a parser that expands and fetches nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lxml import etree

from rag.loaders.dates import normalise_date
from rag.loaders.fields import Fields, language_tag
from rag.loaders.source import is_blank
from rag.loaders.written import storable

OPC_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def properties(core: Any) -> Fields:
    """Return the fields of a package's core properties, as python-docx, python-pptx and openpyxl give them.

    `published` is the day on which the file was created, as written there; the day of its last change is metadata.
    """
    kept = {
        "author": _words(getattr(core, "author", None) or getattr(core, "creator", None)),
        "subject": _words(core.subject),
        "keywords": _words(core.keywords),
        "modified": _day(core.modified),
    }
    return Fields(
        title=_words(core.title),
        published=_day(core.created),
        language=language_tag(core.language),
        metadata={name: value for name, value in kept.items() if value},
    )


def _words(value: object) -> str | None:
    words = " ".join(storable(value).split()) if isinstance(value, str) else ""
    return None if is_blank(words) else words


def _day(moment: object) -> str | None:
    if not isinstance(moment, datetime):
        return None
    return normalise_date((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).date().isoformat())
