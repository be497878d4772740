"""A text as the units that can be quoted: none crosses what begins anew, no word is lost; cells and columns."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.units import cells, columns, units

MANUAL = """\
# Cleaning

Unplug the machine first. Let it cool for 20 minutes. Never put it in water!

What do you need?
You need a brush and a cloth. Vinegar does for lime.

Clean it so:
1. Empty the tray
   and the drawer below it.
2. Brush the grinder.
3. Wipe it dry

## Dates
- CLEAN every week
- DESCALE: in spring, before the season
  opens, and in autumn.

| Part | Every | |
|:-----|------:|---|
| Tray | week | |
| Hose \\| valve | | by a dealer |
| - | - | - |
Ask the dealer for parts.
"""


def said(text: str) -> list[tuple[str, str]]:
    """Return the kind and the words of each unit."""
    return [(unit.kind, text[unit.start : unit.end]) for unit in units(text)]


def rows(text: str) -> list[tuple[list[str], tuple[str, ...]]]:
    """Return the cells and the columns of each row."""
    found = [unit for unit in units(text) if unit.kind == "row"]
    return [([text[start:end] for start, end in cells(text, row)], columns(text, row)) for row in found]


def test_a_manual_becomes_its_units() -> None:
    """Each sentence, item, row and heading; an item with the lines that go on; the rule of a table is none."""
    assert said(MANUAL) == [
        ("heading", "# Cleaning"),
        ("sentence", "Unplug the machine first."),
        ("sentence", "Let it cool for 20 minutes."),
        ("sentence", "Never put it in water!"),
        ("sentence", "What do you need?"),
        ("sentence", "You need a brush and a cloth."),
        ("sentence", "Vinegar does for lime."),
        ("sentence", "Clean it so:"),
        ("item", "1. Empty the tray\n   and the drawer below it."),
        ("item", "2. Brush the grinder."),
        ("item", "3. Wipe it dry"),
        ("heading", "## Dates"),
        ("item", "- CLEAN every week"),
        ("item", "- DESCALE: in spring, before the season\n  opens, and in autumn."),
        ("row", "| Part | Every | |"),
        ("row", "| Tray | week | |"),
        ("row", "| Hose \\| valve | | by a dealer |"),
        ("sentence", "Ask the dealer for parts."),
    ]


def test_paragraphs_are_counted_and_questions_known() -> None:
    """By blank lines alone, so that a question and what stands below it are of one."""
    found = units(MANUAL)
    assert [unit.paragraph for unit in found] == [0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 5, 5]
    assert [MANUAL[unit.start : unit.end] for unit in found if unit.asks] == ["What do you need?"]
    assert all(unit.asks for text in ("**Is it?**", "“Is it?”", "- Is it?", "是吗？") for unit in units(text))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_change_no_unit(end: str) -> None:
    """Those of Windows give the same units, paragraphs, cells and columns."""
    text = MANUAL.replace("\n", end)
    assert [(kind, words.replace(end, "\n")) for kind, words in said(text)] == said(MANUAL)
    assert [unit.paragraph for unit in units(text)] == [unit.paragraph for unit in units(MANUAL)]
    assert rows(text) == rows(MANUAL)


def test_tabs_are_white_space() -> None:
    """Indented by tabs, an item goes on, and a table has its columns."""
    text = "\tHere is a list:\n\t- one\n\t\tand more\n\t-\ttwo\n\t|\ta\t| b |\n\t|---|---|\n\t|\t1\t| 2 |"
    assert [words for _, words in said(text)] == [
        "Here is a list:", "- one\n\t\tand more", "-\ttwo", "|\ta\t| b |", "|\t1\t| 2 |",
    ]  # fmt: skip
    assert rows(text) == [(["a", "b"], ()), (["1", "2"], ("a", "b"))]


@pytest.mark.parametrize(
    "text", ["", " \n\t", "![a bridge](bridge.png)\n\n<br/>\n![](x)", "---", "|---|---|", "* * *", "…", "<p class='x'>"]
)
def test_what_holds_no_word_has_no_unit(text: str) -> None:
    """Nothing, pictures, tags and rules alone."""
    assert units(text) == ()


def test_a_line_below_a_row_is_none_of_it() -> None:
    """However long the row is."""
    long = "| a row of a table that is longer than the line of a short paragraph | is |"
    assert said(f"{long}\nwhat is said below it") == [("row", long), ("sentence", "what is said below it")]


def test_cells_keep_their_column() -> None:
    """An empty cell has no length but its place, an escaped bar parts nothing, and the head itself has no columns."""
    names = ("Part", "Every", "")
    assert rows(MANUAL) == [
        (["Part", "Every", ""], ()), (["Tray", "week", ""], names), (["Hose \\| valve", "", "by a dealer"], names),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("| a | b |", ["a", "b"]), ("| a | b", ["a", "b"]), ("|a||b|", ["a", "", "b"]), ("|| b |", ["", "b"]),
        ("| a \\| b |", ["a \\| b"]), ("| a | b \\|", ["a", "b \\|"]), ("| C:\\ | b |", ["C:\\", "b"]),
        ("| a | C:\\", ["a", "C:\\"]), ("| `x` | **y** |", ["`x`", "**y**"]), ("| a |", ["a"]),
    ],
)  # fmt: skip
def test_cells_of_rows_as_they_are_written(row: str, found: list[str]) -> None:
    """With and without the last bar, with empty cells and with backslashes."""
    assert rows(row) == [(found, ())]


def test_a_row_of_dashes_is_no_rule() -> None:
    """The head stays the head for what stands below values that are missing."""
    text = "| Year | Guests |\n|---|---|\n| 2019 | 310 |\n| - | - |\n| 2023 | 402 |"
    assert [names for _, names in rows(text)] == [(), ("Year", "Guests"), ("Year", "Guests")]


@pytest.mark.parametrize("between", ["\n\n", "\nThe next table has no head.\n"])
def test_columns_are_those_of_the_own_table(between: str) -> None:
    """What stands above a blank line or a sentence is another table."""
    text = f"| Year |\n|---|\n| 2019 |{between}| 2023 |"
    assert [names for _, names in rows(text)] == [(), ("Year",), ()]


WORDS = st.sampled_from(
    [
        *("Dyke", "the mayor", "e.g.", "No. 7", "it’s", "7.", "2.13.1", "é\u0301", "😀", "中。", "_x_"),
        *("Why?", "!", "...", "”", "**", "\n", "\n\n", " \n \n"),
        *("\r\n", "\r\n\r\n", "\n  ", "\n\t", " ", "\t", "\f", "\u2028", "\u00a0"),
        *("- ", "* ", "1. ", "(a) ", "(iv) ", "# ", "### ", "| ", "|", "\\|", "|---|", "---", ":", ";", ". "),
        *("![a](b.png)", "<br>", "<", ">", "![", "](", ")", "\\"),
    ]
)
TEXTS = st.lists(WORDS, max_size=60).map("".join)
BEGINS = re.compile(r"\n(?=[^\S\n]*(?:[-*] |1\. |\(a\) |\(iv\) |#{1,3} |\|)\S)|\n[^\S\r\n]*\r?\n")
NOTHING = re.compile(r"!\[[^\[\]]*\]\([^()]*\)|<[^<>]*>")


@settings(max_examples=300, deadline=None)
@given(TEXTS)
@example("- a\r\n\r\n  b")
@example("| a |\nb\n# c\nd")
def test_units_of_any_text_hold_its_words_in_order(text: str) -> None:
    """Ordered, apart, without white space at the ends; what is in none is pictures, tags and marks."""
    found = units(text)
    assert all(0 <= unit.start < unit.end <= len(text) for unit in found)
    assert all(one.end <= other.start and one.paragraph <= other.paragraph for one, other in itertools.pairwise(found))
    for unit in found:
        words = text[unit.start : unit.end]
        assert words == words.strip()
        assert not BEGINS.search(words)
    edges = [0, *(edge for unit in found for edge in (unit.start, unit.end)), len(text)]
    left = [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    assert not [one for one in left if re.search(r"\w", NOTHING.sub("", one))]


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab |\\\t-:"), max_size=30).map(lambda line: f"|{line}x"))
def test_cells_of_any_row_lie_apart_in_it(row: str) -> None:
    """In their order, without white space at the ends, and only bars and blanks are in none."""
    (unit,) = units(row)
    found = cells(row, unit)
    assert all(unit.start <= start <= end <= unit.end for start, end in found)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(found))
    assert all(row[start:end] == row[start:end].strip() for start, end in found)
    assert sum(end - start for start, end in found) >= len(re.sub(r"[|\s]", "", row))
    assert len(found) == len(re.findall(r"(?:\\.|[^|\\]|\\$)*(?:\||$)", row[1:])) - 1


@pytest.mark.parametrize(
    "text",
    [
        "x" * 60_000, "word " * 12_000, "<" * 60_000, "![" * 30_000, "![](" * 15_000, "a?" + "*" * 60_000 + "b",
        "|" * 60_000, "| a " * 15_000, "\\" * 60_000, "- " * 30_000, "#" * 60_000, "(" * 60_000,
        "a" + " " * 60_000 + "b",
        "One sentence that is long enough; and no more. " * 1_250,
    ],
    ids=lambda text: text[:8],
)  # fmt: skip
def test_a_giant_line_takes_no_time(text: str) -> None:
    """60,000 characters of one line are cut in less than a second, and its cells too."""
    started = time.perf_counter()
    for unit in units(text):
        if unit.kind == "row":
            cells(text, unit)
    assert time.perf_counter() - started < 1
