"""The quote that answers and the exact words in it, how sure that is, other answers, and sources that disagree.

But for one test the server has no reader; what a reader would add is put into its answers on their way to the page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from api.cli.questioning import cells_of, confidence_in_words

MILL = "Who built the tide mill in the harbour of Norvale?"
LAMP = "What does the copper lamp of the observatory burn?"
BUILT = "The tide mill was built by the engineer Ada Quist and grinds forty tonnes of barley a day."
BURNS = "The 🪔 copper lamp of the observatory burns whale oil every winter night."


def said(passage: dict[str, Any], words: str) -> dict[str, Any]:
    """Cite words of a passage as a reader's answer is cited."""
    at, whole = passage["text"].index(words), passage["citation"]
    units = [len(passage["text"][:end].encode("utf-16-le")) // 2 for end in (at, at + len(words))]
    start, end = whole["start_char"] + at, whole["start_char"] + at + len(words)
    place = {"start_char": start, "end_char": end}
    place |= {"start_utf16": whole["start_utf16"] + units[0], "end_utf16": whole["start_utf16"] + units[1]}
    url = f"/d/{whole['document_id']}?s={start}-{end}"
    document = {name: passage["document"][name] for name in ("id", "title", "source", "published")}
    return {"text": words, "citation": {**whole, **place, "quote": words, "url": url}, "document": document}


def quoted(passage: dict[str, Any], words: str, kind: str = "sentence", *columns: str) -> dict[str, Any]:
    """Quote words of a passage as what answers."""
    return {**said(passage, words), "kind": kind, "confidence": 0.9, "columns": list(columns)}


def marked(answer: dict[str, Any], passage: dict[str, Any], words: str) -> None:
    """Mark words of a passage as those that answer."""
    place = said(passage, words)["citation"]
    offsets = {name: place[name] for name in ("start_char", "end_char", "start_utf16", "end_utf16")}
    passage["highlights"].append({"kind": "answer", **offsets})


def of(answer: dict[str, Any], document_id: str) -> dict[str, Any]:
    """Return the passage of an answer that a document gives."""
    return next(one for one in answer["passages"] if one["document"]["id"] == document_id)


def answered(service: Any) -> dict[str, Any]:
    """The answer about the mill as a reader would give it: exact, with another answer and a disagreement."""
    answer = service.ask(MILL, top_k=5)
    mill, steam = of(answer, "harbour.txt"), of(answer, "steam.txt")
    marked(answer, mill, "Ada Quist")
    answer["quote"] = quoted(mill, BUILT)
    answer["answer"] = {**said(mill, "Ada Quist"), "alternatives": [said(steam, "the town council")]}
    answer["conflicts"] = [
        {"kind": "date", "values": [said(mill, "1911"), said(steam, "the days of the sailing ships")]}
    ]
    return {**answer, "confidence": 0.914, "threshold": 0.5}


def lamp(service: Any) -> dict[str, Any]:
    """The answer about the lamp, after letters that UTF-16 counts twice."""
    answer = service.ask(LAMP)
    marked(answer, of(answer, "astral.txt"), "whale oil")
    exact = {**said(of(answer, "astral.txt"), "whale oil"), "alternatives": []}
    quote = quoted(of(answer, "astral.txt"), BURNS)
    return {**answer, "quote": quote, "answer": exact, "confidence": 0.6, "threshold": 0.5}


def tabled(service: Any, text: str, kind: str, *columns: str) -> dict[str, Any]:
    """An answer whose first passage is made of a text, quoted whole, with `Piotr` as the exact words."""
    answer = service.ask(MILL)
    first = answer["passages"][0]
    first |= {"text": text, "highlights": []}
    words = {**said(first, "Piotr"), "alternatives": []}
    return {
        **answer,
        "quote": quoted(first, text, kind, *columns),
        "answer": words,
        "confidence": 0.8,
        "threshold": 0.5,
    }


def test_the_exact_words_stand_in_the_quote_with_its_source(given: Callable[..., Page], service: Any) -> None:
    """Above the passages: the quote, in it the words marked, then who says so and when."""
    exact = given(answered(service)).get_by_role("region", name="Answer", exact=True)
    expect(exact.locator("blockquote")).to_have_text(BUILT)
    expect(exact.locator("mark.answer")).to_have_text("Ada Quist")
    expect(exact.get_by_role("button", name="Source 1: Tide mill opens")).to_be_visible()
    expect(exact.locator(".about")).to_contain_text("Norvale Post")
    expect(exact.locator("time")).to_have_text("26 Aug 2025")


def test_exact_words_are_marked_to_the_character_after_emoji(given: Callable[..., Page], service: Any) -> None:
    """In the quote at the top, in the passage, and in the viewer, where they are in view in the quote."""
    page = given(lamp(service))
    expect(page.locator(".exact mark.answer")).to_have_text("whale oil")
    expect(page.locator(".passage mark.answer")).to_have_text(["whale oil"])
    page.locator(".exact .chip").click()
    mark = page.get_by_role("dialog").locator("mark.answer")
    expect(mark).to_have_text("whale oil")
    expect(mark).to_be_in_viewport()
    expect(page.get_by_role("dialog").locator("mark.cited")).to_have_text(BURNS)


def test_a_quote_without_exact_words_stands_alone(given: Callable[..., Page], service: Any) -> None:
    """Nothing in it is marked; its chip opens it, and a screen reader hears it."""
    page = given({**lamp(service), "answer": None})
    expect(page.locator(".exact blockquote")).to_have_text(BURNS)
    expect(page.locator(".exact mark")).to_have_count(0)
    expect(page.get_by_role("status").first).to_have_text(re.compile(rf"passages?\. Quoted: “{re.escape(BURNS)}” Conf"))
    page.locator(".exact .chip").click()
    expect(page.get_by_role("dialog").locator("mark.cited")).to_have_text(BURNS)
    expect(page.get_by_role("dialog").locator("mark.cited")).to_be_in_viewport()


def test_words_that_lie_elsewhere_are_not_marked_in_the_quote(given: Callable[..., Page], service: Any) -> None:
    """Only what stands in the quote is marked there, whatever its offsets."""
    answer = lamp(service)
    elsewhere = {**answer["answer"]["citation"], "document_id": "harbour.txt"}
    page = given({**answer, "answer": {**answer["answer"], "citation": elsewhere}})
    expect(page.locator(".exact blockquote")).to_have_text(BURNS)
    expect(page.locator(".exact mark")).to_have_count(0)


def test_a_row_shows_its_cells_under_their_columns(given: Callable[..., Page], service: Any) -> None:
    """Each cell beside the name of its column, empty ones left out, the exact words marked in theirs."""
    page = given(tabled(service, "| 🪔 Gdańsk | Piotr W. | |", "row", "City", "Manager", "Since"))
    cells = page.locator(".exact blockquote dl")
    expect(cells.locator("dt")).to_have_text(["City", "Manager"])
    expect(cells.locator("dd")).to_have_text(["🪔 Gdańsk", "Piotr W."])
    expect(cells.locator("mark.answer")).to_have_text("Piotr")
    expect(page.get_by_role("status").first).to_contain_text("Quoted: “City: 🪔 Gdańsk, Manager: Piotr W.”")


@pytest.mark.parametrize(
    ("text", "columns", "cells"),
    [
        ("| a | b |", ["A", "B"], [["A", "a"], ["B", "b"]]),
        ("|a||c\\|d|", ["A", "B", "C"], [["A", "a"], ["C", "c\\|d"]]),
        ("a | b", ["A", "B"], [["A", "a"], ["B", "b"]]),
        ("- A: a | C: c: d", ["A", "B", "C"], [["A", "a"], ["C", "c: d"]]),
        ("- a | B: b", ["", "B"], [["", "- a"], ["B", "b"]]),
        ("- A: a | b | B: b", ["A", "B"], []),
        ("a | b | c", ["A", "B"], []),
        ("a | b", [], []),
    ],
)
def test_page_and_command_line_read_a_row_alike(
    open_page: Callable[..., Page], text: str, columns: list[str], cells: list[list[str]]
) -> None:
    """Both tell the same cells from each other, or none where it is not sure which column they belong to."""
    quote = {"kind": "row", "text": text, "columns": columns}
    script = "quote => import('/page/quote.js').then(read => read.cellsOf(quote) || [])"
    assert [[cell["name"], text[cell["start"] : cell["end"]]] for cell in open_page().evaluate(script, quote)] == cells
    assert [[name, text[start:end]] for name, start, end in cells_of(quote)] == cells


def test_a_list_keeps_its_lines(given: Callable[..., Page], service: Any) -> None:
    """An item is a line; a sentence that was broken into lines runs on."""
    items = "- Piotr\n- Anna\n- Maria"
    assert given(tabled(service, items, "list")).locator(".exact blockquote").inner_text() == items
    page = given(tabled(service, "Piotr came\nhome.", "sentence"))
    assert page.locator(".exact blockquote").inner_text() == "Piotr came home."


def test_a_follow_up_takes_the_quote_along(given: Callable[..., Page], service: Any) -> None:
    """It is what the assistant said."""
    page = given(answered(service))
    page.fill("#query", "And when?")
    with page.expect_request("**/v1/ask") as sent:
        page.press("#query", "Enter")
    assert json.loads(sent.value.post_data or "{}")["history"] == [
        {"role": "user", "content": MILL},
        {"role": "assistant", "content": BUILT},
    ]


def test_confidence_is_told_in_words(given: Callable[..., Page], service: Any) -> None:
    """With the probability as a percentage, and in the words of the command line."""
    page = given(lamp(service))
    expect(page.locator(".confidence")).to_have_text("Confidence that the answer is here: medium (60 %)")
    steps = [0.0, 0.2499, 0.25, 0.4999, 0.5, 0.7499, 0.75, 0.8999, 0.9, 1.0]
    words = "steps => import('/page/words.js').then(words => steps.map(words.confidenceInWords))"
    assert page.evaluate(words, steps) == [confidence_in_words(one) for one in steps]


def test_without_a_reader_nothing_is_said_of_exact_words_or_confidence(asked: Callable[..., Page]) -> None:
    """The passages stand as they did."""
    page = asked(MILL)
    expect(page.locator(".passage").first).to_be_visible()
    expect(page.locator(".exact, .confidence, .alternatives, .conflict, .sample.answer")).to_have_count(0)


def test_other_answers_are_listed_with_their_sources(given: Callable[..., Page], service: Any) -> None:
    """Each in its sentence; its chip opens the document at it."""
    page = given(answered(service))
    others = page.get_by_role("region", name="Other answers")
    expect(others.locator("mark.answer")).to_have_text(["the town council"])
    expect(others.locator(".about")).to_contain_text("Old Gazette")
    others.get_by_role("button", name="Steam mill closed").click()
    expect(page.get_by_role("dialog").locator("mark.answer")).to_have_text("the town council")


def test_sources_that_disagree_are_shown_side_by_side(given: Callable[..., Page], service: Any) -> None:
    """Both values with quote, source and date, and a plain statement, also for those who hear the page."""
    page = given(answered(service))
    conflict = page.get_by_role("region", name="Sources disagree")
    expect(conflict.get_by_role("heading")).to_have_text("Sources disagree on a date")
    expect(conflict.locator(".value")).to_have_text(["1911", "the days of the sailing ships"])
    expect(conflict.locator("blockquote").first).to_contain_text("It replaces the steam mill that burned down in 1911.")
    expect(conflict.locator("time")).to_have_text(["26 Aug 2025", "Mar 1912"])
    boxes = [one.bounding_box() for one in conflict.locator(".said").all()]
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["y"] == boxes[1]["y"]
    expect(page.get_by_role("status").first).to_have_text(
        re.compile(rf"The answer: Ada Quist\. Quoted: “{BUILT}” Confidence: very high\. Sources disagree\.$")
    )


def test_words_of_a_passage_that_is_not_shown_open_at_their_place(given: Callable[..., Page], service: Any) -> None:
    """The value alone, a chip without a number, and the viewer at the words."""
    answer = answered(service)
    answer["passages"] = [one for one in answer["passages"] if one["document"]["id"] != "steam.txt"]
    page = given(answer)
    other = page.get_by_role("region", name="Other answers")
    expect(other.locator("blockquote")).to_have_text("the town council")
    other.get_by_role("button", name="Source: Steam mill closed").click()
    expect(page.get_by_role("dialog").locator("mark.cited")).to_have_text("the town council")


def test_words_outside_of_the_marked_sentences_stand_in_one_that_is_guessed(
    given: Callable[..., Page], service: Any
) -> None:
    """Those of another answer: from one full stop to the next."""
    answer = lamp(service)
    for passage in answer["passages"]:
        passage["highlights"] = [one for one in passage["highlights"] if one["kind"] != "sentence"]
    answer["answer"]["alternatives"] = [said(of(answer, "astral.txt"), "whale oil")]
    expect(given(answer).locator(".alternatives blockquote")).to_have_text(BURNS)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("word " * 50 + "HERE" + " word" * 50, "… " + "word " * 19 + "HERE" + " word" * 19 + " …"),
        ("Is 3.5 more? It is HERE, he said.” No.", "It is HERE, he said.”"),
        ("HERE", "HERE"),
        ("word HERE word", "word HERE word"),
    ],
)
def test_a_guessed_sentence_is_cut_at_words_where_it_is_long(
    open_page: Callable[..., Page], text: str, shown: str
) -> None:
    """And an ellipsis tells the cut."""
    at = text.index("HERE")
    place, whole = {"start_utf16": at, "end_utf16": at + 4}, {"start_utf16": 0}
    given = [place, {"text": text, "citation": whole, "highlights": []}]
    words = "given => import('/page/marks.js').then(marks => marks.inSentence(...given))"
    assert "".join(open_page().evaluate(words, given)) == shown


def test_what_a_reader_says_reaches_the_page(browser: Browser, reading: Any) -> None:
    """Streamed: the words that the API answers, marked at the top and in their passage, and its confidence."""
    answer = reading.ask(MILL, min_confidence=0)
    page = browser.new_page()
    lenient = {"query": MILL, "collection": "default", "stream": True, "min_confidence": 0}
    page.route("**/v1/ask", lambda route: route.continue_(post_data=json.dumps(lenient)))
    page.goto(f"{reading.url}/?q={quote(MILL)}")
    expect(page.locator(".exact blockquote")).to_have_text(answer["quote"]["text"])
    expect(page.locator(".exact mark.answer")).to_have_text(answer["answer"]["text"])
    expect(page.locator(".confidence strong")).to_have_text(confidence_in_words(answer["confidence"]))
    expect(page.locator(".alternatives .said")).to_have_count(len(answer["answer"]["alternatives"]))
    marks = [mark for passage in answer["passages"] for mark in passage["highlights"] if mark["kind"] == "answer"]
    expect(page.locator(".passage mark.answer")).to_have_count(len(marks))
    assert marks
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing_and_nothing_is_too_wide(
    given: Callable[..., Page], service: Any, scheme: str, width: int, violations: Callable[[Page], list[str]]
) -> None:
    """With a quote, other answers and disagreement on the page, with the viewer at the words, and with a row."""
    page = given(answered(service), width=width, color_scheme=scheme)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator(".exact .chip").click()
    expect(page.get_by_role("dialog").locator("mark.answer")).to_be_visible()
    assert violations(page) == []
    page = given(
        tabled(service, f"Piotr | {'long' * 30}", "row", "Manager", "Something"), width=width, color_scheme=scheme
    )
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_source_of_the_answer_is_reached_by_keyboard(
    given: Callable[..., Page], service: Any, tab_to: Callable[[Page, Locator], None]
) -> None:
    """Tab to its chip, Enter to the words, Escape back to the chip."""
    page = given(answered(service))
    chip = page.locator(".exact .chip")
    tab_to(page, chip)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").locator("mark.answer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(chip).to_be_focused()
