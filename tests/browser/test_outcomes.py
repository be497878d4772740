"""Questions that are not answered: related, where passages speak of it without a sure answer, and absent.

What decides between them is tested elsewhere; here the server's answer is given one or the other on its way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

MILL = "Who built the tide mill in the harbour of Norvale?"
AMBER = "Which museum has the amber compass of Captain Rosenthal?"
REASON = "The passages name the compass, but none says it surely."


def ended(service: Any, outcome: str, query: str = AMBER) -> dict[str, Any]:
    """An answer that ended in `outcome`; as the service has it, nothing in it is marked as the words that answer."""
    answer = service.ask(query)
    near = answer["passages"] or answer["nearest"]
    for passage in near:
        passage["highlights"] = [one for one in passage["highlights"] if one["kind"] != "answer"]
    said = {"outcome": outcome, "answerable": False, "passages": [], "nearest": near, "quote": None, "answer": None}
    return {
        **answer,
        **said,
        "reason": {"code": "below_threshold", "text": REASON},
        "confidence": 0.3,
        "threshold": 0.5,
    }


def test_related_shows_its_passages_in_full_under_words_that_say_so(given: Callable[..., Page], service: Any) -> None:
    """A heading, the reason, how sure it is, and the passages, of which none is cut or called an answer."""
    answer = ended(service, "related")
    page = given(answer)
    turn = page.locator(".turn.related")
    expect(turn.get_by_role("heading", name="Related, but no sure answer")).to_be_visible()
    expect(turn.locator(".finding")).to_contain_text(REASON)
    expect(turn.locator(".confidence")).to_contain_text("low (30 %)")
    passages = turn.get_by_role("region", name="Passages that speak of it").locator(".passage")
    expect(passages).to_have_count(len(answer["nearest"]))
    shown = passages.first.locator("blockquote").inner_text()
    assert " ".join(shown.split()) == " ".join(answer["nearest"][0]["text"].split())
    expect(passages.locator("mark.sentence")).not_to_have_count(0)
    expect(turn.locator("mark.answer, .exact")).to_have_count(0)
    expect(turn).not_to_contain_text("Not found")
    expect(turn).not_to_contain_text("not an answer")
    expect(page.get_by_role("status").first).to_have_text(f"Related, but no sure answer. {REASON}")


def test_a_related_passage_can_be_shown_in_less(given: Callable[..., Page], service: Any) -> None:
    """One press cuts a long one to the sentences that fit."""
    quote = given(ended(service, "related")).locator(".passage").first
    before = quote.locator("blockquote").inner_text()
    quote.get_by_role("button", name="Show less").click()
    expect(quote.get_by_role("button", name="Show the whole passage")).to_be_visible()
    assert len(quote.locator("blockquote").inner_text()) < len(before)


def test_absent_is_one_sentence_and_the_closest_passages_are_folded_away(
    given: Callable[..., Page], service: Any
) -> None:
    """They open by their summary, by keyboard too, and say that they are no answer; print leaves them out."""
    answer = ended(service, "absent")
    page = given(answer)
    turn = page.locator(".turn.absent")
    expect(turn.locator(".verdict")).to_have_text(f"Not found in 6 documents. {REASON}")
    expect(turn.locator(".confidence")).to_contain_text("low (30 %)")
    summary, passages = turn.locator("summary"), turn.locator(".passage")
    expect(summary).to_have_text(f"Closest passages ({len(answer['nearest'])}, not an answer)")
    expect(passages).to_have_count(len(answer["nearest"]))
    expect(passages.first).to_be_hidden()
    page.emulate_media(media="print")
    expect(summary).to_be_hidden()
    page.emulate_media(media="screen")
    summary.press("Enter")
    expect(passages.first).to_be_visible()
    expect(turn.locator("mark.answer, .exact")).to_have_count(0)
    expect(page.get_by_role("status").first).to_have_text(f"Not found. {REASON}")


def test_without_documents_nothing_is_found_and_nothing_is_near(asked: Callable[..., Page], service: Any) -> None:
    """What the server itself says of an empty collection."""
    answer = service.ask(MILL, collection="empty")
    assert answer["outcome"] == "absent"
    page = asked(MILL, path="/?collection=empty")
    expect(page.locator(".turn.absent .verdict")).to_have_text(f"Not found here. {answer['reason']['text']}")
    expect(page.locator("details")).to_have_count(0)


def test_warnings_are_shown(given: Callable[..., Page], service: Any) -> None:
    """In the server's words, above the answer."""
    page = given({**service.ask(MILL), "warnings": ["Nothing was read."]})
    expect(page.locator(".turn .notice li")).to_have_text(["Nothing was read."])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing_and_nothing_is_too_wide(
    given: Callable[..., Page], service: Any, scheme: str, width: int, violations: Callable[[Page], list[str]]
) -> None:
    """Neither where it is related, nor where it is absent, folded and unfolded."""
    page = given(ended(service, "related"), width=width, color_scheme=scheme)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page = given(ended(service, "absent"), width=width, color_scheme=scheme)
    assert violations(page) == []
    page.locator("summary").click()
    expect(page.locator(".passage").first).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
