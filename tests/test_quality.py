"""How good the answers are with the real model, held to 5 points of what was once measured on seeds/, `test` half.

`pincite eval seeds --answers` prints the same figures with their intervals.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from index.collection import Collection
from rag import judging
from rag.encoding import Encoder
from rag.evaluation.cache import cached_collection
from rag.evaluation.containment import token_f1
from rag.evaluation.datasets import read_dataset
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.result import SystemResult
from rag.evaluation.run import Plan, evaluate
from rag.reading import Reader, load_reader
from rag.retrieval import Ranking, retrieve
from rag.types import Question

SEEDS = Path(__file__).parent.parent / "seeds"
POINTS = 0.05
MORE_IS_BETTER = {
    "hybrid": {"nDCG@10": 0.973, "Answer in highlights@3": 0.88, "Declined, unanswerable": 0.725},
    "reader": {"nDCG@10": 0.988, "Answer in highlights@3": 0.89, "Declined, unanswerable": 0.575},
}
WORDS = 0.577  # token F1
LESS_IS_BETTER = {"hybrid": {"Declined, answerable": 0.06}, "reader": {"Declined, answerable": 0.05}}


@pytest.fixture(scope="module")
def found(model: Encoder, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, SystemResult]:
    """What searching for and asking every question of the `test` half gave, without the reader and with it."""
    seeds = read_dataset(SEEDS)
    with cached_collection(seeds, tmp_path_factory.mktemp("seeds"), model) as collection:
        plan = Plan(depth=20, answers=True)
        return evaluate(seeds, collection, model, plan, systems=["hybrid", "reader"], reader=load_reader(cache)).systems


def test_the_figures_are_those_of_many_questions(found: Mapping[str, SystemResult]) -> None:
    """At least 75 questions that the documents answer and 30 that they do not; fewer would say little."""
    for system in found.values():
        assert system.measures["Answer in highlights@3"].n >= 75
        assert system.measures["Declined, unanswerable"].n >= 30


@pytest.mark.parametrize(
    ("system", "measure"), [(name, one) for name, least in MORE_IS_BETTER.items() for one in least]
)
def test_nothing_got_worse(found: Mapping[str, SystemResult], system: str, measure: str) -> None:
    """The mean is no more than 5 points below what was measured."""
    assert found[system].measures[measure].mean >= MORE_IS_BETTER[system][measure] - POINTS


@pytest.mark.parametrize(("system", "measure"), [(name, one) for name, most in LESS_IS_BETTER.items() for one in most])
def test_no_more_is_declined(found: Mapping[str, SystemResult], system: str, measure: str) -> None:
    """The share is no more than 5 points above what was measured."""
    assert found[system].measures[measure].mean <= LESS_IS_BETTER[system][measure] + POINTS


def test_the_likeliest_words_are_as_good_as_ever(model: Encoder, cache: Path, tmp_path: Path) -> None:
    """Token F1 of the best words of all passages, before it is asked whether they are sure enough to be shown."""
    seeds, reader = read_dataset(SEEDS), load_reader(cache)
    with cached_collection(seeds, tmp_path, model) as collection:
        asked = [one for one in seeds.questions if one.split == "test" and one.answerable and one.answers]
        values = [token_f1(likeliest(one, collection, model, reader), one.answers) for one in asked]
    assert len(values) >= 75
    assert sum(values) / len(values) >= WORDS - POINTS


def likeliest(one: DatasetQuestion, collection: Collection, model: Encoder, reader: Reader) -> str:
    """Return the best words for a question, wherever they are."""
    found = retrieve(Question(one.text, history=one.history, filter=one.filter), collection, model, Ranking(), 30)
    near = judging.near(list(found.passages), judging.depth(reader.runtime))
    readings = reader.read(found.standalone_query or one.text, [passage.stored for passage in near])
    return next(iter(judging.candidates(judging.ordered(near, readings)))).text


def test_every_citation_is_exact(found: Mapping[str, SystemResult]) -> None:
    """All passages found and shown quote their documents to the character, short answers included."""
    assert [system.measures["Citations exact"].mean for system in found.values()] == [1, 1]
