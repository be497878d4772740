"""A made set: no question copies what is searched, every place is exact, the same seed gives the same bytes."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from index.catalog import Catalog
from index.terms import analyze, question_terms
from rag.encoding import HashingEncoder
from rag.errors import DatasetInvalid
from rag.evaluation.cache import cached_collection
from rag.evaluation.datasets import read_dataset
from rag.evaluation.making import DROPPED, RUN, SHARED, Made, Source, make, read_documents, write_set
from rag.evaluation.run import Plan, evaluate
from rag.ids import document_id
from rag.ingest import Ingest

SEEDS = Path(__file__).parents[3] / "seeds"


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    """The sample documents."""
    return list(read_documents(SEEDS))


@pytest.fixture(scope="module")
def made(sources: list[Source]) -> Made:
    """Questions about them."""
    return make(sources, limit=60, seed=1)


def words(text: str) -> list[str]:
    """The words of a text, case-folded."""
    return re.findall(r"\w+", text.casefold())


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    """Every run of `length` words."""
    found = words(text)
    return {tuple(found[at : at + length]) for at in range(len(found) - length + 1)}


def test_questions_are_made(made: Made) -> None:
    """As many as were asked for, in both splits, a document in one."""
    assert len(made.questions) >= 40
    assert {one.split for one in made.questions} == {"dev", "test"}
    halves: dict[str, set[str]] = {}
    for one in made.questions:
        halves.setdefault(one.document, set()).add(one.split)
    assert all(len(splits) == 1 for splits in halves.values())


def test_no_question_copies_what_is_searched(made: Made) -> None:
    """Not more than four of its words stand in a row in any title or text of the set."""
    searched = set().union(*(runs(f"{one.title}\n{one.text}", RUN + 1) for one in made.documents))
    assert [one.text for one in made.questions if runs(one.text, RUN + 1) & searched] == []


def test_the_title_alone_does_not_answer(made: Made) -> None:
    """At most half of a question's terms are in the title."""
    titles = {one.id: set(analyze(one.title, one.language)) for one in made.documents}
    for one in made.questions:
        terms = set(question_terms(one.text, [None]))
        assert len(terms & titles[one.document]) <= len(terms) / 2


def test_what_is_left_can_be_found(made: Made) -> None:
    """The document still holds two terms of each question."""
    texts = {one.id: set(analyze(f"{one.title} {one.text}", one.language)) for one in made.documents}
    assert all(len(set(question_terms(one.text, [None])) & texts[one.document]) >= SHARED for one in made.questions)


def test_the_sentence_is_gone_and_its_place_is_exact(made: Made, sources: list[Source]) -> None:
    """The span is a neighbour, and the text is the old one without the sentences."""
    before, after = ({one.id: one.text for one in some} for some in (sources, made.documents))
    assert set(before) == set(after)
    asked = {one.document for one in made.questions}
    for one in made.questions:
        assert one.text.split()[-1] in before[one.document]
        assert after[one.document][one.beside.start : one.beside.end] == one.quote.strip() != ""
    for name in before:
        assert (len(before[name]) > len(after[name])) == (name in asked)
        kept = iter(before[name])
        assert all(character in kept for character in after[name])


def test_the_seed_decides_and_the_order_of_documents_does_not(sources: list[Source]) -> None:
    """The same, and another one with another seed."""

    def asked(seed: int, some: Iterable[Source]) -> list[str]:
        return [one.text for one in make(some, limit=20, seed=seed).questions]

    mixed = random.Random(7).sample(sources, len(sources))
    assert asked(1, sources) == asked(1, mixed) != asked(2, sources)


def test_what_leaks_is_dropped_and_counted() -> None:
    """One document for each reason, and one that makes a question."""
    tail = (
        " Nothing else is told of it here. Nobody came by to look for more. It was so, and it had been so before that."
    )
    sentence = "The lighthouse keeper Halvard Moen painted the northern gallery railing bright yellow yesterday."
    fine = "Halvard Moen came back in May." + tail
    twice = f"{sentence} It was cold. It was dark. {sentence} It was late. It was wet."
    titled = "Railing of a gallery: Moen (Halvard), keeper, lighthouse"
    commons = [Source(f"c{n:02}", "", "Halvard Moen is here. He came by. He stays on.") for n in range(12)]
    cases = {
        "repeated": [Source("a", "", twice)],
        "in the title": [Source("a", titled, f"{sentence} {fine}")],
        "unbound": [Source("a", "", sentence + tail)],
        "ambiguous": [Source("a", "", f"{sentence} {fine}"), *commons],
    }
    assert list(cases) == list(DROPPED)
    for reason, documents in cases.items():
        counts = make(documents, limit=1, seed=0).dropped
        assert {name for name, count in counts.items() if count} == {reason}
    good = make([Source("a", "", f"{sentence} {fine}")], limit=1, seed=0)
    assert [one.text for one in good.questions] == [sentence]


def test_a_written_set_is_evaluated_at_once(made: Made, tmp_path: Path) -> None:
    """`eval` reads it: every judged document is there, every span is what its document holds."""
    write_set(made, tmp_path / "made")
    dataset, encoder = read_dataset(tmp_path / "made"), HashingEncoder()
    with cached_collection(dataset, tmp_path / "cache", encoder) as collection:
        evaluation = evaluate(dataset, collection, encoder, Plan("all"), systems=["lexical"])
    lexical = evaluation.systems["lexical"]
    assert lexical.measures["nDCG@10"].n == lexical.measures["Answer@5"].n == len(made.questions)
    assert evaluation.manifest["not_found"] == []
    with pytest.raises(FileExistsError):
        write_set(made, tmp_path / "made")


def test_the_same_set_is_written_to_the_byte(made: Made, sources: list[Source], tmp_path: Path) -> None:
    """Twice, by way of the files."""
    for name in ("one", "two"):
        write_set(make(sources, limit=60, seed=1), tmp_path / name)
    for file in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    rows = [json.loads(line) for line in (tmp_path / "one" / "queries.jsonl").read_text("utf-8").splitlines()]
    assert [row["text"] for row in rows] == [one.text for one in made.questions]


def test_documents_come_from_a_set_a_folder_or_a_file(tmp_path: Path) -> None:
    """Named as ingestion names them; what cannot be read is left out, and nothing at all is said."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "iron.md").write_text("---\ntitle: Iron\n---\nIt rusts.\n")
    (tmp_path / "in" / "rows.jsonl").write_text('{"_id": "x", "text": "One."}\n{"text": "Two."}\n')
    (tmp_path / "broken.pdf").write_bytes(b"%PDF")
    found = {one.id: (one.title, one.text.strip()) for one in read_documents(tmp_path)}
    assert found == {"in/iron.md": ("Iron", "It rusts."), "x": ("", "One."), "in/rows.jsonl#2": ("", "Two.")}
    assert [one.id for one in read_documents(tmp_path / "in" / "iron.md")] == ["iron.md"]
    with pytest.raises(DatasetInvalid, match="no document"):
        list(read_documents(tmp_path / "broken.pdf"))
    with pytest.raises(FileNotFoundError):
        list(read_documents(tmp_path / "nowhere"))


def test_rows_are_named_as_ingestion_names_them(tmp_path: Path) -> None:
    """By their place in the file, in which a row that cannot be read counts."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "rows.jsonl").write_text('{"text": "Tin."}\nno row\n{"text": "Lead."}\n', encoding="utf-8")
    encoder = HashingEncoder()
    with Catalog(tmp_path / "data", encoder=encoder.fingerprint, dimension=encoder.dimension) as catalog:
        results = list(Ingest(catalog.collection("default"), encoder).paths([folder]))
    assert [one.id for one in results if one.status == "added"] == [
        document_id(one.id) for one in read_documents(folder)
    ]
    assert [one.id for one in read_documents(folder)] == ["rows.jsonl#1", "rows.jsonl#3"]
