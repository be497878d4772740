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
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from reporting import finish, say, table

from api.settings import load_settings
from rag import fusion
from rag.encoding import Encoder, load_encoder
from rag.evaluation.cache import cached_collection
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.fitting import Form, Pool, fit, ndcg
from rag.retrieval import WEIGHTS, Ranking
from rag.tuning import Labelled, Span, forms, weighted
from rag.types import Question

LONG = ("covidqa", "wice")  # sets of long documents, where what is judged is the passage
PULLS_TRIED = (None, 1.0, 0.3, 0.1, 0.03, 0.01, 0.0)  # towards even weights; None leaves those as they are


def main() -> None:
    """Collect candidates, fit, and print what that does to every set."""
    options = parsed()
    encoder = load_encoder(None, load_settings({}).cache)
    pools = {
        folder.name: collected(read_dataset(folder), options.work, encoder, options.questions)
        for folder in (*options.sets, *options.hold_out)
    }
    fitted = [folder.name for folder in options.sets]
    lesson = even([pool for name in fitted for pool in pools[name].pools])
    rows, found = [], {}
    now = np.array(Ranking().weights)
    for pull in ("as it is", *PULLS_TRIED):
        weights = now if isinstance(pull, str) else fit(lesson, np.arange(len(lesson.pools)), pull)
        means = {name: float(ndcg(form, weights, np.arange(len(form.pools))).mean()) for name, form in pools.items()}
        found[str(pull)] = {"ranking": asdict(weighted(weights)), "ndcg": means}
        held = [means[folder.name] for folder in options.hold_out] or [0.0]
        rows.append([pull, *(f"{mean:.4f}" for mean in means.values()), f"{np.mean(held):.4f}"])
        say(f"pull {pull}: {asdict(weighted(weights))}")
    table(["pull", *pools, "held out"], rows)
    finish({"fitted": fitted, "found": found}, [], options.json)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--hold-out", nargs="*", type=Path, default=[])
    parser.add_argument("--questions", type=int, default=250)
    parser.add_argument("--work", type=Path, required=True, help="the folder that keeps ingested documents")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def collected(dataset: Dataset, work: Path, encoder: Encoder, most: int) -> Form:
    """Ask questions of a set and return what was read of each, with what is relevant."""
    chosen = labelled(dataset)
    drawn = sorted(random.Random(0).sample(range(len(chosen)), min(most, len(chosen))))
    say(f"{dataset.name}: {len(drawn)} of {len(chosen)} questions")
    with cached_collection(dataset, work / "ours", encoder) as collection:
        return forms([chosen[at] for at in drawn], collection, encoder)[0]


def even(pools: Sequence[Pool]) -> Form:
    """Return weights by which each signal moves scores alike, the length of the question moving nothing."""
    spread = np.mean([pool.features.std(axis=0) for pool in pools if len(pool.features)], axis=0)
    weights = np.array([1 / one if name in fusion.SIGNALS else 0.0 for name, one in zip(WEIGHTS, spread, strict=True)])
    return Form(weights / weights.sum(), list(pools))


def labelled(dataset: Dataset) -> Sequence[Labelled]:
    """Return the questions to fit to: what answers them is known, and they are not in a `test` half."""
    halves = {question.split for question in dataset.questions}
    return [
        Labelled(
            Question(question.text, history=question.history),
            {} if dataset.name in LONG else dataset.judgements[question.id],
            [Span(one.document_id, one.start, one.end, one.text) for one in question.spans if dataset.name in LONG],
        )
        for question in dataset.questions
        if (question.split == "dev" or "dev" not in halves) and dataset.judgements.get(question.id)
    ]


if __name__ == "__main__":
    main()
