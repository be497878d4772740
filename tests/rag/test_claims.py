"""Checking claims: which sentences are looked up, how passages become a verdict, and what is quoted for it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from index.errors import FilterInvalid
from index.types import Json, StoredPassage, text_digest
from rag.claims import Checked, Claim, Rule, check, judge
from rag.errors import ReaderOff
from rag.reading import Reader, WordReader
from rag.types import Citation, Reading

BRIDGE = "The old bridge closed in 1999. The new bridge over the Vistula opened in 2024. It carries trams. 😀 So be it."
EVEN = Rule(0.5, 0.5, 1.0)  # what is shipped is fitted, and may change
HONEY = "Honey is harvested in July. The beekeepers of the valley are content."


@pytest.fixture
def stocked(shelf: Any) -> Any:
    """A shelf of two documents."""
    shelf.add(bridge=BRIDGE, honey=HONEY)
    return shelf


def checked(shelf: Any, reader: Reader | None, text: str, **more: Any) -> Checked:
    """Check a text."""
    return check(text, shelf.collection, shelf.encoder, reader, **{"rule": EVEN, **more})


def one(shelf: Any, reader: Reader, text: str, **more: Any) -> Claim:
    """Check a text of one sentence."""
    (claim,) = checked(shelf, reader, text, **more).claims
    return claim


def quotes(citations: Sequence[Citation]) -> list[tuple[str, str]]:
    """Return document and quote of each citation."""
    return [(cited.document_id, cited.quote) for cited in citations]


def require_exact(shelf: Any, claims: Sequence[Claim]) -> None:
    """Fail unless every citation lies where it says, in code points and in UTF-16 code units."""
    for cited in (cited for claim in claims for cited in (*claim.citations, *claim.against, *claim.nearest)):
        text = shelf.collection.text(cited.document_id)
        assert text[cited.start : cited.end] == cited.quote != ""
        in_utf16 = text.encode("utf-16-le")[2 * cited.start_utf16 : 2 * cited.end_utf16]
        assert (in_utf16.decode("utf-16-le"), cited.document_sha256) == (cited.quote, text_digest(text))


# The rule


SUPPORTS, CONTRADICTS, SILENT = (0.9, 0.06, 0.04), (0.1, 0.8, 0.1), (0.01, 0.02, 0.97)


@pytest.mark.parametrize(
    ("said", "verdict", "confidence"),
    [
        ([], "not_found", 1.0),
        ([SUPPORTS], "supported", 0.9),
        ([CONTRADICTS], "contradicted", 0.8),
        ([SILENT], "not_found", 0.97),
        ([SILENT, SILENT, SUPPORTS, SILENT], "supported", 0.9),
        ([SILENT, CONTRADICTS, SILENT], "contradicted", 0.8),
        ([CONTRADICTS, SUPPORTS], "supported", 0.9 / 1.74),
        ([(0.4, 0.2, 0.4), (0.3, 0.1, 0.6)], "not_found", 0.4),
    ],
)
def test_one_passage_is_enough_and_the_stronger_side_wins(
    said: Sequence[tuple[float, float, float]], verdict: str, confidence: float
) -> None:
    """Silent passages take nothing from one that speaks; one that disagrees takes confidence."""
    assert judge(said, EVEN) == (verdict, pytest.approx(confidence, abs=1e-6))


def test_each_side_has_its_threshold() -> None:
    """Below it the passage is not believed, and then the weaker side can win."""
    assert judge([SUPPORTS], replace(EVEN, supported=0.95))[0] == "not_found"
    assert judge([CONTRADICTS], replace(EVEN, contradicted=0.85))[0] == "not_found"
    assert judge([SUPPORTS, CONTRADICTS], replace(EVEN, supported=0.95))[0] == "contradicted"
    assert judge([(0.3, 0.2, 0.5)], replace(EVEN, supported=0.25))[0] == "supported"


def test_temperature_flattens_and_sharpens() -> None:
    """The verdict of one clear passage stays, its confidence moves."""
    flat, plain, sharp = (judge([SUPPORTS], replace(EVEN, temperature=t))[1] for t in (2.0, 1.0, 0.5))
    assert flat < plain < sharp


# A text


def test_a_text_is_judged_sentence_by_sentence(stocked: Any, number_reader: Reader) -> None:
    """Each with the sentence of the document that bears on it, cited exactly."""
    text = (
        "The new bridge over the Vistula opened in 2024.\nHoney is harvested in 1066. Nobody collects stamps anymore."
    )
    found = checked(stocked, number_reader, text)
    supported, contradicted, silent = found.claims
    assert (supported.verdict, supported.confidence) == ("supported", pytest.approx(0.92, abs=0.02))
    assert quotes(supported.citations) == [("bridge", "The new bridge over the Vistula opened in 2024.")]
    assert (contradicted.verdict, quotes(contradicted.citations)) == (
        "contradicted",
        [("honey", "Honey is harvested in July.")],
    )
    assert (silent.verdict, silent.citations, len(silent.nearest)) == ("not_found", (), 1)
    assert not any(claim.against for claim in found.claims)
    assert found.token == stocked.collection.token
    assert set(found.timing_ms) == {"encode", "retrieve", "read", "total"}
    require_exact(stocked, found.claims)


def test_passages_that_disagree_are_both_told(shelf: Any, number_reader: Reader) -> None:
    """The stronger side decides, the other is given as well, and neither has all the confidence."""
    shelf.add(first="The ferry carries 40 cars across.", second="The ferry carries 60 cars across.")
    claim = one(shelf, number_reader, "The ferry carries 40 cars.")
    assert (claim.verdict, quotes(claim.citations)) == ("supported", [("first", "The ferry carries 40 cars across.")])
    assert quotes(claim.against) == [("second", "The ferry carries 60 cars across.")]
    assert claim.confidence is not None
    assert claim.confidence < 0.6


def test_a_verdict_rests_on_three_passages_at_most(shelf: Any, number_reader: Reader) -> None:
    """However many say the same."""
    shelf.add(*(f"The tower of {place} is 90 metres high." for place in ("Oslo", "Rome", "Bonn", "Bern", "Kiel")))
    claim = one(shelf, number_reader, "The tower is 90 metres high.")
    assert (claim.verdict, len({cited.document_id for cited in claim.citations})) == ("supported", 3)


@pytest.mark.parametrize(
    "text", ["When did the bridge open?", "“Who said so?”", "# The new bridge opened", "In July.", "x " * 1500, "---"]
)
def test_what_claims_nothing_is_not_looked_up(stocked: Any, text: str) -> None:
    """Questions, headings, fragments and endless listings stand among the claims, without a confidence."""

    class Unread(WordReader):
        def read(self, question: str, passages: Sequence[StoredPassage], seconds: float | None = None) -> list[Reading]:
            raise AssertionError(f"{question} was read")

    claim = one(stocked, Unread(), text)
    assert (claim.verdict, claim.confidence, claim.nearest) == ("not_found", None, ())


def test_what_came_nearest_says_most_or_was_found_first(stocked: Any) -> None:
    """A passage that nearly decided is shown before those that were found sooner; none of the silent ones is."""

    class Unsure(WordReader):
        def __init__(self, on_honey: tuple[float, float, float]) -> None:
            self._on_honey = on_honey

        def read(self, question: str, passages: Sequence[StoredPassage], seconds: float | None = None) -> list[Reading]:
            said = (self._on_honey if "Honey" in one.text else (0.02, 0.02, 0.96) for one in passages)
            return [Reading(0.0, (), verdict) for verdict in said]

    for on_honey, nearest in (((0.4, 0.3, 0.3), "honey"), ((0.1, 0.1, 0.8), "bridge")):
        claim = one(stocked, Unsure(on_honey), "The new bridge over the Vistula opened in 2024.")
        assert [cited.document_id for cited in claim.nearest] == [nearest]


def test_only_documents_that_match_the_filter_count(stocked: Any) -> None:
    """What another document says is not found."""
    text = "Honey is harvested in July."
    of_bridge: Json = {"field": "document_id", "eq": "bridge"}
    assert one(stocked, WordReader(), text).verdict == "supported"
    claim = one(stocked, WordReader(), text, filter=of_bridge)
    assert (claim.verdict, {cited.document_id for cited in claim.nearest}) == ("not_found", {"bridge"})


def test_without_documents_nothing_is_found_for_sure(shelf: Any, number_reader: Reader) -> None:
    """And nothing came near."""
    claim = one(shelf, number_reader, "Honey is harvested in July.")
    assert (claim.verdict, claim.confidence, claim.nearest) == ("not_found", 1.0, [])


def test_errors_say_what_to_do(stocked: Any, number_reader: Reader) -> None:
    """Without a reader, and with a filter that is none, also where no sentence claims anything."""
    with pytest.raises(ReaderOff, match="PINCITE_READER=on"):
        checked(stocked, None, "Honey is harvested in July.")
    with pytest.raises(FilterInvalid):
        checked(stocked, number_reader, "Why?", filter={"field": "colour", "eq": 1})


def test_offsets_quote_the_text_exactly(stocked: Any, number_reader: Reader) -> None:
    """Of any text: sentences in order, everything but white space in one of them, in code points and UTF-16."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    pieces = [
        "The bridge opened in 2024. ",
        "Honey! ",
        "😀",
        "e\u0301",
        "\r\n",
        "\n\n",
        "\u2028",
        "\u00a0 ",
        "Dr. No. ",
        "。",
    ]
    pieces += ["\t", "“So?” ", "- item one is here\n", "\x00", "\ufeff", "word ", "𝔘nicode is odd. "]
    for _ in range(60):
        text = "".join(chance.choices(pieces, k=chance.randrange(12)))
        found = checked(stocked, number_reader, text)
        end = 0
        for claim in found.claims:
            assert text[end : claim.start].strip() == ""
            assert text[claim.start : claim.end] == claim.text == claim.text.strip() != ""
            in_utf16 = text.encode("utf-16-le")[2 * claim.start_utf16 : 2 * claim.end_utf16]
            assert in_utf16.decode("utf-16-le") == claim.text
            end = claim.end
        assert text[end:].strip() == ""
        require_exact(stocked, found.claims)
