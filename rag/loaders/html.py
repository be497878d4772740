"""HTML: the main content by trafilatura, or all of a page that has no navigation to leave out."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import suppress

import lxml.html
from lxml import etree

from rag.errors import LoadProblem, NoText
from rag.loaders.decoding import decode
from rag.loaders.html_head import read_head
from rag.loaders.html_text import SKIPPED, render
from rag.loaders.source import Source, is_blank, refuse_binary, refuse_blank
from rag.types import Heading, LoadedDocument

SIZE_LIMIT = 64 << 20  # characters of markup
_EXTRACTOR_ELEMENTS = 40_000  # of a page that trafilatura is given: it takes about 0.1 ms each
_EXTRACTOR_DEPTH = 250  # it recurses, and no page that a person wrote is deeper
_LEAST, _MOST, _ANYHOW = 0.8, 1.25, 200  # the page's own part may be so much shorter, longer, longer in characters
_LINKED = 0.2  # the share of linked words above which a page is more menu than text
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"\s*<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{1,40})")
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,200}>")
_NAVIGATION = (
    "//nav | //aside | //footer | //body/header | //script[@src]"
    " | //*[@role='navigation' or @role='banner' or @role='contentinfo' or @role='complementary']"
)
_ALWAYS_OUT = "//nav | //*[@role='navigation']"  # on short pages trafilatura would take the menus for content

# trafilatura reports every page that it finds nothing in; what matters is raised here instead.
logging.getLogger("trafilatura").addHandler(logging.NullHandler())


def load_html(source: Source) -> Iterator[LoadedDocument]:
    """Yield the one document that an HTML page is.

    The text is made from the page's main content, as `html_text` describes; fields come from the page's own head
    alone. Nothing is fetched and no external entity is read. Raises NoText where there is nothing to read, and
    LoadProblem where the markup is over 64 Mi characters or nested too deeply to be parsed whole.
    """
    refuse_binary(source, "HTML")
    markup, encoding = decode(source.data, source.charset or declared_charset(source.data))
    refuse_blank(markup)
    page = _parse(markup)
    text, headings = _content(page)
    if is_blank(text):
        raise NoText("The page holds no text outside scripts and navigation: save it after it has loaded, as HTML.")
    yield read_head(page).describe(LoadedDocument(text, "text/html", source.data, encoding=encoding, headings=headings))


def read_body(data: bytes, charset: str | None = None) -> tuple[str, list[Heading]]:
    """Return all text of a page that stands in another document (a chapter, a message), with its headings.

    Raises LoadProblem as `load_html` does; the text is empty where there is none.
    """
    markup, _ = decode(data, charset or declared_charset(data))
    if is_blank(markup):
        return "", []
    page = _parse(markup)
    body = page.find("body")
    return render(page if body is None else body)


def declared_charset(data: bytes) -> str | None:
    """Return the charset that a page names in its XML declaration or in a meta element of its first 4 KiB."""
    match = _XML_CHARSET.match(data[:256]) or _CHARSET.search(data[:4096])
    return match[1].decode("ascii") if match else None


def _parse(markup: str) -> lxml.html.HtmlElement:
    """Parse leniently, as browsers do, but refuse what the parser would cut off: it stops at 2,048 levels."""
    if len(markup) > SIZE_LIMIT:
        raise LoadProblem(f"The HTML is larger than {SIZE_LIMIT >> 20} Mi characters: split it.")
    parser = lxml.html.HTMLParser(huge_tree=True, no_network=True)
    # NUL is replaced as the HTML standard says; an XML declaration cannot stand before text that is decoded already.
    readable = _XML_DECLARATION.sub("", markup, count=1).replace("\0", "\ufffd")
    try:
        page = lxml.html.document_fromstring(readable, parser=parser)
    except (etree.LxmlError, ValueError) as error:
        if any(entry.type_name == "ERR_NO_MEMORY" for entry in parser.error_log):
            raise MemoryError from error
        raise NoText("The page holds no text: there is nothing to add.") from error
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        raise LoadProblem("The HTML is nested too deeply to be read whole: save the page as plain text.")
    return page


def _content(page: lxml.html.HtmlElement) -> tuple[str, list[Heading]]:
    """Return the page's text: all of it, or the main content where trafilatura sees much else.

    trafilatura judges what is content, but loses headings and short parts on the way. So where the page's own `main`
    or `article`, or its body, holds little more than what was found, that is taken whole.
    """
    body = page.find("body")
    if not _has_navigation(page) or body is None:
        return render(page if body is None else body)
    marked = page.xpath("//main | //*[@role='main']") or page.xpath("//article")
    whole = render(marked[0]) if len(marked) == 1 else render(body, SKIPPED | {"aside", "footer"})
    main = _main_content(page)
    length, found = len(whole[0]), len(main[0])
    if is_blank(main[0]) or _LEAST * found <= length <= _MOST * found + _ANYHOW:
        return render(body) if is_blank(whole[0]) else whole
    return main


def _has_navigation(page: lxml.html.HtmlElement) -> bool:
    """Tell a page of a site from a document saved as HTML, in which there is nothing to leave out."""
    if page.xpath(_NAVIGATION):
        return True
    linked = sum(len(link.text_content()) for link in page.iter("a"))
    return linked > _LINKED * len(page.text_content())


def _main_content(page: lxml.html.HtmlElement) -> tuple[str, list[Heading]]:
    """Let trafilatura find the main content, more rather than less of it; empty where it finds none or fails."""
    from trafilatura import bare_extraction  # here, because it takes a fifth of a second to import

    if not _is_tractable(page):
        return "", []
    _mark_code(page)
    try:
        found = bare_extraction(
            page, favor_recall=True, include_comments=False, include_tables=True, prune_xpath=_ALWAYS_OUT
        )
    except Exception:  # a heuristic over arbitrary pages: where it stumbles the whole page is taken
        return "", []
    main = getattr(found, "body", None)
    return ("", []) if main is None else render(main)


def _mark_code(page: lxml.html.HtmlElement) -> None:
    """Keep trafilatura from losing code: any `pre` without `code` is a quotation to it, any `figure` a picture."""
    for block in [*page.iter("pre")]:
        if block.find("code") is None:
            code = lxml.html.Element("code")
            with suppress(ValueError):  # control characters, which lxml reads but does not write
                code.text, block.text = block.text, None
                code.extend([*block])
                block.append(code)
        for figure in block.iterancestors("figure"):
            figure.tag = "div"


def _is_tractable(root: etree._Element) -> bool:
    depth = deepest = elements = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        elements += event == "start"
        depth += 1 if event == "start" else -1
        deepest = max(deepest, depth)
    return elements <= _EXTRACTOR_ELEMENTS and deepest <= _EXTRACTOR_DEPTH
