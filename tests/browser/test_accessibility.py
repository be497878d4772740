"""The page for everyone: axe in every state, the keyboard alone, narrow screens, right-to-left, print, less motion."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

MILL = "Who built the tide mill in the harbour of Norvale?"
NOWHERE = "What is the boiling point of liquid tungsten hexafluoride in kelvin at sea level pressure?"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_in_any_state(
    asked: Callable[..., Page], scheme: str, width: int, violations: Callable[[Page], list[str]]
) -> None:
    """Empty, filters and upload open, answered, viewer open, not answered, failed: no violation."""
    page = asked(MILL, width=width, color_scheme=scheme)
    assert violations(page) == []
    page.get_by_role("button", name="Source 1").click()
    expect(page.get_by_role("dialog").locator("mark.cited")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Filter by date and source").click()
    page.get_by_role("button", name="Add documents").click()
    page.set_input_files("input[type=file]", [{"name": "empty.txt", "mimeType": "text/plain", "buffer": b""}])
    expect(page.locator(".file.failed")).to_be_visible()
    page.fill("#query", NOWHERE)
    page.press("#query", "Enter")
    expect(page.locator(".turn:is(.related, .absent)")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_before_the_first_question(
    open_page: Callable[..., Page], scheme: str, width: int, violations: Callable[[Page], list[str]]
) -> None:
    """Neither with examples nor with the invitation to add documents."""
    page = open_page(width=width, color_scheme=scheme)
    expect(page.locator(".examples")).to_be_visible()
    assert violations(page) == []
    page = open_page("/?collection=empty", width=width, color_scheme=scheme)
    expect(page.get_by_role("heading", name="Nothing to ask yet")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_failure(
    asked: Callable[..., Page], watched: Any, scheme: str, violations: Callable[[Page], list[str]]
) -> None:
    """The message of a refused question is readable in both schemes."""
    watched.excused = ("Failed to load resource",)
    page = asked("mill " * 2000, color_scheme=scheme)
    expect(page.locator(".turn.failed")).to_be_visible()
    assert violations(page) == []


def test_the_whole_journey_by_keyboard_alone(
    open_page: Callable[..., Page], tab_to: Callable[[Page, Locator], None]
) -> None:
    """A question, Tab to the first source, Enter to open, Escape back, and `/` to the box again."""
    page = open_page()
    expect(page.locator("#query")).to_be_focused()
    page.keyboard.type("Is it built in 1911/1912: who built the tide mill of Norvale?")
    expect(page.locator("#query")).to_have_value("Is it built in 1911/1912: who built the tide mill of Norvale?")
    page.keyboard.press("Enter")
    page.wait_for_selector(".turn.answered")
    chip = page.locator(".chip").first
    tab_to(page, chip)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").locator("mark.cited")).to_be_focused()
    page.keyboard.press("Escape")
    expect(chip).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#query")).to_be_focused()


def test_shift_enter_begins_a_new_line_and_a_blank_question_is_not_asked(open_page: Callable[..., Page]) -> None:
    """Enter alone asks, and asks nothing where nothing is written."""
    page = open_page()
    page.focus("#query")
    page.keyboard.press("Enter")
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    expect(page.locator("#query")).to_have_value("one\ntwo")
    expect(page.locator(".turn")).to_have_count(0)


def test_an_answer_is_announced_once(asked: Callable[..., Page]) -> None:
    """The status line says how it ended, in one sentence, and a not-answered question gives its reason there."""
    page = asked(MILL)
    expect(page.get_by_role("status").first).to_contain_text("Answered with")
    page.fill("#query", NOWHERE)
    page.press("#query", "Enter")
    expect(page.get_by_role("status").first).to_have_text(re.compile(r"^(Not found|Related, but no sure answer)\. ."))


@pytest.mark.parametrize(
    "path", ["/", "/?q=" + MILL.replace(" ", "+"), "/?q=" + NOWHERE.replace(" ", "+"), "/d/long.txt"]
)
def test_320_pixels_need_no_sideways_scrolling(open_page: Callable[..., Page], path: str) -> None:
    """At 320 px, which is also 400 % zoom of 1280, nothing is wider than the screen."""
    page = open_page(path, width=320)
    page.wait_for_selector(".examples, .turn[aria-busy=false], .prose")
    if page.get_by_role("dialog").count() == 0:
        page.get_by_role("button", name="Filter by date and source").click()
        page.get_by_role("button", name="Add documents").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    wide = "element => element.scrollWidth > element.clientWidth"
    assert not any(box.evaluate(wide) for box in page.locator("main, .viewer-body").all())


def test_right_to_left_text_runs_right_to_left(asked: Callable[..., Page], service: Any) -> None:
    """An Arabic question and quote are set from the right, whatever the page's own direction."""
    service.call("PUT", "/v1/collections/arabic", {})
    text = "يقع متحف الفخار القديم في مدينة نورفيل. يعرض متحف الفخار ثلاثمئة جرة من الطين الأحمر."
    document = {"id": "museum.txt", "title": "متحف الفخار", "language": "ar", "text": text}
    service.call("POST", "/v1/documents", {"collection": "arabic", "documents": [document]})
    page = asked("يعرض متحف الفخار ثلاثمئة جرة", path="/?collection=arabic")
    direction = "element => getComputedStyle(element).direction"
    assert page.locator("blockquote").first.evaluate(direction) == "rtl"
    assert page.locator(".turn h2").evaluate(direction) == "rtl"


def test_print_shows_the_passages_without_the_controls(asked: Callable[..., Page]) -> None:
    """On paper stand the question and the cited passages."""
    page = asked(MILL)
    page.emulate_media(media="print")
    expect(page.locator(".passage").first).to_be_visible()
    expect(page.locator(".ask")).to_be_hidden()
    expect(page.get_by_role("button", name="Filter by date and source")).to_be_hidden()


def test_less_motion_is_respected(open_page: Callable[..., Page]) -> None:
    """Who asks for less motion gets no animation of the skeleton."""
    page = open_page(reduced_motion="reduce")
    page.route("**/v1/ask", lambda route: None)
    page.fill("#query", MILL)
    page.press("#query", "Enter")
    seconds = page.locator(".skeleton").evaluate("element => parseFloat(getComputedStyle(element).animationDuration)")
    assert seconds < 0.001
