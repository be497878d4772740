"""A text that is written block by block, with headings, pages and tables at exact places."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rag.errors import LoadProblem
from rag.loaders.source import is_blank
from rag.types import Heading

TEXT_LIMIT = 64 << 20  # characters of one document
_HEADER_CELL = 80  # characters of a column's name
_NUMBER = re.compile(r"[-+]?[\d.,%€$£ ]+")


class Written:
    """Grows at its end; blocks are parted by an empty line. Raises LoadProblem over 64 Mi characters."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self.headings: list[Heading] = []
        self.pages: list[int] = []

    @property
    def text(self) -> str:
        """What was written so far."""
        return "".join(self._parts)

    def block(self, text: str, *, gap: str = "\n\n") -> int:
        """Write a paragraph after `gap`, unless it is blank; returns where it starts."""
        text = storable(text).strip("\r\n \t")
        if is_blank(text):
            return self._length
        if self._parts:
            self._put(gap)
        start = self._length
        self._put(text)
        return start

    def heading(self, title: str, level: int) -> None:
        """Write a heading on a line of its own."""
        title = " ".join(storable(title).split())
        if not is_blank(title):
            start = self.block(title)
            self.headings.append(Heading(start, self._length, level, title))

    def page(self) -> None:
        """Begin a page: it starts with what is written next."""
        if self._parts:
            self._put("\n\n")
        self.pages.append(self._length)

    def table(self, rows: Iterable[Sequence[str]]) -> None:
        """Write the rows of a table as lines, an empty row ends a table and begins another."""
        block: list[Sequence[str]] = []
        for row in rows:
            cells = [" ".join(storable(cell).split()) for cell in row]
            if any(cells):
                block.append(cells)
            else:
                self._rows(block)
                block = []
        self._rows(block)

    def append(self, text: str, headings: Sequence[Heading]) -> None:
        """Write a text that has headings of its own."""
        if is_blank(text):
            return
        if self._parts:
            self._put("\n\n")
        at = self._length
        self._put(text)
        self.headings += [Heading(at + one.start, at + one.end, one.level, one.title) for one in headings]

    def _rows(self, rows: Sequence[Sequence[str]]) -> None:
        names = _header(rows)
        for place, row in enumerate(rows):
            if names and place:
                cells = [f"{name}: {cell}" if name else cell for name, cell in zip(names, row, strict=False) if cell]
                cells += [cell for cell in row[len(names) :] if cell]
            else:
                cells = [cell for cell in row if cell]
            self.block("- " + " | ".join(cells), gap="\n" if place else "\n\n")

    def _put(self, text: str) -> None:
        # What is parted by an empty line already is not parted again (a page that begins, and its first block).
        if text.strip("\n") == "" and self._parts and self._parts[-1].strip("\n") == "":
            return
        self._parts.append(text)
        self._length += len(text)
        if self._length > TEXT_LIMIT:
            raise LoadProblem(f"The file holds more than {TEXT_LIMIT >> 20} Mi characters of text: split it.")


def storable(text: str) -> str:
    """Return `text` without halves of surrogate pairs, which no UTF-8 can hold."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _header(rows: Sequence[Sequence[str]]) -> Sequence[str]:
    """Return the first row where it names the columns: short words, no two the same, at most one without a name."""
    if len(rows) < 2:
        return ()
    first = rows[0]
    named = [cell for cell in first if cell]
    plain = all(len(cell) <= _HEADER_CELL and not _NUMBER.fullmatch(cell) for cell in named)
    whole = len(named) >= max(1, len(first) - 1) and len(set(named)) == len(named) and len(first) > 1
    return first if plain and whole else ()
