"""Plain text, encodings, dates and the fields that data has habits for."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import LoadProblem, NoText
from rag.loaders import load
from rag.loaders.dates import normalise_date
from rag.loaders.decoding import decode
from rag.loaders.fields import json_value, take_fields
from rag.loaders.plain import read_wire_head

HEAD = (
    " date 2025-08-26 New Delhi [India], August 26 : The India-US 2+2 Intersessional Dialogue, held virtually on Monday"
)


def load_text(data):
    """Load bytes as a plain text file."""
    (document,) = load(data, name="a.txt")
    return document


def test_the_wire_head_gives_date_and_place_and_leaves_the_text_alone():
    """The seed article's first line: date and place are read, no title is made up, not a character changes."""
    document = load_text(HEAD.encode())
    assert document.published == "2025-08-26"
    assert document.metadata == {"place": "New Delhi [India]"}
    assert document.title is None
    assert document.text == HEAD


@pytest.mark.parametrize(
    "text",
    [
        "date 2025-08-26 was a Tuesday, and August 26 : that was it",
        "The date 2025-08-26 New Delhi [India], August 26 : x",
        "date 2025-02-30 New Delhi [India], August 26 : x",
        "date 2025-08-26\nNew Delhi [India], August 26 : x",
        "Date: 2025-08-26 New Delhi, August 26: x",
        "date 2025-08-26 New Delhi [India], Augst 26 : x",
    ],
)
def test_ordinary_text_is_no_wire_head(text):
    """A date at the beginning alone, or one that does not exist, is only text."""
    assert read_wire_head(text) == (None, {})


@given(st.text(max_size=200))
def test_no_text_without_a_wire_head_gets_a_date(text):
    """Random text never matches."""
    assert read_wire_head(text) == (None, {})


@pytest.mark.parametrize(
    "text",
    ["a\r\nb\rc\n", "e\u0301 \u00e9", "a\0b", "\u202eabc\u202c", "  lead\u3000trail  ", "\U0001f600\u200d\ufe0f"],
)
def test_text_is_stored_as_decoded(text):
    """Line ends, combining marks, NUL, bidi and blanks are kept: nothing is normalised."""
    assert load_text(text.encode()).text == text


@pytest.mark.parametrize(
    ("mark", "codec", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8", "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16"),
        (codecs.BOM_UTF32_LE, "utf-32-le", "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32-be", "utf-32"),
        (b"", "utf-16-le", "utf-16-le"),
        (b"", "utf-16-be", "utf-16-be"),
    ],
)
def test_a_byte_order_mark_belongs_to_the_encoding(mark, codec, encoding):
    """The mark chooses the encoding and is no part of the text; UTF-16 of Latin text is known without it."""
    assert decode(mark + "Größe: 12 naïve".encode(codec)) == ("Größe: 12 naïve", encoding)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Größe café naïve. Ein Text mit Umlauten: äöü ÄÖÜ ß.", "cp1252"),
        ("It’s a “quoted” sentence – with dashes, costing £5.", "cp1252"),
        ("Zażółć gęślą jaźń. Wszyscy ludzie rodzą się wolni i równi.", "cp1250"),
        ("Привет, мир. Это обычный русский текст.", "cp1251"),
        ("Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι", "cp1253"),
        ("人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心", "gb18030"),
        ("すべての人間は、生まれながらにして自由であり、かつ平等である。", "shift_jis"),
    ],
)
def test_legacy_encodings_are_detected_and_recorded(text, encoding):
    """The text comes back, and the recorded encoding makes it again from the bytes."""
    data = text.encode(encoding)
    decoded = decode(data)
    assert decoded.text == text
    assert data.decode(decoded.encoding) == text


@given(st.binary(max_size=400))
def test_what_decodes_can_be_decoded_again(data):
    """Whatever the bytes, the recorded encoding gives the same text, and it is storable."""
    try:
        text, encoding = decode(data)
    except LoadProblem:
        return
    assert data.decode(encoding) == text
    text.encode("utf-8")


def test_a_declared_encoding_decides_between_those_that_fit():
    """The declaration comes before detection, and after strict UTF-8."""
    assert decode("¤".encode("iso8859-15", "ignore") + b"\xa4", "iso-8859-15").text.endswith("€")
    assert decode("é".encode(), "iso-8859-1") == ("é", "utf-8")
    assert decode(b"caf\xe9 au lait", "no-such-encoding").text == "café au lait"


@pytest.mark.parametrize("declared", ["unicode_escape", "utf-7", "idna", "hex", "utf-16", "rot13", "a\0b", ""])
def test_escapes_are_no_encodings(declared):
    """A declaration cannot have the bytes rewritten."""
    assert decode(b"caf\xe9 \\u0041 au lait", declared).text == "café \\u0041 au lait"


def test_damaged_utf8_is_refused_with_its_place():
    """One broken byte in UTF-8 does not turn all its letters into another encoding's."""
    with pytest.raises(LoadProblem, match="byte 35"):
        load_text("Größe café naïve äöü".encode() + b" broken \xff tail")


@pytest.mark.parametrize("data", [bytes(range(256)) * 4, b"\x01\x02\x03\x04", bytes(range(128, 256)) * 9])
def test_binary_rubbish_is_refused(data):
    """Bytes that are plainly no text are refused, even where some encoding fits them."""
    with pytest.raises(LoadProblem):
        load_text(data)


@pytest.mark.parametrize("data", [b"\n\t \r", "\ufeff".encode(), "\u200b\u00a0\u3000".encode(), b"\0\0"])
def test_what_cannot_be_seen_is_blank(data):
    """Whitespace, marks and invisible characters are no text."""
    with pytest.raises(NoText):
        load_text(data)


def test_a_long_line_is_loaded_whole():
    """Ten million characters without a line end are one text."""
    assert len(load_text(b"word " * 2_000_000).text) == 10_000_000


@pytest.mark.parametrize(
    ("written", "published"),
    [
        ("2025", "2025"),
        (2025, "2025"),
        ("2025-08", "2025-08"),
        (" 2025-08-26 ", "2025-08-26"),
        ("2025-08-26T09:30:00Z", "2025-08-26T09:30:00Z"),
        ("2025-08-26T09:30:00+02:00", "2025-08-26T07:30:00Z"),
        ("2025-08-26T01:30:00.250+0200", "2025-08-25T23:30:00.25Z"),
        ("2025-08-26 09:30", "2025-08-26T09:30:00Z"),
        ("2025-08-26t09:30:00.123456789z", "2025-08-26T09:30:00.123456Z"),
        ("Tue, 26 Aug 2025 09:30:00 +0530", "2025-08-26T04:00:00Z"),
        ("26 Aug 2025 09:30 GMT", "2025-08-26T09:30:00Z"),
        ("August 26, 2025", "2025-08-26"),
        ("Sept. 3, 2025", "2025-09-03"),
        ("26 august 2025", "2025-08-26"),
        ("May 2025", "2025-05"),
    ],
)
def test_dates_keep_their_precision(written, published):
    """Every spelling that can be read in one way only is read, and instants are turned to UTC."""
    assert normalise_date(written) == published
    assert normalise_date(published) == published


@pytest.mark.parametrize(
    "written",
    [
        "03/04/2025",
        "20250826",
        "2025-13",
        "2025-02-30",
        "2025-8-6",
        "0000",
        "2025-08-26T25:00:00Z",
        "2025-08-26T09:30:00+99:00",
        "0001-01-01T00:00:00+05:00",
        "yesterday",
        "August 32, 2025",
        "26 August",
        "２０２５",
        "",
        True,
        99,
        1756200000,
        None,
        ["2025"],
    ],
)
def test_dates_are_never_guessed(written):
    """What is ambiguous, impossible or no date gives none."""
    assert normalise_date(written) is None


def test_fields_are_taken_by_their_habits_and_the_rest_is_metadata():
    """What was taken leaves the metadata; null and blank are absent; what cannot be read stays as it came."""
    fields = take_fields(
        {
            "title": " ",
            "date": "26 August 2025",
            "url": "https://e.org/",
            "lang": "pt_BR",
            "source": "E",
            "n": None,
            "k": 1,
        }
    )
    assert (fields.title, fields.published, fields.uri) == (None, "2025-08-26", "https://e.org/")
    assert (fields.language, fields.source, fields.metadata) == ("pt-BR", "E", {"k": 1})
    kept = take_fields({"date": "last week", "lang": "the usual one", "url": ["a"]})
    assert kept.metadata == {"date": "last week", "lang": "the usual one", "url": ["a"]}
    assert (kept.published, kept.language, kept.uri) == (None, None, None)


@pytest.mark.parametrize("value", [{"a": {1, 2}}, [b"x"], float("nan"), [[0] * 200] * 200])
def test_what_is_no_json_is_no_metadata(value):
    """Sets, bytes, NaN and values without end are refused."""
    with pytest.raises(ValueError, match=r"no JSON|too many"):
        json_value(value)
