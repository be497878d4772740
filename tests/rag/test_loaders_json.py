"""JSON and JSON Lines: rows, their fields, rows that fail alone, and compressed files."""

import gzip
import json

import pytest

from rag.errors import LoadProblem, NoText, UnsupportedFormat
from rag.loaders import load, packed
from rag.types import FailedRow


def rows(data, name="corpus.jsonl"):
    """Load rows from bytes or a text."""
    return list(load(data.encode() if isinstance(data, str) else data, name=name))


def test_a_beir_row_becomes_a_document():
    """Habits of data become fields, whether at the top or in the metadata; what was taken leaves the metadata."""
    line = (
        '{"_id": "d/1", "title": "Tides", "text": "They rise.", "metadata": {"date": "August 26, 2025", "url": '
        '"https://example.org/", "source": "Almanac", "lang": "en", "week": 34, "none": null}, "section": "sea"}'
    )
    (row,) = rows(line + "\r\n")
    assert (row.id, row.title, row.text) == ("d/1", "Tides", "They rise.")
    assert (row.published, row.uri, row.source, row.language) == ("2025-08-26", "https://example.org/", "Almanac", "en")
    assert row.metadata == {"week": 34, "section": "sea"}
    assert row.original == line.encode()
    assert (row.media_type, row.encoding) == ("application/json", "utf-8")


def test_the_top_level_outranks_the_metadata():
    """Where both say something, the row itself is believed; a null there says nothing."""
    (row,) = rows('{"text": "a", "source": "top", "lang": null, "metadata": {"source": "below", "lang": "en"}}')
    assert (row.source, row.language, row.metadata) == ("top", "en", {})


@pytest.mark.parametrize("name", ["content", "body"])
def test_text_may_have_another_name(name):
    """`content` and `body` are text too."""
    (row,) = rows(json.dumps({"id": 7, name: "They rise."}))
    assert (row.id, row.text) == ("7", "They rise.")


def test_a_row_without_id_has_none():
    """No id is made up here."""
    assert rows('{"text": "a"}')[0].id is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("not json", "line 1, column 1"),
        ('{"text": "cut o', "no valid JSON"),
        ("[1, 2]", "not an object"),
        ('"text"', "not an object"),
        ('{"_id": "x"}', "no text"),
        ('{"text": 5}', "no text"),
        ('{"text": " \\n\\u200b"}', "blank"),
        ('{"text": "a", "n": NaN}', "`n` is nan"),
        ('{"text": "a", "metadata": {"n": [-Infinity]}}', r"`metadata.n\[0\]` is -inf"),
        ('{"text": "a", "n": 1e999}', "`n` is inf"),
        ('{"text": "ab\\ud800"}', "surrogate in `text` at character 2"),
        ('{"text": "a", "metadata": {"k": ["\\udc00"]}}', r"surrogate in `metadata.k\[0\]`"),
        ('{"text": "a", "\\ud800": 1}', "surrogate"),
        ('{"text": "a", "metadata": 3}', "`metadata` is not an object"),
        ('{"text": "a", "id": [1]}', "`id` is neither"),
        ('{"text": "a", "_id": " "}', "blank"),
        ('{"text": "a", "id": true}', "`id` is neither"),
        ('{"text": "a", "_id": "good"}', "came before, at 1"),
        ('{"text": "a", "n": ' + "9" * 5000 + "}", "too many digits"),
        ('{"text": "a", "n": ' + "[" * 100_000 + "}", "nested too deeply"),
        ('{"text": "a", "n": ' + "[" * 100 + "]" * 100 + "}", "nested more than"),
    ],
)
def test_a_bad_row_fails_alone(line, reason):
    """The rows around it are loaded; the bad one gives its line and its reason."""
    good, failed, other = rows('{"_id": "good", "text": "a"}\n' + line + '\n\n{"text": "b"}\n')
    assert (good.id, other.text) == ("good", "b")
    assert isinstance(failed, FailedRow)
    assert failed.line == 2
    assert_matches(failed.reason, reason)


def assert_matches(text, pattern):
    """Assert that a pattern is found in a text."""
    with pytest.raises(ValueError, match=pattern):
        raise ValueError(text)


def test_a_surrogate_pair_is_a_character():
    """Two escapes that belong together are one code point."""
    assert rows('{"text": "\\ud83d\\ude00"}')[0].text == "\U0001f600"


def test_a_line_that_is_not_utf8_fails_alone():
    """JSON is UTF-8; the place is named."""
    failed, good = rows(b'{"text": "caf\xe9"}\n{"text": "b"}')
    assert failed == FailedRow(1, "not valid UTF-8 at byte 13 of the line")
    assert good.text == "b"


def test_only_line_feeds_end_lines():
    """A line separator within a string is part of it, and so is everything else."""
    assert rows('{"text": "a\u2028b\u0085c"}\r\n')[0].text == "a\u2028b\u0085c"


def test_a_byte_order_mark_is_no_part_of_the_first_row():
    """UTF-8 may be marked; UTF-16 is refused with what to do."""
    assert rows(b'\xef\xbb\xbf{"text": "a"}')[0].original == b'{"text": "a"}'
    with pytest.raises(LoadProblem, match="save it again as UTF-8"):
        rows('{"text": "a"}'.encode("utf-16"))


def test_a_file_that_is_no_json_lines_is_given_up():
    """After a hundred failures without a single row the file itself is at fault."""
    with pytest.raises(LoadProblem, match="JSON Lines at all"):
        rows("prose\n" * 1000)


def test_an_array_gives_rows_with_their_canonical_bytes():
    """Rows of an array fail alone too; `original` is the row as JSON with sorted keys."""
    first, second, third = rows('[{"text": "é", "id": "b"}, {"text": NaN}, {"text": "c"}]', "a.json")
    assert first.original == '{"id":"b","text":"é"}'.encode()
    assert second == FailedRow(2, "`text` is nan, which is no JSON number")
    assert third.text == "c"


def test_an_object_with_documents_gives_rows():
    """The body of the HTTP call works as a file."""
    assert [row.text for row in rows('{"documents": [{"text": "a"}, {"text": "b"}]}', "a.json")] == ["a", "b"]


def test_one_object_is_one_document():
    """A JSON file may hold a single row, and its own bytes are the original."""
    (row,) = rows('{\n "text": "a",\n "title": "T"\n}', "a.json")
    assert (row.text, row.title, row.original) == ("a", "T", b'{\n "text": "a",\n "title": "T"\n}')


def test_json_lines_under_the_name_of_json_are_read():
    """Several objects in a row are lines, whatever the name says."""
    assert [row.text for row in rows('{"text": "a"}\n{"text": "b"}\n', "a.json")] == ["a", "b"]


@pytest.mark.parametrize("text", ['{"port": 8000, "hosts": ["a"]}', '["a", "b"]', "3", '{"body": {"x": 1}}'])
def test_any_other_json_is_plain_text(text):
    """JSON without rows is a document of its own characters."""
    (document,) = rows(text, "settings.json")
    assert (document.text, document.media_type, document.original) == (text, "application/json", text.encode())


@pytest.mark.parametrize("text", ["[]", '{"documents": []}', " \n"])
def test_json_without_anything_is_no_text(text):
    """An empty list holds no document."""
    with pytest.raises(NoText):
        rows(text, "a.json")


def test_broken_json_names_the_place():
    """The reason tells line and column."""
    with pytest.raises(LoadProblem, match="line 2, column 1"):
        rows("{\n!", "a.json")


def test_compressed_rows_are_read_and_damage_is_named():
    """Rows before the damage are given, then the file fails."""
    data = gzip.compress(b"".join(b'{"text": "row %d"}\n' % n for n in range(5)))
    assert [row.text for row in rows(data, "corpus.jsonl.gz")] == [f"row {n}" for n in range(5)]
    with pytest.raises(LoadProblem, match="gzip"):
        rows(data[:-6], "corpus.jsonl.gz")
    with pytest.raises(LoadProblem, match="gzip"):
        rows(b'{"text": "not packed"}', "corpus.jsonl.gz")
    with pytest.raises(UnsupportedFormat, match="gzip"):
        rows(data, "corpus.jsonl")


@pytest.mark.parametrize("name", ["bomb.jsonl.gz", "bomb.json.gz"])
def test_a_gzip_bomb_is_refused_by_its_ratio(name):
    """64 MiB of zeros in 64 kB are not unpacked to the end."""
    with pytest.raises(LoadProblem, match="bomb"):
        rows(gzip.compress(bytes(64 << 20)), name)


def test_the_limits_are_counted_while_unpacking(monkeypatch):
    """The whole and a single line have limits of their own."""
    data = gzip.compress(b"".join(b'{"text": "%08d"}\n' % n for n in range(200_000)))
    monkeypatch.setattr(packed, "UNPACKED_LIMIT", 2 << 20)
    with pytest.raises(LoadProblem, match="larger than"):
        rows(data, "a.jsonl.gz")
    monkeypatch.setattr(packed, "ROW_LIMIT", 1 << 20)
    with pytest.raises(LoadProblem, match="Line 2 is longer"):
        rows(b'{"text": "a"}\n{"text": "' + b"x" * (3 << 20), "a.jsonl")


def test_a_long_row_is_loaded_whole():
    """Ten million characters in one row are one text."""
    assert len(rows('{"text": "' + "w" * 10_000_000 + '"}')[0].text) == 10_000_000
