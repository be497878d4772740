"""CSV, TSV and reStructuredText."""

import pytest

from rag.errors import LoadProblem, NoText
from rag.loaders import load


def one(data, name="a.csv"):
    """Return the document of a file."""
    (document,) = load(data if isinstance(data, bytes) else data.encode(), name=name)
    return document


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_value_stands_under_the_name_of_its_column(separator):
    """Whatever separates the cells."""
    rows = [["Harbour", "Range"], ["Brest", "6 m"], ["Ostend", "4 m"]]
    document = one("\n".join(separator.join(row) for row in rows))
    assert document.text == "- Harbour | Range\n- Harbour: Brest | Range: 6 m\n- Harbour: Ostend | Range: 4 m"


def test_quoted_cells_are_one_cell_each():
    """With their separators, quotes and line ends, which become blanks."""
    assert one('name,words\nAda,"a, ""b""\nc"\n').text == '- name | words\n- name: Ada | words: a, "b" c'


@pytest.mark.parametrize(
    "table",
    ["1,2\n3,4\n", "a,a\nb,c\n", "a,,\nb,c,d\n", f"{'long ' * 30},b\nc,d\n"],
    ids=["numbers", "twice the same", "nameless columns", "sentences"],
)
def test_a_first_row_that_names_nothing_is_a_row(table):
    """No name is made up."""
    first = [cell.strip() for cell in table.splitlines()[0].split(",") if cell]
    assert one(table).text.startswith("- " + " | ".join(first))
    assert ": " not in one(table).text


def test_cells_beyond_the_names_are_kept():
    """And rows that are too short lose nothing."""
    assert one("a,b\n1,2,3\n4\n").text == "- a | b\n- a: 1 | b: 2 | 3\n- a: 4"


def test_a_table_of_blanks_holds_no_text():
    """Separators are none."""
    with pytest.raises(NoText):
        one(",,\n , \n")


def test_a_cell_that_never_ends_breaks_nothing():
    """An open quote takes the rest of the file."""
    assert one('a,b\n"1,2\n3,4\n').text.endswith("1,2 3,4")
    with pytest.raises(LoadProblem, match="cannot be read"):
        one('"' + "a" * (1 << 24 | 1))


RST = """\
.. a comment

=====
Tides
=====

:Date: 2025-08-26
:Author: Ada

They rise.

Spring tides
------------

New moon::

    Not a title
    -----------

Neap
~~~~

Half moon.

Next
----
"""


def test_titles_of_rst_have_levels_and_places():
    """Levels by the order in which their lines come; what is indented is no title."""
    document = one(RST, "a.rst")
    assert document.text == RST
    assert [(h.level, h.title) for h in document.headings] == [
        (1, "Tides"),
        (2, "Spring tides"),
        (3, "Neap"),
        (2, "Next"),
    ]
    assert document.text[document.headings[0].start : document.headings[0].end] == "=====\nTides\n====="


def test_the_title_that_rst_begins_with_is_its_title():
    """And the fields after it are its fields."""
    document = one(RST.removeprefix(".. a comment\n\n"), "a.rst")
    assert (document.title, document.published, document.metadata) == ("Tides", "2025-08-26", {"author": "Ada"})


@pytest.mark.parametrize(
    "text",
    ["Words\n\n----\n\nmore\n", "of a paragraph\nwords\n-----\n", "Long title\n--\n", "==== ====\na    b\n==== ====\n"],
    ids=["transition", "inside a paragraph", "too short", "table"],
)
def test_lines_that_only_look_like_titles_are_none(text):
    """As docutils reads them."""
    assert one(text, "a.rst").headings == []


def test_nothing_is_included():
    """A directive is text."""
    assert "/etc/hostname" in one(".. include:: /etc/hostname\n", "a.rst").text
