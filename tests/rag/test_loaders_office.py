"""DOCX, PPTX, XLSX and EPUB: what is read of a file that a person made, and what is left out."""

import io
from datetime import UTC, date, datetime, time

import pytest
from docx import Document
from docx.oxml import parse_xml
from openpyxl import Workbook
from pptx import Presentation
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.util import Inches

from benchmarks import samples
from rag.errors import LoadProblem, NoText
from rag.loaders import load

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
TABLE = (
    "- Harbour | Range | Day\n"
    "- Harbour: Brest | Range: 6.1 | Day: 2025-08-26\n"
    "- Harbour: Ostend | Range: 4.4 | Day: 2025-08-27"
)


def one(data, name):
    """Return the document of a file."""
    (document,) = load(data, name=name)
    return document


def saved(made):
    """Return the bytes of a document of one of the libraries."""
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


@pytest.mark.parametrize("suffix", samples.PACKED)
def test_the_fields_are_those_of_the_file(suffix):
    """Title, day, language and author as its properties say."""
    document = one(samples.SAMPLES[suffix](), "a" + suffix)
    assert (document.title, document.published, document.language) == ("All tides", "2025-08-26", "en-GB")
    assert document.metadata["author"] == "Ada"


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx"])
def test_a_strict_file_is_read_like_any_other(suffix):
    """Office can write ISO 29500 Strict, whose namespaces the libraries do not know."""
    usual = one(samples.SAMPLES[suffix](), "a" + suffix)
    strict = one(samples.strict(samples.SAMPLES[suffix]()), "a" + suffix)
    assert (strict.text, strict.headings, strict.title) == (usual.text, usual.headings, usual.title)


def test_a_docx_keeps_headings_lists_and_rows():
    """Headings by their styles, list items as lines, a table's values under the names of its columns."""
    document = one(samples.docx(), "a.docx")
    assert [(h.level, h.title) for h in document.headings] == [(1, "Tides"), (1, "Spring tides"), (2, "Ranges")]
    assert "\n- They come with the new moon.\n\nRanges\n\n" + TABLE in document.text


def test_a_docx_is_read_as_it_is_shown():
    """Tracked insertions, links, content controls and text boxes are read; deleted text and field codes are not."""
    made = Document()
    for inner in (
        '<w:r><w:t>kept</w:t></w:r><w:ins w:id="1"><w:r><w:t xml:space="preserve"> inserted</w:t></w:r></w:ins>',
        '<w:del w:id="2"><w:r><w:delText>deleted</w:delText></w:r></w:del><w:r><w:t>stays</w:t></w:r>',
        "<w:hyperlink><w:r><w:t>link</w:t></w:r></w:hyperlink><w:r><w:tab/><w:t>after</w:t><w:br/><w:t>line</w:t></w:r>",
        "<w:r><w:instrText>PAGE</w:instrText></w:r><w:sdt><w:sdtContent><w:r><w:t>chosen</w:t></w:r></w:sdtContent></w:sdt>",
    ):
        made.element.body.insert(0, parse_xml(f"<w:p {W}>{inner}</w:p>"))
    made.element.body.insert(
        0, parse_xml(f"<w:sdt {W}><w:sdtContent><w:p><w:r><w:t>block</w:t></w:r></w:p></w:sdtContent></w:sdt>")
    )
    assert one(saved(made), "a.docx").text == "block\n\nchosen\n\nlink\tafter\nline\n\nstays\n\nkept inserted"


def test_a_table_in_a_cell_is_part_of_the_cell():
    """Each word once, in its row."""
    made = Document()
    table = made.add_table(1, 2)
    table.cell(0, 0).text = "outer"
    table.cell(0, 1).add_table(1, 1).cell(0, 0).text = "inner"
    assert one(saved(made), "a.docx").text == "- outer | inner"


def test_a_docx_without_text_says_so():
    """A document of pictures, or of nothing."""
    with pytest.raises(NoText, match="no text"):
        one(saved(Document()), "a.docx")


def test_a_slide_is_a_page():
    """Its title is a heading, its notes come after it, and one without a title has its number."""
    document = one(samples.pptx(), "a.pptx")
    first, second = document.pages
    assert first == 0
    assert document.text[:second] == f"Tides\n\n{samples.SENTENCE}\n\nNotes: Mention the moon.\n\n"
    assert document.text[second:] == f"Slide 2\n\n{TABLE}"
    assert [(h.level, h.title) for h in document.headings] == [(1, "Tides"), (1, "Slide 2")]


def test_groups_on_a_slide_are_read():
    """A group in a group, in the order of the slide."""
    made = Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    group = slide.shapes.add_group_shape().shapes.add_group_shape()
    group.shapes.add_textbox(Inches(1), Inches(1), Inches(1), Inches(1)).text_frame.text = "inner"
    slide.shapes.add_textbox(Inches(1), Inches(2), Inches(1), Inches(1)).text_frame.text = "outer"
    assert one(saved(made), "a.pptx").text == "Slide 1\n\ninner\n\nouter"


def test_the_words_of_a_diagram_are_read():
    """SmartArt lies in a part of its own; what is no picture has its words on the slide."""
    made = Presentation()
    slide = made.slides.add_slide(made.slide_layouts[6])
    words = f'<d xmlns:a="{A}"><a:p><a:r><a:t>Moon</a:t></a:r></a:p><a:p><a:r><a:t>Sun</a:t></a:r></a:p></d>'
    part = Part(PackURI("/ppt/diagrams/data1.xml"), "application/xml", slide.part.package, words.encode())
    slide.part.relate_to(part, "http://schemas.openxmlformats.org/officeDocument/2006/relationships/diagramData")
    assert one(saved(made), "a.pptx").text == "Slide 1\nMoon\nSun"


def test_slides_without_text_say_so():
    """The headings that are made up are no text."""
    made = Presentation()
    made.slides.add_slide(made.slide_layouts[6])
    with pytest.raises(NoText, match="OCR"):
        one(saved(made), "a.pptx")


def test_a_sheet_is_a_heading_with_its_rows():
    """Sheets without cells are left out."""
    document = one(samples.xlsx(), "a.xlsx")
    assert document.text == f"Ranges\n\n{TABLE}"
    assert [(h.level, h.title) for h in document.headings] == [(1, "Ranges")]


def test_values_are_written_as_a_reader_would():
    """Days without midnight, whole numbers without a fraction; empty cells and rows are no text; a gap ends a table."""
    made = Workbook()
    made.active.title = "S"
    for row in (
        [],
        ["when", "what", "count"],
        [datetime(2025, 8, 26), None, 3.0],
        [datetime(2025, 8, 26, 9, 30), "a\nb", 0.1],
        [date(2025, 8, 27), time(9, 30), True],
        [],
        ["a lone note"],
    ):
        made.active.append(row)
    assert one(saved(made), "a.xlsx").text == (
        "S\n\n- when | what | count\n- when: 2025-08-26 | count: 3\n"
        "- when: 2025-08-26 09:30:00 | what: a b | count: 0.1\n"
        "- when: 2025-08-27 | what: 09:30:00 | count: True\n\n- a lone note"
    )


def test_a_sheet_may_lie_about_its_size():
    """What it says about its rows and columns is not believed, and a cell at the far end costs no memory."""
    made = Workbook()
    made.active["A1"] = "first"
    made.active["A1048576"] = "last"
    assert one(saved(made), "a.xlsx").text == "Sheet\n\n- first\n\n- last"


def test_a_book_is_read_in_the_order_of_its_spine():
    """Each chapter with its headings at exact places."""
    document = one(samples.epub(), "a.epub")
    assert document.text == f"Tides\n\n{samples.SENTENCE}\n\nSpring tides\n\nThey come with the new moon."
    assert [document.text[h.start : h.end] for h in document.headings] == ["Tides", "Spring tides"]


@pytest.mark.parametrize("missing", ["META-INF/container.xml", "OPS/book.opf"])
def test_a_book_without_its_parts_is_damaged(missing):
    """The reason names the part."""
    with pytest.raises(LoadProblem, match="damaged"):
        one(samples.with_member(samples.epub(), missing, ""), "a.epub")


def test_one_format_under_the_name_of_another_is_refused():
    """A workbook is no text document."""
    with pytest.raises(LoadProblem, match="damaged"):
        one(samples.xlsx(), "a.docx")
    with pytest.raises(LoadProblem, match=r"a PDF.*right ending"):
        one(b"%PDF-1.7", "a.docx")


def test_a_date_with_a_zone_is_a_day():
    """As the file writes it."""
    made = Document()
    made.add_paragraph("a")
    made.core_properties.created = datetime(2025, 8, 26, 23, 59, tzinfo=UTC)
    assert one(saved(made), "a.docx").published == "2025-08-26"
