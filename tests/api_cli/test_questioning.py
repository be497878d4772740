"""What `pincite ask` prints of an answer for a person, and what its options and those of `search` decide."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from api.cli.commands import app
from api.cli.questioning import quoted, show_answer
from api.cli.service import Service
from api.translations import answer_json
from index.types import DocumentInfo
from rag.folders import Sent
from rag.types import Answer, AnswerPassage, Citation, Conflict, Highlight, Quote, Reason, ShortAnswer

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
SENTENCE = "The bell was cast by Orla Finch in 1871 for St. Mary."
QUOTE = Quote(SENTENCE, "sentence", citation(SENTENCE), DOCUMENT, 0.9)
EXACT = replace(ANSWER, quote=QUOTE, answer=said("Orla Finch"))


def printed(answer: Answer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines that are printed of an answer."""
    monkeypatch.setenv("COLUMNS", "200")
    show_answer(answer_json(answer, "c"))
    return capsys.readouterr().out.splitlines()


def shown(answer: Answer) -> tuple[str, list[str]]:
    """Return the quote as it is printed, and what of it is printed in bold green."""
    value = answer_json(answer, "c")
    text = quoted(value["quote"], value["answer"])
    return text.plain, [text.plain[span.start : span.end] for span in text.spans if span.style == "bold green"]


def row(text: str, *columns: str) -> Answer:
    """An answer whose quote is a table row that begins at 100 of its document, and whose words are `Piotr` in it."""
    start = 100 + text.index("Piotr")
    place = replace(citation("The"), start=100, end=100 + len(text), quote=text)
    words = replace(place, start=start, end=start + 5, quote="Piotr")
    quote = Quote(text, "row", place, DOCUMENT, 0.9, columns)
    return replace(ANSWER, quote=quote, answer=ShortAnswer("Piotr", words, DOCUMENT))


@pytest.mark.parametrize("words", ["Orla Finch", None])
def test_the_quote_comes_first(capsys: Any, monkeypatch: Any, words: str | None) -> None:
    """Then its place and the confidence, before the passages, with exact words in it or without."""
    lines = printed(replace(EXACT, answer=said(words) if words else None), capsys, monkeypatch)
    assert lines[:5] == [
        SENTENCE,
        "  The bell · Courier · 1999 · bell.txt 120–173",
        "Confidence: very high (0.91)",
        "",
        "1. The bell · Courier · 1999",
    ]


def test_the_exact_words_are_bold_in_the_quote() -> None:
    """And nothing is, where there are none or where they lie elsewhere."""
    assert shown(EXACT) == (SENTENCE, ["Orla Finch"])
    assert shown(replace(EXACT, answer=None)) == (SENTENCE, [])
    assert shown(replace(EXACT, answer=said("Gates"))) == (SENTENCE, [])


@pytest.mark.parametrize(
    ("text", "columns", "printed"),
    [
        ("| Gdańsk | Piotr | |", ("City", "Manager", "Since"), "City: Gdańsk · Manager: Piotr"),
        ("- City: Gdańsk | Manager: Piotr", ("City", "Since", "Manager"), "City: Gdańsk · Manager: Piotr"),
        ("Gdańsk | Piotr", (), "Gdańsk | Piotr"),
    ],
)
def test_a_row_is_printed_with_its_columns(text: str, columns: tuple[str, ...], printed: str) -> None:
    """Its exact words bold, wherever the names of the columns stand; as it is where they are not known."""
    assert shown(row(text, *columns)) == (printed, ["Piotr"])


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


@pytest.mark.parametrize(
    ("outcome", "title"),
    [("related", "What speaks of it (no sure answer):"), ("absent", "What came nearest (not an answer):")],
)
def test_a_refusal_tells_reason_and_confidence(
    capsys: Any, monkeypatch: Any, outcome: Literal["related", "absent"], title: str
) -> None:
    """What was left out and warnings before everything else, then the passages under words that say what they are."""
    declined = replace(
        ANSWER,
        outcome=outcome,
        reason=Reason("below_threshold", "Nothing fits."),
        passages=[],
        nearest=[passage()],
        confidence=0.1,
        degraded=("reader_budget",),
        warnings=("Little was read.",),
    )
    assert printed(declined, capsys, monkeypatch)[:9] == [
        "Left out: reader_budget",
        "Little was read.",
        "",
        "Nothing fits.",
        "Confidence: very low (0.10)",
        "",
        title,
        "",
        "1. The bell · Courier · 1999",
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
    assert (answered["threshold"], answered["outcome"], status) == (0, "answered", 0)
    declined, status = run("ask", query, "--min-confidence", "1")
    assert (declined["threshold"], declined["outcome"] in {"related", "absent"}, status) == (1, True, 1)
    assert run("ask", query, "--no-read")[0]["confidence"] is None
    read, unread = run("search", query)[0], run("search", query, "--no-read", "--budget-ms", "1")[0]
    assert read["results"][0]["passages"][0]["scores"]["reader"] is not None
    assert unread["results"][0]["passages"][0]["scores"]["reader"] is None
