"""The harness gives systems of known score that score, counts what it leaves out, and repeats itself to the byte."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from rag.errors import DatasetInvalid
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.manifest import commit
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.result import Evaluation, result_json, write
from rag.evaluation.run import Plan, default_split, evaluate_systems, select
from rag.evaluation.trec import read_run
from rag.types import Answer, ShortAnswer, Span

DOCUMENTS = 20


@pytest.fixture(scope="module")
def corpus() -> Mapping[str, str]:
    """Twenty documents of one sentence, each with a number of its own."""
    return {f"d{n:02}": f"The number of this page is {1000 + n}." for n in range(DOCUMENTS)}


@pytest.fixture(scope="module")
def dataset(corpus: Mapping[str, str]) -> Dataset:
    """A thousand questions, each with one relevant document; every fifth is one that nothing answers."""
    questions = [
        DatasetQuestion(
            id=f"q{n:03}",
            text=f"Which page is {n}?",
            answers=[str(1000 + n % DOCUMENTS)] if n % 5 else [],
            answerable=bool(n % 5),
            split="dev" if n % 2 else "test",
            metadata={"type": "odd" if n % 2 else "even"},
        )
        for n in range(1000)
    ]
    judged = {q.id: {f"d{int(q.id[1:]) % DOCUMENTS:02}": 1} for q in questions if q.answerable}
    return Dataset("known", Path("corpus.jsonl"), questions, judged, DOCUMENTS, "0" * 64)


def right(question: DatasetQuestion) -> str:
    """The one relevant document."""
    return f"d{int(question.id[1:]) % DOCUMENTS:02}"


def perfect(question: DatasetQuestion) -> Sequence[str]:
    """The right document first."""
    return sorted((f"d{n:02}" for n in range(DOCUMENTS)), key=lambda document: document != right(question))


def backwards(question: DatasetQuestion) -> Sequence[str]:
    """The right document last of all twenty."""
    return perfect(question)[::-1]


def shuffled(question: DatasetQuestion) -> Sequence[str]:
    """Any order, the same for a question every time."""
    return random.Random(question.id).sample(perfect(question), DOCUMENTS)


def measured(
    dataset: Dataset, system: object, plan: Plan | None = None, **options: object
) -> tuple[Evaluation, Mapping[str, float]]:
    """Evaluate one system and return its means by measure."""
    plan = plan or Plan(split="all", answers=True)
    evaluation = evaluate_systems(dataset, {"known": system}, plan, model="none", settings={}, **options)
    return evaluation, {name: estimate.mean for name, estimate in evaluation.systems["known"].measures.items()}


def test_a_perfect_system_scores_1(dataset: Dataset, corpus: Mapping[str, str], known: SimpleNamespace) -> None:
    """And one that declines just what nothing answers is shown as that."""
    system = known.System(corpus, perfect, lambda question: question.answerable is False)
    _, means = measured(dataset, system)
    ones = ["nDCG@10", "R@10", "R@100", "RR@10", "P@1", "Success@1", "Answer@1", "Answer@20", "Citations exact"]
    assert {name: means[name] for name in ones} == dict.fromkeys(ones, 1)
    assert (means["Declined, answerable"], means["Declined, unanswerable"]) == (0, 1)


def test_a_reversed_system_scores_0_in_the_top_and_1_in_the_whole(
    dataset: Dataset, corpus: Mapping[str, str], known: SimpleNamespace
) -> None:
    """The right one of twenty is twentieth."""
    _, means = measured(dataset, known.System(corpus, backwards))
    zeros = ["nDCG@10", "R@10", "RR@10", "P@1", "Success@10", "Answer@1", "Answer@5"]
    assert {name: means[name] for name in zeros} == dict.fromkeys(zeros, 0)
    assert (means["R@100"], means["Answer@20"]) == (1, 1)


def test_a_random_system_scores_what_chance_gives(
    dataset: Dataset, corpus: Mapping[str, str], known: SimpleNamespace
) -> None:
    """One of twenty first, half of them in ten; the intervals, of 800 questions, hold these."""
    evaluation, means = measured(dataset, known.System(corpus, shuffled))
    measures = evaluation.systems["known"].measures
    chance = {"P@1": 1 / 20, "R@10": 1 / 2, "Success@5": 1 / 4, "RR@10": sum(1 / n for n in range(1, 11)) / 20}
    for name, truth in chance.items():
        assert measures[name].low <= truth <= measures[name].high, (name, measures[name])
        assert measures[name].n == 800
    assert means["R@100"] == 1


def test_a_short_answer_and_its_confidence_are_measured(
    dataset: Dataset, corpus: Mapping[str, str], known: SimpleNamespace
) -> None:
    """Right where it answers, silent where it declines; a quote that its document does not hold is told of."""

    class Reading(known.System):  # type: ignore[name-defined,misc]
        """Answers the number of the page, sure of it, under a digest that is wrong on the first page."""

        def ask(self, question: DatasetQuestion) -> Answer:
            """Answer with the exact words."""
            plain: Answer = super().ask(question)
            if not plain.passages:
                return replace(plain, confidence=0.1)
            cited = plain.passages[0].citation
            start = cited.quote.index("10")
            digest = "0" * 64 if cited.document_id == "d01" else cited.document_sha256
            citation = replace(cited, document_sha256=digest, start=start, end=start + 4, quote=cited.quote[start:-1])
            said = ShortAnswer(citation.quote, citation, plain.passages[0].document)
            return replace(plain, confidence=0.8, answer=said, alternatives=[said] * 3)

    system = Reading(corpus, perfect, lambda question: not question.answerable)
    evaluation, means = measured(dataset, system)
    assert (means["Exact match"], means["Token F1"], means["Answerability AUROC"]) == (1, 1, 1)
    assert means["Answerability ECE"] == pytest.approx(0.8 * 0.2 + 0.2 * 0.1)
    exact = evaluation.systems["known"].values["Citations exact"]
    assert {exact["q001"], exact["q021"]} == {(DOCUMENTS + 5) / (DOCUMENTS + 5 + 4)}
    assert exact["q002"] == 1
    assert "Token F1" not in measured(dataset, system, Plan(split="all"))[1]  # nobody was asked


def test_a_system_that_always_declines_is_right_on_what_nothing_answers(
    dataset: Dataset, corpus: Mapping[str, str], known: SimpleNamespace
) -> None:
    """Declined shares are 1 on both sides, and highlights hold no answer."""
    _, means = measured(dataset, known.System(corpus, perfect, lambda question: True))
    assert (means["Declined, answerable"], means["Declined, unanswerable"]) == (1, 1)
    assert means["Answer in highlights@3"] == 0
    assert means["nDCG@10"] == 1


def test_a_system_that_finds_nothing_scores_0_over_every_question(
    dataset: Dataset, corpus: Mapping[str, str], known: SimpleNamespace
) -> None:
    """Its 800 queries are missing from the run, and from no mean."""
    evaluation, means = measured(dataset, known.System(corpus, lambda question: []))
    assert means["nDCG@10"] == means["R@100"] == means["Answer@20"] == 0
    assert evaluation.systems["known"].measures["nDCG@10"].n == 800


def test_a_citation_that_does_not_hold_is_counted(
    dataset: Dataset, corpus: Mapping[str, str], known: SimpleNamespace
) -> None:
    """A quarter of the documents changed after they were cited: three quarters of the citations are exact."""

    class Forgetful(known.System):  # type: ignore[name-defined, misc]
        def text(self, document_id: str) -> str | None:
            """Return another text, or none, for a quarter of the documents."""
            number = int(document_id[1:])
            return None if number % 8 == 0 else "Gone." if number % 8 == 4 else corpus[document_id]

    _, means = measured(dataset, Forgetful(corpus, perfect), Plan(split="all"))
    wrong = sum(n % 4 == 0 for n in range(DOCUMENTS))
    assert means["Citations exact"] == pytest.approx(1 - wrong / DOCUMENTS)


@pytest.mark.parametrize(
    "wrong", [{"document_sha256": "0" * 64}, {"quote": "Two."}, {"start": 1}, {"end": 3}, {"document_id": "e"}]
)
def test_every_part_of_a_citation_counts(known: SimpleNamespace, wrong: Mapping[str, object]) -> None:
    """A citation with one part changed is not exact."""
    cited = known.passage("d", "One. Two.", Span(0, 4))

    class Careless(known.System):  # type: ignore[name-defined, misc]
        def search(self, questions: Sequence[DatasetQuestion], depth: int) -> Sequence[Sequence[object]]:
            """Return one right and one wrong citation."""
            return [[cited, replace(cited, citation=replace(cited.citation, **wrong))] for _ in questions]

    dataset = Dataset("one", Path("c"), [DatasetQuestion("q", "?")], {"q": {"d": 1}}, 1, "")
    _, means = measured(dataset, Careless({"d": "One. Two.", "e": "One."}, perfect), Plan(split="all"))
    assert means["Citations exact"] == 0.5


def test_what_is_left_out_is_counted(dataset: Dataset, corpus: Mapping[str, str], known: SimpleNamespace) -> None:
    """Questions without a relevant document leave the ranking measures and stay in the manifest."""
    evaluation, _ = measured(dataset, known.System(corpus, perfect), missing=["d03"])
    manifest = evaluation.manifest
    assert (manifest["questions"], manifest["without_relevant"], manifest["not_found"]) == (1000, 200, ["d03"])
    assert evaluation.systems["known"].measures["Declined, unanswerable"].n == 200


def test_passages_of_one_document_rank_it_once_by_the_best(known: SimpleNamespace) -> None:
    """A document that fills the first places with its passages stands first, and once."""
    text = "One. Two. Three."
    found = [known.passage(name, text) for name in ("b", "b", "a", "b", "c", "a")]

    class Repeating(known.System):  # type: ignore[name-defined, misc]
        def search(self, questions: Sequence[DatasetQuestion], depth: int) -> Sequence[Sequence[object]]:
            """Return the same passages for every question."""
            return [found for _ in questions]

    dataset = Dataset("one", Path("c"), [DatasetQuestion("q", "?")], {"q": {"c": 1}}, 3, "")
    evaluation, means = measured(dataset, Repeating({}, lambda question: []), Plan(split="all"))
    assert evaluation.systems["known"].run == {"q": ("b", "a", "c")}
    assert means["RR@10"] == pytest.approx(1 / 3)


def test_slices_part_the_questions_by_a_metadata_field(
    dataset: Dataset, corpus: Mapping[str, str], known: SimpleNamespace
) -> None:
    """A system that is right on even questions alone is seen to be that."""
    half = known.System(corpus, lambda q: perfect(q) if q.metadata["type"] == "even" else backwards(q))
    evaluation, _ = measured(dataset, half, Plan(split="all", slice_by=("type",)))
    slices = evaluation.systems["known"].slices["type"]
    assert {name: (by["nDCG@10"].mean, by["nDCG@10"].n) for name, by in slices.items()} == {
        "even": (1, 400),
        "odd": (0, 400),
    }


def test_split_and_limit_choose_the_questions(dataset: Dataset) -> None:
    """A split keeps its own; a limit draws by the seed, keeps the order, and draws the same again."""
    chosen = select(dataset, Plan(split="dev", limit=50, seed=1))
    assert len(chosen) == 50
    assert {question.split for question in chosen} == {"dev"}
    assert [question.id for question in chosen] == sorted(question.id for question in chosen)
    assert chosen == select(dataset, Plan(split="dev", limit=50, seed=1))
    assert chosen != select(dataset, Plan(split="dev", limit=50, seed=2))
    assert len(select(dataset, Plan(split="all"))) == 1000
    with pytest.raises(DatasetInvalid, match="no question is in the split 'train'"):
        select(dataset, Plan(split="train"))


def test_all_are_asked_where_no_question_names_a_split(dataset: Dataset) -> None:
    """A person's own questions are in no split; where some are in one, `test` is what is reported."""
    bare = replace(dataset, questions=[replace(question, split=None) for question in dataset.questions])
    assert (default_split(bare), default_split(dataset)) == ("all", "test")
    assert len(select(bare, Plan(default_split(bare)))) == 1000
    with pytest.raises(DatasetInvalid, match="no question is in the split 'dev'"):
        select(bare, Plan("dev"))


def test_progress_counts_every_question_of_every_system(
    dataset: Dataset, corpus: Mapping[str, str], known: SimpleNamespace
) -> None:
    """Searches and answers are steps; the last call says that all is done."""
    seen: list[tuple[int, int]] = []
    note: Callable[[int, int], None] = lambda done, total: seen.append((done, total))  # noqa: E731
    systems = {name: known.System(corpus, perfect) for name in ("one", "two")}
    plan = Plan(split="all", limit=100, answers=True)
    evaluate_systems(dataset, systems, plan, model="none", settings={}, on_progress=note)
    assert seen == sorted(set(seen))
    assert seen[-1][0] == seen[-1][1] > 200


def test_the_same_input_gives_the_same_bytes(
    dataset: Dataset, corpus: Mapping[str, str], known: SimpleNamespace, tmp_path: Path
) -> None:
    """Result, values by query and run are equal to the byte; what was waited is kept apart."""
    kept = []
    for name in ("one", "two"):
        evaluation, _ = measured(dataset, known.System(corpus, shuffled))
        (tmp_path / name).mkdir()
        paths = write(evaluation, tmp_path / name / "result.json", runs=True)
        kept.append({path.name: path.read_bytes() for path in paths})
    beside = ["json", "known.run", "per_query.json", "qrels", "timings.json"]
    assert sorted(kept[0]) == [f"result.{end}" for end in beside]
    timings = [json.loads(files.pop("result.timings.json")) for files in kept]
    assert kept[0] == kept[1]
    assert set(timings[0]["known"]) == {"search_ms", "ask_ms"}


def test_the_files_hold_what_the_contract_names(beir: Path, known: SimpleNamespace, tmp_path: Path) -> None:
    """Systems, measures with their four figures, the manifest; per query the values; a run that can be read."""
    dataset = read_dataset(beir)
    texts = {"d1": "The bridge was opened in 1932 by the mayor.", "d3": "The ferry crosses the bay twice a day."}
    evaluation, _ = measured(dataset, known.System(texts, lambda question: ["d3", "d1"]), Plan(split="all"))
    write(evaluation, tmp_path / "result.json", runs=True)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result == json.loads(json.dumps(result_json(evaluation)))
    assert set(result["systems"]["known"]["measures"]["nDCG@10"]) == {"mean", "low", "high", "n"}
    wanted = {"commit", "corpus_sha256", "questions_sha256", "model", "settings", "settings_sha256", "seed", "versions"}
    assert wanted <= set(result["manifest"])
    assert result["manifest"]["not_found"] == ["d5"]
    values = json.loads((tmp_path / "result.per_query.json").read_text())["known"]
    assert values["RR@10"] == {"q1": 1, "q2": 0, "q3": 0, "q5": 0}
    assert read_run(tmp_path / "result.known.run")["q1"] == ["d3", "d1"]


def test_a_folder_that_is_no_checkout_has_no_commit(tmp_path: Path) -> None:
    """An installed wheel says null rather than the commit of whatever surrounds it."""
    assert commit(tmp_path) is None


def test_a_checkout_has_its_commit(tmp_path: Path) -> None:
    """Files of it that differ show as a plus, files beside it do not."""
    (tmp_path / "code.py").write_text("one = 1\n")
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for words in (["init", "-q"], ["add", "code.py"], [*identity, "commit", "-q", "-m", "One"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    (tmp_path / "result.json").write_text("{}")
    clean = commit(tmp_path)
    assert clean is not None
    assert len(clean) == 40
    (tmp_path / "code.py").write_text("two = 2\n")
    assert commit(tmp_path) == clean + "+"
