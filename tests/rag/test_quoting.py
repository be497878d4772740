"""What could be quoted of a passage, and what is: whole, no longer than needed, and exactly where it is cited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from index.terms import question_terms
from index.types import utf16_length
from rag import evidence, quoting
from rag.ask import ask
from rag.reading import WordReader
from rag.splitting import Packing
from rag.types import Answer, Question, Quote, Ranked

Make = Callable[..., Ranked]
RETURNS = """\
# Returns

Can I return an opened item? Yes, within 14 days. Bring the receipt. We pay by card only.

You need:
- the item
- the receipt

| Item | Days |
|---|---|
| Kettle | 14 |
"""
CLAUSES = (
    "The service keeps two logs: an access log that is rotated each night and kept for thirty days; "
    "an audit log that is never rotated; and so on."
)


def said(passage: Ranked) -> list[tuple[str, str]]:
    """Return the kind and the words of each part."""
    return [(part.kind, part.text) for part in quoting.parts(passage)]


def read(make: Make, question: str, *texts: str) -> tuple[evidence.Words, list[Ranked]]:
    """Return the question's words, and the passages as a reader that compares words reads them."""
    words = evidence.weigh(question, question, dict.fromkeys(question_terms(question, ["en"]), 1), 100)
    found = [make(text, document=f"d{place}") for place, text in enumerate(texts)]
    readings = WordReader().read(question, [one.stored for one in found])
    return words, [replace(one, reading=reading) for one, reading in zip(found, readings, strict=True)]


def quoted(shelf: Any, query: str) -> Quote:
    """Return the quote of a question that is answered."""
    *_, answer = ask(Question(query), shelf.collection, shelf.encoder, reader=WordReader())
    assert isinstance(answer, Answer)
    assert answer.outcome == "answered"
    assert answer.quote is not None
    return answer.quote


def test_the_parts_of_a_page(ranked: Make) -> None:
    """Sentences, pairs, the list with and without what introduces it, rows, and what stands below a question."""
    assert sorted(said(ranked(RETURNS))) == sorted(
        [
            ("sentence", "Yes, within 14 days."),
            ("sentence", "Bring the receipt."),
            ("sentence", "We pay by card only."),
            ("passage", "Yes, within 14 days. Bring the receipt."),
            ("passage", "Bring the receipt. We pay by card only."),
            ("passage", "Yes, within 14 days. Bring the receipt. We pay by card only."),
            ("sentence", "You need:"),
            ("sentence", "- the item"),
            ("sentence", "- the receipt"),
            ("list", "- the item\n- the receipt"),
            ("list", "You need:\n- the item\n- the receipt"),
            ("row", "| Item | Days |"),
            ("row", "| Kettle | 14 |"),
        ]
    )


def test_a_long_sentence_has_its_clauses(ranked: Make) -> None:
    """Those that are long enough, beside the whole; a short sentence has none."""
    assert [text for _, text in said(ranked(CLAUSES))] == [
        CLAUSES,
        "The service keeps two logs:",
        "an access log that is rotated each night and kept for thirty days;",
        "an audit log that is never rotated;",
    ]
    assert said(ranked("It is open; it was not.")) == [("sentence", "It is open; it was not.")]


def test_a_question_or_a_heading_is_quoted_only_alone(ranked: Make) -> None:
    """Where the passage tells nothing, that is all there is."""
    assert said(ranked("# Returns")) == [("heading", "# Returns")]
    assert ("sentence", "Can I return it?") in said(ranked("# Returns\n\nCan I return it?"))
    assert said(ranked("# Returns\n\nCan I return it?\n\nYes.")) == [("sentence", "Yes.")]


def test_no_pair_crosses_a_paragraph(ranked: Make) -> None:
    """Nor an item into another, nor a row into a sentence."""
    text = "One is here.\n\nTwo is there.\n- three\n- four\n| five |\nSix."
    assert [part for part in said(ranked(text)) if part[0] == "passage"] == []


@pytest.mark.parametrize("text", ["", "![a](b.png)\n\n---"])
def test_what_holds_no_word_has_no_part(ranked: Make, text: str) -> None:
    """There is nothing to quote, and nothing is measured."""
    assert quoting.parts(ranked(text)) == []
    words, passages = read(ranked, "Is it?", text)
    assert quoting.measured(words, passages) == []
    assert quoting.chosen([], {}) == ([], [])


def test_every_part_is_whole_units_or_a_clause(ranked: Make) -> None:
    """Each place once, without white space at its ends, and of the units that it says."""
    for text in (RETURNS, CLAUSES, RETURNS.replace("\n", "\r\n")):
        found = quoting.parts(ranked(text))
        assert len({(part.start, part.end) for part in found}) == len(found)
        for part in found:
            units = quoting.units(text)[part.first : part.last]
            assert units[0].start <= part.start < part.end <= units[-1].end
            assert part.text == part.text.strip()
            assert part.last - part.first == 1 or (units[0].start, units[-1].end) == (part.start, part.end)


def test_parts_of_the_first_passages_that_were_read_are_measured(ranked: Make) -> None:
    """Not of more, and of none that was not read; all have the same names, each a number."""
    words, passages = read(ranked, "Which dyke broke?", *(f"Dyke {place} broke. It rained." for place in range(9)))
    passages[1] = replace(passages[1], reading=None)
    found = quoting.measured(words, passages)
    documents = [one.part.passage.stored.ref.document_id for one in found]
    assert list(dict.fromkeys(documents)) == ["d0", "d2", "d3", "d4", "d5", "d6"]
    assert len({frozenset(one.values) for one in found}) == 1
    assert all(isinstance(value, float) for one in found for value in one.values.values())


def test_the_shares_of_the_parts_are_probabilities(ranked: Make) -> None:
    """They add up to one, and the worthiest has the most, however great the worths are."""
    words, passages = read(ranked, "When may I return a kettle?", RETURNS, CLAUSES)
    found = quoting.measured(words, passages)
    for scale in (0.0, 1.0, 1e3):
        worths, shares = quoting.chosen(found, {"context": 4.0 * scale, "length": -scale})
        assert sum(shares) == pytest.approx(1)
        assert shares[worths.index(max(worths))] == max(shares)


def test_what_the_reader_did_not_see_is_told(ranked: Make) -> None:
    """A part beyond the tokens that were read is unread, and less likely than any that was."""
    words, (passage,) = read(ranked, "Which dyke broke?", "The dyke broke at Elsfleth. The dyke held at Brake.")
    assert passage.reading is not None
    tokens = passage.reading.tokens
    half = replace(tokens, offsets=tokens.offsets[:6], starts=tokens.starts[:6], ends=tokens.ends[:6])
    found = quoting.measured(words, [replace(passage, reading=replace(passage.reading, tokens=half))])
    seen = {one.part.text: one.values for one in found}
    first, second = seen["The dyke broke at Elsfleth."], seen["The dyke held at Brake."]
    assert (first["unread"], second["unread"]) == (0, 1)
    assert all(first[name] > second[name] for name in ("mass", "share", "peak"))


def test_a_quote_is_exact_in_its_document(shelf: Any) -> None:
    """In code points and UTF-16 code units, also below characters that take two of these."""
    text = "🐝🐝 Bees! 🍯\n\nNothing here. 😀 The honey of Bremervörde is harvested on 7 July 🐝 each year. So it is."
    shelf.add(honey=text, other="Copper prices fell on Monday.")
    quote = quoted(shelf, "When is the honey of Bremervörde harvested?")
    cited = quote.citation
    assert "harvested on 7 July 🐝 each year." in quote.text
    assert "Copper" not in quote.text
    assert shelf.collection.text(cited.document_id)[cited.start : cited.end] == cited.quote == quote.text
    assert text.encode("utf-16-le")[2 * cited.start_utf16 : 2 * cited.end_utf16].decode("utf-16-le") == quote.text
    assert (cited.start_utf16, cited.start) == (utf16_length(text[: cited.start]), text.index(quote.text))
    assert cited.start_utf16 > cited.start


def test_a_quote_lies_in_a_passage_that_is_shown(shelf: Any) -> None:
    """Its document is the passage's, and it is within the citation of one."""
    shelf.add(returns=RETURNS, dyke="The dyke broke at Elsfleth on 9 May 1997. Forty crews came.")
    *_, answer = ask(Question("When did the dyke break?"), shelf.collection, shelf.encoder, reader=WordReader())
    assert isinstance(answer, Answer)
    assert answer.quote is not None
    cited = answer.quote.citation
    assert any(
        (one.document.id, one.citation.start <= cited.start, cited.end <= one.citation.end) == ("dyke", True, True)
        for one in answer.passages
    )
    assert 0 <= (answer.quote.confidence or 0) <= 1


def test_a_row_has_the_columns_of_a_head_in_an_earlier_passage(shelf: Any) -> None:
    """They are looked up in the document, where the table began long before."""
    towns = ["Brake", "Elsfleth", "Nordenham", "Berne", "Lemwerder", "Jade", "Ovelgonne", "Stadland", "Butjadingen"]
    rows = [f"| {town} | {41 + place} | |" for place, town in enumerate(towns)]
    text = "\n".join(["Dykes along the Weser:", "", "| Town | Height in feet | Remarks |", "|---|---:|---|", *rows])
    shelf.add(dykes=text, packing=Packing(target=40, overlap=0))
    quote = quoted(shelf, "Butjadingen height")
    holding = [one for one in shelf.search("Butjadingen", top_k=50).passages if "Butjadingen" in one.text]
    assert holding
    assert not any("Remarks" in one.text for one in holding)
    assert (quote.kind, quote.text) == ("row", "| Butjadingen | 49 | |")
    assert quote.columns == ("Town", "Height in feet", "Remarks")


def test_parts_do_not_depend_on_what_stands_around_the_passage(ranked: Make) -> None:
    """The same text in another place of its document has the same parts."""
    whole = f"Before.\n\n{RETURNS}"
    moved = ranked(RETURNS, whole=whole, start=9)
    assert said(moved) == said(ranked(RETURNS))
