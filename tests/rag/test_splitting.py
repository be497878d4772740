"""Passages and sentences over ordinary and hostile text."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.types import utf16_length
from rag.encoding import HashingEncoder
from rag.splitting import BLOCK, LONGEST, Packing, sentences, split
from rag.types import Heading, LoadedDocument, Span

ENCODER = HashingEncoder()
HOSTILE = st.text(
    alphabet=st.one_of(
        st.sampled_from(
            "ab .!?\n\r\t\x00\f\u2028\u2029\x85\u200d\u200b\u0301\u202e\u2066中文。「」😀👩\u200d👩🇩🇪'\"”)*-|1"
        ),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=600,
)


def document(text: str, headings: Sequence[Heading] = (), **more: object) -> LoadedDocument:
    """Return a plain loaded document."""
    return LoadedDocument(text=text, media_type="text/plain", original=b"", headings=headings, **more)  # type: ignore[arg-type]


def holds_everything(text: str, spans: Sequence[Span], body: Span) -> bool:
    """Say whether every character of the body but white space lies in a span."""
    covered: set[int] = set()
    for span in spans:
        covered.update(range(span.start, span.end))
    return all(place in covered or text[place].isspace() for place in range(body.start, body.end))


@settings(max_examples=200, deadline=None)
@given(HOSTILE, st.integers(1, 30))
def test_passages_of_hostile_text_are_exact_and_complete(text: str, repeats: int) -> None:
    """Whatever the text, passages lie in order, are trimmed, and hold everything; UTF-16 offsets count code units."""
    text = text * repeats
    passages = split(document(text), ENCODER.token_offsets, 40, Packing(target=38, overlap=8, header=8))
    for before, after in itertools.pairwise(passages):
        assert before.start < after.start
        assert before.end <= after.end
    for passage in passages:
        quote = text[passage.start : passage.end]
        assert quote
        assert quote == quote.strip()
        assert passage.start_utf16 == utf16_length(text[: passage.start])
    assert [passage.ordinal for passage in passages] == list(range(len(passages)))
    assert holds_everything(text, [Span(p.start, p.end) for p in passages], Span(0, len(text)))


@settings(max_examples=200, deadline=None)
@given(HOSTILE)
def test_sentences_tile_hostile_text(text: str) -> None:
    """Sentences are consecutive and together are the text."""
    spans = sentences(text)
    assert "".join(text[span.start : span.end] for span in spans) == text
    assert all(before.end == after.start for before, after in itertools.pairwise(spans))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("abc .\n", min_size=1, max_size=80), min_size=1, max_size=12))
def test_passages_stay_in_the_window_and_under_their_headings(parts: list[str]) -> None:
    """A passage has at most the target's tokens with its header, and never crosses a heading that has text."""
    text, headings = "", []
    for number, part in enumerate(parts):
        start = len(text)
        text += f"# Part {number}\n"
        headings.append(Heading(start, len(text), 1, f"Part {number}"))
        text += part + "\n"
    packing = Packing(target=30, overlap=6, header=8)
    passages = split(document(text, headings, title="Title"), ENCODER.token_offsets, 64, packing)
    for passage in passages:
        tokens = len(ENCODER.token_offsets(text[passage.start : passage.end]))
        assert tokens + len(ENCODER.token_offsets(passage.header)) <= 30
        assert passage.header.startswith("Title")
        inner = [h for h in headings if passage.start < h.start < passage.end]
        if inner:  # all before the last heading inside is headings too
            before = text[passage.start : inner[-1].start]
            assert all(line.startswith("# Part") for line in before.split("\n") if line.strip())
    assert holds_everything(text, [Span(p.start, p.end) for p in passages], Span(0, len(text)))


def test_overlap_repeats_whole_sentences() -> None:
    """The end of a passage is repeated at the start of the next, sentence by sentence."""
    text = " ".join(f"Sentence number {n} says this much." for n in range(40))
    passages = split(document(text), ENCODER.token_offsets, 64, Packing(target=40, overlap=10, header=8))
    assert len(passages) > 5
    for before, after in itertools.pairwise(passages):
        assert after.start < before.end
        assert text[after.start : before.end].count(".") == 1
        assert text[after.start :].startswith("Sentence")


def test_wire_prose_is_cut_into_its_sentences() -> None:
    """Abbreviations, initials, decimals, quotes and footnotes do not end a sentence; stops do."""
    text = (
        'Dr. A. P. Smith met Mr. Jones of Acme Inc. in Jan. 2024. "It went well." They paid $3.5 m.[2] '
        "Then No. 5 left! Why? 彼は来た。彼女も来た。"
    )
    assert [text[s.start : s.end].strip() for s in sentences(text)] == [
        "Dr. A. P. Smith met Mr. Jones of Acme Inc. in Jan. 2024.",
        '"It went well."',
        "They paid $3.5 m.[2]",
        "Then No. 5 left!",
        "Why?",
        "彼は来た。",
        "彼女も来た。",
    ]


def test_wrapped_lines_are_one_sentence_and_list_items_are_several() -> None:
    """A line break inside a wrapped sentence is no boundary; before a list item or after a short line it is."""
    text = (
        "The committee that was formed to study the matter\nmet twice before it reported.\n\nAgenda\n- first point\n"
        "- second point\n"
    )
    assert [text[s.start : s.end].strip() for s in sentences(text)] == [
        "The committee that was formed to study the matter\nmet twice before it reported.",
        "Agenda",
        "- first point",
        "- second point",
    ]


def test_the_header_names_title_and_headings_once() -> None:
    """The header holds the title and the heading path, without repeating a name, within its budget."""
    text = "# Guide\nintro\n## Install\nrun it\n"
    headings = [Heading(0, 8, 1, "Guide"), Heading(14, 25, 2, "Install")]
    first, second = split(document(text, headings, title="Guide"), ENCODER.token_offsets, 64, Packing(target=40))
    assert (first.header, first.heading_path) == ("Guide", ("Guide",))
    assert (second.header, second.heading_path) == ("Guide / Install", ("Guide", "Install"))
    assert text[second.start : second.end] == "## Install\nrun it"


def test_front_matter_is_no_passage_and_pages_are_numbered() -> None:
    """Only the body is split; a passage says on which pages it lies, from 1."""
    text = "---\ntitle: x\n---\nOne here.\n\nTwo there."
    loaded = document(text, body=Span(17, len(text)), pages=(0, 28))
    only = split(loaded, ENCODER.token_offsets, 64, Packing(target=40))
    assert [text[p.start : p.end] for p in only] == ["One here.\n\nTwo there."]
    assert (only[0].first_page, only[0].last_page) == (1, 2)


def test_combining_marks_and_joined_emoji_stay_whole() -> None:
    """No cut parts a letter from its accents, a joined emoji, or CR from LF."""
    family = "👩\u200d👩\u200d👧"
    for text in ("e\u0301" * 5_000, family * 2_000, "ab\r\n" * 5_000):
        for passage in split(document(text), ENCODER.token_offsets, 32, Packing(target=30, header=4)):
            quote = text[passage.start : passage.end]
            assert quote[0] not in "\u0301\u200d"
            assert quote[-1] != "\u200d"
            assert text[passage.end : passage.end + 1] != "\u0301"


@pytest.mark.parametrize("unit", ["x", "word ", "中"])
def test_work_on_a_single_line_grows_with_its_length(unit: str) -> None:
    """A line without separators is cut into blocks: the tokenizer and the splitter never see more than one."""
    longest = 0

    def offsets(text: str) -> Sequence[tuple[int, int]]:
        nonlocal longest
        longest = max(longest, len(text))
        return [(at, at + 1) for at in range(0, len(text), 4)]

    text = unit * (2_000_000 // len(unit))
    passages = split(document(text), offsets, 256, Packing())
    assert longest <= BLOCK
    assert all(passage.end - passage.start <= LONGEST for passage in passages)
    assert holds_everything(text, [Span(p.start, p.end) for p in passages], Span(0, len(text)))


def test_memory_on_a_long_line_is_not_quadratic() -> None:
    """Four times the text takes about four times the memory at its peak, not sixteen."""

    def peak(size: int) -> int:
        tracemalloc.start()
        split(document("ab cd. " * (size // 7)), ENCODER.token_offsets, 256, Packing())
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return reached

    peak(10_000)
    assert peak(800_000) < 8 * peak(200_000)
