"""The filter language: one table of what is refused and where, one of what is matched, run through a collection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from index.collection import Collection
from index.errors import FilterInvalid
from index.filters import MAX_CONDITIONS, MAX_DEPTH, MAX_VALUES, parse

DOCUMENTS: dict[str, dict[str, Any]] = {
    "day": {"published": "2025-08-26", "source": "ANI", "language": "en", "metadata": {"n": 1, "tags": ["a", "b"]}},
    "month": {"published": "2025-08", "source": "ani", "language": "de", "metadata": {"n": 1.0, "flag": True}},
    "year": {"published": "2025", "source": "Reuters", "language": "en-GB", "metadata": {"n": 10, "flag": False}},
    "instant": {"published": "2025-08-26T09:30:00+05:30", "language": "hi", "metadata": {"n": "1", "flag": 1}},
    "before": {"published": "2024-12-31", "source": "Über", "metadata": {"tags": [], "n": [5, "x", None, {"deep": 1}]}},
    "bare": {"metadata": {"deep": {"er": 1}, "nothing": None, "a.b": "dotted", "zero\0": "\0é", "big": 2**70}},
}

CASES: list[tuple[Any, str]] = [
    (None, "day month year instant before bare"),
    # Dates are intervals: the whole of the document's must lie in the range.
    ({"field": "published", "gte": "2025-08-01"}, "day month instant"),
    ({"field": "published", "gte": "2025-08-26"}, "day instant"),
    ({"field": "published", "gt": "2025-08-25"}, "day instant"),
    ({"field": "published", "gt": "2025-08-26"}, ""),
    ({"field": "published", "gt": "2024"}, "day month year instant"),
    ({"field": "published", "lte": "2025-08-26"}, "day instant before"),
    ({"field": "published", "lt": "2025-08-26"}, "before"),
    ({"field": "published", "lte": "2025-08"}, "day month instant before"),
    ({"field": "published", "lte": "2025"}, "day month year instant before"),
    ({"field": "published", "lt": "2025"}, "before"),
    ({"field": "published", "eq": "2025"}, "day month year instant"),
    ({"field": "published", "eq": "2025-08"}, "day month instant"),
    ({"field": "published", "eq": "2025-08-26"}, "day instant"),
    ({"field": "published", "eq": "2025-08-26T04:00Z"}, "instant"),
    ({"field": "published", "ne": "2025-08"}, "year before bare"),
    ({"field": "published", "in": ["2024", "2025-08-26"]}, "day instant before"),
    ({"field": "published", "nin": ["2024", "2025-08-26"]}, "month year bare"),
    ({"field": "published", "in": []}, ""),
    ({"field": "published", "nin": []}, "day month year instant before bare"),
    ({"field": "published", "exists": True}, "day month year instant before"),
    ({"field": "published", "exists": False}, "bare"),
    ({"field": "published", "gte": "2025-08-26", "lt": "2025-08-27"}, "day instant"),
    ({"field": "added", "gt": "2020"}, "day month year instant before bare"),
    ({"field": "added", "lt": "2020"}, ""),
    ({"field": "added", "exists": True}, "day month year instant before bare"),
    # Strings are exact, case and accents included; order is by code point.
    ({"field": "source", "eq": "ANI"}, "day"),
    ({"field": "source", "eq": "Über"}, "before"),
    ({"field": "source", "ne": "ANI"}, "month year instant before bare"),
    ({"field": "source", "in": ["ANI", "ani", "none"]}, "day month"),
    ({"field": "source", "nin": ["ANI", "ani"]}, "year instant before bare"),
    ({"field": "source", "gt": "Reuters"}, "month before"),
    ({"field": "source", "lte": "Reuters"}, "day year"),
    ({"field": "source", "exists": False}, "instant bare"),
    ({"field": "source", "in": []}, ""),
    ({"field": "language", "eq": "en"}, "day"),
    ({"field": "document_id", "in": ["day", "bare", "x"]}, "day bare"),
    ({"field": "document_id", "gte": "i"}, "month year instant"),
    ({"field": "media_type", "eq": "text/plain"}, "day month year instant before bare"),
    ({"field": "media_type", "exists": False}, ""),
    # Metadata compares within its kind; a list matches when any element does.
    ({"field": "metadata.n", "eq": 1}, "day month"),
    ({"field": "metadata.n", "eq": 1.0}, "day month"),
    ({"field": "metadata.n", "eq": "1"}, "instant"),
    ({"field": "metadata.n", "eq": True}, ""),
    ({"field": "metadata.n", "ne": 1}, "year instant before bare"),
    ({"field": "metadata.n", "gt": 1}, "year before"),
    ({"field": "metadata.n", "gte": 1, "lte": 5}, "day month before"),
    ({"field": "metadata.n", "gt": ""}, "instant before"),
    ({"field": "metadata.n", "in": [5, "1"]}, "instant before"),
    ({"field": "metadata.n", "nin": [5, "1"]}, "day month year bare"),
    ({"field": "metadata.n", "in": []}, ""),
    ({"field": "metadata.n", "exists": False}, "bare"),
    ({"field": "metadata.flag", "eq": True}, "month"),
    ({"field": "metadata.flag", "eq": 1}, "instant"),
    ({"field": "metadata.flag", "in": [False, 1]}, "year instant"),
    ({"field": "metadata.tags", "eq": "b"}, "day"),
    ({"field": "metadata.tags", "exists": True}, "day"),
    ({"field": "metadata.deep", "exists": True}, ""),
    ({"field": "metadata.nothing", "exists": True}, ""),
    ({"field": "metadata.a.b", "eq": "dotted"}, "bare"),
    ({"field": "metadata.zero\0", "eq": "\0é"}, "bare"),
    ({"field": "metadata.zero\0", "eq": ""}, ""),
    ({"field": "metadata.big", "gt": 2**69}, "bare"),
    ({"field": "metadata.x' OR 1=1 --", "eq": "'"}, ""),
    # Joints.
    ({"and": [{"field": "language", "eq": "en"}, {"field": "published", "gte": "2025"}]}, "day"),
    ({"or": [{"field": "language", "eq": "en"}, {"field": "metadata.flag", "eq": False}]}, "day year"),
    ({"not": {"field": "published", "gte": "2025-08-01"}}, "year before bare"),
    ({"not": {"not": {"field": "source", "eq": "ANI"}}}, "day"),
    ({"not": {"field": "source", "ne": "ANI"}}, "day"),
    ({"not": {"or": [{"field": "source", "exists": False}, {"field": "metadata.n", "lt": 5}]}}, "year before"),
    ({"and": [{"or": [{"field": "metadata.n", "eq": 1}, {"field": "metadata.n", "eq": 10}]}]}, "day month year"),
]

HUGE = [{"field": "source", "eq": "x"}] * (MAX_CONDITIONS + 1)
LONG = {"field": "source", "in": ["x"] * (MAX_VALUES + 1)}


def nested(depth: int) -> Any:
    """Return a filter that is nested that deep."""
    tree: Any = {"field": "source", "eq": "x"}
    for _ in range(depth - 1):
        tree = {"not": tree}
    return tree


REFUSED: list[tuple[Any, str]] = [
    ({}, "filter.field"),
    ([], "filter"),
    ("language", "filter"),
    (True, "filter"),
    ({"field": "language"}, "filter"),
    ({"field": "title", "eq": "x"}, "filter.field"),
    ({"field": "metadata.", "eq": "x"}, "filter.field"),
    ({"field": ["language"], "eq": "x"}, "filter.field"),
    ({"eq": "x"}, "filter.field"),
    ({"field": "language", "equals": "en"}, "filter"),
    ({"field": "language", "eq": "en", "like": "x"}, "filter"),
    ({"field": "language", "eq": 1}, "filter.eq"),
    ({"field": "language", "eq": None}, "filter.eq"),
    ({"field": "language", "in": "en"}, "filter.in"),
    ({"field": "language", "in": ["en", 1]}, "filter.in[1]"),
    ({"field": "language", "exists": 1}, "filter.exists"),
    ({"field": "language", "eq": "\ud800"}, "filter.eq"),
    ({"field": "published", "gte": "yesterday"}, "filter.gte"),
    ({"field": "published", "gte": "2025-02-30"}, "filter.gte"),
    ({"field": "published", "gte": 2025}, "filter.gte"),
    ({"field": "added", "in": ["2025", ""]}, "filter.in[1]"),
    ({"field": "metadata.n", "eq": None}, "filter.eq"),
    ({"field": "metadata.n", "eq": float("nan")}, "filter.eq"),
    ({"field": "metadata.n", "lt": 10**400}, "filter.lt"),
    ({"field": "metadata.n", "eq": {"x": 1}}, "filter.eq"),
    ({"field": "metadata.n", "gt": True}, "filter.gt"),
    ({"and": []}, "filter.and"),
    ({"and": {"field": "language", "eq": "en"}}, "filter.and"),
    ({"or": [{"field": "language", "eq": "en"}], "and": []}, "filter"),
    ({"not": []}, "filter.not"),
    ({"and": [{"field": "language", "eq": "en"}, {"field": "published", "gte": "x"}]}, "filter.and[1].gte"),
    ({"not": {"or": [{"field": "x", "eq": 1}]}}, "filter.not.or[0].field"),
    ({"or": HUGE}, "filter"),
    (LONG, "filter.in"),
    (nested(MAX_DEPTH + 1), "filter" + ".not" * MAX_DEPTH),
]


@pytest.fixture
def stocked(collection: Collection, maker) -> Collection:
    """A collection of the documents above, two passages each."""
    made = [maker.document(name, f"words of {name}", "words again", **fields) for name, fields in DOCUMENTS.items()]
    collection.add(made)
    return collection


def test_what_is_matched(stocked: Collection, maker) -> None:
    """Each filter leaves exactly the documents of its row, in lists, in both legs of a search and in its counts."""
    for given, expected in CASES:
        wanted = set(expected.split())
        assert {info.id for info in stocked.documents(filter=given)} == wanted, given
        for vector, words in ((maker.vector(), None), (None, "words")):
            found = stocked.search(vector, words, limit=100, filter=given)
            assert {hit.ref.document_id for hit in found.hits} == wanted, given
            assert (found.documents, found.passages, len(found.hits)) == (len(wanted), 2 * len(wanted), 2 * len(wanted))


def test_every_case_survives_json() -> None:
    """Filters arrive as JSON text: what the table holds is what a client can send."""
    for given, _ in CASES:
        assert parse(json.loads(json.dumps(given))) == parse(given)


@pytest.mark.parametrize(("given", "path"), REFUSED, ids=[str(row[0])[:60] for row in REFUSED])
def test_what_is_refused_and_where(given: Any, path: str) -> None:
    """What does not follow the language names its place and says what would do."""
    with pytest.raises(FilterInvalid) as caught:
        parse(given)
    assert caught.value.path == path
    assert str(caught.value).endswith(".")


def test_the_limits_themselves_are_allowed(stocked: Collection) -> None:
    """As deep, as many and as long as allowed works in the database too."""
    assert stocked.documents(filter=nested(MAX_DEPTH)) is not None
    assert not stocked.documents(filter={"or": HUGE[:-1]})
    assert not stocked.documents(filter={"field": "source", "in": ["x"] * MAX_VALUES})
    assert not stocked.documents(filter={"field": "metadata.n", "in": ["no"] * MAX_VALUES})
    assert stocked.documents(filter={"field": "published", "in": ["2025"] * MAX_VALUES})
