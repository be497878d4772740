"""Files and documents into a collection: what they are called, what is encoded, and what fails alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.errors import DocumentMissing
from index.types import Vectors, text_digest
from rag import ingest, seen
from rag.encoding import HashingEncoder
from rag.folders import Sent, find_files
from rag.ingest import Ingest
from rag.splitting import Packing
from rag.types import IngestResult, LoadedDocument, Question

SHORT = Packing(target=30, overlap=6, header=8)


class CountingEncoder(HashingEncoder):
    """Keeps every text that it is asked to encode."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Encode as usual."""
        self.texts += texts
        return super().encode(texts, urgent=urgent)


@pytest.fixture
def encoder() -> CountingEncoder:
    """An encoder that counts."""
    return CountingEncoder()


@pytest.fixture
def shelf(new_shelf: Callable[..., Any], encoder: CountingEncoder) -> Any:
    """An empty shelf whose encoder counts."""
    return new_shelf(encoder)


def written(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def rows(*values: object) -> str:
    """Return values as JSON Lines."""
    return "".join(json.dumps(value) + "\n" for value in values)


def told(results: Sequence[IngestResult]) -> dict[str, str]:
    """Return the status of each document by its id."""
    return {result.id: result.status for result in results}


def test_files_are_known_by_their_path_below_the_folder(shelf: Any, tmp_path: Path) -> None:
    """Folders are part of the id, escaped; a file given by itself is known by its name alone."""
    folder = written(tmp_path / "notes", {"b.txt": "Bee.", "sub dir/a.md": "# Ay\n\nText.", "sub dir/~é.txt": "Eh."})
    journey = Ingest(shelf.collection, shelf.encoder)
    assert told(list(journey.paths([folder]))) == dict.fromkeys(
        ["b.txt", "sub~20dir~2Fa.md", "sub~20dir~2F~7E~C3~A9.txt"], "added"
    )
    assert told(list(journey.paths([folder / "sub dir" / "a.md"]))) == {"a.md": "added"}


def test_folders_are_read_in_order_and_hidden_files_passed_over(tmp_path: Path) -> None:
    """Files come in the order of their names; what begins with a dot, or lies in such a folder, is no document."""
    folder = written(tmp_path / "f", dict.fromkeys(["c.txt", "a/z.txt", "b.txt", ".git/x.txt", "a/.hidden"], "x"))
    assert [file.name for file in find_files(folder)] == ["a/z.txt", "b.txt", "c.txt"]
    assert [(file.path, file.name) for file in find_files(folder / "b.txt")] == [(folder / "b.txt", "b.txt")]


def test_a_folder_with_a_dot_in_its_own_path_is_read(tmp_path: Path) -> None:
    """Only names below the folder that was given count as hidden."""
    folder = written(tmp_path / ".config" / "notes", {"a.txt": "x"})
    assert [file.name for file in find_files(folder)] == ["a.txt"]


def test_a_file_name_that_is_no_utf_8_is_still_a_name(shelf: Any, tmp_path: Path) -> None:
    """Bytes of a name that are no text are written out, so that the document can be stored, named and printed."""
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("Coffee.")
    results = told(list(Ingest(shelf.collection, shelf.encoder).paths([tmp_path])))
    assert results == {"caf~5Cxe9.txt": "added"}


def test_a_path_that_does_not_exist_is_an_error_that_names_it(tmp_path: Path) -> None:
    """The caller named it, so nothing is passed over silently."""
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        find_files(tmp_path / "nowhere")


def test_rows_are_known_by_their_id_or_by_their_place(shelf: Any) -> None:
    """A row's `_id` is its id, escaped; rows without one are numbered within their file, from 1."""
    data = rows({"_id": "a b", "text": "One."}, {"text": "Two."}, {"id": "x/y", "text": "Three."}, {"text": "Four."})
    results = list(Ingest(shelf.collection, shelf.encoder).file(data.encode(), name="rows.jsonl"))
    assert told(results) == dict.fromkeys(["a~20b", "rows.jsonl~232", "x~2Fy", "rows.jsonl~234"], "added")
    assert shelf.collection.text("rows.jsonl~232") == "Two."


def test_a_lone_row_without_id_is_known_by_its_file(shelf: Any) -> None:
    """One file, one document, one name."""
    journey = Ingest(shelf.collection, shelf.encoder)
    assert told(list(journey.file(rows({"text": "One."}).encode(), name="one.jsonl"))) == {"one.jsonl": "added"}


def test_a_document_without_any_name_is_known_by_its_content(shelf: Any) -> None:
    """The same bytes get the same id, so that giving them twice changes nothing."""
    loaded = LoadedDocument("Some text.", "text/plain", b"Some text.")
    first, again, other = (
        next(Ingest(shelf.collection, shelf.encoder).documents([one]))
        for one in (loaded, loaded, LoadedDocument("Other.", "text/plain", b"Other."))
    )
    assert (first.status, again.status, other.status) == ("added", "unchanged", "added")
    assert first.id == again.id != other.id


def test_ids_that_are_ids_already_are_not_escaped_again(shelf: Any) -> None:
    """Only names from outside are raw."""
    results = Ingest(shelf.collection, shelf.encoder).documents([shelf.document("a~20b", "Text.")], raw_ids=False)
    assert told(list(results)) == {"a~20b": "added"}


def test_results_say_what_was_stored(shelf: Any) -> None:
    """Each result carries the digest of the stored text and how many passages can be found."""
    text = " ".join(f"Sentence number {n} is here." for n in range(40))
    (result,) = shelf.add(long=text, packing=SHORT)
    assert result.document_sha256 == text_digest(shelf.collection.text("long"))
    assert result.passages == shelf.collection.document("long").passages == shelf.collection.info().passages > 3
    (again,) = shelf.add(long=text, packing=SHORT)
    assert (again.status, again.passages, again.document_sha256) == ("unchanged", result.passages, text_digest(text))


def test_ingesting_again_encodes_nothing(shelf: Any, encoder: CountingEncoder, tmp_path: Path) -> None:
    """What did not change is not encoded, split or written again; the token stays too."""
    folder = written(tmp_path / "f", {f"{n}.txt": f"Document number {n}." for n in range(150)})
    first = Ingest(shelf.collection, encoder)
    assert set(told(list(first.paths([folder]))).values()) == {"added"}
    assert len(encoder.texts) == 150
    encoder.texts.clear()
    second = Ingest(shelf.collection, encoder)
    results = list(second.paths([folder]))
    assert encoder.texts == []
    assert [result.status for result in results] == ["unchanged"] * 150
    assert second.token == first.token


def test_only_what_changed_is_encoded(shelf: Any, encoder: CountingEncoder, tmp_path: Path) -> None:
    """A file with another text replaces its document; its neighbours are left alone."""
    folder = written(tmp_path / "f", {f"{n}.txt": f"Document number {n}." for n in range(5)})
    list(Ingest(shelf.collection, encoder).paths([folder]))
    encoder.texts.clear()
    written(folder, {"3.txt": "Another text."})
    results = told(list(Ingest(shelf.collection, encoder).paths([folder])))
    assert {name for name, status in results.items() if status != "unchanged"} == {"3.txt"}
    assert results["3.txt"] == "replaced"
    assert encoder.texts == ["Another text."]
    assert shelf.collection.text("3.txt") == "Another text."
    assert shelf.collection.original("3.txt") == b"Another text."


def test_a_change_of_what_is_known_replaces_too(shelf: Any) -> None:
    """The same text under another title or date is another document."""
    for published, status in (("2024", "added"), ("2025", "replaced"), ("2025", "unchanged")):
        assert told(shelf.put([shelf.document("a", "Same text.", published=published)])) == {"a": status}
    assert shelf.collection.document("a").published == "2025"


def test_title_and_headings_are_encoded_but_not_cited(shelf: Any, encoder: CountingEncoder) -> None:
    """The header goes before the text in what is encoded, and is no part of any quote."""
    data = b"---\ntitle: Vistula\n---\n# Bridges\n\nThey carry trams."
    list(Ingest(shelf.collection, encoder).file(data, name="a.md"))
    assert encoder.texts == ["Vistula / Bridges\n# Bridges\n\nThey carry trams."]
    (passage,) = shelf.search("Vistula", mode="dense").passages
    assert passage.text == "# Bridges\n\nThey carry trams."
    assert passage.citation.heading_path == ("Bridges",)


def test_a_bad_file_among_many_fails_alone(shelf: Any, tmp_path: Path) -> None:
    """Whatever is wrong with one file, the others are added, in their order, and its reason is told."""
    bad = {
        "bad/empty.txt": b"",
        "bad/blank.txt": b" \n\t ",
        "bad/broken.pdf": b"%PDF-1.7 nothing follows",
        "bad/picture.png": b"\x89PNG\r\n",
        "bad/torn.json": b'{"text": ',
    }
    good = {f"{place}/good{n}.txt": f"Good text {n}." for place in ("a", "z") for n in range(30)}
    results = list(Ingest(shelf.collection, shelf.encoder).paths([written(tmp_path / "f", {**good, **bad})]))
    failed = {result.id: result.problem for result in results if result.status == "failed"}
    assert len(results) == len(good) + len(bad)
    assert {name.replace("~2F", "/") for name in failed} == set(bad)
    assert all(failed.values())
    assert shelf.collection.info().documents == len(good)
    assert [r.id for r in results if r.status == "added"] == sorted(name.replace("/", "~2F") for name in good)


def test_a_bad_row_among_many_fails_alone(shelf: Any) -> None:
    """A row that is no document is told with its line; those around it are added."""
    data = rows({"_id": "a", "text": "One."}) + "{not json\n" + rows({"_id": "b"}, {"_id": "c", "text": "Three."})
    results = list(Ingest(shelf.collection, shelf.encoder).file(data.encode(), name="rows.jsonl"))
    assert [result.status for result in results] == ["added", "failed", "failed", "added"]
    assert ["Line 2:" in (results[1].problem or ""), "Line 3:" in (results[2].problem or "")] == [True, True]


@pytest.mark.parametrize(
    "bad",
    [
        LoadedDocument("half \ud83d", "text/plain", b"x", id="bad"),
        LoadedDocument("   \n", "text/plain", b"x", id="bad"),
        LoadedDocument("Text.", "text/plain", b"x", id=".."),
        LoadedDocument("Text.", "text/plain", b"x", id="bad\ud800"),
        LoadedDocument("Text.", "text/plain", b"x", id="bad", published="yesterday"),
        LoadedDocument("Text.", "text/plain", b"x", id="bad", title="half \ud83d"),
        LoadedDocument("Text.", "text/plain", b"x", id="bad", metadata={"n": float("nan")}),
    ],
    ids=["surrogate", "blank", "name", "surrogate-name", "date", "surrogate-title", "nan"],
)
def test_a_document_that_cannot_be_stored_fails_alone(shelf: Any, bad: LoadedDocument) -> None:
    """Its neighbours in the same batch are added, and it says why it was not."""
    given = [shelf.document("a", "First."), bad, shelf.document("b", "Last.")]
    results = shelf.put(given)
    assert [result.status for result in results] == ["added", "failed", "added"]
    assert results[1].problem
    assert [document.id for document in shelf.collection.documents()] == ["a", "b"]


def test_the_later_of_two_documents_with_one_id_stands(shelf: Any) -> None:
    """Within one run an id that comes again replaces what came before, as in two runs."""
    results = shelf.put([shelf.document("a", "First."), shelf.document("b", "Bee."), shelf.document("a", "Second.")])
    assert [result.status for result in results] == ["added", "added", "replaced"]
    assert shelf.collection.text("a") == "Second."


def test_many_documents_come_back_in_their_order(shelf: Any) -> None:
    """Batches do not show: 200 documents of very different lengths are told in the order given, all findable."""
    texts = {f"doc{n}": f"Unique{n} " + "word " * (2_000 if n % 50 == 0 else n) for n in range(200)}
    results = shelf.add(**texts)
    assert [result.id for result in results] == list(texts)
    for n in (0, 50, 99, 199):
        assert shelf.search(f"Unique{n}", mode="lexical").passages[0].document.id == f"doc{n}"


def test_vectors_are_those_of_their_own_passages(shelf: Any, encoder: CountingEncoder) -> None:
    """Each passage's dense score is that of its own text, whatever was encoded with it."""
    shelf.add(*(f"Subject{n} and nothing else" for n in range(20)))
    (vector,) = encoder.encode(["Subject7 and nothing else"])
    for passage in shelf.search("Subject7 and nothing else", mode="dense", top_k=20).passages:
        expected = float(np.dot(vector, encoder.encode([passage.text])[0]))
        assert passage.dense == pytest.approx(expected, abs=1e-5)


def test_questions_can_wait_for_what_was_written(shelf: Any) -> None:
    """The journey's token is that of its last write: a question that names it sees the document."""
    journey = Ingest(shelf.collection, shelf.encoder)
    before = journey.token
    list(journey.file(b"The bridge carries trams.", name="a.txt"))
    assert journey.token != before
    assert shelf.ask("What does the bridge carry?", at_least=journey.token).token == journey.token


def test_files_read_are_counted(shelf: Any, tmp_path: Path) -> None:
    """Progress is told file by file over all paths, failed ones included."""
    folder = written(tmp_path / "f", {"a.txt": "A.", "b.png": "B.", "c.jsonl": rows({"text": "x"}, {"text": "y"})})
    counted: list[int] = []
    list(Ingest(shelf.collection, shelf.encoder).paths([folder, folder / "a.txt"], counted.append))
    assert counted == [1, 2, 3, 4]


def test_removing_others_leaves_what_is_named(shelf: Any) -> None:
    """Everything else is gone at once, and the token says so; nothing to remove writes nothing."""
    shelf.add(*(f"Text {n}." for n in range(30)))
    journey = Ingest(shelf.collection, shelf.encoder)
    before = journey.token
    assert journey.remove_others({"d3", "d7", "unknown"}) == sorted(f"d{n}" for n in range(30) if n not in (3, 7))
    assert [document.id for document in shelf.collection.documents()] == ["d3", "d7"]
    assert journey.token != before
    with pytest.raises(DocumentMissing):
        shelf.collection.text("d4")
    before = journey.token
    assert journey.remove_others({"d3", "d7"}) == []
    assert journey.token == before


def test_a_question_is_no_part_of_ingestion(shelf: Any, encoder: CountingEncoder) -> None:
    """Asking encodes the question and nothing else."""
    shelf.add("The bridge carries trams.")
    encoder.texts.clear()
    shelf.ask("What does the bridge carry?")
    assert encoder.texts == [Question("What does the bridge carry?").query]


# Files that are known already


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were given to a loader."""
    names: list[str] = []
    load = ingest.load

    def noted(data: bytes, **more: Any) -> Any:
        names.append(more["name"])
        return load(data, **more)

    monkeypatch.setattr(ingest, "load", noted)
    return names


def test_a_file_that_did_not_change_is_not_even_parsed(shelf: Any, tmp_path: Path, parsed: list[str]) -> None:
    """The results are those of parsing it; what changed, and what failed, is parsed again."""
    files = {"a.txt": "Ay.", "rows.jsonl": rows({"_id": "r", "text": "One."}, {"text": "Two."}), "bad.json": "{"}
    folder = written(tmp_path / "f", files)
    first = list(Ingest(shelf.collection, shelf.encoder).paths([folder]))
    parsed.clear()
    again = list(Ingest(shelf.collection, shelf.encoder).paths([folder]))
    assert parsed == ["bad.json"]
    assert [one.id for one in again] == [one.id for one in first]
    assert told(again) == {"a.txt": "unchanged", "bad.json": "failed", "r": "unchanged", "rows.jsonl~232": "unchanged"}
    assert [(one.passages, one.document_sha256) for one in again] == [(o.passages, o.document_sha256) for o in first]
    written(folder, {"a.txt": "Another."})
    parsed.clear()
    assert told(list(Ingest(shelf.collection, shelf.encoder).paths([folder])))["a.txt"] == "replaced"
    assert parsed == ["a.txt", "bad.json"]


def test_a_known_file_whose_document_was_touched_is_parsed_again(shelf: Any, parsed: list[str]) -> None:
    """Deleted or replaced by another way, the document is made again from its file."""
    journey = Ingest(shelf.collection, shelf.encoder)
    list(journey.file(b"The text of the file.", name="a.txt"))
    shelf.collection.delete(["a.txt"])
    assert told(list(journey.file(b"The text of the file.", name="a.txt"))) == {"a.txt": "added"}
    list(journey.documents([shelf.document("a.txt", "Other text.")]))
    assert told(list(journey.file(b"The text of the file.", name="a.txt"))) == {"a.txt": "replaced"}
    assert told(list(journey.file(b"The text of the file.", name="a.txt"))) == {"a.txt": "unchanged"}
    assert parsed == ["a.txt"] * 3


def test_a_file_is_parsed_again_when_a_loader_changed(
    shelf: Any, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reads a file is part of its version."""
    for version in ("one", "one", "two"):
        monkeypatch.setattr(seen, "_loaders_version", lambda version=version: version)
        list(Ingest(shelf.collection, shelf.encoder).file(b"Text.", name="a.txt"))
    assert parsed == ["a.txt"] * 2


def test_a_name_that_comes_twice_in_a_run_is_read_each_time(shelf: Any, tmp_path: Path) -> None:
    """The later file stands, however often both are ingested."""
    one, other = written(tmp_path / "one", {"a.txt": "One."}), written(tmp_path / "other", {"a.txt": "Other."})
    for _ in range(3):
        list(Ingest(shelf.collection, shelf.encoder).paths([one, other]))
        assert shelf.collection.text("a.txt") == "Other."


def test_removing_others_sees_the_rows_of_known_files(shelf: Any, tmp_path: Path) -> None:
    """Rows of a file that is not parsed count as there; those that a file gives no more are removed."""
    folder = written(tmp_path / "f", {"rows.jsonl": rows(*({"_id": f"r{n}", "text": f"Row {n}."} for n in range(3)))})

    def synced() -> list[str]:
        journey = Ingest(shelf.collection, shelf.encoder)
        return journey.remove_others({result.id for result in journey.paths([folder])})

    assert synced() == synced() == []
    written(folder, {"rows.jsonl": rows({"_id": "r1", "text": "Row 1."}, {"_id": "r9", "text": "Row 9."})})
    assert synced() == ["r0", "r2"]
    assert synced() == []
    assert shelf.collection.document_ids() == ["r1", "r9"]


def test_many_files_are_known_in_their_order(shelf: Any, encoder: CountingEncoder) -> None:
    """More than are looked up or recorded together; each result has the place of its file."""
    files = [Sent(f"{n:04}.txt", f"Text {n}.".encode()) for n in range(600)]
    for status in ("added", "unchanged"):
        results = list(Ingest(shelf.collection, encoder).files(files))
        assert [(place, result.id) for place, result in results] == [(n, f"{n:04}.txt") for n in range(600)]
        assert {result.status for _, result in results} == {status}
    assert len(encoder.texts) == 600
