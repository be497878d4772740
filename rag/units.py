"""A passage's text as the units that an answer is quoted in: sentences, list items, table rows, headings. Pure.

No unit crosses a line that begins an item, a row or a heading, nor a blank line; offsets are code points of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, takewhile
from typing import Literal

from rag.splitting import sentences

UnitKind = Literal["sentence", "item", "row", "heading"]

_BLANKS = r"[^\S\r\n\f\x85\u2028\u2029]+"  # within a line
_ITEM = re.compile(rf"[^\S\n]*(?:[-*+•–—‣◦▪]|\(?\d{{1,3}}[.)]|\(?[A-Za-z][.)]|\([ivxl]{{1,5}}\)){_BLANKS}(?=\S)")
_HEADING = re.compile(r"[^\S\n]*#{1,6}[^\S\n]")
_ROW = re.compile(r"[^\S\n]*\|")
_RULE = re.compile(r"[\s|:+=-]*$")
_LINE = re.compile(r"\n")
_CODE = re.compile(r"(?<=[.!?])\s+(?=`)|(?<=[.!?;:])[^\S\n]*\n[^\S\n]*(?=`)")  # a sentence may open with code
_CELL = re.compile(r"(?:[^|\\]|\\.?)+")
_CLOSED = re.compile(r"(?<!\\)\|\s*$")
_GOES_ON = re.compile(rf"\r?\n{_BLANKS}")
_BLANK = re.compile(r"(?:\n|\r(?!\n)|[\x85\u2028])[^\S\r\n\x85\u2028]*[\r\n\x85\u2028]|[\f\u2029]")
_PICTURE = re.compile(r"!\[[^\[\]]*\]\([^()]*\)|<[^<>]*>")  # a picture or a tag: nothing to read
_ASKS = re.compile(r"[?？][\s*_\"'”’)]*$")


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of a text that can be quoted by itself; without the white space around it."""

    start: int
    end: int
    kind: UnitKind
    asks: bool = False  # whether it is a question
    paragraph: int = 0  # which blank-line paragraph of the text it lies in, from 0


@lru_cache(maxsize=512)
def units(text: str) -> tuple[Unit, ...]:
    """Return the units of a text in its order; what holds no word, as the rule below a table's head, is none."""
    found: list[Unit] = []
    paragraph, last = 0, 0
    for start, end in _joined(text, _parts(text)):
        part = text[start:end]
        paragraph += _BLANK.search(text, last, start) is not None
        kind: UnitKind = "sentence"
        if _HEADING.match(part):
            kind = "heading"
        elif _ROW.match(part):
            kind = "row"
        elif _ITEM.match(part):
            kind = "item"
        if re.search(r"\w", _PICTURE.sub("", part)):
            found.append(Unit(start, end, kind, bool(_ASKS.search(part)), paragraph))
        last = end
    return tuple(found)


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Yield the sentences, cut where a line begins something of its own, without white space at their ends."""
    for span in sentences(text):
        cuts = [at.end() for at in _LINE.finditer(text, span.start, span.end) if _begins(text, at.end())]
        cuts = sorted({*cuts, *(at.end() for at in _CODE.finditer(text, span.start, span.end))})
        edges = [span.start, *(at for at in cuts if at < span.end), span.end]
        for start, end in pairwise(edges):
            part = text[start:end]
            begin = start + len(part) - len(part.lstrip())
            if begin < start + len(part.rstrip()):
                yield begin, start + len(part.rstrip())


def _joined(text: str, parts: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the parts; an item is one with its mark (`1.` reads as a sentence) and its indented lines."""
    open_ = None
    for start, end in parts:
        if open_ is not None:
            begun, ended = open_
            mark, line = _ITEM.match(text, begun), _GOES_ON.fullmatch(text, ended, start)
            goes_on = mark and line and not _begins(text, text.index("\n", ended) + 1)
            if (mark and mark.end() == start) or (goes_on and text[ended - 1] not in ".!?:;"):
                open_ = begun, end
                continue
            yield open_
        open_ = start, end
    if open_ is not None:
        yield open_


def _begins(text: str, at: int) -> bool:
    """Say whether a line begins an item, a row, a heading or a paragraph, or follows a heading or a row."""
    own = any(sign.match(text, at) for sign in (_ITEM, _HEADING, _ROW))
    before = text.rfind("\n", 0, at - 1) + 1
    return own or text.startswith("\n", at) or any(sign.match(text, before) for sign in (_HEADING, _ROW))


def cells(text: str, row: Unit) -> list[tuple[int, int]]:
    """Return the cells of a table row as places in the text, without white space; an empty cell has no length."""
    line = text[row.start : row.end]
    closed = _CLOSED.search(line)
    inner_end = closed.start() if closed else len(line)
    found, start = [], 1 if line.startswith("|") else 0
    while start <= inner_end:
        match = _CELL.match(line, start, inner_end)
        end = match.end() if match else start
        part = line[start:end]
        begin = start + len(part) - len(part.lstrip())
        found.append((row.start + begin, row.start + max(begin, start + len(part.rstrip()))))
        start = end + 1
    return found


def columns(text: str, row: Unit) -> tuple[str, ...]:
    """Return the names of a row's columns, as the head of its table has them; empty where the text has no head.

    A head is the row above a rule (`|---|---|`), the first where rows of dashes look like more; it has none itself.
    """
    rows = list(takewhile(_ROW.match, _above(text, row.start)))
    heads = [head.strip() for rule, head in pairwise(rows) if "-" in rule and _RULE.fullmatch(rule)]
    if not heads:
        return ()
    return tuple(heads[-1][start:end] for start, end in cells(heads[-1], Unit(0, len(heads[-1]), "row")))


def _above(text: str, place: int) -> Iterator[str]:
    """Yield the lines above that of a place, the nearest first."""
    end = text.rfind("\n", 0, place)
    while end >= 0:
        start = text.rfind("\n", 0, end) + 1
        yield text[start:end]
        end = start - 1
