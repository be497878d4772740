"""Asking: what is shown for each way in which a question can end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

MILL = "Who built the tide mill in the harbour of Norvale?"
NOWHERE = "What is the boiling point of liquid tungsten hexafluoride in kelvin at sea level pressure?"


def marks(passage: Any, kind: str) -> list[str]:
    """What the API marks as `kind` in a passage, cut by its code points, in the order of the text."""
    start = passage["citation"]["start_char"]
    spans = sorted((one["start_char"], one["end_char"]) for one in passage["highlights"] if one["kind"] == kind)
    return [passage["text"][one - start : other - start] for one, other in spans]


def test_a_question_shows_passages_with_title_source_and_date(asked: Callable[..., Page]) -> None:
    """The first passage names its document, who published it and when, and quotes it."""
    first = asked(MILL).locator(".passage").first
    expect(first.get_by_role("button", name="Source 1: Tide mill opens")).to_be_visible()
    expect(first.locator(".about")).to_contain_text("Norvale Post")
    expect(first.locator("time")).to_have_text("26 Aug 2025")
    expect(first.locator("time")).to_have_attribute("datetime", "2025-08-26")
    expect(first.locator("blockquote")).to_contain_text("Ada Quist")


def test_a_document_without_date_and_title_says_undated_and_shows_its_name(asked: Callable[..., Page]) -> None:
    """What is unknown stays unknown: no title and no date are made up."""
    page = asked("Where does the violet orchid of Tamsin grow?")
    first = page.locator(".passage", has_text="violet orchid").first
    expect(first.get_by_role("button", name="long.txt")).to_be_visible()
    expect(first.locator(".about")).to_contain_text("undated")
    expect(first.locator("time")).to_have_count(0)


@pytest.mark.parametrize("query", [MILL, "What does the copper lamp of the observatory burn?"])
def test_what_is_marked_equals_what_the_api_marks(asked: Callable[..., Page], service: Any, query: str) -> None:
    """Sentences and terms are marked to the character, also after emoji and letters beyond the basic plane."""
    answer = service.ask(query)
    page = asked(query)
    shown = page.locator(".passage").all()
    assert len(shown) == len(answer["passages"]) > 0
    assert any(marks(passage, "sentence") and marks(passage, "term") for passage in answer["passages"])
    for element, passage in zip(shown, answer["passages"], strict=True):
        assert element.locator("mark.sentence").all_text_contents() == marks(passage, "sentence")
        assert element.locator("mark.term").all_text_contents() == marks(passage, "term")
        assert (element.locator("blockquote").text_content() or "").strip() == passage["text"].strip()


def test_not_answered_gives_the_reason_and_what_came_nearest(asked: Callable[..., Page], service: Any) -> None:
    """Whichever way it is not answered, the page shows what the API says; test_outcomes.py has how."""
    answer = service.ask(NOWHERE)
    assert not answer["answerable"]
    page = asked(NOWHERE)
    turn = page.locator(f".turn.{answer['outcome']}")
    expect(turn.locator(".finding")).to_contain_text(answer["reason"]["text"])
    expect(turn.locator(".passage")).to_have_count(len(answer["nearest"]))
    assert answer["nearest"], "the test needs something near"


def test_an_empty_collection_invites_to_add_documents(open_page: Callable[..., Page]) -> None:
    """Without documents there are no examples, but a place to add some."""
    page = open_page("/?collection=empty")
    expect(page.get_by_role("heading", name="Nothing to ask yet")).to_be_visible()
    expect(page.get_by_text("Choose files")).to_be_visible()


def test_examples_are_asked_by_one_press(open_page: Callable[..., Page], service: Any) -> None:
    """Before the first question the page shows how much there is, and examples that the documents answer."""
    examples = service.call("GET", "/v1/collections/default")["examples"]
    assert examples
    page = open_page()
    expect(page.locator(".facts")).to_contain_text("6 documents, last changed")
    page.get_by_role("button", name=examples[0]).click()
    expect(page.locator(".turn.answered h2")).to_have_text(examples[0])


def test_the_address_asks_the_question_again(asked: Callable[..., Page], open_page: Callable[..., Page]) -> None:
    """Asking puts the question in the address, and that address opened elsewhere asks it."""
    page = asked(MILL)
    parts = urlsplit(page.url)
    assert parse_qs(parts.query) == {"q": [MILL]}
    again = open_page(f"/?{parts.query}")
    expect(again.locator(".turn.answered h2")).to_have_text(MILL)


def test_back_shows_the_question_before(asked: Callable[..., Page]) -> None:
    """The browser's Back button asks the question of that address again."""
    page = asked(MILL)
    page.fill("#query", NOWHERE)
    page.press("#query", "Enter")
    expect(page.locator(".turn").first.locator("h2")).to_have_text(NOWHERE)
    page.go_back()
    expect(page.locator(".turn").first.locator("h2")).to_have_text(MILL)


def test_a_whole_answer_serves_as_well_as_a_streamed_one(open_page: Callable[..., Page], service: Any) -> None:
    """A server that answers JSON where a stream was asked for is understood."""

    def whole(route: Route) -> None:
        asked = {**json.loads(route.request.post_data or "{}"), "stream": False}
        route.fulfill(json=service.call("POST", "/v1/ask", asked))

    page = open_page()
    page.route("**/v1/ask", whole)
    page.fill("#query", MILL)
    page.press("#query", "Enter")
    expect(page.locator(".turn.answered .passage").first).to_contain_text("Ada Quist")


def test_what_was_left_out_is_said(open_page: Callable[..., Page], service: Any) -> None:
    """A degraded answer names what it lacks."""

    def degraded(route: Route) -> None:
        route.fulfill(json={**service.ask(MILL), "degraded": ["dense_unavailable", "something_new"]})

    page = open_page()
    page.route("**/v1/ask", degraded)
    page.fill("#query", MILL)
    page.press("#query", "Enter")
    expect(page.locator(".turn .notice")).to_contain_text("Search by meaning is not available now")
    expect(page.locator(".turn .notice")).to_contain_text("Left out: something_new")


def test_a_dropped_stream_is_never_shown_as_an_answer(open_page: Callable[..., Page], service: Any) -> None:
    """When the stream ends before its answer the first finds go away, and asking again works."""
    candidates = json.dumps({"passages": service.ask(MILL)["passages"]})
    half = f"event: candidates\ndata: {candidates}\n\nevent: answer\ndata: {{"
    page = open_page()
    page.route("**/v1/ask", lambda route: route.fulfill(content_type="text/event-stream", body=half))
    page.fill("#query", MILL)
    page.press("#query", "Enter")
    expect(page.locator(".turn.failed")).to_contain_text("lost before the answer was complete")
    expect(page.locator(".passage")).to_have_count(0)
    page.unroute("**/v1/ask")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".turn.answered .passage").first).to_contain_text("Ada Quist")
    expect(page.locator(".turn")).to_have_count(1)


def test_a_server_that_cannot_be_reached_is_said_and_the_question_kept(
    open_page: Callable[..., Page], watched: Any
) -> None:
    """Offline: a plain cause and a retry that asks the same question."""
    watched.excused = ("Failed to load resource",)
    page = open_page()
    page.route("**/v1/ask", lambda route: route.abort("connectionrefused"))
    page.fill("#query", MILL)
    page.press("#query", "Enter")
    expect(page.locator(".turn.failed")).to_contain_text("The server cannot be reached")
    expect(page.locator(".turn h2")).to_have_text(MILL)
    page.unroute("**/v1/ask")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".turn.answered h2")).to_have_text(MILL)


def test_a_refusal_shows_the_servers_reason_and_the_request_id(open_page: Callable[..., Page], watched: Any) -> None:
    """A question that is too long gets the server's own words."""
    watched.excused = ("Failed to load resource",)
    page = open_page()
    page.fill("#query", "mill " * 2000)
    page.press("#query", "Enter")
    expect(page.locator(".turn.failed")).to_contain_text("8192")
    expect(page.locator(".turn.failed code")).not_to_be_empty()


def test_asking_can_be_cancelled(open_page: Callable[..., Page]) -> None:
    """While an answer is awaited there is a Cancel button, and it ends the waiting."""
    page = open_page()
    page.route("**/v1/ask", lambda route: None)
    page.fill("#query", MILL)
    page.press("#query", "Enter")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".turn.cancelled")).to_contain_text("Cancelled")


def test_a_follow_up_takes_the_turns_before_along(asked: Callable[..., Page], service: Any) -> None:
    """The second question is sent with the first and its answer, and the page shows how it was understood."""
    page = asked(MILL)
    page.fill("#query", "And how much does it grind?")
    with page.expect_request("**/v1/ask") as sent:
        page.press("#query", "Enter")
    given = json.loads(sent.value.post_data or "{}")
    assert [turn["role"] for turn in given["history"]] == ["user", "assistant"]
    assert given["history"][0]["content"] == MILL
    answer = service.call("POST", "/v1/ask", {**given, "stream": False})
    assert answer["standalone_query"]
    newest = page.locator(".turn").first
    expect(newest.locator(".understood")).to_contain_text(answer["standalone_query"])
    page.wait_for_url(f"**/?q={quote(answer['standalone_query'][:3])}*")
    assert parse_qs(urlsplit(page.url).query)["q"] == [answer["standalone_query"]]


def test_a_follow_up_can_be_asked_alone(asked: Callable[..., Page]) -> None:
    """Where a question was completed by the turns before, one press asks it exactly as it was written."""
    page = asked(MILL)
    page.fill("#query", "And how much does it grind?")
    page.press("#query", "Enter")
    with page.expect_request("**/v1/ask") as sent:
        page.get_by_role("button", name="Ask it alone").click()
    assert "history" not in json.loads(sent.value.post_data or "{}")
    expect(page.locator(".understood")).to_have_count(0)
    expect(page.locator(".turn")).to_have_count(2)


def test_a_long_passage_is_cut_to_its_sentences_until_asked_for(asked: Callable[..., Page], service: Any) -> None:
    """What is cut away is one press away, and in print nothing is cut."""
    query = "Which museum has the amber compass of Captain Rosenthal?"
    whole = " ".join(service.ask(query)["passages"][0]["text"].split())
    passage = asked(query).locator(".passage").first
    button = passage.get_by_role("button", name="Show the whole passage")
    expect(button).to_have_attribute("aria-expanded", "false")
    quote = passage.locator("blockquote")
    shown = " ".join(quote.inner_text().split())
    assert "amber compass of Captain Rosenthal was sold to the museum of Kirkwall" in shown
    assert len(shown) < len(whole)
    passage.page.emulate_media(media="print")
    expect(button).to_be_hidden()
    assert " ".join(quote.inner_text().split()) == whole
    passage.page.emulate_media(media="screen")
    button.click()
    expect(button).to_have_count(0)
    assert " ".join(quote.inner_text().split()) == whole
