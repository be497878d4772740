"""Markdown: front matter, headings with exact offsets, the text unchanged."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag.errors import NoText
from rag.loaders import load
from rag.loaders.markdown import read_front_matter, read_headings

FRONT = """---
title: Tides
date: 2025-08
lang: no
url: https://example.org/tides
source: Almanac
author: A. Seaman
tags: [sea, moon]
start: 12:30
version: 1.5
nothing:
---
# Another heading

Text.
"""


def load_markdown(text):
    """Load a text as a Markdown file."""
    (document,) = load(text.encode(), name="a.md")
    return document


def test_front_matter_gives_the_fields_and_the_body_begins_after_it():
    """Fields are read, everything else is metadata, and the text is the whole source."""
    document = load_markdown(FRONT)
    assert document.text == FRONT
    assert FRONT[document.body.start : document.body.end] == "# Another heading\n\nText.\n"
    assert (document.title, document.published, document.language) == ("Tides", "2025-08", "no")
    assert (document.uri, document.source) == ("https://example.org/tides", "Almanac")
    assert document.metadata == {"author": "A. Seaman", "tags": ["sea", "moon"], "start": "12:30", "version": 1.5}


@pytest.mark.parametrize(
    "written",
    [
        "---\ntitle: [unclosed\n---\nText\n",
        "---\n- a list\n---\nText\n",
        "---\njust words\n---\nText\n",
        "---\ntitle: Tides\n",
        "---\na: &a [*a]\n---\nText\n",
        '---\ntitle: "\\ud800"\n---\nText\n',
        "---\na: !!python/object/apply:os.system [x]\n---\nText\n",
        "---\na: !!binary aGk=\n---\nText\n",
        "---\na: " + "[" * 5000 + "\n---\nText\n",
        "\n---\ntitle: Tides\n---\nText\n",
        "text\n\n---\n\nmore\n\n---\n",
    ],
)
def test_what_is_no_front_matter_is_text(written):
    """Malformed or misplaced front matter is no error: the whole file is its text and its body."""
    document = load_markdown(written)
    assert document.text == written
    assert document.body is None
    assert document.metadata == {}


def test_aliases_cannot_make_front_matter_endless():
    """Nine levels of nine aliases would be 387 million values."""
    levels = ["a: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert load_markdown("---\n" + "\n".join(levels) + "\n---\nText\n").body is None


def test_front_matter_alone_is_no_text():
    """Where nothing follows there is nothing to cite."""
    with pytest.raises(NoText):
        load_markdown("---\ntitle: Tides\n---\n \n")


def test_empty_front_matter_is_left_out():
    """Two lines of dashes are front matter without fields."""
    assert read_front_matter("---\n---\nText")[1] == 8


def test_headings_have_exact_offsets_whatever_the_line_ends():
    """ATX and setext headings span their lines; code, quotes and lists hold none."""
    text = (
        "\ufeff# One\r\n\r\nTwo *words*\rand more\r===\r\n\n"
        "```\n# no\n```\n> # no\n\n- # no\n\n    # no\n\n### [Three](x) `c` #\nend"
    )
    headings = read_headings(text, 1)
    assert [(h.level, h.title) for h in headings] == [(1, "One"), (1, "Two words and more"), (3, "Three c")]
    assert [text[h.start : h.end] for h in headings] == [
        "# One",
        "Two *words*\rand more\r===",
        "### [Three](x) `c` #",
    ]


@example(["\0", "```\n", "\0", "> ", "```\n", "b\n===\n"])
@given(
    st.lists(st.sampled_from(["# a\n", "b\n===\n", "```\n", "> ", "- ", "\r\n", "\r", "\n", "\0", "\u2028", "x", "\t"]))
)
def test_headings_of_any_markdown_lie_within_whole_lines(pieces):
    """Every heading begins at a line's start, ends at a line's end, and holds the words of its title."""
    text = "".join(pieces)
    for heading in read_headings(text):
        assert heading.start == 0 or text[heading.start - 1] in "\r\n"
        assert heading.end == len(text) or text[heading.end] in "\r\n"
        inside = text[heading.start : heading.end].replace("\0", "\ufffd")
        if "`" in inside:  # the marks of code are taken out of the title, and a word can lie on both sides of them
            left = iter(inside)
            assert all(sign in left for sign in "".join(heading.title.split()))
        else:
            assert all(word in inside for word in heading.title.split())


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Tides\n\nText.\n\n## More\n", "Tides"),
        ("Text first.\n\n# Tides\n", None),
        ("# One\n\n# Two\n", None),
        ("## Tides\n", None),
    ],
)
def test_only_a_single_leading_heading_is_a_title(text, title):
    """No title is made up from a heading that may be just one of many."""
    assert load_markdown(text).title == title


@pytest.mark.parametrize("pattern", ["[", "> ", "- ", "*a", "![", "`", "<a>", "[a]: b\n", "#\n", "a\n"])
def test_hostile_repetitions_are_loaded(pattern):
    """Patterns that make Markdown parsers slow are loaded whole."""
    text = pattern * 20_000 + "end"
    assert load_markdown(text).text == text
