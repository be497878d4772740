"""An element tree -> text with headings at exact offsets.

One walk for both vocabularies that occur here: HTML's own, and the one of trafilatura's output (`head`, `list`,
`item`, `row`, `cell`, `lb`, `quote`). Blocks are separated by an empty line; list items are lines that begin with
"- ", indented by two spaces a level; rows of a table are lines with " | " between the cells; `pre` keeps its lines.
Runs of whitespace elsewhere are one space, as in a browser.
"""

from __future__ import annotations

import re
from collections.abc import Set

from lxml import etree

from rag.types import Heading

SKIPPED = frozenset((
    "script", "style", "noscript", "template", "iframe", "object", "embed", "applet", "svg", "math", "canvas", "audio",
    "video", "picture", "map", "nav", "input", "select", "textarea", "button", "datalist", "dialog",
))  # fmt: skip
_HEADINGS = {"head": 1} | {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset((
    "body", "main", "article", "section", "div", "p", "blockquote", "quote", "dl", "table", "figure", "figcaption",
    "caption", "header", "footer", "aside", "form", "fieldset", "address", "details", "summary", "hr", "center", "ab",
))  # fmt: skip
_LINES = frozenset(("dt", "dd", "lb", "br", "legend"))
_ITEMS = frozenset(("item", "li"))
_LISTS = frozenset(("list", "ul", "ol"))
_ROWS = frozenset(("row", "tr"))
_CELLS = frozenset(("cell", "td", "th"))
_LAYOUT = frozenset(("table", "p", "div", "list", "ul", "ol", "pre", *_HEADINGS))  # no data table has these in cells
_SPACES = re.compile("[ \\t\\n\\f\\r]+")


def render(root: etree._Element, skipped: Set[object] = SKIPPED) -> tuple[str, list[Heading]]:
    """Return the text of `root` without `skipped` elements, and its headings in order.

    `text[h.start:h.end]` is the heading's title.

    Takes time linear in the size of the tree and does not recurse.
    """
    page = _Page()
    walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        if event == "start" and element.tag in skipped:
            walk.skip_subtree()
        elif event == "start" and _is_preformatted(element):
            page.preformatted("".join(element.itertext()))
            walk.skip_subtree()
        elif event == "start":
            page.open(element)
            page.words(element.text)
        else:
            if event == "end" and element.tag not in skipped:
                page.close(element)
            if element is not root:
                page.words(element.tail)
    return page.finish()


def _is_preformatted(element: etree._Element) -> bool:
    """Say whether an element keeps its lines: HTML's `pre`, or a block of code in trafilatura's output."""
    return element.tag == "pre" or (element.tag == "code" and any("\n" in part for part in element.itertext()))


def _is_data_table(table: etree._Element) -> bool:
    """Tell a table of data from one that lays out a page, whose cells hold blocks of their own."""
    return next((inner for inner in table.iter(*_LAYOUT) if inner is not table), None) is None


class _Page:
    """A text that grows at its end; separators are owed until something follows them."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._newlines = 0  # owed before the next word
        self._space = False
        self._bullet = ""
        self._row = False  # inside a row of data, which is one line
        self._cells = 0  # bars owed before the next word
        self._lists = 0  # how deep in lists
        self._items = 0
        self._tables: list[bool] = []  # of the tables around: is it one of data?
        self._heading: tuple[int, int] | None = None  # level, and where it starts or -1 before its first word
        self._headings: list[tuple[int, int, int]] = []

    def words(self, text: str | None) -> None:
        """Append running text; whitespace at its ends is owed, not written."""
        spaced = _SPACES.sub(" ", text or "")
        self._space = self._space or spaced.startswith(" ")
        if spaced.strip(" "):
            self._put(spaced.strip(" "))
            self._space = spaced.endswith(" ")

    def preformatted(self, text: str) -> None:
        """Append a block that keeps its lines and spaces."""
        self._owe(2)
        text = text.replace("\r\n", "\n").strip("\n")
        if text.strip():
            self._put(text)
        self._owe(2)

    def open(self, element: etree._Element) -> None:
        """Begin an element: owe the separator that it needs before it."""
        tag = element.tag
        if tag in _HEADINGS:
            self._owe(2)
            self._heading = (_level(element), -1)
        elif tag in _ITEMS:
            self._owe(1)
            self._items += 1
            self._bullet = "  " * (self._lists - 1) + "- "
        elif tag in _CELLS and self._in_data_table():
            self._cells += element.getprevious() is not None
        elif tag in _LISTS:
            self._owe(2)
            self._lists += 1
        else:
            self._owe_around(tag)
            self._row = self._row or (tag in _ROWS and self._in_data_table())
            if tag == "table":
                self._tables.append(_is_data_table(element))

    def close(self, element: etree._Element) -> None:
        """End an element: owe the separator that it needs after it."""
        tag = element.tag
        if tag in _HEADINGS:
            self._end_heading()
            self._owe(2)
        elif tag in _ITEMS:
            self._items -= 1
            self._bullet = ""
            self._owe(1)
        elif tag in _ROWS and self._in_data_table():
            self._row, self._cells = False, 0
            self._owe(1)
        elif tag in _LISTS:
            self._lists -= 1
            self._owe(2)
        else:
            if tag == "table":
                self._tables.pop()
            self._owe_around(tag)

    def finish(self) -> tuple[str, list[Heading]]:
        """Return the whole text and its headings."""
        text = "".join(self._parts)
        return text, [Heading(start, end, level, text[start:end]) for start, end, level in self._headings]

    def _in_data_table(self) -> bool:
        return bool(self._tables) and self._tables[-1]

    def _owe_around(self, tag: object) -> None:
        if tag in _LINES or (tag in _ROWS and self._in_data_table()):
            self._owe(1)
        elif tag in _BLOCKS or tag in _ROWS or (tag in _CELLS and not self._in_data_table()):
            self._owe(2)

    def _owe(self, newlines: int) -> None:
        """Owe line ends before the next word; inside a heading or a row a space does, inside an item one is enough."""
        if self._row or (self._heading is not None and self._heading[1] >= 0):
            self._space = True
        else:
            self._newlines = max(self._newlines, min(newlines, 1) if self._items else newlines)

    def _put(self, text: str) -> None:
        """Append a text that is not blank, after everything that is owed."""
        self._write(self._between() + self._bullet)
        if self._heading is not None and self._heading[1] < 0:
            self._heading = (self._heading[0], self._length)
        self._write(text)
        self._newlines, self._space, self._bullet, self._cells = 0, False, "", 0

    def _between(self) -> str:
        if self._newlines or not self._length:
            return ("\n" * self._newlines if self._length else "") + "| " * self._cells
        return " | " * self._cells or (" " if self._space else "")

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _end_heading(self) -> None:
        if self._heading is not None and self._heading[1] >= 0:
            level, start = self._heading
            self._headings.append((start, self._length, level))
        self._heading = None


def _level(heading: etree._Element) -> int:
    """Return 1 to 6: of `h2` by its name, of trafilatura's `head` by its `rend`."""
    name = heading.get("rend", "h1") if heading.tag == "head" else str(heading.tag)
    return _HEADINGS.get(name, 1)
