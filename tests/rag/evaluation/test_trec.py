"""Runs and judgements go to TREC's files and back, and are read and scored as trec_eval does it."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from rag.encoding import HashingEncoder
from rag.errors import DatasetInvalid
from rag.evaluation.cache import cached_collection
from rag.evaluation.datasets import Dataset, Judgements, read_dataset
from rag.evaluation.measures import RANKING, ranking_values
from rag.evaluation.result import result_json, write
from rag.evaluation.run import Plan, evaluate_runs, evaluate_systems
from rag.evaluation.systems import CollectionSystem
from rag.evaluation.trec import read_run, write_qrels, write_run
from rag.retrieval import Ranking

SEEDS = Path(__file__).parents[3] / "seeds"

IDS = st.lists(st.text("abcXYZ019._~-", min_size=1, max_size=8), unique=True, max_size=300)


@given(run=st.dictionaries(st.sampled_from(["q1", "q2", "q3"]), IDS.filter(bool)))
def test_a_run_comes_back_in_its_order(tmp_path_factory: pytest.TempPathFactory, run: dict[str, list[str]]) -> None:
    """Whatever the ids, no tie is left for a reader to break."""
    path = tmp_path_factory.mktemp("runs") / "one.run"
    write_run(path, run, tag="ours")
    assert read_run(path) == run


def test_lines_have_the_six_fields(tmp_path: Path) -> None:
    """Query, Q0, document, rank from 1, a score that falls, and who made it."""
    write_run(tmp_path / "one.run", {"q1": ["b", "a"]}, tag="dense")
    assert (tmp_path / "one.run").read_text() == "q1 Q0 b 1 2 dense\nq1 Q0 a 2 1 dense\n"


def test_ties_are_read_by_descending_id_and_ranks_are_ignored(tmp_path: Path) -> None:
    """As trec_eval does; scores that only double precision tells apart are ties to it."""
    lines = ["q1 Q0 a 1 0.50000000001 x", "q1 Q0 c 2 0.5 x", "q1 Q0 b 3 0.5 x", "q1 Q0 d 9 0.7 x"]
    (tmp_path / "one.run").write_text("\n".join(lines) + "\n")
    assert read_run(tmp_path / "one.run") == {"q1": ["d", "c", "b", "a"]}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("q1 Q0 a 1 x", "5 fields where six are due"),
        ("q1 Q0 a 1 much x", "'much' is not a number"),
        ("q1 Q0 a 1 nan x", "the score is not a number"),
        ("q1 Q0 d 1 0.1 x", "'d' stands twice"),
    ],
)
def test_a_bad_line_is_refused(tmp_path: Path, line: str, said: str) -> None:
    """File and line are named."""
    (tmp_path / "one.run").write_text(f"q1 Q0 d 1 0.7 x\n{line}\n")
    with pytest.raises(DatasetInvalid, match=rf"one\.run:2: .*{said}"):
        read_run(tmp_path / "one.run")


def test_an_unknown_id_is_refused_by_file_and_line(beir: Path) -> None:
    """A run of another set would score 0 and look like a bad system."""
    dataset = read_dataset(beir)
    for line, said in (("q9 Q0 d1 1 1 x", "no query has the id 'q9'"), ("q1 Q0 d9 1 1 x", "no document of the corpus")):
        (beir / "one.run").write_text(f"q1 Q0 d1 1 2 x\n{line}\n")
        with pytest.raises(DatasetInvalid, match=rf"one\.run:2: {said}"):
            read_run(beir / "one.run", dataset.known)


def test_a_document_has_the_name_of_its_row_or_of_its_ingestion(tmp_path: Path, known: SimpleNamespace) -> None:
    """Runs of other systems bring the corpus's ids, ours bring those of ingestion; ties go by what the file says."""
    known.jsonl(tmp_path / "corpus.jsonl", [{"_id": name, "text": "Text."} for name in ("a/1", "aZ1")])
    known.jsonl(tmp_path / "queries.jsonl", [{"_id": "q", "text": "What?"}])
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("q\ta/1\t1\n")
    dataset = read_dataset(tmp_path)
    runs = {}
    for name in ("a/1", "a~2F1"):
        (tmp_path / "one.run").write_text(f"q Q0 {name} 1 0.5 x\nq Q0 aZ1 2 0.5 x\n")
        runs[name] = read_run(tmp_path / "one.run", dataset.known)["q"]
    assert runs == {"a/1": ["aZ1", "a~2F1"], "a~2F1": ["a~2F1", "aZ1"]}


def test_qrels_come_back_as_they_were_written(beir: Path) -> None:
    """TREC's four columns hold what BEIR's three do, grades and odd ids included."""
    before = read_dataset(beir)
    (beir / "qrels" / "test.tsv").unlink()
    write_qrels(beir / "qrels" / "test.qrels", before.judgements)
    assert "q1 0 d1 2\n" in (beir / "qrels" / "test.qrels").read_text()
    after = read_dataset(beir)
    assert after.judgements == before.judgements
    assert after.questions_sha256 == before.questions_sha256


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("q1 d1 1", "3 fields where four are due"),
        ("q1 0 d1 much", "the score 'much' is not a whole number"),
        ("q9 0 d1 1", "no query has the id 'q9'"),
        ("q1 0 d9 1", "no document of the corpus has the id 'd9'"),
        ("q1 0 d1 1", "'d1' is judged twice for 'q1', with another score"),
    ],
)
def test_a_bad_line_of_qrels_is_refused(beir: Path, line: str, said: str) -> None:
    """File and line are named; both layouts may lie beside one another as long as they agree."""
    (beir / "qrels" / "more.qrels").write_text(f"q1 0 d6 0\n{line}\n")
    with pytest.raises(DatasetInvalid, match=rf"(more\.qrels:2|test\.tsv:2): .*{said}"):
        read_dataset(beir)


# Agreement with trec_eval, whose own core pytrec_eval is


def trec_eval(judgements: Judgements, run: Mapping[str, Mapping[str, float]]) -> Mapping[str, Mapping[str, float]]:
    """What trec_eval says of scores: per measure by its name here the values of the queries that it speaks of."""
    names = {
        "nDCG@10": "ndcg_cut_10", "R@10": "recall_10", "R@20": "recall_20", "R@100": "recall_100", "P@1": "P_1",
        "RR@10": "recip_rank", "Success@1": "success_1", "Success@5": "success_5", "Success@10": "success_10",
    }  # fmt: skip
    asked = {"ndcg_cut.10", "recall.10,20,100", "P.1", "recip_rank", "success.1,5,10"}
    judged = {query: dict(grades) for query, grades in judgements.items()}
    found = pytrec_eval.RelevanceEvaluator(judged, asked).evaluate({query: dict(one) for query, one in run.items()})
    values = {name: {query: one[theirs] for query, one in found.items()} for name, theirs in names.items()}
    # trec_eval's reciprocal rank looks at the whole ranking, ours at the first ten.
    values["RR@10"] = {query: value if value >= 0.1 else 0.0 for query, value in values["RR@10"].items()}
    return values


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Mapping[str, Mapping[str, float]]]:
    """Seed documents and questions about them, and a real run: words alone, the best score of each document."""
    folder = tmp_path_factory.mktemp("seeds")
    (folder / "documents").mkdir()
    for file in sorted((SEEDS / "documents").glob("*.md")):
        shutil.copy(file, folder / "documents")
    lines = (SEEDS / "questions.jsonl").read_text("utf-8").splitlines()
    spans = {line: (json.loads(line)["metadata"].get("answer_spans") or [{"doc": "?"}]) for line in lines}
    kept = [line for line, named in spans.items() if all(span["doc"].endswith(".md") for span in named)]
    (folder / "questions.jsonl").write_text("\n".join(kept), "utf-8")
    dataset, encoder = read_dataset(folder), HashingEncoder()
    with cached_collection(dataset, folder / "cache", encoder) as collection:
        system = CollectionSystem(collection, encoder, "lexical", Ranking())
        found = system.search(dataset.questions, 200)
    run: dict[str, dict[str, float]] = {}
    for question, passages in zip(dataset.questions, found, strict=True):
        scores: dict[str, float] = {}
        for passage in passages:
            scores.setdefault(passage.document.id, passage.score)
        run[question.id] = scores
    return dataset, run


@pytest.mark.parametrize("digits", [6, 0, -1])
def test_a_real_run_scores_as_trec_eval_scores_it(
    seeds: tuple[Dataset, Mapping[str, Mapping[str, float]]], tmp_path: Path, digits: int
) -> None:
    """With its own scores, and rounded until most are ties; every sixth query is missing and scores 0."""
    dataset, run = seeds
    kept = {
        query: {document: round(score, digits) for document, score in found.items()}
        for place, (query, found) in enumerate(run.items())
        if place % 6
    }
    lines = [f"{q} Q0 {doc} 0 {score!r} x\n" for q, found in kept.items() for doc, score in found.items()]
    random.Random(digits).shuffle(lines)
    (tmp_path / "one.run").write_text("".join(lines))
    ours = ranking_values(dataset.judgements, read_run(tmp_path / "one.run", dataset.known))
    theirs = trec_eval(dataset.judgements, kept)
    assert set(theirs) == set(ours) == set(map(str, RANKING))
    assert len(theirs["P@1"]) >= 30
    tied = sum(len(set(found.values())) < len(found) for found in kept.values())
    assert digits > 0 or tied > len(kept) * 3 / 4
    for name, values in theirs.items():
        expected = {query: values.get(query, 0.0) for query in dataset.judgements}
        assert ours[name] == pytest.approx(expected, abs=1e-9), name


DOCUMENTS = st.sampled_from(["a", "B", "b", "c-1", "c-10", "z", "é", "日"])
SCORES = st.dictionaries(DOCUMENTS, st.sampled_from([0.0, 0.5, 0.50000000001, 1.5, -2.0, 1e-30, 3e8]), max_size=8)


@given(
    run=st.dictionaries(st.sampled_from("pqr"), SCORES, max_size=3),
    judged=st.dictionaries(st.sampled_from("pqr"), st.dictionaries(DOCUMENTS, st.integers(-1, 2)), max_size=3),
)
def test_any_run_scores_as_trec_eval_scores_it(
    tmp_path_factory: pytest.TempPathFactory, run: dict[str, dict[str, float]], judged: dict[str, dict[str, int]]
) -> None:
    """Ties, scores that single precision cannot tell apart, queries missing on either side, any letters."""
    path = tmp_path_factory.mktemp("runs") / "one.run"
    path.write_text(
        "".join(f"{q} Q0 {doc} 1 {score!r} x\n" for q, found in run.items() for doc, score in found.items())
    )
    ours = ranking_values(judged, read_run(path))
    theirs = trec_eval(judged, {query: found for query, found in run.items() if found})
    for name, values in ours.items():
        assert values == pytest.approx({query: theirs[name].get(query, 0.0) for query in values}, abs=1e-9), name


def test_a_run_that_was_written_scores_as_the_system_that_wrote_it(
    beir: Path, known: SimpleNamespace, tmp_path: Path
) -> None:
    """Ranking measures, slices and judgements are those of the system; what needs passages is left out."""
    dataset = read_dataset(beir)
    texts = {"d1": "The bridge was opened in 1932 by the mayor.", "d3": "The ferry crosses the bay twice a day."}
    plan = Plan("all", slice_by=("type",))
    system = known.System(texts, lambda question: ["d3", "d1"] if question.id < "q3" else [])
    asked = evaluate_systems(dataset, {"known": system}, plan, model="none", settings={})
    write(asked, tmp_path / "result.json", runs=True)
    run = evaluate_runs(dataset, {"known": read_run(tmp_path / "result.known.run", dataset.known)}, plan)
    ranked = set(map(str, RANKING))
    results = [result_json(one)["systems"]["known"] for one in (asked, run)]
    assert results[1]["measures"] == {name: one for name, one in results[0]["measures"].items() if name in ranked}
    assert set(results[1]["slices"]["type"]) == set(results[0]["slices"]["type"])
    assert run.manifest["unanswered"] == {"known": 2}
    assert run.manifest["questions_sha256"] == asked.manifest["questions_sha256"]
    assert read_qrels(tmp_path / "result.qrels") == asked.judgements


def read_qrels(path: Path) -> Mapping[str, Mapping[str, int]]:
    """The judgements of a file, by splitting its lines."""
    found: dict[str, dict[str, int]] = {}
    for query, zero, document, grade in map(str.split, path.read_text().splitlines()):
        assert zero == "0"
        found.setdefault(query, {})[document] = int(grade)
    return found
