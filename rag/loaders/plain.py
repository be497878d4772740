"""Plain text: stored as decoded. A wire service's dateline gives the date and the place; there is no title."""

from __future__ import annotations

import re
from collections.abc import Iterator

from index.types import Json
from rag.loaders.dates import normalise_date
from rag.loaders.decoding import decode
from rag.loaders.source import Source, refuse_binary, refuse_blank
from rag.types import LoadedDocument

# ` date 2025-08-26 New Delhi [India], August 26 : The …`: only at the very beginning, on one line, with both dates.
_WIRE_HEAD = re.compile(
    r"[ \t]*date (?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}) (?P<place>[^\W\d_][^\n\r:0-9]{0,80}), "
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December) [0-9]{1,2} ?: "
)


def load_plain(source: Source) -> Iterator[LoadedDocument]:
    """Yield the one document that a plain text is; raises LoadProblem or NoText."""
    refuse_binary(source, "plain text")
    text, encoding = decode(source.data, source.charset)
    refuse_blank(text)
    published, metadata = read_wire_head(text)
    yield LoadedDocument(
        text=text,
        media_type="text/plain",
        original=source.data,
        published=published,
        encoding=encoding,
        metadata=metadata,
    )


def read_wire_head(text: str) -> tuple[str | None, dict[str, Json]]:
    """Return the date and `{"place": …}` of a wire service's head, or (None, {}) for any other text."""
    match = _WIRE_HEAD.match(text)
    published = normalise_date(match["date"]) if match else None
    if match is None or published is None:
        return None, {}
    return published, {"place": match["place"].strip()}
