"""reStructuredText: the source is the text. Underlined titles are the headings; nothing that it includes is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.loaders.decoding import decode
from rag.loaders.fields import Fields, take_fields
from rag.loaders.source import Source, is_blank, refuse_binary, refuse_blank
from rag.types import Heading, LoadedDocument

_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*")
_FIELD = re.compile(r":([A-Za-z][\w -]{0,40}):[ \t]+(\S.*)")
_SHORT = 4  # an underline that is shorter than its title counts from here on


def load_rst(source: Source) -> Iterator[LoadedDocument]:
    """Yield the one document that an RST file is; raises LoadProblem or NoText.

    The text is the source unchanged. Levels follow the order in which the kinds of underlines come. The title is the
    heading that the text begins with; a field list after it gives date, language and metadata.
    """
    refuse_binary(source, "reStructuredText")
    text, encoding = decode(source.data, source.charset)
    refuse_blank(text)
    headings = read_headings(text)
    leading = headings[0] if headings and is_blank(text[: headings[0].start]) else None
    fields = read_field_list(text[leading.end if leading else 0 :])
    title = leading.title if leading else None
    yield fields.describe(
        LoadedDocument(text, "text/x-rst", source.data, title=title, encoding=encoding, headings=headings)
    )


def read_headings(text: str) -> list[Heading]:
    """Return the section titles of reStructuredText; a heading spans its title and the lines that adorn it.

    docutils' rules: a line of one repeated punctuation mark under a line of text that a blank line precedes, perhaps
    with the same line above, at least as long as the title (or, from four marks on, whatever its length).
    """
    spans = [match.span() for match in _LINES.finditer(text)]
    lines = [text[start:end].rstrip() for start, end in spans]
    headings: list[Heading] = []
    levels: list[tuple[str, bool]] = []
    place = 0
    while place < len(lines):
        found = _title_at(lines, place)
        if found is None:
            place += 1
            continue
        style, title, length = found
        if style not in levels:
            levels.append(style)
        end = spans[place + length - 1][0] + len(lines[place + length - 1])
        headings.append(Heading(spans[place][0], end, levels.index(style) + 1, " ".join(title.split())))
        place += length
    return headings


def read_field_list(text: str) -> Fields:
    """Return the fields of the list that `text` begins with, its names in lower case; empty where there is none."""
    found = {}
    for line in text.lstrip().splitlines():
        match = _FIELD.fullmatch(line.rstrip())
        if match is None:
            break
        found[match[1].lower().replace(" ", "_")] = match[2].strip()
    return take_fields(found)


def _title_at(lines: Sequence[str], place: int) -> tuple[tuple[str, bool], str, int] | None:
    """Return ((mark, has an overline), title, number of lines) of the title that begins at a line, or None."""
    if place and lines[place - 1].strip():
        return None
    first, second, third = (lines[place + further] if place + further < len(lines) else "" for further in range(3))
    if _is_adornment(first) and second.strip() and third == first and _fits(first, second.strip()):
        return (first[0], True), second, 3
    if first and not first[0].isspace() and _is_adornment(second) and not _is_adornment(first) and _fits(second, first):
        return (second[0], False), first, 2
    return None


def _is_adornment(line: str) -> bool:
    return _ADORNMENT.fullmatch(line) is not None


def _fits(adornment: str, title: str) -> bool:
    return len(adornment) >= min(len(title), _SHORT)
