"""Text to passages and sentences: finds boundaries and never rewrites a character.

langchain-text-splitters finds where paragraphs and sentences end (it runs on consecutive pieces whose concatenation
is asserted to be the text); packing them into the encoder's token window is arithmetic over one tokenization with
offsets. Work is linear in the text: it is cut into blocks of at most 64 kB first, however long its lines are.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from langchain_text_splitters import RecursiveCharacterTextSplitter

from index.types import Passage, utf16_length
from rag.types import Heading, LoadedDocument, Span

TokenOffsets = Callable[[str], Sequence[tuple[int, int]]]

BLOCK = 65_536  # code points
LONGEST = 4_000  # code points: a passage is never longer, however few tokens it has

_ABBREVIATIONS = (
    *("Mr", "Mrs", "Ms", "Dr", "Prof", "St", "Sr", "Jr", "Gen", "Col", "Lt", "Sgt", "Capt", "Rev", "Hon", "Gov"),
    *("Sen", "Rep", "Inc", "Ltd", "Co", "Corp", "vs", "cf", "al", "etc", "approx", "ca", "Fig", "Eq", "Sec", "No"),
    *("Vol", "pp", "ed", "eds", "Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep", "Sept", "Oct", "Nov", "Dec"),
    *("e.g", "i.e", "Nr", "bzw", "usw", "evtl", "ggf", "Abs", "Art", "Mt", "Ft", "Ave", "Blvd"),
)
_NOT_AFTER = "".join(rf"(?<!\b{re.escape(word)}\.)" for word in _ABBREVIATIONS) + r"(?<!\b[A-Z]\.)"
_LINE = r"(?:\r\n|\n|\r|\u2028|\x85)"
_PARAGRAPH = rf"(?:{_LINE}[^\S\r\n\u2028\x85]*{_LINE}|\f|\u2029)\s*"
_SENTENCE = (
    # A full stop, what closes with it, white space, and a character that can open a sentence.
    rf"(?<=[.!?…]){_NOT_AFTER}(?:[\"'”’»)\]*_]|\[\d{{1,3}}\])*\s+(?=[\"'“‘„«(\[*_]*[^\Wa-zß-öø-ÿ_])"
    r"|(?<=[。！？｡])[」』”’）]*\s*"
    # A list item or a table row begins; or a line ended that is too short to have been wrapped.
    rf"|{_LINE}(?=[^\S\n]*(?:[-*+•|]|\d{{1,3}}[.)])\s)|(?=[\r\n\u2028\x85])(?<![^\n]{{45}}){_LINE}+"
)
_BOUNDARIES = RecursiveCharacterTextSplitter(
    separators=[_PARAGRAPH, _SENTENCE],
    is_separator_regex=True,
    keep_separator="end",
    chunk_size=1,  # every boundary is wanted; packing comes after
    chunk_overlap=0,
    strip_whitespace=False,
)


@dataclass(frozen=True, slots=True)
class Packing:
    """How sentences are packed into passages, in tokens of the encoder.

    `target` bounds header and text of a passage together (at most the encoder's window less its special tokens),
    `overlap` is how much of the end of a passage may be repeated, in whole sentences, at the start of the next, and
    `header` is the most that title and headings may take of the target.
    """

    target: int = 220
    overlap: int = 32
    header: int = 64


def sentences(text: str) -> list[Span]:
    """Return consecutive spans that tile `text`, one a sentence, list item or short line, white space at the end."""
    spans = []
    for block in _blocks(text, 0, len(text)):
        spans += _pieces(text, block)
    return spans


def split(loaded: LoadedDocument, token_offsets: TokenOffsets, window: int, packing: Packing) -> list[Passage]:
    """Split a loaded document into passages in the order of its text.

    `token_offsets` gives the (start, end) code points of every token of a text, without special tokens; `window` is
    how many tokens the encoder reads. A passage never crosses a heading, starts and ends without white space, and
    together the passages hold every character of the body but white space between them.
    """
    passages: list[Passage] = []
    seen, seen_utf16 = 0, 0
    for section, path in _sections(loaded):
        header, room = _header(loaded.title, path, token_offsets, min(window - 2, packing.target), packing.header)
        for span in _section_spans(loaded, section, token_offsets, room, packing.overlap):
            first = _strip(loaded.text, span)
            # Overlap can step back, so the UTF-16 offset is carried from the start of the passage before.
            seen_utf16 += utf16_length(loaded.text[seen : first.start])
            seen = first.start
            pages = _pages(loaded.pages, first)
            passages.append(Passage(len(passages), first.start, first.end, seen_utf16, header, path, *pages))
    return passages


def _sections(loaded: LoadedDocument) -> Iterator[tuple[Span, tuple[str, ...]]]:
    """Yield the body cut at its headings with each part's heading path; headings without text join what follows."""
    body = loaded.body or Span(0, len(loaded.text))
    headings = [h for h in loaded.headings if body.start <= h.start < body.end]
    starts = [body.start, *(h.start for h in headings), body.end]
    stack: list[Heading] = []
    pending = body.start
    for position, (start, end) in enumerate(pairwise(starts)):
        if position:
            heading = headings[position - 1]
            stack = [h for h in stack if h.level < heading.level] + [heading]
            start = heading.end
        if loaded.text[start:end].strip() or (end == body.end and loaded.text[pending:end].strip()):
            yield Span(pending, end), tuple(h.title for h in stack)
            pending = end


def _header(
    title: str | None, path: tuple[str, ...], token_offsets: TokenOffsets, budget: int, most: int
) -> tuple[str, int]:
    """Return the header of a section's passages (title, then headings) and the tokens left for their text."""
    names = [name for name in (title, *path) if name and name.strip()]
    header = " / ".join(name for place, name in enumerate(names) if name not in names[:place])
    tokens = token_offsets(header) if header else []
    if len(tokens) > most:
        header, tokens = header[: tokens[most - 1][1]], tokens[:most]
    return header, max(16, budget - len(tokens))


def _section_spans(
    loaded: LoadedDocument, section: Span, token_offsets: TokenOffsets, room: int, overlap: int
) -> Iterator[Span]:
    """Yield a section's passages, at most `room` tokens each."""
    inner = {h.end for h in loaded.headings if section.start < h.end < section.end}
    for block in _blocks(loaded.text, section.start, section.end):
        tokens = [start + block.start for start, end in token_offsets(loaded.text[block.start : block.end]) if end]
        cuts = sorted(inner.intersection(range(block.start + 1, block.end))) if inner else []
        pieces = [
            piece
            for start, end in pairwise([block.start, *cuts, block.end])
            for piece in _pieces(loaded.text, Span(start, end))
        ]
        fitting = [part for piece in pieces for part in _fit(loaded.text, piece, tokens, room)]
        yield from _pack(loaded.text, fitting, tokens, room, overlap)


def _blocks(text: str, start: int, end: int) -> Iterator[Span]:
    """Cut a range into blocks of at most `BLOCK` code points, at a paragraph, line or space where one is near."""
    while end - start > BLOCK:
        tail = text[start + BLOCK // 2 : start + BLOCK]
        at = next((found + len(mark) for mark in ("\n\n", "\n", " ") if (found := tail.rfind(mark)) >= 0), len(tail))
        cut = _no_split_cluster(text, start + BLOCK // 2 + at, start + 1)
        yield Span(start, cut)
        start = cut
    if start < end:
        yield Span(start, end)


def _pieces(text: str, block: Span) -> list[Span]:
    """Return the sentences of a block as spans that tile it."""
    part = text[block.start : block.end]
    found = _BOUNDARIES.split_text(part)
    assert "".join(found) == part, "the splitter rewrote the text"
    spans, start = [], block.start
    for piece in found:
        spans.append(Span(start, start + len(piece)))
        start += len(piece)
    return spans


def _fit(text: str, piece: Span, tokens: Sequence[int], room: int) -> Iterator[Span]:
    """Cut a piece that is too long for a passage at line ends, spaces, or at worst between two tokens."""
    start = piece.start
    while True:
        first = bisect_left(tokens, start)
        limit = tokens[first + room] if first + room < len(tokens) else piece.end
        limit = min(limit, piece.end, start + LONGEST)
        if limit >= piece.end:
            break
        middle = start + (limit - start) // 2
        at = next((found + 1 for mark in "\n " if (found := text.rfind(mark, middle, limit)) >= 0), limit)
        cut = _no_split_cluster(text, at, start + 1)
        yield Span(start, cut)
        start = cut
    yield Span(start, piece.end)


def _pack(text: str, pieces: Sequence[Span], tokens: Sequence[int], room: int, overlap: int) -> Iterator[Span]:
    """Join consecutive pieces greedily into spans of at most `room` tokens, repeating whole sentences between them."""

    def count(start: int, end: int) -> int:
        return bisect_left(tokens, end) - bisect_left(tokens, start)

    first = 0  # of the passage being built
    for place, piece in enumerate(pieces):
        start = pieces[first].start
        if place > first and (count(start, piece.end) > room or piece.end - start > LONGEST):
            yield Span(start, pieces[place - 1].end)
            next_first = place
            while (
                next_first - 1 > first
                and count(pieces[next_first - 1].start, piece.start) <= overlap
                and count(pieces[next_first - 1].start, piece.end) <= room
            ):
                next_first -= 1
            first = next_first
    if first < len(pieces):
        yield Span(pieces[first].start, pieces[-1].end)


def _strip(text: str, span: Span) -> Span:
    """Move both ends of a span inward over white space."""
    part = text[span.start : span.end]
    start = span.start + len(part) - len(part.lstrip())
    return Span(start, max(start, span.end - (len(part) - len(part.rstrip()))))


def _no_split_cluster(text: str, cut: int, least: int) -> int:
    """Move a cut left while it would part a base character from its marks, a joined emoji, or CR from LF."""
    return next((place for place in range(cut, max(least, cut - 32), -1) if not _joined(text, place)), cut)


def _joined(text: str, place: int) -> bool:
    """Say whether the characters on both sides of `place` belong together."""
    before, after = text[place - 1], text[place : place + 1]
    if not after:
        return False
    return "\u200d" in before + after or before + after == "\r\n" or unicodedata.category(after)[0] == "M"


def _pages(starts: Sequence[int], span: Span) -> tuple[int | None, int | None]:
    """Return the first and last page of a span, from 1, or None twice where the format has no pages."""
    if not starts:
        return None, None
    first = sum(start <= span.start for start in starts)
    return first, max(first, sum(start < span.end for start in starts))
