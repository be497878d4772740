"""Makes the tables of docs/quality.md: how well we rank, set by set, beside the plain recipe with the same model.

    python benchmarks/quality.py --sets FOLDER --work FOLDER --json result.json

FOLDER holds evaluation sets in BEIR layout; the seeds of this repository are asked too. Every system gets the same
questions, follow-ups completed from the talk before. Vectors and ingested documents are kept below --work, so that a
second run takes minutes. Choose on `dev` (`--choose-weight` tries the plain recipe's one weight there), report `test`.

`mean` is over the sets but those of --outside; each counts once, by nDCG@10, or by Answer@5 where a set has few long
documents and finding one is easy. `ours - better` is the difference to the better of plain convex and rank fusion.
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

from api.settings import load_settings
from rag.encoding import Encoder, load_encoder
from rag.evaluation.cache import cached_collection
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.manifest import commit
from rag.evaluation.run import Plan, evaluate_systems
from rag.evaluation.statistics import Estimate, mean_estimate
from rag.evaluation.systems import CollectionSystem, System
from rag.retrieval import Ranking
from rag.types import Mode

ROOT = Path(__file__).resolve().parents[1]
MEASURES = ("nDCG@10", "R@10", "R@100", "Answer@5", "Answer@20", "Passage token IoU@5")
LONG = ("covidqa", "wice")  # few long documents: the passage must be found
OUTSIDE = ("clapnq", "vitaminc")  # no headroom; the relevant revision is one of several
FUSED = ("convex", "rank fusion")
WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7)
OURS: Mapping[str, Mode] = {"ours": "hybrid", "our dense": "dense", "our lexical": "lexical"}

Values = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Per system, per measure, per question its value."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run works with."""

    encoder: Encoder
    work: Path
    split: str
    limit: int | None = None
    ours: Sequence[str] = ("ours",)
    plain: Mapping[str, Callable[[Pools], Any]] = field(default_factory=lambda: PLAIN)


def main() -> None:
    """Ask every set and print the tables."""
    options = parsed()
    encoder = load_encoder(options.model, load_settings({}).cache)
    plain = {f"convex {weight}": convex(weight) for weight in WEIGHTS} if options.choose_weight else PLAIN
    ours = () if options.choose_weight else options.systems
    split = "dev" if options.choose_weight else options.split
    asked = Options(encoder, options.work, split, options.limit, ours, plain)
    results: dict[str, Values] = {}
    manifests: dict[str, Any] = {}
    for folder in folders(options.sets, options.only):
        dataset = read_dataset(folder)
        say(f"{dataset.name}: {dataset.documents} documents")
        results[dataset.name], manifests[dataset.name] = measured(dataset, asked)
    report(results, manifests, split, options.outside, options.json)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=Path, required=True, help="the folder that holds the evaluation sets")
    parser.add_argument("--only", nargs="+", help="names of sets to ask, `seeds` among them (default: all)")
    parser.add_argument("--split", choices=("dev", "test", "all"), default="test")
    parser.add_argument("--limit", type=int, help="questions drawn of each set (default: all)")
    parser.add_argument("--work", type=Path, required=True, help="the folder that keeps vectors and collections")
    parser.add_argument("--systems", nargs="*", choices=OURS, default=["ours"], help="which of ours (default: ours)")
    parser.add_argument("--outside", nargs="*", default=OUTSIDE, help="sets that the mean leaves out")
    parser.add_argument("--choose-weight", action="store_true", help="try the plain convex weights on `dev`, no more")
    parser.add_argument("--model", help="a model folder or cached name (default: the one that is installed)")
    parser.add_argument("--json", type=Path, help="write the result here, values of each question beside it")
    return parser.parse_args()


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
        Plan(options.split, options.limit),
        model=options.encoder.fingerprint,
        settings={"ranking": asdict(Ranking())},
        on_progress=progress(dataset.name),
    )
    values = {name: {m: v for m, v in one.values.items() if m in MEASURES} for name, one in evaluation.systems.items()}
    return values, evaluation.manifest


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
    asked = [q for q in dataset.questions if options.split in ("all", q.split)]
    texts = [completed(question) for question in asked]
    pools = dict(zip((q.id for q in asked), legs.pools(texts, vectors_of(texts, options)), strict=True))
    return {name: PlainSystem(passages, pools, score) for name, score in options.plain.items()}


def vectors_of(texts: Sequence[str], options: Options) -> Any:
    """Return the vectors of texts by the project's own runtime, which equals the plain one within 1e-4."""
    encoder = options.encoder
    return kept_vectors(texts, encoder.encode, f"{encoder.runtime} {encoder.fingerprint}", options.work / "vectors")[0]


@contextmanager
def ours(dataset: Dataset, options: Options) -> Iterator[dict[str, System]]:
    """Open our systems over the corpus of a set, which is ingested where it was not yet."""
    if not options.ours:
        yield {}
        return
    tell = progress(f"{dataset.name}, ingestion")
    with cached_collection(dataset, options.work / "ours", options.encoder, on_progress=tell) as collection:
        yield {name: CollectionSystem(collection, options.encoder, OURS[name], Ranking()) for name in options.ours}


def report(
    results: Mapping[str, Values], manifests: Mapping[str, Any], split: str, outside: Sequence[str], output: Path | None
) -> None:
    """Print the tables and write everything."""
    tables = {measure: estimates(results, measure) for measure in MEASURES}
    print(f"split {split}; commit {commit(ROOT)}; {machine()}")
    for measure, rows in tables.items():
        print_table(measure, rows)
    means = summary(results, outside)
    print_summary(means)
    if output is not None:
        figures = {
            name: {
                measure: {system: asdict(one) for system, one in rows[name].items()}
                for measure, rows in tables.items()
                if name in rows
            }
            for name in results
        }
        whole = {
            "split": split,
            "commit": commit(ROOT),
            "machine": machine(),
            "summary": means,
            "sets": figures,
            "manifests": manifests,
        }
        output.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        output.with_suffix(".per_query.json").write_text(json.dumps(results) + "\n", encoding="utf-8")
        say(f"written: {output}")


def estimates(results: Mapping[str, Values], measure: str) -> dict[str, dict[str, Estimate]]:
    """Return per set that has the measure, per system, the mean with its interval."""
    rows = {
        name: {
            system: mean_estimate(list(values[measure].values()), seed=0)
            for system, values in systems.items()
            if values.get(measure)
        }
        for name, systems in results.items()
    }
    return {name: row for name, row in rows.items() if row}


def print_table(measure: str, rows: Mapping[str, Mapping[str, Estimate]]) -> None:
    """Print one measure as a Markdown table, a set a line."""
    systems = list(next(iter(rows.values()), {}))
    print(f"\n### {measure}\n")
    print_markdown(
        ("set", "questions", *systems),
        [
            (name, str(next(iter(row.values())).n), *(cell(row[system]) for system in systems))
            for name, row in rows.items()
        ],
    )


def cell(one: Estimate) -> str:
    """Say a mean with its interval."""
    return f"{one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]"


def print_markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    for line in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(line)} |")


def headline(name: str) -> str:
    """Return the measure that a set is judged by."""
    return "Answer@5" if name in LONG else "nDCG@10"


def summary(results: Mapping[str, Values], outside: Sequence[str]) -> dict[str, Any]:
    """Return the mean over the sets per system, and how ours stands against the better of the plain fusions."""
    by_set = {name: {system: values[headline(name)] for system, values in one.items()} for name, one in results.items()}
    inside = {name: one for name, one in by_set.items() if name not in outside}
    if not inside:
        return {}
    systems = list(next(iter(inside.values())))
    means = {s: sum(mean(one[s]) for one in inside.values()) / len(inside) for s in systems}
    result: dict[str, Any] = {"sets": list(inside), "mean": means}
    if "ours" in systems and set(FUSED) <= set(systems):
        better = max(FUSED, key=lambda system: means[system])
        result |= {"better": better, "difference": means["ours"] - means[better]}
        result["test"] = tested(inside, "ours", better)
        result["by_set"] = {
            n: {f"ours - {s}": mean(one["ours"]) - mean(one[s]) for s in FUSED} for n, one in by_set.items()
        }
        worst = min(by_set, key=lambda name: result["by_set"][name][f"ours - {better}"])
        result["worst"] = {"set": worst, "difference": result["by_set"][worst][f"ours - {better}"]}
    return result


def mean(values: Mapping[str, float]) -> float:
    """Return the mean over questions."""
    return sum(values.values()) / len(values)


def tested(by_set: Mapping[str, Mapping[str, Mapping[str, float]]], one: str, other: str) -> Any:
    """Return the stratified paired test of two systems over all questions of all sets."""
    try:
        from rag.evaluation.comparison import stratified
    except ImportError:
        return None
    result = stratified(
        {name: systems[other] for name, systems in by_set.items()},
        {name: systems[one] for name, systems in by_set.items()},
    )
    return asdict(result)


def print_summary(means: Mapping[str, Any]) -> None:
    """Print the mean over the sets and the differences."""
    if not means:
        return
    print(f"\n### Mean of {len(means['sets'])} sets\n")
    print_markdown(list(means["mean"]), [[f"{value:.4f}" for value in means["mean"].values()]])
    if "better" in means:
        print(f"\nours - {means['better']}: {means['difference']:+.4f}; test: {means['test']}")
        print(f"worst set: {means['worst']['set']} {means['worst']['difference']:+.4f}\n")
        heads = [f"ours - {system}" for system in FUSED]
        print_markdown(("set", *heads), [(n, *(f"{row[h]:+.4f}" for h in heads)) for n, row in means["by_set"].items()])


if __name__ == "__main__":
    main()
