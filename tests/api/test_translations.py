"""From the domain to JSON: what the command line prints and HTTP answers."""

from __future__ import annotations

from dataclasses import replace

from api.translations import answer_json, document_url
from index.types import DocumentInfo
from rag.types import Answer, AnswerPassage, Citation, Highlight, Reason

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
)
DECLINED = Answer(
    query="q",
    standalone_query="q again",
    answerable=False,
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
    assert passage["scores"] == {"dense": None, "lexical": 1.5, "fused": 0.5}


def test_an_explanation_is_there_only_where_it_was_asked_for() -> None:
    """Without one the member is left out; everything else that is null stays."""
    explained = replace(DECLINED, nearest=[replace(PASSAGE, explain={"dense_rank": None})])
    assert answer_json(explained, "c")["nearest"][0]["explain"] == {"dense_rank": None}
    plain = answer_json(DECLINED, "c")["nearest"][0]
    assert "explain" not in plain
    assert plain["document"]["title"] is None


def test_an_address_names_the_collection_only_where_it_must() -> None:
    """`default` is understood; an id needs no more escaping than its tildes allow."""
    assert document_url("default", "a~2Fb") == "/d/a~2Fb"
    assert document_url("default", "a", (1, 2)) == "/d/a?s=1-2"
    assert document_url("notes", "a") == "/d/a?collection=notes"
