"""Ranked passages to what is shown: collapsed, joined, cited, highlighted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from index.types import utf16_length
from rag.types import AnswerPassage, Citation, Highlight, Mark, Ranked, Span

_WORD = re.compile(r"\w+")
_SAME = 0.9  # share of word triples in common from which two passages are the same passage
_JOINED_MOST = 2  # passages: nobody reads a longer quote


@dataclass(frozen=True, slots=True)
class Block:
    """One or several neighbouring passages shown as one, under the best member's id and scores."""

    best: Ranked
    text: str
    start: int
    start_utf16: int
    first_page: int | None
    last_page: int | None

    @property
    def end(self) -> int:
        """Where the block ends in the document."""
        return self.start + len(self.text)


def collapse(ranked: Iterable[Ranked], most: int) -> list[Ranked]:
    """Leave out every passage that says the same words as a better one, until `most` are kept."""
    kept: list[Ranked] = []
    shingles: list[frozenset[tuple[str, ...]]] = []
    for candidate in ranked:
        if len(kept) == most:
            break
        mine = _shingles(candidate.stored.text)
        if not any(_alike(mine, theirs) for theirs in shingles):
            kept.append(candidate)
            shingles.append(mine)
    return kept


def considered(most: int) -> int:
    """Return how many passages `group` looks at."""
    return 2 * most


def group(ranked: Sequence[Ranked], most: int) -> list[list[Ranked]]:
    """Join neighbours that both rank among the first `considered`; return at most `most` groups, best first.

    Each group is in the order of its document, and holds at most two passages.
    """
    groups: list[list[Ranked]] = []
    for candidate in ranked[: considered(most)]:
        near: list[list[Ranked]] = []
        for members in groups:
            if _touch(members, candidate) and sum(map(len, near)) + len(members) < _JOINED_MOST:
                near.append(members)
        joined = sorted(chain([candidate], *near), key=lambda member: member.stored.ref.ordinal)
        if near:
            merged = [id(members) for members in near[1:]]
            groups = [joined if one is near[0] else one for one in groups if id(one) not in merged]
        elif len(groups) < most:
            groups.append(joined)
    return groups


def block(members: Sequence[Ranked], document_text: str | None) -> Block:
    """Make one block of a group; without the document's text only the best member is shown."""
    best = max(members, key=lambda member: (member.score, -member.stored.ref.ordinal))
    if document_text is None:
        members = [best]
    first, last = members[0].stored.passage, members[-1].stored.passage
    text = best.stored.text if document_text is None else document_text[first.start : last.end]
    return Block(best, text, first.start, first.start_utf16, first.first_page, last.last_page)


def quote(block: Block, span: Span, collection: str) -> Citation:
    """Cite a part of a block exactly; `span` counts from its start, and the pages are the whole block's."""
    stored, text = block.best.stored, block.text[span.start : span.end]
    start_utf16 = block.start_utf16 + utf16_length(block.text[: span.start])
    return Citation(
        collection=collection,
        document_id=stored.ref.document_id,
        document_sha256=stored.ref.sha256,
        start=block.start + span.start,
        end=block.start + span.end,
        start_utf16=start_utf16,
        end_utf16=start_utf16 + utf16_length(text),
        quote=text,
        first_page=block.first_page,
        last_page=block.last_page,
        heading_path=stored.passage.heading_path,
    )


def cite(block: Block, rank: int, collection: str, highlights: Sequence[tuple[Mark, Span]]) -> AnswerPassage:
    """Cite a block exactly; `highlights` are (kind, span) with spans counted from the start of the block."""
    stored = block.best.stored
    return AnswerPassage(
        rank=rank,
        id=stored.ref.id,
        text=block.text,
        score=block.best.score,
        dense=block.best.dense,
        lexical=block.best.lexical,
        document=stored.document,
        citation=quote(block, Span(0, len(block.text)), collection),
        highlights=[_highlight(block, kind, span) for kind, span in highlights],
        explain=block.best.explain,
        fused=block.best.fused,
        reader=block.best.reading.relevance if block.best.reading else None,
    )


def _touch(members: Sequence[Ranked], candidate: Ranked) -> bool:
    """Say whether a passage comes right before or right after a group in the same version of its document."""
    first, last, ref = members[0].stored.ref, members[-1].stored.ref, candidate.stored.ref
    same = (first.document_id, first.sha256) == (ref.document_id, ref.sha256)
    return same and ref.ordinal in (first.ordinal - 1, last.ordinal + 1)


def _highlight(block: Block, kind: Mark, span: Span) -> Highlight:
    before = block.start_utf16 + utf16_length(block.text[: span.start])
    length = utf16_length(block.text[span.start : span.end])
    return Highlight(kind, block.start + span.start, block.start + span.end, before, before + length)


def _alike(mine: frozenset[tuple[str, ...]], theirs: frozenset[tuple[str, ...]]) -> bool:
    """Say whether two sets share enough of their union; sets of too different sizes cannot, which is quick to see."""
    if min(len(mine), len(theirs)) < _SAME * max(len(mine), len(theirs)):
        return False
    shared = len(mine & theirs)
    return shared >= _SAME * (len(mine) + len(theirs) - shared)


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return frozenset(zip(words, words[1:], words[2:], strict=False)) or frozenset([tuple(words)])
