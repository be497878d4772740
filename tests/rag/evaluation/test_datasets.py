"""Evaluation sets are read whole or refused, naming file and line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from rag.errors import DatasetInvalid
from rag.evaluation.datasets import Dataset, read_dataset
from rag.types import Turn


def test_a_beir_set_is_read_with_ids_as_ingestion_makes_them(beir: Path) -> None:
    """Questions, judgements and counts come out, and a row's `_id` is escaped like its document's."""
    dataset = read_dataset(beir)
    assert [question.id for question in dataset.questions] == ["q1", "q2", "q3", "q4", "q5"]
    assert dataset.judgements["q1"] == {"d1": 2, "d3": 1}
    assert dataset.judgements["q3"] == {"a~20b~2F~C3~BC": 1}
    assert (dataset.name, dataset.documents, dataset.corpus.name) == ("tiny", 6, "corpus.jsonl.gz")


def test_history_becomes_turns(beir: Path) -> None:
    """The rows of `history` carry `text`, a turn carries `content`."""
    question = read_dataset(beir).questions[1]
    assert question.history == (Turn("user", "What of copper?"), Turn("assistant", "It melts."))


def test_a_judged_document_without_text_is_named(beir: Path) -> None:
    """A blank document that is judged can never be found, and is not an error."""
    assert read_dataset(beir).unreadable == ["d5"]


def test_packing_the_corpus_does_not_change_its_digest(beir: Path) -> None:
    """The digest is that of what is inside, for gzip writes times into its head."""
    packed = read_dataset(beir)
    text = [json.loads(line) for line in _unpacked(beir / "corpus.jsonl.gz")]
    (beir / "corpus.jsonl.gz").unlink()
    (beir / "corpus.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in text))
    plain = read_dataset(beir)
    assert plain.corpus_sha256 == packed.corpus_sha256
    assert plain.questions_sha256 == packed.questions_sha256


def test_the_digests_tell_corpus_and_questions_apart(beir: Path) -> None:
    """Another grade changes the digest of the questions alone."""
    before = read_dataset(beir)
    qrels = beir / "qrels" / "test.tsv"
    qrels.write_text(qrels.read_text().replace("d1\t2", "d1\t1"))
    after = read_dataset(beir)
    assert before.corpus_sha256 == after.corpus_sha256
    assert before.questions_sha256 != after.questions_sha256


def test_the_judgements_file_is_the_split_where_questions_name_none(tmp_path: Path, known: SimpleNamespace) -> None:
    """Plain BEIR sets part their questions by qrels files."""
    known.jsonl(tmp_path / "corpus.jsonl", [{"_id": "d", "text": "Text."}])
    known.jsonl(tmp_path / "queries.jsonl", [{"_id": name, "text": "What?"} for name in ("one", "two", "three")])
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\none\td\t1\n")
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\ntwo\td\t1\n")
    assert [question.split for question in read_dataset(tmp_path).questions] == ["dev", "test", None]


def test_a_question_that_names_its_split_keeps_it(beir: Path) -> None:
    """The judgements' file is called test.tsv and holds both halves."""
    assert [question.split for question in read_dataset(beir).questions] == ["test"] * 4 + ["dev"]


def _unpacked(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines()


QUERY = {"_id": "q9", "text": "What?"}
BLANK = {"doc": "d1", "start": 3, "end": 4, "text": " "}


@pytest.mark.parametrize(
    ("file", "line", "named", "said"),
    [
        ("qrels/test.tsv", "q9\td1\t1", "test.tsv:8", "no query has the id 'q9'"),
        ("qrels/test.tsv", "q1\td9\t1", "test.tsv:8", "no document of the corpus has the id 'd9'"),
        ("qrels/test.tsv", "q1 d1 1", "test.tsv:8", "1 fields where"),
        ("qrels/test.tsv", "q1\td1\tvery", "test.tsv:8", "'very' is not a whole number"),
        ("qrels/test.tsv", "q1\td1\t1", "test.tsv:8", "judged twice"),
        ("queries.jsonl", json.dumps({"text": "What?"}), "queries.jsonl:6", "`_id` is missing"),
        ("queries.jsonl", json.dumps({"_id": 7, "text": "What?"}), "queries.jsonl:6", "`_id` is missing"),
        ("queries.jsonl", json.dumps({"_id": "q9", "text": " "}), "queries.jsonl:6", "`text` is missing or blank"),
        ("queries.jsonl", json.dumps({"_id": "q1", "text": "What?"}), "queries.jsonl:6", "on an earlier line"),
        ("queries.jsonl", json.dumps({"_id": "q 9", "text": "What?"}), "queries.jsonl:6", "white space"),
        ("queries.jsonl", "{", "queries.jsonl:6", "not JSON"),
        ("queries.jsonl", '{"_id": "q9", "text": "What?", "n": NaN}', "queries.jsonl:6", "NaN is not a JSON number"),
        ("queries.jsonl", "[1]", "queries.jsonl:6", "not a JSON object"),
        ("queries.jsonl", json.dumps(QUERY | {"metadata": 1}), "queries.jsonl:6", "`metadata` is not an object"),
        ("queries.jsonl", json.dumps(QUERY | {"metadata": {"answers": "1"}}), "queries.jsonl:6", "list of strings"),
        ("queries.jsonl", json.dumps(QUERY | {"metadata": {"answerable": 1}}), "queries.jsonl:6", "true, false or"),
        ("queries.jsonl", json.dumps(QUERY | {"metadata": {"history": [{"role": "x"}]}}), "queries.jsonl:6", "a turn"),
        (
            "queries.jsonl",
            json.dumps(QUERY | {"metadata": {"answer_spans": [{}]}}),
            "queries.jsonl:6",
            "answer span is",
        ),
        ("queries.jsonl", json.dumps(QUERY | {"metadata": {"support": [{}]}}), "queries.jsonl:6", "supporting span is"),
        ("queries.jsonl", json.dumps(QUERY | {"support": [BLANK]}), "queries.jsonl:6", "supporting span is blank"),
        ("queries.jsonl", json.dumps(QUERY | {"short": "yes"}), "queries.jsonl:6", "`short` is true or false"),
        ("queries.jsonl", json.dumps(QUERY | {"short": True}), "queries.jsonl:6", "`answers` has no words"),
        ("queries.jsonl", json.dumps(QUERY | {"type": 3}), "queries.jsonl:6", "`type` is a string"),
    ],
)
def test_a_bad_line_is_refused_by_file_and_line(beir: Path, file: str, line: str, named: str, said: str) -> None:
    """Every fault says where it is and what would do."""
    with (beir / file).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(DatasetInvalid) as raised:
        read_dataset(beir)
    assert named in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"_id": "d1", "text": "a"}, {"_id": "d1", "text": "b"}], "corpus.jsonl:2: the id 'd1' stands on an earlier"),
        ([{"title": "no id", "text": "a"}], "corpus.jsonl:1: `_id` is missing"),
        ([{"_id": "..", "text": "a"}], "corpus.jsonl:1: '..' cannot name a document"),
        ([{"_id": "d1", "text": 3}], "corpus.jsonl:1: `text` is not a string"),
    ],
)
def test_a_bad_corpus_is_refused_by_line(tmp_path: Path, known: SimpleNamespace, rows: list[object], said: str) -> None:
    """A document without an id of its own cannot be judged."""
    known.jsonl(tmp_path / "corpus.jsonl", rows)
    known.jsonl(tmp_path / "queries.jsonl", [QUERY])
    with pytest.raises(DatasetInvalid, match=said.replace(".", r"\.")):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("span", "said"),
    [
        ({"doc": "d1", "start": 24, "end": 28, "text": "1932"}, "not what 'd1' holds from 24 to 28"),
        ({"doc": "d7", "start": 0, "end": 1, "text": "T"}, "names 'd7', which no document has"),
    ],
)
def test_an_answer_span_must_hold(beir: Path, known: SimpleNamespace, span: dict[str, object], said: str) -> None:
    """A span that does not stand where it says would make every later figure wrong."""
    known.jsonl(beir / "queries.jsonl", [{"_id": "q1", "text": "When?", "metadata": {"answer_spans": [span]}}])
    with pytest.raises(DatasetInvalid, match=r"queries\.jsonl:1") as raised:
        read_dataset(beir)
    assert said in str(raised.value)


def test_a_supporting_span_must_hold_too(beir: Path, known: SimpleNamespace) -> None:
    """It is called what it is."""
    for start, doc, said in ((24, "d1", "span's text is not what 'd1' holds"), (25, "d7", "span names 'd7'")):
        span = {"doc": doc, "start": start, "end": start + 4, "text": "1932"}
        known.jsonl(beir / "queries.jsonl", [{"_id": "q1", "text": "When?", "support": [span]}])
        with pytest.raises(DatasetInvalid, match=r"queries\.jsonl:1: a supporting " + said):
            read_dataset(beir)


def test_what_a_person_would_accept_is_read(beir: Path, known: SimpleNamespace) -> None:
    """Support, whether words are asked for, and the type, which stays a field to slice by; none of them has to be."""
    answering = {"doc": "d1", "start": 25, "end": 29, "text": "1932"}
    whole = {"doc": "d1", "start": 0, "end": 43, "text": "The bridge was opened in 1932 by the mayor."}
    about = {"answers": ["1932"], "answer_spans": [answering], "support": [whole], "short": True, "type": "date"}
    rows = [
        {"_id": "q1", "text": "When?", "metadata": about},
        {"_id": "q2", "text": "When?", "metadata": {"answer_spans": [answering], "short": False, "type": None}},
        {"_id": "q3", "text": "Who?", "metadata": {"answerable": False, "short": True}},
    ]
    known.jsonl(beir / "queries.jsonl", rows)
    (beir / "qrels" / "test.tsv").write_text("q1\td1\t1\n")
    first, second, third = read_dataset(beir).questions
    assert [span.text for span in first.supporting] == [whole["text"]]
    assert (first.short, first.type, first.metadata["type"]) == (True, "date", "date")
    assert [span.text for span in second.supporting] == ["1932"]
    assert (second.short, second.type, third.supporting) == (False, None, ())


def test_a_folder_without_either_layout_is_refused_with_both(tmp_path: Path) -> None:
    """The message names what would be an evaluation set."""
    with pytest.raises(DatasetInvalid, match=r"corpus\.jsonl.*questions\.jsonl and documents"):
        read_dataset(tmp_path)


def test_a_broken_archive_is_refused(beir: Path) -> None:
    """Half a gzip file is named, not half read."""
    corpus = beir / "corpus.jsonl.gz"
    corpus.write_bytes(corpus.read_bytes()[:40])
    with pytest.raises(DatasetInvalid, match=r"corpus\.jsonl\.gz:\d+: cannot be read"):
        read_dataset(beir)


def test_labels_that_nobody_checked_are_not_used(beir: Path, known: SimpleNamespace) -> None:
    """A silver row's `answerable` says only that no page was found."""
    known.jsonl(beir / "queries.jsonl", [QUERY | {"metadata": {"silver": True, "answerable": False}}])
    (beir / "qrels" / "test.tsv").write_text("q9\td1\t1\n")
    assert read_dataset(beir).questions[0].answerable is None


@pytest.fixture
def folder(tmp_path: Path, known: SimpleNamespace) -> Path:
    """Documents in two formats with three questions: one by a file's path, one by a row's id, one unanswerable."""
    (tmp_path / "documents" / "more").mkdir(parents=True)
    (tmp_path / "documents" / "more" / "bridge.txt").write_text("The bridge was opened in 1932.\n", encoding="utf-8")
    known.jsonl(tmp_path / "documents" / "rows.jsonl", [{"_id": "row-1", "text": "Tin melts at 232 degrees."}])
    spans = [
        {"doc": "more/bridge.txt", "start": 25, "end": 29, "text": "1932"},
        {"doc": "row-1", "start": 0, "end": 3, "text": "Tin"},
    ]
    rows = [
        {"_id": f"q{at}", "text": "What?", "metadata": {"answer_spans": [span], "answerable": True, "split": "test"}}
        for at, span in enumerate(spans)
    ]
    unanswerable = {"_id": "q2", "text": "Who?", "metadata": {"answerable": False, "split": "dev"}}
    known.jsonl(tmp_path / "questions.jsonl", [*rows, unanswerable])
    return tmp_path


def test_a_folder_of_documents_is_judged_by_its_answer_spans(folder: Path) -> None:
    """A document that holds an answer span is relevant; its id is its path, or its row's id."""
    dataset: Dataset = read_dataset(folder)
    assert dataset.judgements == {"q0": {"more~2Fbridge.txt": 1}, "q1": {"row-1": 1}}
    assert (dataset.documents, dataset.corpus) == (2, folder / "documents")


def test_a_document_that_supports_an_answer_is_relevant_in_a_folder(folder: Path, known: SimpleNamespace) -> None:
    """As one that holds an answer span is."""
    span = {"doc": "row-1", "start": 0, "end": 25, "text": "Tin melts at 232 degrees."}
    known.jsonl(folder / "questions.jsonl", [{"_id": "q", "text": "What?", "support": [span]}])
    assert read_dataset(folder).judgements == {"q": {"row-1": 1}}


def test_a_folder_changes_its_digest_with_a_name_and_with_a_byte(folder: Path) -> None:
    """A cached collection of another corpus would be asked otherwise."""
    digests = {read_dataset(folder).corpus_sha256}
    (folder / "documents" / "other.txt").write_text("More.", encoding="utf-8")
    digests.add(read_dataset(folder).corpus_sha256)
    (folder / "documents" / "other.txt").rename(folder / "documents" / "another.txt")
    digests.add(read_dataset(folder).corpus_sha256)
    assert len(digests) == 3


def test_a_span_outside_the_folder_is_refused(folder: Path, known: SimpleNamespace) -> None:
    """A questions file that names a document that is not there is named with its line."""
    span = {"doc": "gone.txt", "start": 0, "end": 1, "text": "T"}
    known.jsonl(folder / "questions.jsonl", [{"_id": "q", "text": "What?", "metadata": {"answer_spans": [span]}}])
    with pytest.raises(DatasetInvalid, match=r"questions\.jsonl:1: an answer span names 'gone\.txt'"):
        read_dataset(folder)


@pytest.fixture
def notes(tmp_path: Path, known: SimpleNamespace) -> Path:
    """Documents directly in a folder, and questions with as little as a person would write."""
    (tmp_path / "in").mkdir()
    (tmp_path / "tin.md").write_text("# Tin\n\nIt melts at 232 degrees.\n")
    (tmp_path / "in" / "my copper.md").write_text("# Copper\n\nIt melts at 1085 degrees.\n")
    rows = [
        {"text": "When does tin melt?", "relevant": ["tin.md"]},
        {"text": "When does copper melt?", "relevant": ["in/my copper.md", "tin.md"], "answers": ["1085"], "kind": "b"},
        {"_id": "mine", "text": "Who?", "metadata": {"answerable": False, "kind": "c"}, "kind": "d"},
    ]
    known.jsonl(tmp_path / "questions.jsonl", rows)
    return tmp_path


def test_documents_may_lie_beside_their_questions(notes: Path) -> None:
    """Files are named as they lie there, questions are numbered, and the questions are no document."""
    dataset = read_dataset(notes)
    assert [file.name for file in dataset.files()] == ["in/my copper.md", "tin.md"]
    assert dataset.ids == {"in~2Fmy~20copper.md", "tin.md"}
    assert dataset.judgements == {"1": {"tin.md": 1}, "2": {"in~2Fmy~20copper.md": 1, "tin.md": 1}}
    assert [question.id for question in dataset.questions] == ["1", "2", "mine"]


def test_what_is_known_of_a_question_may_stand_beside_its_text(notes: Path) -> None:
    """As in `metadata`, which comes first where both say something; anything else is kept for slices."""
    first, second, third = read_dataset(notes).questions
    assert (second.answers, second.metadata["kind"], first.answerable) == (("1085",), "b", None)
    assert (third.answerable, third.metadata["kind"]) == (False, "c")


def test_titles_and_texts_of_documents_can_be_looked_up(notes: Path, beir: Path) -> None:
    """For those asked for, in either layout; a blank title is none, and a document without text has none to show."""
    found = read_dataset(notes).texts({"tin.md", "gone.md"})
    assert found == {"tin.md": ("Tin", "# Tin\n\nIt melts at 232 degrees.\n")}
    rows = read_dataset(beir).texts({"d2", "a~20b~2F~C3~BC"})
    assert {name: text for name, (_, text) in rows.items()} == {
        "d2": "Copper melts at 1085 degrees.",
        "a~20b~2F~C3~BC": "Tin melts at 232 degrees.",
    }


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "What?", "relevant": ["zinc.md"]}, "`relevant` names 'zinc.md', which no document has as id"),
        ({"text": "What?", "relevant": "tin.md"}, "`relevant` is not a list of strings"),
        ({"text": "What?", "answers": [1]}, "`answers` is not a list of strings"),
        ({"_id": 4, "text": "What?"}, "`_id` is missing or blank"),
        ({"question": "What?"}, "`text` is missing or blank"),
    ],
)
def test_a_bad_question_of_a_folder_is_refused(notes: Path, row: object, said: str) -> None:
    """File and line are named, and what would do."""
    with (notes / "questions.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    with pytest.raises(DatasetInvalid, match=r"questions\.jsonl:4") as raised:
        read_dataset(notes)
    assert said in str(raised.value)


def test_a_folder_without_documents_is_refused(tmp_path: Path, known: SimpleNamespace) -> None:
    """Questions alone can be asked of nothing."""
    known.jsonl(tmp_path / "questions.jsonl", [{"text": "What?"}])
    with pytest.raises(DatasetInvalid, match="no document is here"):
        read_dataset(tmp_path)
