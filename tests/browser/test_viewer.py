"""The document viewer: opened at the span, in step with the API's offsets, left as it was entered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

MILL = "Who built the tide mill in the harbour of Norvale?"
LAMP = "What does the copper lamp of the observatory burn?"
ORCHID = "Where does the violet orchid of Tamsin grow?"


def opened(page: Page) -> Locator:
    """The open viewer."""
    return page.get_by_role("dialog")


def test_a_chip_opens_the_document_at_the_cited_span(asked: Callable[..., Page], service: Any) -> None:
    """The mark holds the quote, is on the screen, has the focus, and the text around it is the document's."""
    passage = service.ask(MILL)["passages"][0]
    page = asked(MILL)
    page.get_by_role("button", name="Source 1").click()
    cited = opened(page).locator("mark.cited")
    expect(cited).to_have_text(passage["citation"]["quote"], use_inner_text=False)
    expect(cited).to_be_in_viewport()
    expect(cited).to_be_focused()
    whole = service.call("GET", f"/v1/documents/{passage['document']['id']}/text")["text"]
    assert opened(page).locator(".prose").text_content() == whole


def test_escape_closes_the_viewer_and_returns_the_focus_to_the_chip(asked: Callable[..., Page]) -> None:
    """Enter on a chip opens, Escape closes, and the chip has the focus again."""
    page = asked(MILL)
    chip = page.get_by_role("button", name="Source 1")
    chip.focus()
    page.keyboard.press("Enter")
    expect(opened(page).locator("mark.cited")).to_be_focused()
    page.keyboard.press("Escape")
    expect(opened(page)).to_have_count(0)
    expect(chip).to_be_focused()
    expect(page.locator(".turn")).to_have_count(1)


def test_the_close_button_and_back_close_it_too(asked: Callable[..., Page]) -> None:
    """Both ways lead back to the answer and its address."""
    page = asked(MILL)
    before = page.url
    for close in (lambda: page.get_by_role("button", name="Close the document").click(), page.go_back):
        page.get_by_role("button", name="Source 1").click()
        expect(opened(page)).to_be_visible()
        assert "/d/" in page.url
        close()
        expect(opened(page)).to_have_count(0)
        assert page.url == before
    expect(page.locator(".turn")).to_have_count(1)


def test_a_citations_address_opens_its_span(open_page: Callable[..., Page], service: Any) -> None:
    """The url of a citation counts code points, and emoji before the span do not shift the mark."""
    citation = service.ask(LAMP)["passages"][0]["citation"]
    assert citation["start_utf16"] != citation["start_char"], "the test needs astral characters before the span"
    page = open_page(citation["url"])
    expect(opened(page).locator("mark.cited")).to_have_text(citation["quote"], use_inner_text=False)


def test_highlights_in_the_viewer_stand_after_emoji_where_the_api_puts_them(
    asked: Callable[..., Page], service: Any
) -> None:
    """The sentence marked in the document is the API's, to the character."""
    passage = service.ask(LAMP)["passages"][0]
    whole = service.call("GET", f"/v1/documents/{passage['document']['id']}/text")["text"]
    spans = sorted((one["start_char"], one["end_char"]) for one in passage["highlights"] if one["kind"] == "sentence")
    expected = [whole[start:end] for start, end in spans]
    assert expected
    page = asked(LAMP)
    page.get_by_role("button", name="Source 1").click()
    expect(opened(page).locator("mark.cited")).to_be_visible()
    assert opened(page).locator("mark.sentence").all_text_contents() == expected


def test_a_long_document_is_opened_around_the_span(asked: Callable[..., Page], service: Any) -> None:
    """Of a megabyte only the neighbourhood is fetched; the rest comes by a button on each side."""
    passage = next(one for one in service.ask(ORCHID)["passages"] if "violet orchid" in one["text"])
    page = asked(ORCHID)
    page.get_by_role("button", name=f"Source {passage['rank']}").click()
    viewer = opened(page)
    expect(viewer.locator("mark.cited")).to_be_in_viewport()
    expect(viewer.locator("mark.cited")).to_have_text(passage["citation"]["quote"], use_inner_text=False)
    before = len(viewer.locator(".prose").text_content() or "")
    assert before < 45_000
    for name in ("Earlier text", "Later text"):
        viewer.get_by_role("button", name=name).click()
        page.wait_for_function("length => document.querySelector('.prose').textContent.length > length", arg=before)
        before = len(viewer.locator(".prose").text_content() or "")
        expect(viewer.locator("mark.cited")).to_have_text(passage["citation"]["quote"], use_inner_text=False)


def test_earlier_text_does_not_move_what_is_being_read(asked: Callable[..., Page]) -> None:
    """After earlier text came in, the marked sentence is still on the screen."""
    page = asked(ORCHID)
    page.locator(".passage", has_text="violet orchid").first.get_by_role("button", name="long.txt").click()
    viewer = opened(page)
    expect(viewer.locator("mark.cited")).to_be_in_viewport()
    length = len(viewer.locator(".prose").text_content() or "")
    viewer.get_by_role("button", name="Earlier text").evaluate("button => button.click()")
    page.wait_for_function("length => document.querySelector('.prose').textContent.length > length", arg=length)
    expect(viewer.locator("mark.cited")).to_be_in_viewport()


def test_on_a_narrow_screen_it_is_a_modal_sheet(asked: Callable[..., Page]) -> None:
    """Below 768 px the viewer covers the page, and Tab stays within it."""
    page = asked(MILL, width=390)
    page.get_by_role("button", name="Source 1").click()
    viewer = opened(page)
    expect(viewer.locator("mark.cited")).to_be_focused()
    box = viewer.bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 390)
    assert viewer.evaluate("dialog => dialog.matches(':modal')")
    page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    expect(page.get_by_role("button", name="Source 1")).to_be_focused()


def test_on_a_wide_screen_the_page_stays_usable_beside_it(asked: Callable[..., Page]) -> None:
    """The panel stands beside the answer, and another chip opens another span in it."""
    page = asked("What happened to the mill in the harbour?")
    chips = page.locator(".chip")
    assert chips.count() >= 2
    chips.nth(0).click()
    expect(opened(page).get_by_role("heading")).to_have_text(chips.nth(0).locator("bdi").inner_text())
    chips.nth(1).click()
    expect(opened(page)).to_have_count(1)
    expect(opened(page).get_by_role("heading")).to_have_text(chips.nth(1).locator("bdi").inner_text())
    page.keyboard.press("Escape")
    expect(chips.nth(1)).to_be_focused()


def test_a_changed_document_is_not_marked_at_the_old_place(asked: Callable[..., Page], service: Any) -> None:
    """When the document was replaced after the answer, the viewer says so and marks nothing."""
    service.call("PUT", "/v1/collections/changing", {})
    first = {"id": "note.txt", "text": "The ferry of Ostmark leaves at nine in the morning."}
    service.call("POST", "/v1/documents", {"collection": "changing", "documents": [first]})
    page = asked("When does the ferry of Ostmark leave?", path="/?collection=changing")
    later = {**first, "text": "A new first line.\n\nThe ferry of Ostmark leaves at ten in the morning."}
    service.call("POST", "/v1/documents", {"collection": "changing", "documents": [later]})
    page.get_by_role("button", name="Source 1").click()
    expect(opened(page).get_by_role("alert")).to_contain_text("changed since this was cited")
    expect(opened(page).locator("mark")).to_have_count(0)
    expect(opened(page).locator(".prose")).to_contain_text("at ten in the morning")


def test_a_document_that_is_gone_is_said(open_page: Callable[..., Page], watched: Any) -> None:
    """An address of a document that does not exist shows the server's reason, and closing leads to the page."""
    watched.excused = ("Failed to load resource",)
    page = open_page("/d/never-existed.txt?s=1-5")
    expect(opened(page).get_by_role("alert")).to_be_visible()
    page.keyboard.press("Escape")
    expect(opened(page)).to_have_count(0)
    expect(page.locator("#query")).to_be_focused()


def test_a_span_beyond_the_text_or_none_at_all_opens_the_document(open_page: Callable[..., Page]) -> None:
    """A span that the text does not reach is said; a nonsensical one shows the document from its start."""
    page = open_page("/d/harbour.txt?s=900000-900010")
    expect(opened(page).get_by_role("alert")).to_contain_text("not marked")
    for path in ("/d/harbour.txt?s=9-2", "/d/harbour.txt?s=x", "/d/harbour.txt"):
        page = open_page(path)
        expect(opened(page).locator(".prose")).to_contain_text("The harbour of Norvale")
        expect(opened(page).locator("mark")).to_have_count(0)
