"""What `pincite ask` prints of an answer for a person, and what its options and those of `search` decide."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.commands import app
from api.cli.questioning import show_answer
from api.cli.service import Service
from api.translations import answer_json
from index.types import DocumentInfo
from rag.folders import Sent
from rag.types import Answer, AnswerPassage, Citation, Conflict, Highlight, Reason, ShortAnswer

TEXT = "Gates opened early. The bell was cast by Orla Finch in 1871 for St. Mary.\nNobody rings it."
DOCUMENT = DocumentInfo(
    id="bell.txt",
    sha256="0" * 64,
    media_type="text/plain",
    title="The bell",
    uri=None,
    source="Courier",
    published="1999",
    language="en",
    encoding=None,
    metadata={},
    added="2025-08-26T09:30:00.123Z",
    characters=len(TEXT),
    bytes=len(TEXT),
    passages=1,
    fingerprint="f",
)


def citation(words: str) -> Citation:
    """Cite words of the text, which begins at 100 of its document."""
    start = 100 + TEXT.index(words)
    end = start + len(words)
    return Citation("default", "bell.txt", "0" * 64, start, end, start, end, words, None, None, ())


def said(words: str, document: DocumentInfo = DOCUMENT) -> ShortAnswer:
    """Words of the text as a short answer."""
    return ShortAnswer(words, citation(words), document)


def passage() -> AnswerPassage:
    """The text as a passage, with the words that answer marked."""
    place = citation("Orla Finch")
    marks = [Highlight("answer", place.start, place.end, place.start_utf16, place.end_utf16)]
    return AnswerPassage(1, "bell.txt:0", TEXT, 0.9, 0.5, 2.0, DOCUMENT, citation(TEXT), marks)


ANSWER = Answer(
    "Who cast the bell?", None, "answered", None, [passage()], [], "1", (), {}, confidence=0.914, threshold=0.5
)
EXACT = replace(ANSWER, answer=said("Orla Finch"))


def printed(answer: Answer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines that are printed of an answer."""
    monkeypatch.setenv("COLUMNS", "200")
    show_answer(answer_json(answer, "c"))
    return capsys.readouterr().out.splitlines()


def test_the_exact_words_come_first(capsys: Any, monkeypatch: Any) -> None:
    """Then their sentence on one line, their place, and the confidence, before the passages."""
    lines = printed(EXACT, capsys, monkeypatch)
    assert lines[:6] == [
        "Orla Finch",
        "  “The bell was cast by Orla Finch in 1871 for St. Mary.”",
        "  The bell · Courier · 1999 · bell.txt 141–151",
        "Confidence: very high (0.91)",
        "",
        "1. The bell · Courier · 1999",
    ]


def test_other_answers_and_disagreement_are_told_with_quote_and_date(capsys: Any, monkeypatch: Any) -> None:
    """Each value with the sentence where the passages shown have it, and with source and date."""
    other = replace(DOCUMENT, id="log.txt", title=None, source="Log", published="1872-03")
    elsewhere = replace(said("1871", other), citation=replace(citation("1871"), document_id="log.txt"))
    conflict = Conflict("date", [said("1871"), elsewhere])
    lines = printed(replace(EXACT, alternatives=[said("St. Mary")], conflicts=[conflict]), capsys, monkeypatch)
    sentence = "  “The bell was cast by Orla Finch in 1871 for St. Mary.”"
    start = lines.index("Other answers:")
    assert lines[start : start + 4] == [
        "Other answers:",
        "• St. Mary",
        sentence,
        "  The bell · Courier · 1999 · bell.txt 164–172",
    ]
    start = lines.index("Sources disagree on a date:")
    assert lines[start + 1 : start + 6] == [
        "• 1871",
        sentence,
        "  The bell · Courier · 1999 · bell.txt 155–159",
        "• 1871",
        "  log.txt · Log · 1872-03 · log.txt 155–159",
    ]


def test_a_refusal_tells_reason_and_confidence(capsys: Any, monkeypatch: Any) -> None:
    """And what was left out, before everything else."""
    reason = Reason("below_threshold", "Nothing fits.")
    declined = replace(
        ANSWER, answerable=False, reason=reason, passages=[], confidence=0.1, degraded=("reader_budget",)
    )
    assert printed(declined, capsys, monkeypatch) == [
        "Left out: reader_budget",
        "",
        "Nothing fits.",
        "Confidence: very low (0.10)",
    ]


def test_without_a_reader_the_passages_stand_alone(capsys: Any, monkeypatch: Any) -> None:
    """Nothing is said of exact words or of confidence."""
    lines = printed(replace(ANSWER, confidence=None, threshold=None), capsys, monkeypatch)
    assert lines[0] == "1. The bell · Courier · 1999"


def test_the_options_about_reading_reach_the_server(services: dict[str, Service]) -> None:
    """Without reading there is no confidence; the least confidence decides whether it answers, and the exit status."""
    list(services["here"].ingest("default", [Sent("bell.txt", TEXT.encode())], lambda done: None))

    def run(*arguments: str) -> Any:
        ran = CliRunner().invoke(app, ["--data", services["here"].info()["data"], *arguments, "--json"])
        return json.loads(ran.stdout), ran.exit_code

    query = "Who cast the bell in 1871?"
    answered, status = run("ask", query, "--min-confidence", "0", "--budget-ms", "60000")
    assert (answered["threshold"], answered["answerable"], status) == (0, True, 0)
    declined, status = run("ask", query, "--min-confidence", "1")
    assert (declined["threshold"], declined["answerable"], status) == (1, False, 1)
    assert run("ask", query, "--no-read")[0]["confidence"] is None
    read, unread = run("search", query)[0], run("search", query, "--no-read", "--budget-ms", "1")[0]
    assert read["results"][0]["passages"][0]["scores"]["reader"] is not None
    assert unread["results"][0]["passages"][0]["scores"]["reader"] is None
