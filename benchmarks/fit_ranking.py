"""Fits the weights of `rag.retrieval.Ranking` to the questions of many sets at once, as `pincite tune` does to one.

    python benchmarks/fit_ranking.py --work FOLDER SET [SET …] --hold-out SET [SET …]

Each SET is a folder in BEIR layout whose licence allows what is trained on it to be shipped. Of a set with halves only
the `dev` one is read, and of every set at most --questions, drawn by a fixed seed, so that none outweighs the others.
The sets of --hold-out are not fitted to: what the fit does to them is printed, to choose by how strongly weights are
pulled towards even ones, by which every signal moves scores alike.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from reporting import finish, say, table
from tables import LONG

from api.settings import load_settings
from index.collection import Collection
from rag import fusion
from rag.encoding import Encoder, load_encoder
from rag.evaluation.cache import cached_collection
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.fitting import Floats, Form, Pool, fit, ndcg
from rag.retrieval import Ranking
from rag.tuning import RANKS, Labelled, forms, weighted
from rag.types import Question

PULLS_TRIED = (None, 1.0, 0.3, 0.1, 0.03, 0.01, 0.0)  # towards even weights; None leaves those as they are
PULL = 0.1  # the same mean over all sets as 0.3, and less lost on any of them


Found = TypeVar("Found")


def main() -> None:
    """Collect candidates, fit, and print what that does to every set."""
    options = parsed(__doc__)
    asked = per_set(options, forms)
    held = [folder.name for folder in options.hold_out]
    lesson = [pool for name in asked if name not in held for pool in asked[name][0].pools]
    tried = {"as it is": np.array(Ranking().weights)} | {f"pull {pull}": fitted(lesson, pull) for pull in PULLS_TRIED}
    tried |= {f"without {signal}": fitted(lesson, PULL, signal) for signal in fusion.SIGNALS}
    values = {name: {one: mean(forms[0], weights) for one, forms in asked.items()} for name, weights in tried.items()}
    for number, ranking in enumerate(RANKS, start=1):
        name = f"{ranking.fusion} {ranking.dense_weight}"
        values[name] = {one: mean(forms[number], np.ones(1)) for one, forms in asked.items()}
    everything = [[name, *means.values(), np.mean([means[one] for one in held])] for name, means in values.items()]
    table(["", *asked, "held out"], [[name, *(f"{one:.3f}" for one in rest)] for name, *rest in everything])
    for name, weights in tried.items():
        say(f"{name}: {dict(zip(fusion.SIGNALS, weighted(weights).weights, strict=True))}")
    rankings = {name: asdict(weighted(weights)) for name, weights in tried.items()}
    finish({"held_out": held, "ndcg": values, "rankings": rankings}, [], options.json)


def fitted(lesson: Sequence[Pool], pull: float | None, without: str = "") -> Floats:
    """Return weights fitted to the pools, 0 for the signal `without`."""
    kept = [place for place, name in enumerate(fusion.SIGNALS) if name != without]
    form = even([replace(pool, features=pool.features[:, kept]) for pool in lesson])
    weights = np.zeros(len(fusion.SIGNALS))
    weights[kept] = fit(form, np.arange(len(lesson)), pull)
    return weights


def mean(form: Form, weights: Floats) -> float:
    """Return the mean nDCG@10 of all questions."""
    return float(ndcg(form, weights, np.arange(len(form.pools))).mean())


def parsed(description: str | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--hold-out", nargs="*", type=Path, default=[])
    parser.add_argument("--questions", type=int, default=250)
    parser.add_argument("--work", type=Path, required=True, help="the folder that keeps ingested documents")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def per_set(
    options: argparse.Namespace, collect: Callable[[Sequence[Labelled], Collection, Encoder], Found]
) -> dict[str, Found]:
    """Return by the name of each set what `collect` makes of its drawn questions and its collection."""
    encoder, found = load_encoder(None, load_settings({}).cache), {}
    for folder in (*options.sets, *options.hold_out):
        dataset = read_dataset(folder)
        chosen = labelled(dataset)
        drawn = sorted(random.Random(0).sample(range(len(chosen)), min(options.questions, len(chosen))))
        say(f"{dataset.name}: {len(drawn)} of {len(chosen)} questions")
        with cached_collection(dataset, options.work / "ours", encoder) as collection:
            found[folder.name] = collect([chosen[at] for at in drawn], collection, encoder)
    return found


def even(pools: Sequence[Pool]) -> Form:
    """Return weights by which each signal moves scores alike."""
    weights = 1 / np.mean([pool.features.std(axis=0) for pool in pools if len(pool.features)], axis=0)
    return Form(weights / weights.sum(), list(pools))


def labelled(dataset: Dataset) -> Sequence[Labelled]:
    """Return the questions to fit to: what answers them is known, and they are not in a `test` half."""
    halves = {question.split for question in dataset.questions}
    return [
        Labelled(
            Question(question.text, history=question.history),
            {} if dataset.name in LONG else dataset.judgements[question.id],
            question.spans if dataset.name in LONG else (),
        )
        for question in dataset.questions
        if (question.split == "dev" or "dev" not in halves) and dataset.judgements.get(question.id)
    ]


if __name__ == "__main__":
    main()
