"""Files that were made to harm: bombs, entities, cycles, depth, locks and cuts; each is refused with what to do."""

import io
import random
import tracemalloc
import zipfile
from contextlib import suppress

import pytest

from benchmarks import samples
from rag import parsing
from rag.errors import LoadProblem
from rag.loaders import load, zipped


def refusal(data, name):
    """Return why a file is refused."""
    with pytest.raises(LoadProblem) as refused:
        list(load(data, name=name))
    return str(refused.value)


packed = pytest.mark.parametrize("suffix", samples.PACKED)


@packed
def test_a_bomb_is_refused_while_it_is_inflated(suffix):
    """256 MiB in 261 kB: less than 96 MiB are ever held, and no library is asked."""
    data = samples.bomb(samples.SAMPLES[suffix]())
    tracemalloc.start()
    try:
        assert "looks like a bomb" in refusal(data, "a" + suffix)
        assert tracemalloc.get_traced_memory()[1] < 96 << 20
    finally:
        tracemalloc.stop()


@packed
def test_a_bomb_that_lies_about_its_size_is_refused(suffix):
    """No more is inflated than the header admits."""
    data = samples.lying_bomb(samples.SAMPLES[suffix]())
    tracemalloc.start()
    try:
        assert "damaged" in refusal(data, "a" + suffix)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@packed
def test_too_many_members_are_refused(suffix, monkeypatch):
    """Before any of them is read."""
    monkeypatch.setattr(zipped, "MEMBER_LIMIT", 3)
    assert "over the limit of 3" in refusal(samples.SAMPLES[suffix](), "a" + suffix)


@packed
def test_an_encrypted_file_says_so(suffix):
    """Both ways: members with a password, and the compound file that Office makes."""
    data = samples.SAMPLES[suffix]()
    assert "is encrypted: save a copy without a password" in refusal(samples.encrypted(data), "a" + suffix)
    assert "is encrypted: save a copy without a password" in refusal(samples.encrypted_office(), "a" + suffix)


def test_an_old_office_document_says_so():
    """A compound file without a password is another format."""
    assert "old Office document" in refusal(samples.encrypted_office()[:900], "a.docx")


def test_a_protected_book_says_so():
    """Pages that are encrypted are refused; fonts that are do no harm."""
    reference = '<e><CipherReference xmlns="http://www.w3.org/2001/04/xmlenc#" URI="{}"/></e>'
    assert "copy protection" in refusal(samples.epub(extra=reference.format("OPS/b%20b.xhtml")), "a.epub")
    assert list(load(samples.epub(extra=reference.format("OPS/font.otf")), name="a.epub"))


@packed
@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_a_file_that_was_cut_off_says_so(suffix, share):
    """The directory of a packed file is at its end."""
    data = samples.SAMPLES[suffix]()
    assert "damaged" in refusal(data[: int(len(data) * share)], "a" + suffix)


MAIN = {".docx": "word/document.xml", ".pptx": "ppt/presentation.xml", ".xlsx": "xl/workbook.xml"}
MAIN |= {".epub": "OPS/book.opf"}


@packed
@pytest.mark.parametrize("coding", ["utf-8", "utf-16"])
def test_entities_are_not_expanded(suffix, coding):
    """Neither those that grow nor those that are files of the machine: a part that declares any is refused."""
    for declared, used in ((samples.BOMB_DOCTYPE, "&c11;"), (samples.outside_entity(), "&secret;")):
        part = f'<?xml version="1.0" encoding="{coding}"?>{declared}<a>{used}</a>'.encode(coding)
        data = samples.with_member(samples.SAMPLES[suffix](), MAIN[suffix], part)
        assert "declares entities" in refusal(data, "a" + suffix)


def test_entities_in_the_chapters_of_a_book_stay_unread():
    """They are read as HTML, which knows no entities of one's own."""
    (document,) = load(samples.epub(f"{samples.outside_entity()}<p>Tide &secret; &c11;</p>"), name="a.epub")
    assert "&secret; &c11;" in document.text


@pytest.mark.parametrize("name", ["../../../outside.xml", "/outside.xml", "..\\outside.xml", "C:\\outside.xml"])
@packed
def test_the_name_of_a_member_is_no_path(suffix, name, tmp_path, monkeypatch):
    """A file with such a member is read like any other, and nothing is written anywhere."""
    inner = tmp_path / "a" / "b" / "c"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    data = samples.with_member(samples.SAMPLES[suffix](), name, "<a/>")
    with suppress(LoadProblem):
        list(load(data, name="a" + suffix))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@packed
def test_deep_nesting_is_refused(suffix):
    """XML deeper than any document is."""
    reason = refusal(samples.with_member(samples.SAMPLES[suffix](), MAIN[suffix], samples.deep_xml()), "a" + suffix)
    assert "damaged" in reason


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        ("a.html", samples.deep_html(), "nested too deeply"),
        ("a.epub", samples.epub(samples.deep_html().decode()), "nested too deeply"),
        ("a.eml", samples.deep_mail(), "damaged"),
        ("a.json", b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
        ("a.pdf", samples.pdf_bomb(), "LimitReachedError"),
        ("a.pdf", samples.pdf_cycle(), "cyclic"),
        ("a.pdf", samples.pdf_form_cycle(), "no text"),
        ("a.pdf", samples.pdf_locked("secret"), "asks for a password"),
    ],
)
def test_depth_bombs_cycles_and_locks_are_refused(name, data, line):
    """With a line that says which."""
    assert line in refusal(data, name)


@pytest.mark.parametrize("algorithm", ["AES-256", "AES-128", "RC4-128"])
def test_a_pdf_that_opens_without_a_password_is_read(algorithm):
    """It is encrypted only to say what a reader may do with it."""
    (document,) = load(samples.pdf_locked("", algorithm), name="a.pdf")
    assert document.text.strip() == samples.SENTENCE


def test_a_page_that_fills_memory_fails_alone():
    """60 MiB of the smallest elements make a tree that a reader's memory does not hold."""
    parser = parsing.Parser(memory=256 << 20)
    with pytest.raises(LoadProblem, match="more memory than the limit of 256 MiB"):
        list(parser.load(samples.wide_html(), name="a.html"))
    assert list(parser.load(b"<p>The tide rises.</p>", name="a.html"))
    parser.close()


def test_a_pdf_that_takes_hours_fails_alone():
    """Pages that are each within every limit, but many."""
    parser = parsing.Parser(seconds=2)
    with pytest.raises(LoadProblem, match="longer than the limit of 2 seconds"):
        list(parser.load(samples.pdf_slow(), name="a.pdf"))
    parser.close()


@packed
def test_damaged_parts_break_nothing(suffix):
    """Bytes changed inside a member, which is packed again as if they belonged there: documents or a LoadProblem."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with zipfile.ZipFile(io.BytesIO(samples.SAMPLES[suffix]())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    names = [
        name for name, content in members.items() if name.endswith((".xml", ".rels", ".opf", ".xhtml")) and content
    ]
    for _ in range(40):
        name = chance.choice(names)
        damaged = bytearray(members[name])
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        with suppress(LoadProblem):
            for document in load(samples.zipped({**members, name: bytes(damaged)}), name="a" + suffix):
                document.text.encode("utf-8")
