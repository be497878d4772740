"""Shows what a crowd costs: the questions of every set, asked over one collection that holds all sets and more text.

    python benchmarks/quality.py --sets FOLDER --work FOLDER --json small.json
    python benchmarks/crowd.py --sets FOLDER --text FOLDER --work FOLDER --small small.per_query.json --json crowd.json

A document `12` of squad2 is `squad2/12` here. What is lost is told against the same question over the set's own corpus,
which quality.py measured. The collection is built where it is missing, which takes long; a build that was broken off is
taken up again, and --data names one that exists already, to which only what it lacks is added.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from plain import Legs, Passages
from quality import ROOT, Options, asking, evaluated, folders, of_collection, plain_systems, progress, vectors_of
from reporting import machine, rows_of, say
from tables import MEASURES, Values, estimates, headline, markdown, mean, print_measure, print_standing, standing

from api.settings import load_settings
from index.catalog import Catalog
from index.collection import Collection
from rag.encoding import load_encoder
from rag.evaluation.cache import cache_key
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.manifest import commit, digest
from rag.ids import document_id
from rag.ingest import Ingest


def main() -> None:
    """Build the crowd, ask every set in it, and print what each system has and has lost."""
    options = parsed()
    asked = Options(load_encoder(None, load_settings({}).cache), options.work, options.split, options.limit)
    sets = [folder for folder in folders(options.sets, options.only) if folder != ROOT / "seeds"]
    everything = sorted(file.parent for top in (options.sets, options.text) for file in top.glob("*/corpus.jsonl*"))
    corpus = options.work / "crowd"
    names = {folder.name: written(folder, corpus) for folder in everything}
    say(f"{sum(map(len, names.values()))} documents of {len(names)} folders")
    passages = Passages(corpus)
    say(f"{len(passages.shown)} plain passages")
    legs = Legs(passages, vectors_by_folder(passages, asked))
    results: dict[str, Values] = {}
    with crowded(corpus, names, options.data, asked) as collection:
        held = collection.info().passages
        say(f"{held} passages of ours")
        for folder in sets:
            dataset = within(read_dataset(folder), names[folder.name])
            systems = {**plain_systems(dataset, passages, legs, asked), **of_collection(collection, asked)}
            results[folder.name], _ = evaluated(dataset, systems, asked)
    report(results, json.loads(options.small.read_text()), {"plain": len(passages.shown), "ours": held}, options)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = asking(__doc__)
    parser.add_argument("--text", type=Path, required=True, help="a folder of further corpora that nothing asks about")
    parser.add_argument("--limit", type=int, help="questions drawn of each set (default: all)")
    parser.add_argument(
        "--data", type=Path, help="a data folder whose collection `default` is the crowd, or becomes it"
    )
    parser.add_argument("--small", type=Path, required=True, help="what quality.py --json wrote: *.per_query.json")
    return parser.parse_args()


def written(folder: Path, corpus: Path) -> dict[str, str]:
    """Write a folder's documents to `corpus` under their new names; return the new id of each."""
    corpus.mkdir(parents=True, exist_ok=True)
    target, names = corpus / f"{folder.name}.jsonl", {}
    unfinished = corpus.with_name(f"{target.name}.part")
    with unfinished.open("w", encoding="utf-8") as out:
        for row in rows_of(next(folder.glob("corpus.jsonl*"))):
            new = f"{folder.name}/{row['_id']}"
            names[document_id(row["_id"])] = document_id(new)
            out.write(json.dumps({**row, "_id": new}, ensure_ascii=False) + "\n")
    unfinished.replace(target)
    return names


def vectors_by_folder(passages: Passages, options: Options) -> Any:
    """Return the vectors of all passages, made and kept by folder, so that those of the small corpora are used."""
    texts = zip(passages.shown, passages.embedded, strict=True)
    grouped = groupby(texts, key=lambda one: one[0].document.id.split("~2F")[0])
    parts = []
    for name, some in grouped:
        say(f"vectors of {name}")
        parts.append(vectors_of([text for _, text in some], options))
    return np.concatenate(parts)


@contextmanager
def crowded(
    corpus: Path, names: Mapping[str, Mapping[str, str]], data: Path | None, options: Options
) -> Iterator[Collection]:
    """Open our collection of everything, after adding what it lacks; files that it has are not read again."""
    encoder = options.encoder
    known = {file.name: digest(file.read_text(encoding="utf-8")) for file in sorted(corpus.glob("*.jsonl"))}
    everything = Dataset("crowd", corpus, (), {}, sum(map(len, names.values())), digest(known))
    home = data or options.work / "ours" / cache_key(everything, encoder)
    say(f"our collection: {home}")
    with Catalog(home, encoder=encoder.fingerprint, dimension=encoder.dimension) as catalog:
        collection = catalog.collection("default")
        tell = progress("crowd, ingestion")
        for done, _ in enumerate(Ingest(collection, encoder).paths([corpus]), start=1):
            tell(done, everything.documents)
        collection.compact()
        yield collection


def within(dataset: Dataset, names: Mapping[str, str]) -> Dataset:
    """Return a set whose judgements and spans name the documents as they are named in the crowd."""
    questions = [
        replace(q, spans=[replace(span, document_id=names[span.document_id]) for span in q.spans])
        for q in dataset.questions
    ]
    judgements = {
        query: {names[document]: grade for document, grade in grades.items()}
        for query, grades in dataset.judgements.items()
    }
    unreadable = [names[document] for document in dataset.unreadable]
    return replace(dataset, questions=questions, judgements=judgements, unreadable=unreadable)


def report(
    results: Mapping[str, Values],
    small: Mapping[str, Values],
    passages: Mapping[str, int],
    options: argparse.Namespace,
) -> None:
    """Print the tables and write everything."""
    made = f"split {options.split}; {passages}; commit {commit(ROOT)}; {machine()}"
    print(made)
    for measure in MEASURES:
        print_measure(measure, estimates(results, measure))
    found = standing(results, "ours")
    print_standing(found, "ours")
    losses = lost(results, small)
    inside = [losses[name] for name in found["sets"] if name in losses]
    systems = list(next(iter(results.values())))
    losses["mean"] = {s: sum(row[s] for row in inside) / len(inside) for s in systems} if inside else {}
    print("\n### In the crowd less in its own corpus\n")
    markdown(("set", *systems), [(name, *(f"{value:+.4f}" for value in row.values())) for name, row in losses.items()])
    if options.json is not None:
        whole = {"made": made, "standing": found, "lost": losses}
        options.json.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        options.json.with_suffix(".per_query.json").write_text(json.dumps(results) + "\n", encoding="utf-8")
        say(f"written: {options.json}")


def lost(results: Mapping[str, Values], small: Mapping[str, Values]) -> dict[str, dict[str, float]]:
    """Return per set and system what its headline measure is here less there, over the questions asked here."""
    losses = {}
    for name, systems in results.items():
        before = {s: small.get(name, {}).get(s, {}).get(headline(name), {}) for s in systems}
        here = {s: values[headline(name)] for s, values in systems.items()}
        if all(here[s].keys() <= before[s].keys() for s in systems):
            losses[name] = {s: mean(here[s]) - mean({q: before[s][q] for q in here[s]}) for s in systems}
    return losses


if __name__ == "__main__":
    main()
