"""What an HTML page says about itself in standard places; nothing is guessed from its words or its address."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import lxml.html

from index.types import Json
from rag.loaders.dates import normalise_date
from rag.loaders.fields import Fields, language_tag

_DATE_NAMES = (
    "article:published_time", "og:article:published_time", "datepublished", "dc.date.issued", "dcterms.issued",
    "dc.date", "dcterms.date", "dcterms.created", "citation_publication_date", "date", "pubdate", "publishdate",
)  # fmt: skip
_JSON_LD_LIMIT = 1 << 20  # characters of one block
_JSON_LD_ITEMS = 1_000


def read_head(page: lxml.html.HtmlElement) -> Fields:
    """Return the title, address, site, date and language of a page, and under `metadata` its author and description.

    A date that the page gives but that cannot be read stays as `metadata.date`. Two places of the same kind that
    disagree on the date give none.
    """
    meta = _meta(page)
    published, unread = _published(page, meta)
    kept = {
        "author": _first(meta, "author", "article:author", "dc.creator", "dcterms.creator", "citation_author"),
        "description": _first(meta, "description", "og:description", "dc.description", "dcterms.description"),
        "keywords": _first(meta, "keywords"),
        "date": unread,
    }
    return Fields(
        title=_first(meta, "og:title") or _text(page, "//title") or _text(page, "//h1"),
        uri=_address(page, meta),
        source=_first(meta, "og:site_name"),
        published=published,
        language=language_tag(page.get("lang") or page.get("{http://www.w3.org/XML/1998/namespace}lang")),
        metadata={name: value for name, value in kept.items() if value},
    )


def _meta(page: lxml.html.HtmlElement) -> dict[str, list[str]]:
    """Collect the contents of meta elements by lower-case name, property or itemprop, in their order."""
    found: dict[str, list[str]] = {}
    for element in page.iter("meta"):
        content = _squeeze(element.get("content"))
        for attribute in ("name", "property", "itemprop"):
            name = (element.get(attribute) or "").strip().lower()
            if name and content:
                found.setdefault(name, []).append(content)
    return found


def _first(meta: dict[str, list[str]], *names: str) -> str | None:
    return next((meta[name][0] for name in names if name in meta), None)


def _text(page: lxml.html.HtmlElement, path: str) -> str | None:
    found = page.xpath(path)
    return _squeeze(found[0].text_content()) if found else None


def _squeeze(text: str | None) -> str | None:
    return " ".join((text or "").split()) or None


def _address(page: lxml.html.HtmlElement, meta: dict[str, list[str]]) -> str | None:
    """Return the page's whole address; one without scheme and host would mean nothing elsewhere."""
    links = [link.get("href") for link in page.iter("link") if "canonical" in (link.get("rel") or "").lower().split()]
    candidates = [_squeeze(address) for address in (*links, _first(meta, "og:url"))]
    return next((address for address in candidates if address and address.startswith(("https://", "http://"))), None)


def _published(page: lxml.html.HtmlElement, meta: dict[str, list[str]]) -> tuple[str | None, str | None]:
    """Return the date in one spelling, or else None and the date as the page writes it."""
    unread = None
    for name in _DATE_NAMES:
        for content in meta.get(name, [])[:1]:
            published = normalise_date(content)
            if published:
                return published, None
            unread = unread or content
    for kind in (_json_ld_dates(page), page.xpath("//article//header//time/@datetime")):
        dates = {date for date in map(normalise_date, kind) if date}
        if len(dates) == 1:
            return dates.pop(), None
    return None, unread


def _json_ld_dates(page: lxml.html.HtmlElement) -> Iterator[str]:
    """Yield `datePublished` of every JSON-LD object at the top of a block or in its `@graph`."""
    for script in page.iter("script"):
        written = script.text or ""
        if (script.get("type") or "").strip().lower() != "application/ld+json" or len(written) > _JSON_LD_LIMIT:
            continue
        try:
            block = json.loads(written)
        except (ValueError, RecursionError):
            continue
        for item in _objects(block):
            if isinstance(item.get("datePublished"), str):
                yield item["datePublished"]


def _objects(block: Json) -> Iterable[dict[str, Json]]:
    items = block if isinstance(block, list) else [block]
    graphs = [item["@graph"] for item in items if isinstance(item, dict) and isinstance(item.get("@graph"), list)]
    everything = [*items, *(item for graph in graphs for item in graph)]
    return [item for item in everything[:_JSON_LD_ITEMS] if isinstance(item, dict)]
