"""Adding documents through the page, and narrowing what is asked by source, date and collection."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from playwright.sync_api import FilePayload, Page, expect

MILL = "Who built the tide mill in the harbour of Norvale?"
ANY_MILL = "What happened to the mill in the harbour of Norvale?"


def file(name: str, text: str) -> FilePayload:
    """A file as the file chooser takes it."""
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


def test_an_uploaded_file_is_found_at_once(open_page: Callable[..., Page], service: Any) -> None:
    """A file is chosen, its row says that it is searchable, and a question finds it."""
    service.call("PUT", "/v1/collections/uploads", {})
    page = open_page("/?collection=uploads")
    page.set_input_files("input[type=file]", [file("kite notes.txt", "The paper kite of Elva flew over a marsh.")])
    row = page.locator(".file", has_text="kite notes.txt")
    expect(row).to_contain_text("Searchable: 1 passage")
    expect(page.get_by_role("status").filter(has_text="kite notes.txt: Searchable")).to_have_count(1)
    page.fill("#query", "Where did the paper kite of Elva fly?")
    page.press("#query", "Enter")
    expect(page.locator(".turn.answered .passage").first).to_contain_text("over a marsh")
    expect(page.get_by_role("button", name="Source 1: kite notes.txt")).to_be_visible()


def test_each_file_ends_with_its_own_outcome(open_page: Callable[..., Page], service: Any) -> None:
    """A duplicate and a failure say what they are, and the good file beside them is added."""
    service.call("PUT", "/v1/collections/outcomes", {})
    page = open_page("/?collection=outcomes")
    good = file("good.txt", "The clockmaker of Brill repairs barometers on Fridays.")
    page.set_input_files("input[type=file]", [good, file("empty.txt", ""), good])
    rows = page.locator(".file")
    expect(rows.nth(0)).to_contain_text("Searchable")
    expect(rows.nth(1)).to_have_class("file failed")
    assert (rows.nth(1).locator(".file-state").text_content() or "").strip()
    expect(rows.nth(2)).to_contain_text("Already here")


def test_a_file_dropped_on_the_page_is_added(open_page: Callable[..., Page], service: Any) -> None:
    """Dropping works anywhere, and opens the list of files."""
    service.call("PUT", "/v1/collections/dropped", {})
    page = open_page("/?collection=dropped")
    expect(page.get_by_text("Choose files")).to_be_visible()
    page.evaluate(
        """() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(["The baker of Quill sells rye bread."], "bread.txt"));
          const options = { bubbles: true, cancelable: true, dataTransfer: transfer };
          for (const type of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, options));
        }"""
    )
    expect(page.locator(".file", has_text="bread.txt")).to_contain_text("Searchable")


def test_a_waiting_upload_can_be_cancelled(open_page: Callable[..., Page], service: Any) -> None:
    """Cancel ends the sending of a file; nothing of it is stored."""
    service.call("PUT", "/v1/collections/cancelled", {})
    page = open_page("/?collection=cancelled")
    page.route("**/v1/documents", lambda route: None)
    page.set_input_files("input[type=file]", [file("slow.txt", "The slow cart of Ebb.")])
    page.get_by_role("button", name="Cancel slow.txt").click()
    expect(page.locator(".file")).to_contain_text("Cancelled")
    assert service.call("GET", "/v1/collections/cancelled")["documents"] == 0


def test_a_source_filter_changes_results_and_address(asked: Callable[..., Page]) -> None:
    """Choosing a source asks the question again within it, and the address holds the filter."""
    page = asked(ANY_MILL)
    expect(page.locator(".turn.answered .source").first).to_be_visible()
    page.get_by_role("button", name="Filter by date and source").click()
    page.get_by_role("checkbox", name="Old Gazette").check()
    page.get_by_role("button", name="Apply filters").click()
    expect(page.get_by_role("button", name="Remove filter: Old Gazette")).to_be_visible()
    expect(page.locator(".turn.answered .source").first).to_have_text("Old Gazette")
    assert set(page.locator(".turn .source").all_text_contents()) == {"Old Gazette"}
    expect(page.locator(".turn")).to_have_count(1)
    given = parse_qs(urlsplit(page.url).query)
    assert json.loads(given["filter"][0]) == {"field": "source", "in": ["Old Gazette"]}
    assert given["q"] == [ANY_MILL]


def test_a_date_filter_changes_results_and_its_chip_takes_it_away(asked: Callable[..., Page]) -> None:
    """Only what was published in the range is left; removing the chip brings the rest back."""
    page = asked(ANY_MILL)
    page.get_by_role("button", name="Filter by date and source").click()
    page.get_by_label("From").fill("2025-01-01")
    page.get_by_label("Until").fill("2025-12-31")
    page.get_by_role("button", name="Apply filters").click()
    expect(page.locator(".turn.answered time").first).to_have_text("26 Aug 2025")
    assert set(page.locator(".turn time").all_text_contents()) == {"26 Aug 2025"}
    assert "filter=" in page.url
    page.get_by_role("button", name="Remove filter: From 1 Jan 2025").click()
    page.get_by_role("button", name="Remove filter: Until 31 Dec 2025").click()
    expect(page.locator(".turn.answered .source", has_text="Old Gazette")).not_to_have_count(0)
    assert "filter=" not in page.url


def test_an_address_with_a_filter_filters(open_page: Callable[..., Page]) -> None:
    """A deep link brings its filter along, also one that the form cannot make, and nothing in it is lost."""
    conditions = {"and": [{"field": "language", "ne": "fr"}, {"field": "source", "in": ["Norvale Post"]}]}
    page = open_page(f"/?q={quote(MILL)}&filter={quote(json.dumps(conditions))}")
    expect(page.locator(".turn.answered .source").first).to_have_text("Norvale Post")
    expect(page.get_by_role("button", name="Remove filter: language is not fr")).to_be_visible()
    assert json.loads(parse_qs(urlsplit(page.url).query)["filter"][0]) == conditions


def test_a_filter_that_leaves_nothing_says_so(open_page: Callable[..., Page]) -> None:
    """The reason is the server's, and it is not said that all documents were searched."""
    conditions = {"field": "source", "in": ["Nobody"]}
    page = open_page(f"/?q={quote(MILL)}&filter={quote(json.dumps(conditions))}")
    expect(page.locator(".verdict")).to_contain_text("in the documents that the filter leaves")


def test_a_malformed_filter_in_the_address_is_no_filter(open_page: Callable[..., Page]) -> None:
    """What is not JSON filters nothing and breaks nothing."""
    page = open_page(f"/?q={quote(MILL)}&filter=%7Bbroken")
    expect(page.locator(".turn.answered .passage").first).to_be_visible()


def test_another_collection_is_chosen_by_name(open_page: Callable[..., Page]) -> None:
    """With several collections there is a choice; the address names the one that is asked."""
    page = open_page()
    page.get_by_label("Collection").select_option("empty")
    expect(page.get_by_role("heading", name="Nothing to ask yet")).to_be_visible()
    assert parse_qs(urlsplit(page.url).query) == {"collection": ["empty"]}
