"""PPTX by python-pptx: a slide is a page under its title; text, tables, diagrams and the speaker's notes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lxml import etree

from rag.errors import NoText
from rag.loaders.office import OPC_PARSER, properties
from rag.loaders.source import Source, is_blank
from rag.loaders.written import Written
from rag.loaders.zipped import broken, repacked, unpacked
from rag.types import LoadedDocument

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_GROUPS_DEEP = 50
_NO_TITLE = "PowerPoint Presentation"  # what the program writes where nobody gave one
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


def load_pptx(source: Source) -> Iterator[LoadedDocument]:
    """Yield the one document that a PPTX is; raises LoadProblem where it is broken or encrypted, NoText without text.

    `pages` holds the start of each slide. A slide without a title has the heading "Slide" with its number.
    """
    packed = repacked(unpacked(source.data, "PPTX"), "PPTX")
    with broken("PPTX"):
        from pptx import Presentation  # here, because few commands load one

        presentation = Presentation(packed)
        written, found = Written(), False
        for number, slide in enumerate(presentation.slides, 1):
            found = _slide(slide, number, written) or found
        if not found:
            raise NoText("The PPTX holds no text: if its slides are pictures, run OCR first.")
        known = properties(presentation.core_properties)
        if known.title == _NO_TITLE:
            known = replace(known, title=None)
        first = written.headings[0].title if written.headings else None
        loaded = LoadedDocument(written.text, MEDIA_TYPE, source.data, title=first, headings=written.headings)
        yield known.describe(replace(loaded, pages=written.pages))


def _slide(slide: Any, number: int, written: Written) -> bool:
    """Write a slide; returns whether it holds any text."""
    title = slide.shapes.title
    words = title.text_frame.text if title is not None and title.has_text_frame else ""
    written.page()
    written.heading(f"Slide {number}" if is_blank(words) else words, 1)
    before = len(written.text)
    for shape in _shapes(slide.shapes, _GROUPS_DEEP):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if getattr(shape, "has_table", False):
            written.table([cell.text_frame.text for cell in row.cells] for row in shape.table.rows)
        elif shape.has_text_frame:
            written.block(shape.text_frame.text.replace("\v", "\n"))
    for relation in slide.part.rels.values():
        if relation.reltype.endswith("/diagramData") and not relation.is_external:
            for paragraph in etree.fromstring(relation.target_part.blob, OPC_PARSER).iter(f"{_A}p"):
                written.block("".join(run.text or "" for run in paragraph.iter(f"{_A}t")), gap="\n")
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text
        written.block("" if is_blank(notes) else f"Notes: {notes}")
    return not is_blank(words) or len(written.text) > before


def _shapes(shapes: Any, deep: int) -> Iterator[Any]:
    """Yield shapes in their order, those of groups in the group's place."""
    for shape in shapes:
        if hasattr(shape, "shapes") and deep:
            yield from _shapes(shape.shapes, deep - 1)
        else:
            yield shape
