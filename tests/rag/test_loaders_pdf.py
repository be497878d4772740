"""PDF: pages with their starts, fields of the information dictionary, and what is refused."""

from bisect import bisect_right
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, NameObject

from rag.errors import LoadProblem, NoText
from rag.loaders import load

SAMPLE = (Path(__file__).parent / "loader_samples" / "two_pages.pdf").read_bytes()


def load_pdf(data):
    """Load bytes as a PDF file."""
    (document,) = load(data, name="a.pdf")
    return document


def write(writer):
    """Return the bytes of a PDF."""
    file = BytesIO()
    writer.write(file)
    return file.getvalue()


def rewritten(**info):
    """Return the sample with other entries in its information dictionary."""
    writer = PdfWriter(clone_from=BytesIO(SAMPLE))
    writer.add_metadata({f"/{name}": value for name, value in info.items()})
    return write(writer)


def test_pages_are_joined_and_their_starts_kept():
    """Every offset tells its page; the outline's entries that stand on a line of their own are headings."""
    document = load_pdf(SAMPLE)
    first, second = document.pages
    assert (first, document.text[second - 2 : second]) == (0, "\n\n")
    assert document.text[second:].startswith("Neap tides")
    assert bisect_right(document.pages, document.text.index("naïve sailors")) == 2
    assert bisect_right(document.pages, document.text.index("new and the full moon")) == 1
    assert [(h.level, h.title) for h in document.headings] == [
        (1, "Two pages about tides"),
        (2, "Spring tides"),
        (2, "Neap tides"),
    ]
    assert (document.title, document.language) == ("Two pages about tides", "en")


def test_a_page_without_text_keeps_its_place():
    """An empty page in the middle has a start of its own, so that the pages after it count right."""
    writer = PdfWriter()
    pages = PdfReader(BytesIO(SAMPLE)).pages
    writer.add_page(pages[0])
    writer.add_blank_page(100, 100)
    writer.add_page(pages[1])
    document = load_pdf(write(writer))
    assert len(document.pages) == 3
    assert bisect_right(document.pages, document.text.index("Neap tides")) == 3
    assert document.pages[2] - document.pages[1] == 2


def test_the_information_dictionary_gives_fields():
    """Author, subject and the creation date, whose day as written is the publication date."""
    document = load_pdf(rewritten(Title="Tides", Author="A. Seaman", CreationDate="D:20250826013000+02'00'"))
    assert (document.title, document.published) == ("Tides", "2025-08-26")
    assert document.metadata == {"author": "A. Seaman", "pdf_creation_date": "2025-08-25T23:30:00Z"}


@pytest.mark.parametrize(
    ("written", "published"), [("D:2025", "2025"), ("D:202508", "2025-08"), ("D:20251399", None), ("last week", None)]
)
def test_creation_dates_keep_their_precision(written, published):
    """A date without a day stays one, and what is no date stays as it came."""
    document = load_pdf(rewritten(CreationDate=written))
    assert document.published == published
    assert document.metadata["pdf_creation_date"] == (published or written)


@pytest.mark.parametrize("title", ["untitled", "Untitled-1", "Microsoft Word - draft.doc", "report_v2.docx", " "])
def test_a_title_without_meaning_is_none(title):
    """What programs write there by themselves is no title."""
    assert load_pdf(rewritten(Title=title)).title is None


def test_a_scan_says_how_many_pages_it_has_and_what_to_do():
    """Pages without text are named as what they most likely are."""
    writer = PdfWriter()
    for _ in range(3):
        writer.add_blank_page(100, 100)
    with pytest.raises(NoText, match=r"holds 3 pages but no text: it looks like a scan; run OCR first"):
        load_pdf(write(writer))


def test_an_encrypted_pdf_is_refused():
    """A password is asked of the person, not guessed; a file that opens without one is read."""
    writer = PdfWriter(clone_from=BytesIO(SAMPLE))
    writer.encrypt("secret", algorithm="RC4-128")
    with pytest.raises(LoadProblem, match="encrypted"):
        load_pdf(write(writer))
    writer = PdfWriter(clone_from=BytesIO(SAMPLE))
    writer.encrypt("", "owner", algorithm="RC4-128")
    assert "Spring tides" in load_pdf(write(writer)).text


@pytest.mark.parametrize("data", [b"Just text.", b"PK\x03\x04....", b"<html><p>Hi</p></html>"])
def test_what_is_no_pdf_is_refused_by_its_bytes(data):
    """The name does not make a PDF."""
    with pytest.raises(LoadProblem, match="no PDF"):
        load_pdf(data)


def test_a_broken_cross_reference_table_is_repaired_or_refused():
    """A start that points nowhere loses nothing; a file that is all noise is a LoadProblem."""
    place = SAMPLE.rindex(b"startxref")
    assert "Neap tides" in load_pdf(SAMPLE[:place] + b"startxref\n9\n%%EOF\n").text
    with pytest.raises(LoadProblem, match="broken"):
        load_pdf(b"%PDF-1.7\n" + b"\x00\xff" * 500)


def test_a_page_tree_that_bites_its_tail_is_refused():
    """A cycle among the pages ends in a LoadProblem, not in a loop."""
    writer = PdfWriter(clone_from=BytesIO(SAMPLE))
    pages = writer.root_object["/Pages"]
    pages.get_object()[NameObject("/Kids")] = ArrayObject([writer.root_object.raw_get("/Pages")])
    with pytest.raises(LoadProblem):
        load_pdf(write(writer))


def test_one_broken_page_of_many_fails_alone():
    """The other pages are kept, and the broken one is named."""
    writer = PdfWriter(clone_from=BytesIO(SAMPLE))
    writer.pages[0][NameObject("/Contents")] = NameObject("/Nonsense")
    document = load_pdf(write(writer))
    assert "Neap tides" in document.text
    assert bisect_right(document.pages, document.text.index("Neap tides")) == 2
