"""From the domain to JSON: what the command line prints and HTTP answers."""

from __future__ import annotations

from dataclasses import replace

from api.translations import answer_json, document_url
from index.types import DocumentInfo
from rag.types import Answer, AnswerPassage, Citation, Conflict, Highlight, Reason, ShortAnswer

DOCUMENT = DocumentInfo(
    id="a.pdf",
    sha256="0" * 64,
    media_type="application/pdf",
    title=None,
    uri=None,
    source=None,
    published=None,
    language=None,
    encoding=None,
    metadata={},
    added="2025-08-26T09:30:00.123Z",
    characters=9,
    bytes=9,
    passages=1,
    fingerprint="f",
)
PASSAGE = AnswerPassage(
    rank=1,
    id="a.pdf:0",
    text="Some words",
    score=0.5,
    dense=None,
    lexical=1.5,
    document=DOCUMENT,
    citation=Citation("notes", "a.pdf", "0" * 64, 3, 13, 4, 14, "Some words", 2, 3, ("A", "B")),
    highlights=[Highlight("term", 8, 13, 9, 14)],
    fused=0.25,
    reader=-1.5,
)
SAID = ShortAnswer("words", replace(PASSAGE.citation, start=8, start_utf16=9, quote="words"), DOCUMENT)
DECLINED = Answer(
    query="q",
    standalone_query="q again",
    outcome="related",
    reason=Reason("below_threshold", "Nothing fits."),
    passages=[],
    nearest=[PASSAGE],
    token="7",
    degraded=("term_view_behind",),
    timing_ms={"total": 1.23456},
    warnings=["careful"],
)


def test_a_declined_answer_keeps_what_came_nearest() -> None:
    """Reason, nearest passages, what was left out and warnings are told."""
    told = answer_json(DECLINED, "sha256:c")
    assert told["reason"] == {"code": "below_threshold", "text": "Nothing fits."}
    assert [passage["id"] for passage in told["nearest"]] == ["a.pdf:0"]
    assert (told["degraded"], told["warnings"], told["standalone_query"]) == (
        ["term_view_behind"],
        ["careful"],
        "q again",
    )
    assert (told["snapshot"], told["timing_ms"]) == ({"token": "7", "config": "sha256:c"}, {"total": 1.235})


def test_a_passage_is_cited_to_page_heading_and_character() -> None:
    """The citation has every place that is known, and the highlight both kinds of offsets."""
    (passage,) = answer_json(DECLINED, "sha256:c")["nearest"]
    assert passage["citation"] == {
        "collection": "notes",
        "document_id": "a.pdf",
        "document_sha256": "0" * 64,
        "start_char": 3,
        "end_char": 13,
        "start_utf16": 4,
        "end_utf16": 14,
        "quote": "Some words",
        "page": {"first": 2, "last": 3},
        "heading_path": ["A", "B"],
        "url": "/d/a.pdf?collection=notes&s=3-13",
    }
    assert passage["highlights"] == [
        {"kind": "term", "start_char": 8, "end_char": 13, "start_utf16": 9, "end_utf16": 14}
    ]
    assert (passage["score"], passage["scores"]) == (
        0.5,
        {"dense": None, "lexical": 1.5, "fused": 0.25, "reader": -1.5},
    )


def test_an_explanation_is_there_only_where_it_was_asked_for() -> None:
    """Without one the member is left out; everything else that is null stays."""
    explained = replace(DECLINED, nearest=[replace(PASSAGE, explain={"dense_rank": None})])
    assert answer_json(explained, "c")["nearest"][0]["explain"] == {"dense_rank": None}
    plain = answer_json(DECLINED, "c")["nearest"][0]
    assert "explain" not in plain
    assert plain["document"]["title"] is None


def test_without_a_reader_there_is_neither_confidence_nor_exact_answer() -> None:
    """The members are null, and nothing disagrees."""
    told = answer_json(DECLINED, "c")
    assert (told["confidence"], told["threshold"], told["answer"], told["conflicts"]) == (None, None, None, [])


def test_an_exact_answer_is_cited_with_its_alternatives() -> None:
    """The words, their place and document, and the same of each other answer; confidence and threshold beside it."""
    other = replace(SAID, text="Some")
    told = answer_json(replace(DECLINED, confidence=0.75, threshold=0.5, answer=SAID, alternatives=[other]), "c")
    assert (told["confidence"], told["threshold"]) == (0.75, 0.5)
    document = {"id": "a.pdf", "title": None, "source": None, "published": None}
    whole = told["nearest"][0]["citation"]
    place = {"start_char": 8, "start_utf16": 9, "quote": "words", "url": "/d/a.pdf?collection=notes&s=8-13"}
    said = {"text": "words", "citation": whole | place, "document": document}
    assert told["answer"] == {**said, "confidence": None, "alternatives": [{**said, "text": "Some"}]}


def test_what_sources_disagree_on_is_told_value_by_value() -> None:
    """The kind, and each value with its place and its document with source and date."""
    dated = replace(SAID, document=replace(DOCUMENT, title="A", source="Post", published="2025-08"))
    (told,) = answer_json(replace(DECLINED, conflicts=[Conflict("number", [SAID, dated])]), "c")["conflicts"]
    assert told["kind"] == "number"
    assert [value["document"] for value in told["values"]] == [
        {"id": "a.pdf", "title": None, "source": None, "published": None},
        {"id": "a.pdf", "title": "A", "source": "Post", "published": "2025-08"},
    ]
    assert {value["citation"]["quote"] for value in told["values"]} == {"words"}


def test_an_address_names_the_collection_only_where_it_must() -> None:
    """`default` is understood; an id needs no more escaping than its tildes allow."""
    assert document_url("default", "a~2Fb") == "/d/a~2Fb"
    assert document_url("default", "a", (1, 2)) == "/d/a?s=1-2"
    assert document_url("notes", "a") == "/d/a?collection=notes"
