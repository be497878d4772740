"""Ranked passages to what is shown: collapsed, joined, cited."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from index.types import utf16_length
from rag.assembly import block, cite, collapse, group
from rag.types import Ranked, Span

LONG = (
    "The council of the river towns met on Tuesday in the old customs house, heard the engineer on the state of the "
    "northern dyke, and voted nine to two to raise it by forty centimetres before the winter floods return."
)
Make = Callable[..., Ranked]


def row(ranked: Make, texts: Sequence[str], document: str = "d") -> list[Ranked]:
    """Return the passages of one document that follow one another, parted by a blank line, best first."""
    whole, starts = "\n\n".join(texts), []
    for place in range(len(texts)):
        starts.append(len("\n\n".join([*texts[:place], ""])))
    return [
        ranked(
            text, document=document, whole=whole, start=starts[n], ordinal=n, score=1 - n / 100, pages=(n + 1, n + 1)
        )
        for n, text in enumerate(texts)
    ]


def ordinals(groups: Sequence[Sequence[Ranked]]) -> list[list[int]]:
    """Return the places in their document of the members of each group."""
    return [[member.stored.ref.ordinal for member in members] for members in groups]


def test_a_passage_that_says_the_same_as_a_better_one_is_left_out(ranked: Make) -> None:
    """Other case, other punctuation and one changed word at the end do not make another passage."""
    copies = [LONG, LONG.upper(), LONG.replace(",", " –"), LONG.replace("return", "came")]
    given = [ranked(text, document=f"d{place}") for place, text in enumerate(copies)]
    assert collapse(given, 99) == given[:1]


def test_passages_that_share_only_a_part_are_both_kept(ranked: Make) -> None:
    """Half of the words in common is not the same passage, and neither are the same words in another order."""
    half = LONG.split(",")[0]
    other = " ".join(reversed(LONG.split()))
    given = [ranked(text, document=text[:9]) for text in (LONG, half, other)]
    assert collapse(given, 99) == given


def test_short_passages_are_compared_too(ranked: Make) -> None:
    """Fewer than three words have no triples; equal ones are one passage, others are not."""
    given = [ranked(text, document=f"d{place}") for place, text in enumerate(["Yes, sir", "yes sir!", "No, sir", "…"])]
    assert [one.stored.text for one in collapse(given, 99)] == ["Yes, sir", "No, sir", "…"]


@given(st.lists(st.text("ab \n", min_size=1, max_size=12), max_size=12))
def test_collapsing_keeps_the_first_of_each_and_their_order(ranked: Make, texts: list[str]) -> None:
    """What is left is a part of what was given in the same order, has the best one, and collapses no further."""
    given_ = [ranked(text, document=f"d{place}") for place, text in enumerate(texts)]
    kept = collapse(given_, 99)
    assert kept == [one for one in given_ if one in kept]
    assert kept[:1] == given_[:1]
    assert collapse(kept, 99) == kept
    assert collapse(given_, 2) == kept[:2]
    assert {one.stored.text for one in kept} <= set(texts)


def test_neighbours_are_joined_in_the_order_of_the_document(ranked: Make) -> None:
    """The better one may come after the other in the text; the group reads as the text does."""
    first, second, third = row(ranked, ["one", "two", "three"])
    assert ordinals(group([second, first], 5)) == [[0, 1]]
    assert ordinals(group([first, third], 5)) == [[0], [2]]


def test_at_most_two_passages_are_joined(ranked: Make) -> None:
    """A third neighbour stands by itself, and one between two others goes with the better of them."""
    first, second, third = row(ranked, ["one", "two", "three"])
    assert ordinals(group([first, second, third], 5)) == [[0, 1], [2]]
    assert ordinals(group([third, first, second], 5)) == [[1, 2], [0]]


def test_other_documents_and_other_versions_are_not_joined(ranked: Make) -> None:
    """Neighbours are neighbours in one text."""
    first = ranked("one", document="a", whole="one two", ordinal=0)
    elsewhere = ranked("two", document="b", whole="one two", start=4, ordinal=1)
    changed = ranked("two", document="a", whole="one two!", start=4, ordinal=1)
    assert len(group([first, elsewhere, changed], 5)) == 3


@given(st.permutations(range(8)), st.integers(1, 6))
def test_groups_are_few_whole_and_best_first(ranked: Make, order: list[int], most: int) -> None:
    """At most `most` groups of one or two neighbours, nobody twice, none from beyond `2 * most`, the best one first."""
    passages = row(ranked, [f"passage {n}" for n in range(8)])
    best_first = [passages[n] for n in order]
    groups = ordinals(group(best_first, most))
    shown = [n for members in groups for n in members]
    assert 1 <= len(groups) <= most
    assert len(shown) == len(set(shown))
    assert set(shown) <= set(order[: 2 * most])
    assert all(members == list(range(members[0], members[0] + len(members))) for members in groups)
    assert max(map(len, groups)) <= 2
    assert order[0] in groups[0]
    places = [min(order.index(n) for n in members) for members in groups]
    assert places == sorted(places)


def test_a_joined_block_is_the_text_between_under_the_best_member(ranked: Make) -> None:
    """The quote is one piece of the document, what lies between included; id and scores are the best member's."""
    whole = "😀 one\r\n\r\ntwo"
    first = ranked("😀 one", whole=whole, start=0, ordinal=0, score=0.4, dense=0.1, pages=(1, 1))
    second = ranked("two", whole=whole, start=9, ordinal=1, score=0.6, dense=0.7, pages=(2, 2))
    shown = cite(block([first, second], whole), 3, "notes", [("sentence", Span(0, 5)), ("term", Span(9, 12))])
    assert (shown.rank, shown.id, shown.score, shown.dense) == (3, "d:1", 0.6, 0.7)
    cited = shown.citation
    assert (cited.collection, cited.document_id, cited.quote) == ("notes", "d", whole)
    assert (cited.start, cited.end, cited.start_utf16, cited.end_utf16) == (0, 12, 0, 13)
    assert (cited.first_page, cited.last_page) == (1, 2)
    marks = [(mark.kind, mark.start, mark.end, mark.start_utf16, mark.end_utf16) for mark in shown.highlights]
    assert marks == [("sentence", 0, 5, 0, 6), ("term", 9, 12, 10, 13)]


def test_without_the_text_only_the_best_member_is_shown(ranked: Make) -> None:
    """A document that changed since it was found gives no text to join by; the passage found stays exact."""
    first, second = row(ranked, ["one", "two"])
    shown = block([first, second], None)
    assert (shown.text, shown.start, shown.end, shown.first_page, shown.last_page) == ("one", 0, 3, 1, 1)


@given(st.text(st.sampled_from("aé😀\u0301\r\n 中"), min_size=1, max_size=30), st.data())
def test_offsets_of_highlights_count_from_the_start_of_the_document(
    ranked: Make, whole: str, data: st.DataObject
) -> None:
    """Wherever a passage and a mark in it begin, both ways of counting name the same characters."""
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start + 1, len(whole)))
    one = ranked(whole[start:end], whole=whole, start=start)
    first = data.draw(st.integers(0, end - start))
    last = data.draw(st.integers(first, end - start))
    (mark,) = cite(block([one], None), 1, "c", [("term", Span(first, last))]).highlights
    assert whole[mark.start : mark.end] == whole[start:end][first:last]
    assert mark.start_utf16 == utf16_length(whole[: mark.start])
    assert mark.end_utf16 == utf16_length(whole[: mark.end])
