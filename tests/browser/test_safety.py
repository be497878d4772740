"""Hostile text stays text, the policy is in force, and no other host is spoken with."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Error, Page, expect

BELL = "Who cast the glass bell of Hexham?"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'self'; object-src 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)


@pytest.mark.parametrize("path", ["/", "/d/harbour.txt?s=0-10", "/page/app.js"])
def test_the_policy_is_sent(service: Any, path: str) -> None:
    """The page, a deep link and the page's files carry the Content-Security-Policy."""
    with urllib.request.urlopen(service.url + path, timeout=20) as response:
        assert response.headers["Content-Security-Policy"] == POLICY


def test_markup_in_title_source_and_text_is_shown_as_text(asked: Callable[..., Page]) -> None:
    """Tags are letters on the page: no element is made of them and nothing of them runs."""
    page = asked(BELL)
    first = page.locator(".passage").first
    expect(first.locator(".name")).to_contain_text("<img src=x onerror='window.hostile = 3'>")
    expect(first.locator(".source")).to_have_text("<b>Hex</b>")
    expect(first.locator("blockquote")).to_contain_text("<b>Orla Finch</b> &amp; sons")
    page.get_by_role("button", name="Source 1").click()
    expect(page.get_by_role("dialog").locator(".prose")).to_contain_text("<script>window.hostile = 1</script>")
    assert page.locator("img, b, #app script").count() == 0
    assert page.evaluate("window.hostile") is None


def test_markup_in_a_quote_and_its_columns_is_shown_as_text(given: Callable[..., Page], service: Any) -> None:
    """The same holds for cells, the names of their columns, and what is not sure to be a row."""
    answer = service.ask(BELL)
    first = answer["passages"][0]
    row = first["text"].replace("The glass bell", "| The glass bell", 1)
    quote = {"kind": "row", "confidence": None, "columns": ["<b>One</b>", "<i>Two</i>"], "text": row}
    quote |= {"citation": first["citation"], "document": first["document"]}
    page = given({**answer, "quote": quote})
    expect(page.locator(".exact dt")).to_have_text(["<b>One</b>", "<i>Two</i>"])
    expect(page.locator(".exact dd").first).to_have_text("<script>window.hostile = 1</script>")
    expect(page.locator(".exact dd").last).to_contain_text("<b>Orla Finch</b> &amp; sons")
    page = given({**answer, "quote": {**quote, "kind": "passage"}})
    expect(page.locator(".exact blockquote")).to_contain_text("<script>window.hostile = 1</script>")
    assert page.locator("img, b, i, #app script").count() == 0
    assert page.evaluate("window.hostile") is None


def test_an_address_that_would_run_code_is_no_link(open_page: Callable[..., Page]) -> None:
    """A document's uri is a link only where it leads to the web."""
    page = open_page("/d/hostile.txt")
    expect(page.get_by_role("dialog").locator(".prose")).to_be_visible()
    assert page.locator("a[href^='javascript:']").count() == 0


def test_hostile_words_in_the_address_are_shown_as_text(open_page: Callable[..., Page]) -> None:
    """A question from the address is text as well."""
    page = open_page("/?q=%3Cimg%20src%3Dx%20onerror%3D%22window.hostile%3D5%22%3E%20bell%20of%20Hexham")
    expect(page.locator(".turn h2")).to_have_text('<img src=x onerror="window.hostile=5"> bell of Hexham')
    assert page.locator("img").count() == 0
    assert page.evaluate("window.hostile") is None


def test_the_browser_itself_refuses_markup_from_strings(open_page: Callable[..., Page], watched: Any) -> None:
    """Trusted Types are in force: even code on the page could not assign innerHTML."""
    watched.excused = ("TrustedHTML", "Trusted Type")
    page = open_page()
    with pytest.raises(Error, match="TrustedHTML"):
        page.evaluate("document.querySelector('main').innerHTML = '<p>no</p>'")
    assert page.evaluate("document.styleSheets.length") == 1
