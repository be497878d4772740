"""The loader contract: what holds for every format, whatever the bytes are."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import samples
from rag.errors import LoadProblem, NoText, UnsupportedFormat
from rag.loaders import CODE, docx, epub, load, pptx, supported_media_types, supported_suffixes, xlsx
from rag.types import FailedRow, LoadedDocument

HTML = b"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tides</title></head><body>
<nav><a href="/">Home</a></nav><main><article><h1>Tides</h1><p>The tide rises and falls twice a day.</p>
<h2>Spring tides</h2><p>They come with the new moon and with the full moon.</p></article></main></body></html>"""
ROW = b'{"_id": "t1", "title": "Tides", "text": "The tide rises.", "metadata": {"lang": "en"}}\n'

SAMPLES = {
    "tides.txt": b"The tide rises and falls twice a day.\r\n",
    "tides.text": b"The tide rises.",
    "tides.md": b"---\ntitle: Tides\n---\n# Tides\n\nThey rise.\n\nSpring tides\n------------\n\nNew moon.\n",
    "tides.markdown": b"# Tides\n\nThey rise.\n",
    "tides.log": b"2025-08-26 09:30 The tide rises.\n",
    "tides.html": HTML,
    "tides.htm": HTML,
    "tides.xhtml": b'<?xml version="1.0" encoding="utf-8"?>' + HTML,
    "tides.pdf": (Path(__file__).parent / "loader_samples" / "two_pages.pdf").read_bytes(),
    "tides.json": b"[" + ROW + b"]",
    "tides.json.gz": gzip.compress(b"[" + ROW + b"]", mtime=0),
    "tides.jsonl": ROW,
    "tides.jsonl.gz": gzip.compress(ROW, mtime=0),
    "tides.ndjson": ROW,
    "tides.ndjson.gz": gzip.compress(ROW, mtime=0),
    **{f"tides{suffix}": make() for suffix, make in samples.SAMPLES.items()},
}
MEDIA_TYPES = {
    ".txt": "text/plain",
    ".text": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".pdf": "application/pdf",
    ".log": "text/plain",
    ".xhtml": "text/html",
    ".docx": docx.MEDIA_TYPE,
    **dict.fromkeys((".pptx", ".pptm"), pptx.MEDIA_TYPE),
    **dict.fromkeys((".xlsx", ".xlsm"), xlsx.MEDIA_TYPE),
    ".epub": epub.MEDIA_TYPE,
    ".eml": "message/rfc822",
    ".mbox": "message/rfc822",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".rst": "text/x-rst",
}
HEADINGS = {".md": 2, ".markdown": 1, ".html": 2, ".htm": 2, ".xhtml": 2, ".pdf": 3, ".docx": 3, ".pptx": 2}
HEADINGS |= {".pptm": 2, ".xlsx": 1, ".xlsm": 1, ".epub": 2, ".rst": 2}
PACKED = (*samples.PACKED, ".pptm", ".xlsm")
BINARY = (".pdf", ".gz", *PACKED)

every_sample = pytest.mark.parametrize("name", SAMPLES)


def check(document):
    """Assert what every loaded document keeps, whatever its format."""
    text = document.text
    assert text.strip()
    text.encode("utf-8")
    assert document.original
    if document.body is not None:
        assert 0 <= document.body.start < document.body.end <= len(text)
    previous = 0
    for heading in document.headings:
        assert previous <= heading.start < heading.end <= len(text)
        assert heading.level >= 1
        assert heading.title.strip()
        previous = heading.end
    pages = list(document.pages)
    assert pages == sorted(set(pages))
    assert not pages or (pages[0] == 0 and pages[-1] <= len(text))


def load_anyhow(data, name):
    """Load what may be broken; return what came before the problem, and fail on any other error."""
    found, reason = [], ""
    try:
        for row in load(data, name=name):
            found.append(row)
    except LoadProblem as problem:
        reason = str(problem)
    assert found or reason.endswith(".")
    for row in found:
        assert isinstance(row, FailedRow | LoadedDocument)
        if isinstance(row, LoadedDocument):
            check(row)
    return found


def test_there_is_a_sample_for_every_suffix():
    """A format that joins the table joins this contract, or this test fails; source code is plain text."""
    assert {name.removeprefix("tides") for name in SAMPLES} == set(supported_suffixes()) - set(CODE)


@pytest.mark.parametrize("name", [*(f"a{suffix}" for suffix in CODE), "README", "src/Makefile", "v1.2/LICENSE"])
def test_source_code_and_files_without_an_ending_are_text(name):
    """They are stored as they are."""
    (document,) = load(b"let tide = 1\n", name=name)
    assert (document.text, document.media_type, document.title) == ("let tide = 1\n", "text/plain", None)


def test_a_file_without_an_ending_that_is_no_text_is_refused():
    """A program is no text."""
    with pytest.raises(LoadProblem, match="a program"):
        list(load(b"\x7fELF\x02\x01", name="pincite"))


@every_sample
def test_a_sample_is_loaded_with_media_type_and_encoding(name):
    """Every format records what it is and how its bytes became text; packed formats have no one encoding."""
    (document,) = load(SAMPLES[name], name=name)
    check(document)
    assert document.media_type == MEDIA_TYPES.get(Path(name).suffix, "application/json")
    assert document.media_type in supported_media_types()
    assert document.encoding == (None if name.endswith((".pdf", *PACKED)) else "utf-8")


@every_sample
def test_headings_stand_where_they_say(name):
    """The span of a heading holds its title."""
    (document,) = load(SAMPLES[name], name=name)
    assert all(heading.title in document.text[heading.start : heading.end] for heading in document.headings)
    assert len(document.headings) == HEADINGS.get(Path(name).suffix, 0)


@every_sample
def test_an_empty_file_says_so(name):
    """Nothing at all is reported as an empty file."""
    with pytest.raises(NoText, match="empty"):
        list(load(b"", name=name))


@every_sample
def test_a_blank_file_is_no_document(name):
    """Blanks, with or without compression around them, are refused."""
    blank = b" \r\n\t \n"
    with pytest.raises(LoadProblem):
        list(load(gzip.compress(blank) if name.endswith(".gz") else blank, name=name))


@every_sample
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_that_was_cut_off_breaks_nothing(name, share):
    """Half a file gives what it still holds, or a reason."""
    data = SAMPLES[name]
    load_anyhow(data[: int(len(data) * share)], name)


@every_sample
def test_another_kind_of_file_under_this_name_is_refused(name):
    """An image is no text, whatever its name says."""
    with pytest.raises(LoadProblem):
        list(load(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00", name=name))


@every_sample
@given(data=st.binary(min_size=1, max_size=300))
@settings(max_examples=60, deadline=None)
def test_random_bytes_break_nothing(name, data):
    """Any bytes give documents, failed rows or a LoadProblem, and no other error."""
    load_anyhow(data, name)


@every_sample
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_sample_breaks_nothing(name, data):
    """Bytes overwritten anywhere give documents, failed rows or a LoadProblem, and no other error."""
    sample = SAMPLES[name]
    place = data.draw(st.integers(0, len(sample)))
    damage = data.draw(st.binary(min_size=1, max_size=20))
    load_anyhow(sample[:place] + damage + sample[place + len(damage) :], name)


@pytest.mark.parametrize("name", [name for name in SAMPLES if not name.endswith(BINARY)])
@given(text=st.text(min_size=1, max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_text_breaks_nothing(name, text):
    """Any text, hostile characters included, gives documents, failed rows or a LoadProblem."""
    load_anyhow(text.encode("utf-8"), name)


def test_the_media_type_outranks_the_name():
    """A declared media type chooses the loader; one that says nothing leaves the choice to the name."""
    (document,) = load(b"# Tides\n", name="upload", media_type="Text/Markdown; charset=utf-8")
    assert document.media_type == "text/markdown"
    (document,) = load(b"# Tides\n", name="tides.MD", media_type="application/octet-stream")
    assert document.media_type == "text/markdown"


def test_the_charset_of_the_media_type_is_the_declared_one():
    """`charset=` decides where the bytes are no UTF-8 and name no encoding of their own."""
    (document,) = load("naïve".encode("cp1252"), name="a", media_type='text/plain; charset="ISO-8859-1"')
    assert (document.text, document.encoding) == ("naïve", "cp1252")


@pytest.mark.parametrize("name", ["notes.odt", "photo.jpg", "notes.", ""])
def test_an_unknown_format_names_the_known_ones(name):
    """The reason lists what could be read instead."""
    with pytest.raises(UnsupportedFormat, match=r"\.md"):
        list(load(b"text", name=name))


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.txt.gz", "a.7z"])
def test_an_archive_is_to_be_unpacked(name):
    """The reason says what to do with an archive."""
    with pytest.raises(UnsupportedFormat, match="unpack"):
        list(load(b"PK\x03\x04", name=name))


def test_an_unknown_media_type_names_the_known_ones():
    """The reason lists the media types that are read."""
    with pytest.raises(UnsupportedFormat, match="text/plain"):
        list(load(b"text", name="a.txt", media_type="image/png"))
