"""Document ids made of names from outside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.checking import ID
from rag.ids import document_id


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("notes.txt", "notes.txt"), ("a/b c.md", "a~2Fb~20c.md"), ("~x", "~7Ex"), ("é", "~C3~A9"), ("a:b", "a~3Ab")],
)
def test_bytes_outside_the_alphabet_are_escaped(raw: str, expected: str) -> None:
    """Every byte of UTF-8 outside the alphabet, `~` included, is written `~XX` in upper-case hex."""
    assert document_id(raw) == expected


def test_a_long_name_is_shortened_with_its_digest() -> None:
    """Over 200 characters: the first 160, two tildes, 32 hex digits; other names stay apart."""
    first, second = document_id("a" * 300 + "1"), document_id("a" * 300 + "2")
    assert first[:162] == "a" * 160 + "~~"
    assert len(first) == 194
    assert first != second
    assert document_id("b" * 200) == "b" * 200


@pytest.mark.parametrize("raw", ["", "  ", ".", ".."])
def test_what_cannot_name_a_document_is_refused(raw: str) -> None:
    """Blank names and the two dots are refused."""
    with pytest.raises(ValueError, match="cannot name a document"):
        document_id(raw)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
)
def test_ids_are_valid_and_one_to_one(one: str, other: str) -> None:
    """Different names never share an id, and every id fits the contract."""
    try:
        ids = document_id(one), document_id(other)
    except ValueError:
        return
    assert all(ID.fullmatch(identity) and identity not in {".", ".."} for identity in ids)
    assert (ids[0] == ids[1]) == (one == other)
