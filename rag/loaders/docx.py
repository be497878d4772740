"""DOCX by python-docx: paragraphs, headings by their style, tables as rows; footnotes last, pictures left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lxml import etree

from rag.errors import NoText
from rag.loaders.office import OPC_PARSER, properties
from rag.loaders.source import Source, is_blank
from rag.loaders.written import Written
from rag.loaders.zipped import broken, repacked, unpacked
from rag.types import LoadedDocument

if TYPE_CHECKING:
    from docx.document import Document

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_BREAKS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
_NOT_SHOWN = frozenset((f"{_W}del", f"{_W}moveFrom", f"{_W}pPr", f"{_W}instrText", _FALLBACK))
_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)


def load_docx(source: Source) -> Iterator[LoadedDocument]:
    """Yield the one document that a DOCX is; raises LoadProblem where it is broken or encrypted, NoText without text.

    Text that was inserted with tracking is read, deleted text is not. Headers, footers and comments are left out.
    """
    packed = repacked(unpacked(source.data, "DOCX"), "DOCX")
    with broken("DOCX"):
        from docx import Document  # here, because few commands load one

        document = Document(packed)
        written = Written()
        _Body(document, written).read()
        if is_blank(written.text):
            raise NoText("The DOCX holds no text: there is nothing to add.")
        first = next((one.title for one in written.headings if one.start == 0), None)
        loaded = LoadedDocument(written.text, MEDIA_TYPE, source.data, title=first, headings=written.headings)
        yield properties(document.core_properties).describe(loaded)


class _Body:
    """Walks the blocks of a document in their order, into what wraps them too (controls, tracked changes)."""

    def __init__(self, document: Document, written: Written) -> None:
        self._document = document
        self._written = written
        self._levels = {
            style.style_id: int(match[1]) if match else 1
            for style in document.styles
            if (match := _HEADING.fullmatch(style.name or "")) or style.name == "Title"
        }
        self._items = {style.style_id for style in document.styles if (style.name or "").startswith("List ")}

    def read(self) -> None:
        """Write everything."""
        self._blocks(self._document.element.body)
        for relation in self._document.part.rels.values():
            if relation.reltype.endswith(("/footnotes", "/endnotes")) and not relation.is_external:
                notes = etree.fromstring(relation.target_part.blob, OPC_PARSER)
                for note in notes:
                    if note.get(f"{_W}type") in (None, "normal"):
                        self._blocks(note)

    def _blocks(self, parent: Any) -> None:
        for child in parent:
            if child.tag == f"{_W}p":
                self._paragraph(child)
            elif child.tag == f"{_W}tbl":
                self._written.table(_table(child))
            elif child.tag not in _NOT_SHOWN:
                self._blocks(child)

    def _paragraph(self, paragraph: Any) -> None:
        text = _text(paragraph)
        style = paragraph.find(f"{_W}pPr/{_W}pStyle")
        name = "" if style is None else style.get(f"{_W}val", "")
        item = (name in self._items and name != "ListParagraph") or paragraph.find(f"{_W}pPr/{_W}numPr") is not None
        if name in self._levels:
            self._written.heading(text, self._levels[name])
        elif item and not is_blank(text):
            self._written.block("- " + text, gap="\n")
        else:
            self._written.block(text)


def _table(table: Any) -> Iterator[list[str]]:
    """Yield the cells of each row; a table within a cell is part of the cell."""
    for row in table.iter(f"{_W}tr"):
        if next(row.iterancestors(f"{_W}tbl")) is table:
            cells = [cell for cell in row.iter(f"{_W}tc") if next(cell.iterancestors(f"{_W}tr")) is row]
            yield [" ".join(_text(paragraph) for paragraph in cell.iter(f"{_W}p")) for cell in cells]


def _text(paragraph: Any) -> str:
    """Return a paragraph's text as it is shown, text boxes in it included, on lines of their own."""
    parts: list[str] = []
    walk = etree.iterwalk(paragraph, events=("start",))
    for _, node in walk:
        if node.tag in _NOT_SHOWN:
            walk.skip_subtree()
        elif node.tag == f"{_W}t":
            parts.append(node.text or "")
        elif node.tag == f"{_W}p" and node is not paragraph:
            parts.append("\n")
        else:
            parts.append(_BREAKS.get(node.tag, ""))
    return "".join(parts)
