"""Makes the tables on claims of docs/reader.md: each is checked against the document that it was written about, alone.

    python benchmarks/reader/claims.py --sets FOLDER --work FOLDER --split test --json result.json

vitaminc has three verdicts; wice two (`not_supported` is `not_found`, and so is what we call contradicted there), and
claims that are supported in part, which are told apart. Beside ours stand the share of the claim's words, weighed by
how rare they are, in the best passage and in the best sentence, and the greatest cosine of a passage: their thresholds
are fitted to `dev`, as are those of "ours, fitted here"; "ours" has the thresholds that are shipped. With --split dev
all of them are asked what they were fitted to. The claims of wice are also checked against all documents but their
own, where nothing should be found (in vitaminc other revisions of a page may say the same). The last line is the rule
that fits the `dev` halves of all sets best, each counting as much as another: the one to ship.

Balanced accuracy is the mean over the verdicts of the share that is found of each; macro F1 the mean of their F1.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations_with_replacement, permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from examples import SOURCES, taught
from quality import progress
from reporting import machine, say
from tables import markdown

from api.settings import load_settings
from index.collection import Collection
from rag.claims import Rule, Said, Verdict, judge, look
from rag.encoding import Encoder, load_encoder
from rag.evaluation.cache import cached_collection
from rag.evaluation.calibration import ece, ece_by_chance
from rag.evaluation.datasets import read_dataset
from rag.evaluation.manifest import commit
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.statistics import Estimate, Labels, Values, score_estimate
from rag.reading import Reader, WordReader, load_reader
from rag.retrieval import Ranking, retrieve
from rag.splitting import sentences
from rag.types import Question
from rag.wording import Asked, inverse_frequencies

ROOT = Path(__file__).resolve().parents[2]
SUPPORTED, CONTRADICTED, NOT_FOUND, PARTLY = range(4)
VERDICTS: Sequence[Verdict] = ("supported", "contradicted", "not_found")
LABELS = {
    "vitaminc": {"SUPPORTS": SUPPORTED, "REFUTES": CONTRADICTED, "NOT ENOUGH INFO": NOT_FOUND},
    "wice": {"supported": SUPPORTED, "not_supported": NOT_FOUND, "partially_supported": PARTLY},
}
DEPTH = 100  # passages of the document that the baselines look at
GRID = [round(0.05 * step, 2) for step in range(1, 20)]  # thresholds that are tried
TEMPERATURES = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0)
CUTS = 40  # of a baseline's scores that are tried
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Seen:
    """One claim: its label, what each passage that was read says of it, and what the baselines measure."""

    label: int
    said: Sequence[Said]
    elsewhere: Sequence[Said]  # by all documents but the claim's own, where that can be silent only
    baselines: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Halves:
    """The claims of a set by what they are used for, and which verdicts it has."""

    dev: Sequence[Seen]
    asked: Sequence[Seen]
    verdicts: Sequence[int]


def main() -> None:
    """Check the claims of every set and print the tables."""
    options = parsed()
    settings = load_settings({"model": options.model} if options.model else {})
    encoder = load_encoder(settings.model, settings.cache)
    reader = WordReader() if options.reader == "words" else load_reader(settings.cache)
    seen = {name: halves(options.sets / name, encoder, reader, options) for name in options.only}
    made = (
        f"split {options.split}; reader {reader.fingerprint[:12]}, {reader.runtime}; commit {commit(ROOT)}; {machine()}"
    )
    print(made)
    result: dict[str, Any] = {"made": made, "rule": asdict(Rule()), "sets": {}}
    for name, of in seen.items():
        result["sets"][name] = report(name, of)
    result["best_rule"] = asdict(fitted(list(seen.values())))
    print(f"\nThe rule that fits `dev` best: {result['best_rule']}")
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        say(f"written: {options.json}")


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=Path, required=True, help="the folder that holds the evaluation sets")
    parser.add_argument("--only", nargs="+", choices=tuple(LABELS), default=tuple(LABELS))
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    parser.add_argument("--limit", type=int, help="claims drawn of each half of a set (default: all)")
    parser.add_argument("--work", type=Path, required=True, help="the folder that keeps collections")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--reader", choices=("model", "words"), default="model", help="words: to try this program")
    parser.add_argument("--model", help="a model folder or cached name (default: the one that is installed)")
    return parser.parse_args()


def halves(folder: Path, encoder: Encoder, reader: Reader, options: argparse.Namespace) -> Halves:
    """Look the claims of a set up, those of `dev` in any case."""
    dataset, labels = read_dataset(folder), LABELS[folder.name]
    learned = folder.name in {Path(source.folder).name for source in SOURCES}
    with cached_collection(
        dataset, options.work / "ours", encoder, on_progress=progress(f"{dataset.name}, ingestion")
    ) as collection:
        found = {
            split: list(
                looked_up(
                    drawn(dataset.questions, split, options.limit, learned=learned), labels, collection, encoder, reader
                )
            )
            for split in dict.fromkeys(("dev", options.split))
        }
    return Halves(found["dev"], found[options.split], sorted(set(labels.values()) - {PARTLY}))


def drawn(
    questions: Sequence[DatasetQuestion], split: str, limit: int | None, *, learned: bool
) -> Sequence[DatasetQuestion]:
    """Return the claims of a half, or so many of them; of `dev` not those that the reader learned from."""
    half = [one for one in questions if one.split == split and not (split == "dev" and learned and taught(one))]
    return half if limit is None else random.Random(0).sample(half, min(limit, len(half)))


def looked_up(
    claims: Sequence[DatasetQuestion],
    labels: Mapping[str, int],
    collection: Collection,
    encoder: Encoder,
    reader: Reader,
) -> Iterator[Seen]:
    """Have each claim read against its own document, and measure the baselines there."""
    tell = progress(f"{len(claims)} claims")
    for done, one in enumerate(claims, start=1):
        condition = {"field": "document_id", "eq": one.metadata["context_doc"]}
        looked = look(one.text, collection, encoder, reader, filter=condition)
        baselines = measured(Question(one.text, filter=condition), collection, encoder)
        others = {"not": condition}
        elsewhere = look(one.text, collection, encoder, reader, filter=others).said if PARTLY in labels.values() else ()
        yield Seen(labels[str(one.metadata["label"])], looked.said, elsewhere, baselines)
        tell(done, len(claims))


def measured(claim: Question, collection: Collection, encoder: Encoder) -> Mapping[str, float]:
    """Return what the baselines measure of a claim, each the greatest over its document."""
    found = retrieve(claim, collection, encoder, Ranking(), DEPTH)
    asked = Asked(claim.query, inverse_frequencies(found.found.frequencies, found.found.total))
    passages = list(found.passages)

    def coverage(texts: Iterator[tuple[str, str | None]]) -> float:
        return max((asked.wording(*one).coverage for one in texts), default=0.0)

    return {
        "words in a passage": coverage((one.stored.words, one.stored.document.language) for one in passages),
        "words in a sentence": coverage(
            (f"{one.stored.passage.header} {one.stored.text[span.start : span.end]}", one.stored.document.language)
            for one in passages
            for span in sentences(one.stored.text)
        ),
        "cosine of a passage": max((one.dense or 0.0 for one in passages), default=0.0),
    }


# Verdicts from what was measured


def of_rule(claims: Sequence[Seen], rule: Rule, verdicts: Sequence[int]) -> Ints:
    """Return the verdict on each claim as the product gives it; what a set does not know as a verdict is not found."""
    given = [VERDICTS.index(judge(one.said, rule)[0]) for one in claims]
    return np.array([one if one in verdicts else NOT_FOUND for one in given], dtype=np.int64)


def fitted(sets: Sequence[Halves]) -> Rule:
    """Return the rule that fits the `dev` halves best: first the temperature by likelihood, then both thresholds."""
    parts = [(decided(half.dev), half.verdicts) for half in sets]
    temperature = min(TEMPERATURES, key=lambda one: sum(surprise(claims, kinds, one) for claims, kinds in parts))
    told = [(labels_of(claims), shares(claims, temperature), kinds) for claims, kinds in parts]

    def worth(thresholds: tuple[float, float]) -> tuple[float, float]:
        figures = [
            sum(figure(counted(labels, chosen(of, thresholds, kinds)), kinds) for figure in FIGURES.values())
            for labels, of, kinds in told
        ]
        return round(sum(figures), 9), -sum(abs(one - 0.5) for one in thresholds)  # of equals, the plainest

    supported, contradicted = max(((one, other) for one in GRID for other in GRID), key=worth)
    return Rule(supported, contradicted, temperature)


def decided(claims: Sequence[Seen]) -> Sequence[Seen]:
    """Leave out the claims that are supported in part."""
    return [one for one in claims if one.label != PARTLY]


def labels_of(claims: Sequence[Seen]) -> Ints:
    """Return the labels."""
    return np.array([one.label for one in claims], dtype=np.int64)


def shares(claims: Sequence[Seen], temperature: float) -> Values:
    """Return what `judge` holds against its thresholds, shape (n, 2), and at last what silence has: (n, 3)."""
    rows = []
    for one in claims:
        said = np.maximum(np.array(one.said or [(0.0, 0.0, 1.0)]), 1e-9) ** (1 / temperature)
        said /= said.sum(axis=1, keepdims=True)
        rows.append((said[:, 0].max(), said[:, 1].max(), said[:, 2].min()))
    return np.array(rows)


def surprise(claims: Sequence[Seen], verdicts: Sequence[int], temperature: float) -> float:
    """Return the mean negative log likelihood of the labels; verdicts that a set does not have are not found."""
    of = shares(claims, temperature)
    of /= of.sum(axis=1, keepdims=True)
    for missing in set(range(3)) - set(verdicts):
        of[:, NOT_FOUND] += of[:, missing]
    return float(-np.log(of[np.arange(len(of)), labels_of(claims)]).mean())


def chosen(of: Values, thresholds: tuple[float, float], verdicts: Sequence[int]) -> Ints:
    """Return what `judge` says, of all claims at once."""
    sure = of[:, :2] >= thresholds
    supported = sure[:, 0] & ((of[:, 0] >= of[:, 1]) | ~sure[:, 1])
    told = np.where(supported, SUPPORTED, np.where(sure[:, 1], CONTRADICTED, NOT_FOUND))
    return np.where(np.isin(told, verdicts), told, NOT_FOUND)


def cut(scores: Values, labels: Ints, verdicts: Sequence[int]) -> tuple[Sequence[float], Sequence[int]]:
    """Return the cuts of a baseline, rising, and the verdict of each stretch between them, that fit best."""
    tried = np.unique(np.quantile(scores, np.linspace(0, 1, CUTS)))
    ways = [
        (cuts, order)
        for cuts in combinations_with_replacement(tried.tolist(), len(verdicts) - 1)
        for order in permutations(verdicts)
    ]

    def worth(way: tuple[Sequence[float], Sequence[int]]) -> float:
        cells = counted(labels, between(scores, way))
        return sum(figure(cells, verdicts) for figure in FIGURES.values())

    return max(ways, key=worth)


def between(scores: Values, way: tuple[Sequence[float], Sequence[int]]) -> Ints:
    """Return the verdict of the stretch in which each score lies."""
    cuts, order = way
    return np.array(order)[np.searchsorted(cuts, scores, side="right")]


# Figures


def counted(labels: Ints, given: Ints) -> Ints:
    """Return how often each verdict (column) was given for each label (row), shape (3, 3)."""
    return np.bincount(3 * labels + given, minlength=9).reshape(3, 3)


def balanced_accuracy(cells: Ints, verdicts: Sequence[int]) -> float:
    """Return the mean over the verdicts of the share that is found of each, 0 to 1."""
    return float(np.mean([cells[one, one] / max(1, cells[one].sum()) for one in verdicts]))


def macro_f1(cells: Ints, verdicts: Sequence[int]) -> float:
    """Return the mean over the verdicts of the F1 of each, 0 to 1."""
    return float(np.mean([2 * cells[v, v] / max(1, cells[v].sum() + cells[:, v].sum()) for v in verdicts]))


FIGURES = {"balanced accuracy": balanced_accuracy, "macro F1": macro_f1}


def estimate(name: str, labels: Ints, given: Ints, verdicts: Sequence[int]) -> Estimate:
    """Return a figure with its bootstrap interval: what is drawn again are the cells that claims lie in."""

    def figure(cells: Values, _: Labels) -> float:
        return FIGURES[name](np.bincount(cells.astype(np.int64), minlength=9).reshape(3, 3), verdicts)

    return score_estimate(figure, (3 * labels + given).astype(np.float64), labels == SUPPORTED, seed=0)


def systems(of: Halves) -> Iterator[tuple[str, Ints, Ints]]:
    """Yield each system, its verdicts on the claims that are asked, and on those that are supported in part."""
    dev, asked = decided(of.dev), decided(of.asked)
    partly = [one for one in of.asked if one.label == PARTLY]
    for name, rule in (("ours", Rule()), ("ours, fitted here", fitted([of]))):
        yield name, of_rule(asked, rule, of.verdicts), of_rule(partly, rule, of.verdicts)
    for name in dev[0].baselines:
        dev_scores, scores, others = (np.array([one.baselines[name] for one in half]) for half in (dev, asked, partly))
        way = cut(dev_scores, labels_of(dev), of.verdicts)
        yield name, between(scores, way), between(others, way) if len(others) else np.array([], dtype=np.int64)


def report(name: str, of: Halves) -> dict[str, Any]:
    """Print the table of a set and return its figures."""
    asked = decided(of.asked)
    labels, partly = labels_of(asked), len(of.asked) - len(asked)
    counts = ", ".join(f"{int((labels == one).sum())} {VERDICTS[one]}" for one in of.verdicts)
    print(f"\n{name}: {len(asked)} claims ({counts})\n")
    found: dict[str, Any] = {"claims": {VERDICTS[one]: int((labels == one).sum()) for one in of.verdicts}}
    rows = []
    for system, given, of_partly in systems(of):
        figures = {figure: estimate(figure, labels, given, of.verdicts) for figure in FIGURES}
        cells = counted(labels, given)
        recalls = {VERDICTS[one]: float(cells[one, one] / max(1, cells[one].sum())) for one in of.verdicts}
        half = float((of_partly == SUPPORTED).mean()) if partly else None
        found[system] = {**{figure: asdict(one) for figure, one in figures.items()}, "found": recalls, "partly": half}
        cells_of_row = [f"{one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in figures.values()]
        last = [f"{half:.2f}"] if half is not None else []
        rows.append((system, *cells_of_row, *(f"{share:.2f}" for share in recalls.values()), *last))
    more = [f"supported, of {partly} in part"] if partly else []
    markdown(("system", *FIGURES, *(f"{VERDICTS[one]}, found" for one in of.verdicts), *more), rows)
    if partly:
        found["elsewhere"] = alarms(of.asked)
    if len(of.verdicts) == len(VERDICTS):
        found["confidence"] = confidence(asked)
    return found


def alarms(claims: Sequence[Seen]) -> Mapping[str, float]:
    """Print and return the share of claims that documents about something else support or contradict by our rule."""
    told = [judge(one.elsewhere, Rule())[0] for one in claims]
    parts = {verdict: told.count(verdict) / len(told) for verdict in VERDICTS}
    print("\nours, against all documents but its own:", ", ".join(f"{part:.3f} {one}" for one, part in parts.items()))
    return parts


def confidence(claims: Sequence[Seen]) -> Mapping[str, float]:
    """Print and return how far the confidence of the shipped rule lies from the share of verdicts that are right."""
    told = np.array([judge(one.said, Rule())[1] for one in claims])
    right = of_rule(claims, Rule(), range(3)) == labels_of(claims)
    low, high = ece_by_chance(told)
    print(f"\nECE of the confidence of ours: {ece(told, right):.3f} (by chance {low:.3f} to {high:.3f})")
    return {"ece": ece(told, right), "low": low, "high": high}


if __name__ == "__main__":
    main()
