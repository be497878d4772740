"""Markdown: the source is the text. Front matter gives the fields, markdown-it-py the headings with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import yaml

from rag.loaders.decoding import decode
from rag.loaders.fields import Fields, json_value, take_fields
from rag.loaders.source import Source, is_blank, refuse_binary, refuse_blank
from rag.types import Heading, LoadedDocument, Span

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(?P<yaml>.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_FRONT_MATTER_LIMIT = 1 << 16  # characters; what is longer is text
_LINE_END = re.compile(r"\r\n|\r|\n")
_TITLE_LIMIT = 1000  # characters of a heading that are parsed for their words


class _FrontMatterLoader(yaml.SafeLoader):
    """YAML's safe loader with the scalars of YAML 1.2: `no` is Norwegian, and a date stays as it was written."""

    yaml_implicit_resolvers = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?[0-9]{1,18}", [*"-+0123456789"]),
    ("float", r"[-+]?(?:[0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,2})?", [*"-+.0123456789"]),
    ("merge", r"<<", ["<"]),
):
    _FrontMatterLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


def load_markdown(source: Source) -> Iterator[LoadedDocument]:
    """Yield the one document that a Markdown file is; raises LoadProblem or NoText.

    The text is the source unchanged. `body` begins after the front matter. Front matter that is no YAML mapping is
    text like any other. The title is the front matter's, or the only level-1 heading where the body begins with it.
    """
    refuse_binary(source, "Markdown")
    text, encoding = decode(source.data, source.charset)
    fields, start = read_front_matter(text)
    refuse_blank(text[start:])
    headings = read_headings(text, start)
    loaded = LoadedDocument(
        text=text,
        media_type="text/markdown",
        original=source.data,
        title=_leading_title(text, start, headings),
        encoding=encoding,
        body=Span(start, len(text)) if start else None,
        headings=headings,
    )
    yield fields.describe(loaded)


def read_front_matter(text: str) -> tuple[Fields, int]:
    """Return the fields of the YAML front matter and where the text after it begins; (empty, 0) where there is none."""
    match = _FRONT_MATTER.match(text, 0, _FRONT_MATTER_LIMIT)
    if match is None:
        return Fields(), 0
    try:
        given = json_value(_parse_yaml(match["yaml"]))
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return Fields(), 0
    if given is None:
        return Fields(), match.end()
    return (take_fields(given), match.end()) if isinstance(given, dict) else (Fields(), 0)


def read_headings(text: str, start: int = 0) -> list[Heading]:
    """Return the ATX and setext headings of Markdown from offset `start` on, without those inside lists and quotes.

    A heading's title is its words without markup; its span is its whole line, for setext its lines and the underline.
    """
    body = text[start:]
    ends = [0, *(match.end() for match in _LINE_END.finditer(body)), len(body)]
    tokens = _block_parser().parse(body)
    headings = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map and inline.content.strip():
            first, last = opening.map
            end = start + ends[last - 1] + len(body[ends[last - 1] : ends[last]].rstrip("\r\n"))
            headings.append(Heading(start + ends[first], end, int(opening.tag[1]), _words(inline.content)))
    return headings


@cache
def _block_parser() -> MarkdownIt:
    """CommonMark's blocks alone: headings need no more, and inline rules take longer than linear time."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


@cache
def _inline_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")


def _words(content: str) -> str:
    if len(content) > _TITLE_LIMIT:
        return " ".join(content.split())
    tokens: list[Token] = _inline_parser().parseInline(content)[0].children or []
    words = "".join(" " if t.type.endswith("break") else "" if t.type == "html_inline" else t.content for t in tokens)
    return " ".join(words.split()) or " ".join(content.split())


def _parse_yaml(front_matter: str) -> object:
    loader = _FrontMatterLoader(front_matter)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _leading_title(text: str, start: int, headings: list[Heading]) -> str | None:
    highest = [heading for heading in headings if heading.level == 1]
    if len(highest) != 1 or not is_blank(text[start : highest[0].start]):
        return None
    return highest[0].title
