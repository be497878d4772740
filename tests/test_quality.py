"""How good the answers are with the real model, held to 5 points of what was measured on the `test` half of seeds/.

`pincite eval seeds --answers` prints the same figures with their intervals.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.encoding import Encoder
from rag.evaluation.cache import cached_collection
from rag.evaluation.datasets import read_dataset
from rag.evaluation.result import SystemResult
from rag.evaluation.run import Plan, evaluate

SEEDS = Path(__file__).parent.parent / "seeds"
POINTS = 0.05
MORE_IS_BETTER = {"nDCG@10": 0.973, "Answer in highlights@3": 0.88, "Declined, unanswerable": 0.725}
LESS_IS_BETTER = {"Declined, answerable": 0.06}


@pytest.fixture(scope="module", params=["hybrid", "reader"])
def found(
    request: pytest.FixtureRequest, model: Encoder, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> SystemResult:
    """What searching for and asking every question of the `test` half gave, without the reader and with it."""
    seeds, system = read_dataset(SEEDS), request.param
    with cached_collection(seeds, tmp_path_factory.mktemp("seeds"), model) as collection:
        reader = load_reader(cache) if system == "reader" else None
        plan = Plan(depth=20, answers=True)
        return evaluate(seeds, collection, model, plan, systems=[system], reader=reader).systems[system]


def test_the_figures_are_those_of_many_questions(hybrid: SystemResult) -> None:
    """At least 75 questions that the documents answer and 30 that they do not; fewer would say little."""
    assert hybrid.measures["Answer in highlights@3"].n >= 75
    assert hybrid.measures["Declined, unanswerable"].n >= 30


@pytest.mark.parametrize("measure", MORE_IS_BETTER)
def test_nothing_got_worse(hybrid: SystemResult, measure: str) -> None:
    """The mean is no more than 5 points below what was measured."""
    assert hybrid.measures[measure].mean >= MORE_IS_BETTER[measure] - POINTS


@pytest.mark.parametrize("measure", LESS_IS_BETTER)
def test_no_more_is_declined(hybrid: SystemResult, measure: str) -> None:
    """The share is no more than 5 points above what was measured."""
    assert hybrid.measures[measure].mean <= LESS_IS_BETTER[measure] + POINTS


def test_every_citation_is_exact(hybrid: SystemResult) -> None:
    """All passages found and shown quote their documents to the character."""
    assert hybrid.measures["Citations exact"].mean == 1
