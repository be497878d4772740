"""Does the order of configurations on questions that a corpus made predict their order on people's questions?

For each set: its `dev` questions, and questions made of its corpus (`pincite questions make`), are asked of the same
configurations; Kendall's tau compares the two orders by nDCG@10. Intervals draw both kinds of questions again, 1,000
times. "all sets" is the mean over the sets. "half of people's" is tau between one half of people's questions and the
other, over 1,000 ways to halve them: more agreement than that can be chance. "decided pairs" are the pairs of
configurations whose difference on people's questions has a 95 % interval without 0; of these, how many made questions
order alike.

    python benchmarks/made_questions.py --eval FOLDER --sets squad2 multihoprag docs_faq doqa covidqa

FOLDER holds evaluation sets in BEIR layout, one a folder. Corpora are ingested into `--cache`; the documents that lost
a sentence are replaced in a copy, which is thrown away.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from reporting import finish, say, table
from scipy.stats import kendalltau

from api.settings import load_settings
from index.catalog import Catalog
from index.collection import Collection
from index.types import Vectors
from rag.encoding import Encoder, load_encoder
from rag.evaluation.cache import cache_key, cached_collection
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.making import Source, make, read_documents, write_set
from rag.evaluation.run import Plan, evaluate_systems
from rag.evaluation.systems import CollectionSystem
from rag.ingest import Ingest
from rag.retrieval import Ranking
from rag.types import Mode

MEASURE = "nDCG@10"
PEOPLE = "people's"
DEPTH = 40  # passages, which hold ten documents but for a few long ones
RESAMPLES = 1000
Values = Mapping[str, NDArray[np.float64]]  # per configuration the measure of every question
CONFIGURATIONS: Mapping[str, tuple[Mode, Ranking]] = {
    "dense": ("dense", Ranking()),
    "lexical": ("lexical", Ranking()),
    **{f"convex {w}": ("hybrid", Ranking(fusion="convex", dense_weight=w)) for w in (0.3, 0.5, 0.6, 0.7)},
    f"convex 0.6, pool {DEPTH}": ("hybrid", Ranking(fusion="convex", dense_weight=0.6, pool=DEPTH)),
    "reciprocal rank": ("hybrid", Ranking(fusion="reciprocal_rank")),
}


class Remembered:
    """An encoder that makes the vector of a question once, however many configurations ask for it."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._made: dict[tuple[str, ...], Future[Vectors]] = {}
        self.fingerprint, self.dimension = encoder.fingerprint, encoder.dimension
        self.window, self.runtime = encoder.window, encoder.runtime

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return self._encoder.waiting

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the encoder's own."""
        return self._encoder.token_offsets(text)

    def submit(self, texts: Sequence[str], *, urgent: bool = False) -> Future[Vectors]:
        """Queue the texts, unless they are a question that was asked before."""
        if not urgent:
            return self._encoder.submit(texts)
        key = tuple(texts)
        if key not in self._made:
            self._made[key] = self._encoder.submit(texts, urgent=True)
        return self._made[key]

    def encode(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Queue the texts and wait for their vectors."""
        return self.submit(texts, urgent=urgent).result()


def main() -> None:
    """Measure every set and print both orders and their agreement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval", type=Path, required=True, help="a folder of evaluation sets in BEIR layout")
    parser.add_argument("--sets", nargs="+", required=True, help="names of folders in it")
    parser.add_argument("--limit", type=int, default=300, help="questions of each kind and set (300)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="keep the ingested corpora here (default: throw them away)")
    parser.add_argument("--model", help="a model folder or cached name (default: the one that is installed)")
    parser.add_argument("--output", type=Path, help="write the result here as JSON")
    options = parser.parse_args()
    settings = load_settings({"model": options.model} if options.model else {})
    encoder = Remembered(load_encoder(settings.model, settings.cache))
    found: dict[str, Mapping[str, Values]] = {}
    for name in options.sets:
        with tempfile.TemporaryDirectory() as scratch:
            found[name] = measured(options.eval / name, Path(scratch), encoder, options)
            say(f"{name}: tau {tau(found[name][PEOPLE], found[name]['made'], None):.2f}")
    rows = [
        (name, kind, len(values["dense"]), *(f"{values[one].mean():.3f}" for one in CONFIGURATIONS))
        for name, kinds in found.items()
        for kind, values in kinds.items()
    ]
    table(("set", "questions", "n", *CONFIGURATIONS), rows)
    agreed = {"made": agreement(found, options.seed), "half of people's": halved(found, options.seed)}
    pairs = decided(found, options.seed)
    lines = [(name, *(written(of[name]) for of in agreed.values()), pairs[name]) for name in (*found, "all sets")]
    print("\nKendall's tau against people's questions:")
    table(("set", *agreed, "decided pairs"), lines)
    means = {
        name: {kind: {one: float(values[one].mean()) for one in values} for kind, values in kinds.items()}
        for name, kinds in found.items()
    }
    finish(
        {"limit": options.limit, "seed": options.seed, "means": means, "tau": agreed, "decided": pairs},
        (),
        options.output,
    )


def measured(folder: Path, scratch: Path, encoder: Encoder, options: argparse.Namespace) -> Mapping[str, Values]:
    """Return the values of people's questions and of the made ones."""
    people, sources = read_dataset(folder), {one.id: one for one in read_documents(folder)}
    made = make(sources.values(), limit=options.limit, seed=options.seed)
    write_set(made, scratch / folder.name)
    say(f"{folder.name}: {len(made.questions)} questions made; dropped: {dict(made.dropped)}")
    cache = options.cache or scratch / "cache"
    with cached_collection(people, cache, encoder) as collection:
        plan = Plan(split="dev", limit=options.limit, seed=options.seed, depth=DEPTH)
        of_people = values(people, collection, plan, encoder)
    changed = [one for one in made.documents if one != sources[one.id]]
    with altered(cache / cache_key(people, encoder), changed, scratch, encoder) as collection:
        by_id = values(read_dataset(scratch / folder.name), collection, Plan(split="all", depth=DEPTH), encoder)
    both = {PEOPLE: of_people, "made": by_id}
    return {kind: {one: np.array([*some.values()]) for one, some in of.items()} for kind, of in both.items()}


@contextmanager
def altered(home: Path, changed: Sequence[Source], scratch: Path, encoder: Encoder) -> Iterator[Collection]:
    """Yield a copy of the collection in `home` in which the documents of `changed` replace theirs."""
    shutil.copytree(home, scratch / "altered")
    rows = scratch / "changed.jsonl"
    rows.write_text("".join(json.dumps(one.row()) + "\n" for one in changed), encoding="utf-8")
    with Catalog(scratch / "altered", encoder=encoder.fingerprint, dimension=encoder.dimension) as catalog:
        collection = catalog.collection("default")
        failed = [one.problem for one in Ingest(collection, encoder).paths([rows]) if one.status != "replaced"]
        assert not failed, failed
        collection.compact()
        yield collection


def values(dataset: Dataset, collection: Collection, plan: Plan, encoder: Encoder) -> Mapping[str, Mapping[str, float]]:
    """Return per configuration the measure by question id."""
    systems = {
        name: CollectionSystem(collection, encoder, mode, ranking) for name, (mode, ranking) in CONFIGURATIONS.items()
    }
    evaluation = evaluate_systems(dataset, systems, plan, model=encoder.fingerprint, settings={})
    return {name: result.values[MEASURE] for name, result in evaluation.systems.items()}


def agreement(found: Mapping[str, Mapping[str, Values]], seed: int) -> dict[str, Sequence[float]]:
    """Return per set, and over all, tau and the ends of its 95 % bootstrap interval (percentile method)."""
    random = np.random.default_rng(seed)
    draws = {
        name: [tau(kinds[PEOPLE], kinds["made"], random) for _ in range(RESAMPLES)] for name, kinds in found.items()
    }
    whole = {name: tau(kinds[PEOPLE], kinds["made"], None) for name, kinds in found.items()}
    draws["all sets"] = [float(np.mean(column)) for column in zip(*draws.values(), strict=True)]
    whole["all sets"] = float(np.mean([*whole.values()]))
    return {name: [whole[name], *map(float, np.nanpercentile(draws[name], (2.5, 97.5)))] for name in draws}


def decided(found: Mapping[str, Mapping[str, Values]], seed: int) -> dict[str, str]:
    """Return per set and over all how many of the pairs that people decide are ordered alike by made questions."""
    random = np.random.default_rng(seed)
    counts: dict[str, tuple[int, int]] = {}
    for name, kinds in found.items():
        people, made = kinds[PEOPLE], kinds["made"]
        n = len(people["dense"])
        drawn = random.integers(n, size=(RESAMPLES, n))
        alike = total = 0
        for one, other in combinations(CONFIGURATIONS, 2):
            low, high = np.percentile((people[one] - people[other])[drawn].mean(axis=1), (2.5, 97.5))
            if low > 0 or high < 0:
                total += 1
                alike += (low > 0) == (made[one].mean() > made[other].mean())
        counts[name] = (int(alike), total)
    counts["all sets"] = (sum(alike for alike, _ in counts.values()), sum(total for _, total in counts.values()))
    return {name: f"{alike} of {total}" for name, (alike, total) in counts.items()}


def halved(found: Mapping[str, Mapping[str, Values]], seed: int) -> dict[str, Sequence[float]]:
    """Return per set the mean tau between two halves of people's questions, and where 95 % of the halvings lie."""
    random = np.random.default_rng(seed)
    draws: dict[str, Sequence[float]] = {}
    for name, kinds in found.items():
        people = np.stack([kinds[PEOPLE][one] for one in CONFIGURATIONS])
        ways = [np.array_split(random.permutation(people.shape[1]), 2) for _ in range(RESAMPLES)]
        draws[name] = [
            float(kendalltau(people[:, one].mean(axis=1), people[:, other].mean(axis=1)).statistic)
            for one, other in ways
        ]
    draws["all sets"] = [float(np.mean(column)) for column in zip(*draws.values(), strict=True)]
    return {name: [float(np.mean(some)), *map(float, np.percentile(some, (2.5, 97.5)))] for name, some in draws.items()}


def tau(people: Values, made: Values, random: np.random.Generator | None) -> float:
    """Return Kendall's tau of the means, of questions drawn again where `random` is given."""
    means = []
    for one in (people, made):
        stacked = np.stack([one[name] for name in CONFIGURATIONS])
        chosen = stacked if random is None else stacked[:, random.integers(stacked.shape[1], size=stacked.shape[1])]
        means.append(chosen.mean(axis=1))
    return float(kendalltau(*means).statistic)


def written(of: Sequence[Any]) -> str:
    """Write a figure with its interval."""
    return f"{of[0]:.2f} [{of[1]:.2f}, {of[2]:.2f}]"


if __name__ == "__main__":
    main()
