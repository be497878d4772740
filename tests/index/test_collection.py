"""A collection through its front door: adding, replacing, deleting, reading back, searching."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from index.catalog import Catalog
from index.collection import Collection
from index.dense import exact_scores
from index.errors import (
    Behind,
    CollectionMissing,
    DocumentInvalid,
    DocumentMissing,
    EncoderMismatch,
    FilterInvalid,
    TokenInvalid,
)
from index.types import Document, NewDocument, Passage, PassageRef

HOSTILE = "Zero\0byte, emoji 😀👩‍👩‍👧, cafe\u0301, \u202eright-to-left\u202c, 東京都\r\nlast\0"


def found_ids(collection: Collection, words: str, **options) -> list[str]:
    """Return the documents that words find, best first."""
    hits = collection.search(None, words, limit=10, **options).hits
    return [hit.ref.document_id for hit in sorted(hits, key=lambda hit: hit.lexical_rank)]


def test_add_replace_unchanged_delete_absent(collection: Collection, maker) -> None:
    """Each write says what it did, and what it did is there when it returns."""
    first, second = maker.document("a", "old words"), maker.document("a", "new words", "more")
    assert collection.add([first]).statuses == {"a": "added"}
    assert collection.add([first]).statuses == {"a": "unchanged"}
    assert found_ids(collection, "old") == ["a"]
    assert collection.add([second]).statuses == {"a": "replaced"}
    assert (found_ids(collection, "old"), found_ids(collection, "new")) == ([], ["a"])
    assert collection.delete(["a", "b", "a"]).statuses == {"a": "deleted", "b": "absent"}
    assert found_ids(collection, "words") == []
    with pytest.raises(DocumentMissing):
        collection.document("a")


def test_a_batch_with_the_same_id_twice_keeps_the_last(collection: Collection, maker) -> None:
    """Documents are written in the order given."""
    one, two = maker.document("a", "first words"), maker.document("a", "second words")
    assert collection.add([one, two, two]).statuses == {"a": "replaced"}
    assert collection.text("a") == "second words"
    assert collection.info().passages == 1


def test_everything_given_comes_back(collection: Collection, maker) -> None:
    """Text with NUL and emoji, bytes that are not the text's UTF-8, and every field."""
    fields = {
        "original": b"\xff\xfe raw",
        "media_type": "text/html",
        "title": "T\0itle 😀",
        "uri": "https://example.org/a?b=c",
        "source": "ANI",
        "published": "2025-08",
        "language": "en",
        "encoding": "utf-16",
        "metadata": {"n": 1, "x": [1.5, "é", True], "deep": {"er": [None]}},
    }
    given = maker.document("~2F.a_b-c", HOSTILE, "second 😀 passage", **fields)
    collection.add([given])
    info = collection.document("~2F.a_b-c")
    assert collection.text(info.id) == given.document.text
    assert collection.original(info.id) == b"\xff\xfe raw"
    assert {name: getattr(info, name) for name in fields if name != "original"} == {
        name: value for name, value in fields.items() if name != "original"
    }
    assert (info.sha256, info.fingerprint) == (given.document.sha256, given.document.fingerprint)
    assert (info.characters, info.bytes, info.passages) == (len(given.document.text), 6, 2)
    known = collection.files.known([info.id, "no"])
    assert {name: brief.fingerprint for name, brief in known.items()} == {info.id: given.document.fingerprint}
    refs = [PassageRef(info.id, ordinal, info.sha256) for ordinal in (1, 0)]
    stored = collection.passages(refs)
    assert [one.text for one in stored] == ["second 😀 passage", HOSTILE]
    assert [one.passage for one in stored] == [given.passages[1], given.passages[0]]
    assert stored[0].document == info


def test_an_original_that_is_the_text_comes_back(collection: Collection, maker) -> None:
    """The UTF-8 of the text is not stored twice, and is returned all the same."""
    collection.add([maker.document("a", HOSTILE)])
    assert collection.original("a") == HOSTILE.encode()


def test_passages_of_a_huge_text_are_cut_across_its_pieces(collection: Collection, maker) -> None:
    """Offsets count through the pieces in which a long text is stored."""
    text = "".join(chr(0x1F600 + n % 64) if n % 7 == 0 else chr(97 + n % 26) for n in range(200_000))
    spans = [(0, 10), (65_530, 65_542), (65_536, 65_540), (60_000, 140_000), (199_990, 200_000)]
    passages = [
        Passage(n, start, end, len(text[:start].encode("utf-16-le")) // 2) for n, (start, end) in enumerate(spans)
    ]
    document = Document("huge", text, text.encode(), "text/plain")
    collection.add([NewDocument(document, passages, maker.vectors(len(spans)))])
    refs = [PassageRef("huge", n, document.sha256) for n in range(len(spans))]
    assert [one.text for one in collection.passages(refs)] == [text[start:end] for start, end in spans]
    assert collection.text("huge") == text


def test_passages_that_are_gone_or_changed_are_left_out(collection: Collection, maker) -> None:
    """A reference finds the version that it was made for, and nothing else."""
    old, other = maker.document("a", "old"), maker.document("b", "other")
    collection.add([old, other])
    refs = [PassageRef("a", 0, old.document.sha256), PassageRef("b", 0, other.document.sha256), PassageRef("b", 9, "x")]
    collection.add([maker.document("a", "new")])
    assert [one.ref for one in collection.passages(refs)] == [refs[1]]


def test_both_legs_rank_and_every_hit_has_its_dense_score(collection: Collection, maker) -> None:
    """Hits are the union of both legs, ordered by place, with ranks from 1 and exact cosines."""
    made = [maker.document(f"d{n:02d}", f"needle {'pad ' * n}" if n < 6 else "nothing here") for n in range(20)]
    collection.add(made)
    vector = maker.vector()
    found = collection.search(vector, "needle", limit=5)
    dense = sorted((hit for hit in found.hits if hit.dense_rank), key=lambda hit: hit.dense_rank)
    lexical = sorted((hit for hit in found.hits if hit.lexical_rank), key=lambda hit: hit.lexical_rank)
    exact = {one.document.id: float(exact_scores(vector, one.vectors)[0]) for one in made}
    best = sorted(exact, key=lambda name: (-exact[name], name))[:5]
    assert [hit.ref.document_id for hit in dense] == best
    assert [hit.ref.document_id for hit in lexical] == ["d00", "d01", "d02", "d03", "d04"]
    assert all(hit.dense == exact[hit.ref.document_id] for hit in found.hits)
    assert [hit.lexical is None for hit in found.hits] == [hit.lexical_rank is None for hit in found.hits]
    assert [hit.ref.document_id for hit in found.hits] == sorted({*best, "d00", "d01", "d02", "d03", "d04"})
    assert (found.documents, found.passages, found.degraded) == (20, 20, ())


def test_ties_go_by_document_id_then_start(collection: Collection, maker) -> None:
    """Equal passages come in the order of their places, however they were written."""
    vector = maker.vector()
    same = np.stack([vector, vector])
    for name in ("c", "a", "b", "d"):
        collection.add([maker.document(name, "same words", "same words", vectors=same)])
    found = collection.search(vector, "same", limit=5)
    expected = [("a", 0), ("a", 11), ("b", 0), ("b", 11), ("c", 0)]
    for rank in ("dense_rank", "lexical_rank"):
        ranked = sorted((hit for hit in found.hits if getattr(hit, rank)), key=lambda hit: getattr(hit, rank))
        assert [(hit.ref.document_id, hit.start) for hit in ranked] == expected


def test_headers_are_searched_and_never_part_of_the_text(collection: Collection, maker) -> None:
    """Words of the header find the passage, whose text is without it."""
    made = maker.document("a", "plain body", headers=["Budget 2025"])
    collection.add([made, maker.document("b", "other")])
    assert found_ids(collection, "budget") == ["a"]
    assert collection.passages([PassageRef("a", 0, made.document.sha256)])[0].text == "plain body"


def test_each_document_is_analysed_in_its_own_language(collection: Collection, maker) -> None:
    """A question is looked for in the forms of every language that is there."""
    collection.add([maker.document("de", "viele Häuser", language="de"), maker.document("en", "many houses")])
    assert found_ids(collection, "Haus") == ["de"]
    assert found_ids(collection, "house") == ["en"]
    assert collection.search(None, None, limit=1, count="the house").frequencies == {"hous": 1, "the": 0}


def test_counts_belong_to_the_state_that_was_searched(collection: Collection, maker) -> None:
    """A vector search that also counts terms says when deleted passages still count, and when they no longer do."""
    collection.add([maker.document("a", "an old house"), maker.document("b", "a new house")])
    collection.delete(["a"])
    vector = maker.document("q", "question").vectors[0]
    assert collection.search(vector, None, limit=5).degraded == ()
    behind = collection.search(vector, None, limit=5, count="house")
    assert (behind.degraded, behind.total) == (("term_view_behind",), 1)
    collection.compact()
    exact = collection.search(vector, None, limit=5, count="house")
    assert (exact.degraded, exact.frequencies) == ((), {"hous": 1})


def test_a_token_can_be_waited_for(collection: Collection, catalog: Catalog, maker) -> None:
    """A reached token is fine, one from another collection too; the future is `Behind`, nonsense is `TokenInvalid`."""
    token = collection.add([maker.document("a", "x")]).token
    assert collection.search(None, "x", limit=1, at_least=token).token == token == collection.info().token
    catalog.create("other")
    later = catalog.collection("other").add([maker.document("b", "y")]).token
    assert collection.search(None, "x", limit=1, at_least=later).hits
    with pytest.raises(Behind):
        collection.search(None, "x", limit=1, at_least="999999")
    for wrong in ("", "x", "-1", "1.0", "٣", " 1", "9" * 30):
        with pytest.raises(TokenInvalid):
            collection.search(None, "x", limit=1, at_least=wrong)


def test_another_model_is_refused_with_the_way_out(folder, maker) -> None:
    """The vectors of two models never meet; words still find what is there."""
    with maker.open(folder) as catalog:
        catalog.collection("default").add([maker.document("a", "words")])
    with maker.open(folder, encoder="sha256:model-b", dimension=8) as catalog:
        collection = catalog.collection("default")
        other = maker.document("b", "x", vectors=maker.vectors(1, 8))
        with pytest.raises(EncoderMismatch, match=r"model-a.*model-b.*PINCITE_MODEL"):
            collection.add([other])
        with pytest.raises(EncoderMismatch):
            collection.search(maker.vectors(1, 8)[0], None, limit=1)
        assert found_ids(collection, "words") == ["a"]
        catalog.create("new")
        assert catalog.collection("new").add([other]).statuses == {"b": "added"}
        assert catalog.verify() == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"id": "a:b"}, "its id"),
        ({"id": ".."}, "its id"),
        ({"id": "a" * 201}, "its id"),
        ({"published": "last week"}, "no date"),
        ({"title": "\ud800"}, "lone surrogate"),
        ({"metadata": {"x": "\udfff"}}, "lone surrogate"),
        ({"metadata": {"x": float("nan")}}, "no JSON"),
        ({"metadata": {"x": object()}}, "no JSON"),
    ],
)
def test_a_document_that_cannot_be_stored_is_named_and_nothing_is_written(collection, maker, change, fault) -> None:
    """The fault is said, and the rest of the batch is not written either."""
    fields = {"id": "bad", **change}
    bad = maker.document(fields.pop("id"), "text", **fields)
    with pytest.raises(DocumentInvalid, match=fault):
        collection.add([maker.document("good", "text"), bad])
    assert collection.documents() == []


@pytest.mark.parametrize(
    ("passages", "shape", "fault"),
    [
        ([Passage(0, 0, 5, 0)], (1, 16), "outside"),
        ([Passage(0, 2, 2, 0)], (1, 16), "outside"),
        ([Passage(0, -1, 2, 0)], (1, 16), "outside"),
        ([Passage(1, 0, 2, 0)], (1, 16), "numbered"),
        ([Passage(0, 0, 2, 0)], (2, 16), "shape"),
        ([Passage(0, 0, 2, 0)], (1, 15), "shape"),
    ],
)
def test_passages_and_vectors_must_fit(collection: Collection, maker, passages, shape, fault) -> None:
    """Offsets lie in the text, ordinals count up, and there is one vector of the right length per passage."""
    document = Document("a", "text", b"text", "text/plain")
    with pytest.raises(DocumentInvalid, match=fault):
        collection.add([NewDocument(document, passages, np.ones(shape, np.float32))])


def test_a_vector_with_nan_is_refused(collection: Collection, maker) -> None:
    """Neither a document's nor a question's vector may hold one."""
    nan = np.full((1, maker.dimension), np.nan, np.float32)
    with pytest.raises(DocumentInvalid, match="NaN"):
        collection.add([maker.document("a", "x", vectors=nan)])
    with pytest.raises(ValueError, match="finite"):
        collection.search(nan[0], None, limit=1)


def test_a_document_without_passages_is_kept(collection: Collection, maker) -> None:
    """It can be read and deleted, and is never found."""
    document = Document("empty", "", b"", "text/plain")
    collection.add([NewDocument(document, [], maker.vectors(0)), maker.document("a", "x")])
    assert (collection.text("empty"), collection.original("empty")) == ("", b"")
    assert {hit.ref.document_id for hit in collection.search(maker.vector(), "x", limit=9).hits} == {"a"}
    assert collection.delete(["empty"]).statuses == {"empty": "deleted"}


def test_documents_are_listed_in_pages(collection: Collection, maker) -> None:
    """Ordered by id in code points, each page after the last id of the one before."""
    names = sorted(["B", "a", "~", "Z9", "_", "-", "0"])
    collection.add([maker.document(name, "x") for name in reversed(names)])
    seen: list[str] = []
    while page := collection.documents(after=seen[-1] if seen else None, limit=3):
        seen += [info.id for info in page]
    assert seen == names
    with pytest.raises(FilterInvalid):
        collection.documents(filter={"field": "x"})


def test_info_counts(collection: Collection, maker) -> None:
    """Counts, facets with the most first, and no update before the first write."""
    empty = collection.info()
    assert (empty.documents, empty.passages, empty.updated, empty.encoder, empty.token) == (0, 0, None, None, "0")
    collection.add(
        [
            maker.document("a", "x", "y", source="S", published="2025-01", language="en"),
            maker.document("b", "x", source="S", published="2024"),
            maker.document("c", "x", source="R", published="2025-08-01T10:00Z", language="en"),
        ]
    )
    info = collection.info()
    assert (info.documents, info.passages, info.characters, info.encoder) == (3, 4, 5, maker.encoder)
    assert list(info.sources.items()) == [("S", 2), ("R", 1)]
    assert (info.languages, info.years) == ({"en": 2}, {"2025": 2, "2024": 1})
    assert info.updated is not None


def test_outline_gives_titles_and_headings(collection: Collection, maker) -> None:
    """One pair per document that has a title or a heading, in the order of ids."""
    text = "one\ntwo"
    passages = [Passage(0, 0, 3, 0), Passage(1, 4, 7, 4, heading_path=("Part", "Chapter"))]
    headed = NewDocument(Document("c", text, text.encode(), "text/markdown"), passages, maker.vectors(2))
    collection.add([headed, maker.document("b", "x", title="Title"), maker.document("a", "x")])
    assert collection.outline(9) == [("Title", ()), ("", ("Part", "Chapter"))]
    assert collection.outline(1) == [("Title", ())]


def test_an_empty_collection_finds_nothing(collection: Collection, maker) -> None:
    """Searching before anything was written is fine."""
    found = collection.search(maker.vector(), "words", limit=5)
    assert (found.hits, found.token, found.documents, found.passages) == ([], "0", 0, 0)
    assert collection.search(None, None, limit=5).hits == []


def test_a_view_with_deletions_says_so_until_it_is_compacted(collection: Collection, maker) -> None:
    """Lexical scores are off while the statistics count what was deleted; vectors are not concerned."""
    collection.add([maker.document(f"d{n}", maker.words(20)) for n in range(30)])
    collection.delete(["d7"])
    assert collection.search(None, "word1", limit=5).degraded == ("term_view_behind",)
    assert collection.search(maker.vector(), None, limit=5).degraded == ()
    collection.compact()
    assert collection.search(None, "word1", limit=5).degraded == ()


def test_a_dropped_collection_is_gone_for_those_who_hold_it(catalog: Catalog, maker) -> None:
    """Writing and reading through the old object fail; a new one of that name is empty."""
    catalog.create("x")
    held = catalog.collection("x")
    held.add([maker.document("a", "words")])
    catalog.drop("x")
    for use in (lambda: held.search(None, "words", limit=1), lambda: held.add([maker.document("b", "y")]), held.info):
        with pytest.raises(CollectionMissing):
            use()
    catalog.create("x")
    assert catalog.collection("x").info().documents == 0


def test_a_view_with_deletions_is_opened_as_it_is_and_tidied_later(tmp_path: Path, maker) -> None:
    """Opening waits for no rebuild, closing ends the one that waits, and the background makes scores exact again."""
    with maker.open(tmp_path) as catalog:
        collection = catalog.collection("default")
        collection.add([maker.document(f"d{number}", maker.words(5)) for number in range(40)])
        collection.delete(["d7"])
        assert collection.info().pending == 1
    with maker.open(tmp_path) as catalog:
        collection = catalog.collection("default")
        assert collection.info().pending == 1
        deadline = time.monotonic() + 60
        while collection.info().pending and time.monotonic() < deadline:
            time.sleep(0.05)
        assert collection.info().pending == 0
        assert not collection.problems()
        assert collection.search(maker.vector(), "word1", limit=50).degraded == ()
