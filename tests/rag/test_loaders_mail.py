"""E-mail: a message with its fields, an mbox of many."""

import pytest

from benchmarks import samples
from rag.errors import LoadProblem
from rag.loaders import load
from rag.types import FailedRow


def one(data, name="a.eml"):
    """Return the document of a file."""
    (document,) = load(data, name=name)
    return document


def test_a_message_has_the_fields_of_its_head():
    """Subject, sender, instant in UTC; attachments are named and not read."""
    document = one(samples.eml())
    assert document.text == f"{samples.SENTENCE}\n\nNaïve sailors know."
    assert (document.title, document.source) == ("All tides", "Ada <ada@example.org>")
    assert document.published == "2025-08-26T07:30:00Z"
    assert document.metadata == {
        "to": "Bo <bo@example.org>",
        "message_id": "<1@example.org>",
        "attachments": ["tide.png"],
    }


def test_html_is_read_where_there_is_no_plain_text():
    """By the loader of HTML, with its headings."""
    document = one(b"Subject: a\nContent-Type: text/html; charset=iso-8859-1\n\n<h1>Tides</h1><p>na\xefve</p>")
    assert document.text == "Tides\n\nnaïve"
    assert [heading.title for heading in document.headings] == ["Tides"]


def test_encoded_words_and_folded_heads_are_read():
    """RFC 2047, in subject and names."""
    document = one(b"Subject: =?utf-8?q?Na=C3=AFve?=\n =?utf-8?q?_tides?=\nFrom: =?utf-8?b?w4lh?= <e@a.org>\n\nrise\n")
    assert (document.title, document.source) == ("Naïve tides", "Éa <e@a.org>")


@pytest.mark.parametrize("written", ["yesterday", "32 Aug 2025 10:00:00 +0000", "Tue, 26 Aug 0000 10:00:00 +9999"])
def test_a_date_that_cannot_be_read_is_metadata(written):
    """Nothing is guessed."""
    document = one(f"Subject: a\nDate: {written}\n\nrise\n".encode())
    assert (document.published, document.metadata["date"]) == (None, written)


def test_a_message_of_a_subject_alone_is_that():
    """Short messages have no more."""
    assert one(b"Subject: Tides rise\n\n\n").text == "Tides rise"


@pytest.mark.parametrize("data", [b"Just text.\n", b"\n\nSubject: a\n", b"<html>"])
def test_what_has_no_head_is_no_message(data):
    """Any text would be a message otherwise."""
    with pytest.raises(LoadProblem, match="headers"):
        one(data)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_an_mbox_is_cut_at_its_from_lines(end):
    """Those after an empty line; one that is quoted belongs to its message."""
    lines = [b"From a", b"Subject: One", b"", b"rise", b"From here on", b"", b">From there", b"", b"From b"]
    lines += [b"Subject: Two", b"", b"fall", b""]
    first, second = load(end.join(lines), name="a.mbox")
    assert (first.title, first.text) == ("One", "rise\nFrom here on\n\nFrom there")
    assert (second.title, second.text) == ("Two", "fall")
    assert second.original.splitlines()[0] == b"Subject: Two"


def test_a_message_that_cannot_be_read_fails_with_its_line():
    """The others are read."""
    found = list(load(b"From a\n\nno head\n\nFrom b\nSubject: Two\n\nfall\n", name="a.mbox"))
    assert isinstance(found[0], FailedRow)
    assert found[0].line == 1
    assert found[1].title == "Two"


def test_what_does_not_begin_with_from_is_no_mbox():
    """The reason says what to do."""
    with pytest.raises(LoadProblem, match="no mbox"):
        list(load(b"Subject: a\n\nFrom b\n", name="a.mbox"))
