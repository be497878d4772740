"""Makes the tables of docs/quality.md: how well we rank, set by set, beside the plain recipe with the same model.

    python benchmarks/quality.py --sets FOLDER --work FOLDER --json result.json

FOLDER holds evaluation sets in BEIR layout; the seeds of this repository are asked too. Every system gets the same
questions, follow-ups completed from the talk before. Vectors and ingested documents are kept below --work, so that a
second run takes minutes. Choose on `dev` (`--choose-weight` tries the plain recipe's one weight there), report `test`.

The mean is over the sets but those of --outside; each counts once, by nDCG@10, or by Answer@5 where a set has few long
documents and finding one is easy. The test is paired and stratified by set, over all questions.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from plain import PLAIN, Legs, Passages, PlainSystem, Pools, completed, convex, kept_vectors
from reporting import machine, say
from tables import MEASURES, OUTSIDE, Values, difference, estimates, print_measure, print_standing, standing

from api.settings import load_settings
from index.collection import Collection
from rag.encoding import Encoder, load_encoder
from rag.evaluation.cache import cached_collection
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.manifest import commit
from rag.evaluation.run import Plan, evaluate_systems, select
from rag.evaluation.systems import CollectionSystem, System
from rag.retrieval import Ranking
from rag.types import Mode

ROOT = Path(__file__).resolve().parents[1]
FUSED = ("convex", "rank fusion")
WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7)
LEGS: Mapping[str, Mode] = {"our dense": "dense", "our lexical": "lexical"}


@dataclass(frozen=True, slots=True)
class Options:
    """What a run works with."""

    encoder: Encoder
    work: Path
    split: str
    limit: int | None = None
    ours: Mapping[str, tuple[Mode, Ranking]] = field(default_factory=lambda: {"ours": ("hybrid", Ranking())})
    plain: Mapping[str, Callable[[Pools], Any]] = field(default_factory=lambda: PLAIN)


def main() -> None:
    """Ask every set and print the tables."""
    options = parsed()
    encoder = load_encoder(options.model, load_settings({}).cache)
    plain = {f"convex {weight}": convex(weight) for weight in WEIGHTS} if options.choose_weight else PLAIN
    split = "dev" if options.choose_weight else options.split
    asked = Options(encoder, options.work, split, options.limit, variants(options), plain)
    results: dict[str, Values] = {}
    manifests: dict[str, Any] = {}
    for folder in folders(options.sets, options.only):
        dataset = read_dataset(folder)
        say(f"{dataset.name}: {dataset.documents} documents")
        results[dataset.name], manifests[dataset.name] = measured(dataset, asked)
    report(results, manifests, options, split)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = asking(__doc__)
    parser.add_argument("--limit", type=int, help="questions drawn of each set (default: all)")
    parser.add_argument("--without-ours", action="store_true", help="ask the plain recipe only")
    parser.add_argument("--legs", action="store_true", help="ask each of our legs alone, too")
    parser.add_argument(
        "--variant",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "JSON"),
        help="ask ours with these fields of its ranking, too, for an ablation (may be repeated)",
    )
    parser.add_argument("--outside", nargs="*", default=OUTSIDE, help="sets that the mean leaves out")
    parser.add_argument("--choose-weight", action="store_true", help="try the plain convex weights on `dev`, no more")
    parser.add_argument("--model", help="a model folder or cached name (default: the one that is installed)")
    return parser.parse_args()


def asking(description: str | None) -> argparse.ArgumentParser:
    """Return a command line that says which sets are asked, and where what takes long and what is found is kept."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=Path, required=True, help="the folder that holds the evaluation sets")
    parser.add_argument("--only", nargs="+", help="names of sets to ask, `seeds` among them (default: all)")
    parser.add_argument("--split", choices=("dev", "test", "all"), default="test")
    parser.add_argument("--work", type=Path, required=True, help="the folder that keeps vectors and collections")
    parser.add_argument("--json", type=Path, help="write the result here, values of each question with it")
    return parser


def variants(options: argparse.Namespace) -> dict[str, tuple[Mode, Ranking]]:
    """Return our systems: what is shipped, and what else was asked for."""
    if options.choose_weight or options.without_ours:
        return {}
    legs = LEGS if options.legs else {}
    others = {name: Ranking(**json.loads(fields)) for name, fields in options.variant}
    return {
        "ours": ("hybrid", Ranking()),
        **{name: (mode, Ranking()) for name, mode in legs.items()},
        **{name: ("hybrid", ranking) for name, ranking in others.items()},
    }


def folders(sets: Path, only: Sequence[str] | None) -> list[Path]:
    """Return the folders of the sets to ask, the seeds last; refuses names that no set has."""
    found = {folder.name: folder for folder in sorted(sets.iterdir()) if any(folder.glob("queries.jsonl*"))}
    found["seeds"] = ROOT / "seeds"
    if unknown := set(only or ()) - found.keys():
        raise SystemExit(f"No such set: {', '.join(sorted(unknown))}. There are: {', '.join(found)}.")
    return [found[name] for name in only or found]


def measured(dataset: Dataset, options: Options) -> tuple[Values, Any]:
    """Return the values of every system on one set, and the manifest."""
    with ours(dataset, options) as systems:
        return evaluated(dataset, {**plainly(dataset, options), **systems}, options)


def evaluated(dataset: Dataset, systems: Mapping[str, System], options: Options) -> tuple[Values, Any]:
    """Ask every system and return its values, and the manifest."""
    evaluation = evaluate_systems(
        dataset,
        systems,
        plan_of(options),
        model=options.encoder.fingerprint,
        settings={"rankings": {name: asdict(ranking) for name, (_, ranking) in options.ours.items()}},
        on_progress=progress(dataset.name),
    )
    values = {name: {m: v for m, v in one.values.items() if m in MEASURES} for name, one in evaluation.systems.items()}
    return values, evaluation.manifest


def plan_of(options: Options) -> Plan:
    """Return which questions every system is asked."""
    return Plan(options.split, options.limit)


def progress(name: str) -> Callable[[int, int], None]:
    """Return what tells on stderr, every tenth of the way, how far a set is."""
    told = 0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if total and done * 10 // total > told:
            told = done * 10 // total
            say(f"{name}: {done} of {total}")

    return tell


def plainly(dataset: Dataset, options: Options) -> dict[str, System]:
    """Return the systems of the plain recipe over the corpus of a set."""
    if not options.plain:
        return {}
    passages = Passages(dataset.corpus)
    say(f"{dataset.name}: {len(passages.shown)} plain passages")
    legs = Legs(passages, vectors_of(passages.embedded, options))
    return plain_systems(dataset, passages, legs, options)


def plain_systems(dataset: Dataset, passages: Passages, legs: Legs, options: Options) -> dict[str, System]:
    """Return the systems of the plain recipe for the questions of one set, each scoring the same pools."""
    asked = select(dataset, plan_of(options))
    texts = [completed(question) for question in asked]
    pools = dict(zip((q.id for q in asked), legs.pools(texts, vectors_of(texts, options)), strict=True))
    return {name: PlainSystem(passages, pools, score) for name, score in options.plain.items()}


def vectors_of(texts: Sequence[str], options: Options) -> Any:
    """Return the vectors of texts by the project's own runtime, which equals the plain one within 1e-4."""
    encoder = options.encoder
    return kept_vectors(texts, encoder.encode, name_of(encoder), options.work / "vectors")[0]


def name_of(encoder: Encoder) -> str:
    """Return what its vectors are kept under."""
    return f"{encoder.runtime} {encoder.fingerprint}"


@contextmanager
def ours(dataset: Dataset, options: Options) -> Iterator[dict[str, System]]:
    """Open our systems over the corpus of a set, which is ingested where it was not yet."""
    if not options.ours:
        yield {}
        return
    tell = progress(f"{dataset.name}, ingestion")
    with cached_collection(dataset, options.work / "ours", options.encoder, on_progress=tell) as collection:
        yield of_collection(collection, options)


def of_collection(collection: Collection, options: Options) -> dict[str, System]:
    """Return our systems over a collection, in process."""
    return {
        name: CollectionSystem(collection, options.encoder, mode, ranking)
        for name, (mode, ranking) in options.ours.items()
    }


def report(
    results: Mapping[str, Values], manifests: Mapping[str, Any], options: argparse.Namespace, split: str
) -> None:
    """Print the tables and write everything."""
    made = f"split {split}; commit {commit(ROOT)}; {machine()}"
    print(made)
    tables = {measure: estimates(results, measure) for measure in MEASURES}
    for measure, rows in tables.items():
        print_measure(measure, rows)
    found = standing(results, "ours", options.outside)
    print_standing(found, "ours")
    bars(found)
    if options.json is not None:
        figures = {
            measure: {name: {system: asdict(one) for system, one in row.items()} for name, row in rows.items()}
            for measure, rows in tables.items()
        }
        whole = {"made": made, "figures": figures, "standing": found, "manifests": manifests}
        options.json.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        options.json.with_suffix(".per_query.json").write_text(json.dumps(results) + "\n", encoding="utf-8")
        say(f"written: {options.json}")


def bars(found: Mapping[str, Any]) -> None:
    """Print what ours has before the better of the plain fusions, and where it has least."""
    if not set(FUSED) <= found.get("against", {}).keys():
        return
    better = max(FUSED, key=lambda system: found["mean"][system])
    print(f"\nours less {better}, the better of the plain fusions: {difference(found['against'][better])}")
    for words, rivals in ((better, [better]), ("the better of them there", FUSED)):
        least = {name: min(row[rival]["effect"] for rival in rivals) for name, row in found["by_set"].items()}
        worst = min(least, key=lambda name: least[name])
        print(f"worst set against {words}: {worst}, {least[worst]:+.3f}")


if __name__ == "__main__":
    main()
