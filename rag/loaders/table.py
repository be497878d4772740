"""CSV and TSV: one document whose lines are the rows, each value under the name of its column."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from rag.errors import LoadProblem
from rag.loaders.decoding import decode
from rag.loaders.source import Source, refuse_binary, refuse_blank
from rag.loaders.written import Written
from rag.types import LoadedDocument

CELL_LIMIT = 1 << 24  # characters
_HEAD = 65_536  # characters in which the separator is looked for
_SEPARATORS = ",;\t|"


def load_csv(source: Source) -> Iterator[LoadedDocument]:
    """Yield the one document that a file of comma-separated values is, whatever separates them."""
    yield _load(source, None, "text/csv")


def load_tsv(source: Source) -> Iterator[LoadedDocument]:
    """Yield the one document that a file of tab-separated values is."""
    yield _load(source, "\t", "text/tab-separated-values")


def _load(source: Source, separator: str | None, media_type: str) -> LoadedDocument:
    refuse_binary(source, "a table")
    text, encoding = decode(source.data, source.charset)
    refuse_blank(text)
    csv.field_size_limit(CELL_LIMIT)
    written = Written()
    try:
        written.table(csv.reader(text.splitlines(keepends=True), delimiter=separator or _separator(text)))
    except csv.Error as error:
        raise LoadProblem(f"The table cannot be read ({error}): save it again, or as plain text.") from error
    refuse_blank(written.text)
    return LoadedDocument(written.text, media_type, source.data, encoding=encoding)


def _separator(text: str) -> str:
    """Return what separates the cells: what stands in most of the first lines, the same number of times."""
    lines = [line for line in text[:_HEAD].splitlines()[:50] if line.strip()]

    def regularity(separator: str) -> tuple[int, int]:
        counts = [line.count(separator) for line in lines]
        usual = max(set(counts), key=counts.count)
        return (counts.count(usual) if usual else 0, usual)

    return max(_SEPARATORS, key=regularity)
