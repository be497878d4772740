"""XLSX by openpyxl: a sheet is a heading, its rows are lines with the names of their columns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from rag.errors import NoText
from rag.loaders.office import properties
from rag.loaders.source import Source
from rag.loaders.written import Written
from rag.loaders.zipped import broken, repacked, unpacked
from rag.types import LoadedDocument

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MIDNIGHT = time()


def load_xlsx(source: Source) -> Iterator[LoadedDocument]:
    """Yield the one document that an XLSX is; raises LoadProblem where it is broken or encrypted, NoText without cells.

    A formula is read as the value that was saved with it. Charts, comments and formats are left out.
    """
    packed = repacked(unpacked(source.data, "XLSX"), "XLSX")
    with broken("XLSX"):
        from openpyxl import load_workbook  # here, because few commands load one

        book = load_workbook(packed, read_only=True, data_only=True, keep_links=False)
        written = Written()
        filled = [_sheet(sheet, written) for sheet in book.worksheets]
        if not any(filled):
            raise NoText("The XLSX holds no cells with a value: there is nothing to add.")
        loaded = LoadedDocument(written.text, MEDIA_TYPE, source.data, headings=written.headings)
        yield properties(book.properties).describe(loaded)


def _sheet(sheet: Any, written: Written) -> bool:
    """Write a sheet that has cells; returns whether it has."""
    sheet.reset_dimensions()  # what the file says about its own size may be wrong by millions of rows
    rows = ([_cell(value) for value in row] for row in sheet.iter_rows(values_only=True))
    first = next((row for row in rows if any(row)), None)
    if first is None:
        return False
    written.heading(sheet.title, 1)
    written.table(_and_then(first, rows))
    return True


def _and_then(first: list[str], rest: Iterator[list[str]]) -> Iterator[list[str]]:
    yield first
    yield from rest


def _cell(value: object) -> str:
    """Write a value as a reader would: a whole number without a fraction, a day without midnight."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == _MIDNIGHT else value.isoformat(" ", "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.12g}"
    return str(value)
