"""Results are read back as they were written, compared where they can be, and told apart where they cannot."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rag.errors import DatasetInvalid
from rag.evaluation.comparison import Comparison, Declared, compare, comparison_json
from rag.evaluation.datasets import Dataset
from rag.evaluation.kept import Kept, obstacle, read_kept
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.result import write
from rag.evaluation.run import Plan, evaluate_systems

CORPUS = {f"d{n:02}": f"The number of this page is {1000 + n}." for n in range(20)}
QUESTIONS = [DatasetQuestion(f"q{n:03}", f"Which page is {n}?", answers=[str(1000 + n % 20)]) for n in range(200)]
JUDGED = {question.id: {f"d{at % 20:02}": 1} for at, question in enumerate(QUESTIONS)}
Rule = Callable[[DatasetQuestion], Sequence[str]]


def perfect(question: DatasetQuestion) -> Sequence[str]:
    """The right document first."""
    return sorted(CORPUS, key=lambda document: document not in JUDGED[question.id])


def backwards(question: DatasetQuestion) -> Sequence[str]:
    """The right document last of all twenty."""
    return perfect(question)[::-1]


def shuffled(question: DatasetQuestion) -> Sequence[str]:
    """Any order, the same for a question every time."""
    return random.Random(question.id).sample(sorted(CORPUS), len(CORPUS))


def silent_on_half(question: DatasetQuestion) -> Sequence[str]:
    """Right on every other question, and nothing on the rest."""
    return perfect(question) if int(question.id[1:]) % 2 else []


@pytest.fixture
def keep(known: SimpleNamespace, tmp_path: Path) -> Callable[..., Path]:
    """A function that evaluates systems by their rules and returns where the result was written."""

    def kept(file: str, *, name: str = "known", runs: bool = False, limit: int | None = None, **rules: Rule) -> Path:
        dataset = Dataset(name, Path("corpus.jsonl"), QUESTIONS, JUDGED, len(CORPUS), "0" * 64)
        systems = {system: known.System(CORPUS, rule) for system, rule in rules.items()}
        plan = Plan(split="all", limit=limit)
        evaluation = evaluate_systems(dataset, systems, plan, model="none", settings={})
        (tmp_path / file).parent.mkdir(exist_ok=True)
        write(evaluation, tmp_path / file, runs=runs)
        return tmp_path / file

    return kept


def compared(one: Path, other: Path, declared: Declared | None = None, **systems: str) -> Comparison:
    """Read and compare two results."""
    declared = declared or Declared()
    before, after = read_kept(one, systems.get("base")), read_kept(other, systems.get("candidate"))
    assert obstacle(before, after, declared.of) is None
    return compare(before, after, declared)


# Systems of known score


def test_systems_of_known_score_are_told_apart(keep: Callable[..., Path]) -> None:
    """From reversed to perfect every question is won, back all are lost; what is shown is what must come out."""
    file = keep("r.json", backwards=backwards, perfect=perfect)
    better = compared(file, file, base="backwards", candidate="perfect")
    assert (better.outcome, better.effect.effect, better.effect.low, better.effect.high) == ("no regression", 1, 1, 1)
    assert (better.effect.wins, better.effect.ties, better.effect.losses) == (200, 0, 0)
    assert better.measures["R@100"].ties == 200
    worse = compared(file, file, base="perfect", candidate="backwards")
    assert (worse.outcome, worse.effect.effect, worse.effect.losses) == ("regression", -1, 200)
    assert worse.adjusted["P@1"] == pytest.approx(worse.measures["P@1"].p * (len(worse.measures)))
    assert len(worse.lost) == 10
    assert worse.gained == []


def test_a_random_system_loses_what_chance_leaves(keep: Callable[..., Path]) -> None:
    """Against a perfect one it has the document first in a twentieth: those are the ties."""
    file = keep("r.json", perfect=perfect, shuffled=shuffled)
    made = compared(file, file, Declared(measure="P@1"), base="perfect", candidate="shuffled")
    assert made.outcome == "regression"
    assert made.effect.low <= -19 / 20 <= made.effect.high
    assert made.effect.ties == sum(shuffled(question)[0] in JUDGED[question.id] for question in QUESTIONS)


def test_a_query_without_a_result_scores_0(keep: Callable[..., Path]) -> None:
    """What a system finds nothing for stays in the comparison and is lost."""
    file = keep("r.json", perfect=perfect, half=silent_on_half, runs=True)
    made = compared(file, file, base="perfect", candidate="half")
    assert (made.effect.n, made.effect.effect, made.effect.ties, made.effect.losses) == (200, -0.5, 100, 100)
    assert made.lost[0].candidate_ranking == ()
    assert made.measures["Citations exact"].n == 100  # where nothing was cited nothing can be exact


def test_a_result_ties_with_itself(keep: Callable[..., Path]) -> None:
    """All ties, no p below 1, nothing moved."""
    file = keep("r.json", shuffled=shuffled)
    made = compared(file, file)
    assert (made.outcome, made.effect.ties, made.effect.p) == ("no regression", 200, 1)
    assert set(made.adjusted.values()) == {1}
    assert (made.lost, made.gained, set(made.gains["known"].values())) == ([], [], {0})


def test_the_queries_that_moved_most_come_with_both_rankings(keep: Callable[..., Path]) -> None:
    """The farthest first, losses and gains apart; no rankings where no runs were kept."""
    file = keep("r.json", base=shuffled, candidate=lambda question: shuffled(question)[::-1], runs=True)
    made = compared(file, file, base="base", candidate="candidate")
    drops, rises = [one.gain for one in made.lost], [one.gain for one in made.gained]
    gains = made.gains["known"].values()
    assert drops == sorted(gains)[:10]
    assert rises == sorted(gains, reverse=True)[:10]
    for one in [*made.lost, *made.gained]:
        order = shuffled(next(question for question in QUESTIONS if question.id == one.query))
        assert list(one.base_ranking or ()) == order[:10]
        assert list(one.candidate_ranking or ()) == order[::-1][:10]
        assert list(one.relevant or ()) == list(JUDGED[one.query])
        assert one.gain == pytest.approx(one.candidate - one.base)
    bare = keep("bare.json", base=shuffled, candidate=perfect)
    first = compared(bare, bare, base="base", candidate="candidate").gained[0]
    assert (first.base_ranking, first.candidate_ranking, first.relevant) == (None, None, None)
    file.with_suffix(".qrels").write_text("q000 0 d00 much\n")
    with pytest.raises(DatasetInvalid, match=r"r[.]qrels:1: the score 'much'"):
        read_kept(file, "base")


# What is read


def test_the_system_is_hybrid_or_the_only_one(keep: Callable[..., Path]) -> None:
    """Otherwise it has to be chosen, and the error names what there is."""
    assert read_kept(keep("a.json", dense=perfect, hybrid=perfect))["known"].system == "hybrid"
    assert read_kept(keep("r.json", hybrid=perfect, reader=perfect))["known"].system == "reader"
    assert read_kept(keep("b.json", mine=perfect))["known"].system == "mine"
    several = keep("c.json", dense=perfect, lexical=perfect)
    assert read_kept(several, "lexical")["known"].system == "lexical"
    with pytest.raises(DatasetInvalid, match="none of them chosen; it has dense, lexical"):
        read_kept(several)
    with pytest.raises(DatasetInvalid, match="no system 'psychic'; it has dense, lexical"):
        read_kept(several, "psychic")


def test_a_folder_has_a_result_for_each_set(keep: Callable[..., Path]) -> None:
    """Each weighs the same, may be judged by a measure of its own, and has a row of its own."""
    for side, rules in (("before", (perfect, perfect)), ("after", (shuffled, perfect))):
        keep(f"{side}/one.json", name="one", limit=50, mine=rules[0])
        folder = keep(f"{side}/two.json", name="two", mine=rules[1], runs=True).parent
        (folder / "notes.txt").write_text("Not a result.")
    made = compared(folder.parent / "before", folder, Declared(measure_for={"one": "P@1"}))
    assert list(made.sets) == ["one", "two"]
    assert (made.sets["one"].n, made.sets["two"].n, made.effect.n) == (50, 200, 250)
    assert made.effect.effect == pytest.approx((made.sets["one"].effect + 0) / 2)
    assert made.sets["one"].effect == made.sets["one"].candidate - 1
    assert made.measures["nDCG@10"].n == made.measures["P@1"].n == 250
    assert set(comparison_json(made)["sets"]["one"]) >= {"measure", "effect", "low", "high", "p"}


def test_a_folder_that_names_a_set_twice_or_none_is_refused(keep: Callable[..., Path], tmp_path: Path) -> None:
    """Nobody guesses which of two results is meant."""
    folder = keep("twice/one.json", mine=perfect).parent
    keep("twice/other.json", mine=perfect)
    with pytest.raises(DatasetInvalid, match="two results are of the set 'known'"):
        read_kept(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetInvalid, match="no result is in this folder"):
        read_kept(tmp_path / "empty")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("r.json", None),
        ("r.json", "{"),
        ("r.json", "[]"),
        ("r.json", '{"systems": {}}'),
        ("r.json", '{"systems": {}, "manifest": {"dataset": 5}}'),
        ("r.per_query.json", None),
        ("r.per_query.json", "[]"),
        ("r.per_query.json", '{"mine": 5}'),
        ("r.per_query.json", '{"mine": {"P@1": {"q000": "1"}}}'),
    ],
)
def test_what_is_no_result_is_named(keep: Callable[..., Path], file: str, content: str | None) -> None:
    """The error says which file is missing or wrong."""
    path = keep("r.json", mine=perfect)
    (path.parent / file).unlink()
    if content is not None:
        (path.parent / file).write_text(content)
    with pytest.raises(DatasetInvalid, match=rf"{file.replace('.', '[.]')}: "):
        read_kept(path)


# What cannot be compared


def changed(sides: Mapping[str, Kept], **manifest: Any) -> Mapping[str, Kept]:
    """Return the same with another manifest."""
    return {name: replace(side, manifest={**side.manifest, **manifest}) for name, side in sides.items()}


def test_only_the_same_questions_over_the_same_corpus_are_compared(keep: Callable[..., Path]) -> None:
    """Another corpus, other judgements, other questions, another set: each is told; another commit is no obstacle."""
    file = keep("r.json", mine=perfect)
    of, sides = Declared().of, read_kept(file)
    assert obstacle(sides, changed(sides, commit="other", model="other"), of) is None
    assert "another corpus" in str(obstacle(sides, changed(sides, corpus_sha256="1"), of))
    assert "other questions or judgements" in str(obstacle(sides, changed(sides, questions_sha256="1"), of))
    fewer = read_kept(keep("fewer.json", mine=perfect, limit=150))
    assert "known: 50 questions were asked on one side only" in str(obstacle(sides, fewer, of))
    assert "asked the questions of known, other" in str(obstacle(sides, {"other": sides["known"]}, of))
    with pytest.raises(DatasetInvalid, match="known: mine has no 'nDCG@3'; it has nDCG@10"):
        obstacle(sides, sides, Declared(measure="nDCG@3").of)


def test_less_is_better_where_it_is() -> None:
    """Answerable questions that are no longer declined are won."""
    row = {"Declined, answerable": {"a": 1.0, "b": 0.0, "c": 1.0}}
    after = {"Declined, answerable": {"a": 0.0, "b": 0.0, "c": 1.0}}
    sides = {"s": Kept("mine", {}, row)}, {"s": Kept("mine", {}, after)}
    made = compare(*sides, Declared(measure="Declined, answerable"))
    assert (made.effect.effect, made.effect.wins, made.effect.losses) == (pytest.approx(1 / 3), 1, 0)
    assert [(one.query, one.gain) for one in made.gained] == [("a", 1)]


def test_the_same_results_give_the_same_bytes(keep: Callable[..., Path]) -> None:
    """The JSON holds no time and no place, and everything that decided it."""
    texts = []
    for name in ("one", "two"):
        file = keep(f"{name}/r.json", base=shuffled, candidate=perfect, runs=True)
        made = comparison_json(compared(file, file, Declared(margin=0.02), base="base", candidate="candidate"))
        texts.append(json.dumps(made))
    assert texts[0] == texts[1]
    assert made["declared"] == {"measure": "nDCG@10", "margin": 0.02, "alpha": 0.05, "seed": 0, "measure_for": {}}
    assert made["base"]["known"]["system"] == "base"
    assert set(made["gains"]["known"]) == {question.id for question in QUESTIONS}
