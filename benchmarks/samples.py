"""Small files of every packed format, and damaged and hostile ones, made here; tests and the table of formats use them.

No file is a stranger's. Each maker returns the bytes of one file.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from email.message import EmailMessage

MIB = 1 << 20
SENTENCE = "The tide rises and falls twice a day."
ROWS = (("Harbour", "Range", "Day"), ("Brest", "6.1", "2025-08-26"), ("Ostend", "4.4", "2025-08-27"))
_ENTITIES = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">{}]>'
BOMB_DOCTYPE = _ENTITIES.format("".join(f'<!ENTITY c{n} "{f"&c{n - 1};" * 10 if n else "&b;"}">' for n in range(12)))


def docx() -> bytes:
    """A title, two headings, a list, a table, and properties."""
    from docx import Document

    document = Document()
    document.add_heading("Tides", 0)
    document.add_paragraph(SENTENCE)
    document.add_heading("Spring tides", 1)
    document.add_paragraph("They come with the new moon.", style="List Bullet")
    document.add_heading("Ranges", 2)
    table = document.add_table(len(ROWS), len(ROWS[0]))
    for row, values in zip(table.rows, ROWS, strict=True):
        for cell, value in zip(row.cells, values, strict=True):
            cell.text = value
    known = document.core_properties
    known.title, known.author, known.language, known.created = "All tides", "Ada", "en-GB", datetime(2025, 8, 26, 9)
    return _saved(document.save)


def pptx() -> bytes:
    """A slide with a title, text and notes, one without a title that has a table, and properties."""
    from pptx import Presentation
    from pptx.util import Inches

    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text = "Tides"
    slide.placeholders[1].text = SENTENCE
    slide.notes_slide.notes_text_frame.text = "Mention the moon."
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    shape = slide.shapes.add_table(len(ROWS), len(ROWS[0]), Inches(1), Inches(1), Inches(4), Inches(2))
    for place, values in enumerate(ROWS):
        for column, value in enumerate(values):
            shape.table.cell(place, column).text = value
    known = presentation.core_properties
    known.title, known.author, known.language, known.created = "All tides", "Ada", "en-GB", datetime(2025, 8, 26, 9)
    return _saved(presentation.save)


def xlsx() -> bytes:
    """A sheet with a table of words, numbers and days, an empty sheet, and properties."""
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Ranges"
    book.active.append(list(ROWS[0]))
    for harbour, span, day in ROWS[1:]:
        book.active.append([harbour, float(span), datetime.fromisoformat(day)])
    book.create_sheet("Empty")
    known = book.properties
    known.title, known.creator, known.language, known.created = "All tides", "Ada", "en-GB", datetime(2025, 8, 26, 9)
    return _saved(book.save)


def epub(chapter: str = f"<h1>Tides</h1><p>{SENTENCE}</p>", doctype: str = "", extra: str = "") -> bytes:
    """Two chapters and the usual fields; `doctype` stands in the package, `extra` is another member's content."""
    package = f"""<?xml version="1.0"?>{doctype}<package xmlns="http://www.idpf.org/2007/opf" version="3.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>All tides</dc:title><dc:creator>Ada</dc:creator>
<dc:language>en-GB</dc:language><dc:date>2025-08-26</dc:date></metadata>
<manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/><item id="b" href="b%20b.xhtml"/></manifest>
<spine><itemref idref="a"/><itemref idref="b"/></spine></package>"""
    page = '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><body>{}</body></html>'
    container = '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    members = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": f'{container}<rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        "OPS/book.opf": package,
        "OPS/a.xhtml": page.format(chapter),
        "OPS/b b.xhtml": page.format("<h1>Spring tides</h1><p>They come with the new moon.</p>"),
    }
    return zipped({**members, **({"META-INF/encryption.xml": extra} if extra else {})})


def eml() -> bytes:
    """A message with a plain and an HTML body and an attachment."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "All tides", "Ada <ada@example.org>", "Bo <bo@example.org>"
    message["Date"], message["Message-ID"] = "Tue, 26 Aug 2025 09:30:00 +0200", "<1@example.org>"
    message["Content-Language"] = "en-GB"
    message.set_content(f"{SENTENCE}\n\nNaïve sailors know.\n")
    message.add_alternative(f"<p>{SENTENCE}</p>", subtype="html")
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="tide.png")
    return message.as_bytes()


def mbox() -> bytes:
    """One message."""
    return b"From ada@example.org Tue Aug 26 09:30:00 2025\n" + eml() + b"\n"


def csv() -> bytes:
    """A table with the names of its columns."""
    return "".join(",".join(row) + "\r\n" for row in ROWS).encode()


def tsv() -> bytes:
    """The same, parted by tabs."""
    return "".join("\t".join(row) + "\n" for row in ROWS).encode()


def rst() -> bytes:
    """A title with an overline, a field list, a section."""
    return (
        f"=====\nTides\n=====\n\n:Date: 2025-08-26\n\n{SENTENCE}\n\nSpring tides\n------------\n\nNew moon.\n".encode()
    )


SAMPLES: Mapping[str, Callable[[], bytes]] = {
    ".docx": docx,
    ".pptx": pptx,
    ".pptm": pptx,
    ".xlsx": xlsx,
    ".xlsm": xlsx,
    ".epub": epub,
    ".eml": eml,
    ".mbox": mbox,
    ".csv": csv,
    ".tsv": tsv,
    ".rst": rst,
}
PACKED = (".docx", ".pptx", ".xlsx", ".epub")


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    """Return a ZIP file of members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def with_member(data: bytes, name: str, content: str | bytes) -> bytes:
    """Return a ZIP file with a member more, or another one in the place of the one of that name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    return zipped({**members, name: content})


def bomb(data: bytes, name: str = "word/more.xml") -> bytes:
    """Return a packed document with a member of 256 MiB that takes 261 kB."""
    return with_member(data, name, bytes(256 * MIB))


def lying_bomb(data: bytes) -> bytes:
    """Return the same, with a header that says the member holds 100 bytes."""
    whole = bytearray(bomb(data))
    size = (256 * MIB).to_bytes(4, "little")
    at = whole.find(size)
    while at >= 0:
        whole[at : at + 4] = (100).to_bytes(4, "little")
        at = whole.find(size, at)
    return bytes(whole)


def strict(data: bytes) -> bytes:
    """Return an Office document with the namespaces of ISO 29500 Strict."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    usual = re.compile(rb"http://schemas.openxmlformats.org/(officeDocument|[a-z]+ml)/2006/")
    return zipped({name: usual.sub(rb"http://purl.oclc.org/ooxml/\1/", content) for name, content in members.items()})


def encrypted(data: bytes) -> bytes:
    """Return a packed document whose members all say that they need a password."""
    whole = bytearray(data)
    for mark, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = whole.find(mark)
        while at >= 0:
            whole[at + flag] |= 1
            at = whole.find(mark, at + 1)
    return bytes(whole)


def encrypted_office() -> bytes:
    """The beginning of what Office makes of a document with a password: no ZIP, but a compound file."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000) + "EncryptedPackage".encode("utf-16-le") + bytes(500)


def outside_entity() -> str:
    """A document type with an entity that is a file of the machine that reads it."""
    return '<!DOCTYPE a [<!ENTITY secret SYSTEM "file:///etc/hostname">]>'


def deep_xml(depth: int = 100_000) -> str:
    """XML that is nested so deep."""
    return "<a>" * depth + "</a>" * depth


def deep_html(depth: int = 100_000) -> bytes:
    """HTML that is nested so deep."""
    return b"<div>" * depth + SENTENCE.encode() + b"</div>" * depth


def deep_mail(depth: int = 5_000) -> bytes:
    """A message in a message in a message."""
    return b"".join(b"Content-Type: message/rfc822\n\n" for _ in range(depth)) + SENTENCE.encode()


def wide_html(size: int = 60 * MIB) -> bytes:
    """HTML of so many small elements that their tree takes more memory than a worker may use."""
    return b"<br>a" * (size // 5)


def pdf(contents: bytes, *, kids: str = "", count: int = 1, form: bool = False) -> bytes:
    """A PDF of `count` pages that all draw `contents`; `kids` are other children of its tree of pages."""
    stream = zlib.compress(contents, 9)
    own = "/XObject<</X 4 0 R>>" if form else ""
    cycle = "/X Do /X Do"
    objects: list[bytes] = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids or ' '.join(f'{5 + n} 0 R' for n in range(count))}]/Count {count}>>".encode(),
        f"<</Filter/FlateDecode/Length {len(stream)}>>stream\n".encode() + stream + b"\nendstream",
        f"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Length {len(cycle)}/Resources<</XObject<</X 4 0 R>>>>>>"
        f"stream\n{cycle}\nendstream".encode(),
    ]
    font = "/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"
    page = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 3 0 R/Resources<<{font}{own}>>>>".encode()
    body, places = b"%PDF-1.7\n", []
    for number, written in enumerate([*objects, *([page] * count)], 1):
        places.append(len(body))
        body += f"{number} 0 obj".encode() + written + b"endobj\n"
    table = f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n" + "".join(f"{at:010} 00000 n \n" for at in places)
    return body + f"{table}trailer<</Root 1 0 R/Size {len(places) + 1}>>\nstartxref\n{len(body)}\n%%EOF".encode()


def pdf_bomb() -> bytes:
    """A page of 256 MiB of blanks."""
    return pdf(b" " * (256 * MIB))


def pdf_cycle() -> bytes:
    """A tree of pages that holds itself."""
    return pdf(b"", kids="2 0 R 2 0 R")


def pdf_form_cycle() -> bytes:
    """A page that draws a form that draws itself, twice."""
    return pdf(b"/X Do", form=True)


def pdf_slow(pages: int = 2_000) -> bytes:
    """Some hundred kB that pypdf takes an hour for: each of many pages shows the same word very often."""
    return pdf(b"BT /F 9 Tf " + b"(tide)Tj " * 400_000 + b"ET", count=pages)


def pdf_locked(password: str, algorithm: str = "AES-256") -> bytes:
    """A PDF of one sentence, encrypted; with an empty password it opens like any other."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(f"BT /F 9 Tf ({SENTENCE})Tj ET".encode()))))
    writer.encrypt(password, "owner", algorithm=algorithm)
    return _saved(writer.write)


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()
