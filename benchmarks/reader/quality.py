"""Makes the tables of docs/reader.md: what reading the passages found is worth, set by set.

    python benchmarks/reader/quality.py order --sets FOLDER --work FOLDER --json order.json

One of these at a time, or several: `order`, the first stage's order against the reader's; `answers`, the short answer
and the highlights where all paragraphs of a set are the corpus, by `min_confidence: 0` and by the threshold as shipped;
`answerable`, what the confidence is worth, where the hard kind of unanswerable question has a passage on its subject,
and the easy kind (`squad2, taken out`) is an answerable one whose article a filter leaves out; `conflicts`, the
disagreements planted in the seeds, and false alarms on ordinary questions.

FOLDER and --work are those of benchmarks/quality.py, whose ingested documents are used again. Report `test`.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from quality import ROOT, asking, folders, progress
from reporting import Bound, finish, machine, say
from tables import LONG, OUTSIDE, Values, cell, difference, estimates, markdown, standing

from api.settings import load_settings
from rag.encoding import Encoder, load_encoder
from rag.evaluation import calibration
from rag.evaluation.cache import cached_collection
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.manifest import commit
from rag.evaluation.measures import Observed, own_values
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.run import Plan, evaluate, select
from rag.evaluation.statistics import Estimate, mean_estimate, score_estimate
from rag.evaluation.systems import CollectionSystem
from rag.reading import Reader, load_reader
from rag.retrieval import Ranking
from rag.types import Answer

MEAN = ("squad2", "covidqa", "mtrag_un", "multihoprag", "realtimeqa_2025h2")  # question sets, each as much as another
LABELLED = ("squad2", "clapnq", "mtrag_un", "multihoprag", "seeds")  # both kinds of `answerable` are known
OPEN = ("squad2",)  # short answers are known, and every paragraph is in the corpus
ALARMS, MOST_ALARMS = 100, 2  # ordinary questions of each set, and false alarms among them
ANSWERED = ("Token F1", "Exact match", "Answer in highlights@5")
LEAST_ANSWERED = {"Token F1": 0.60, "Answer in highlights@5": 0.85}
LEAST_AUROC = {"squad2": 0.70, "squad2, taken out": 0.95, "clapnq": 0.80}
MOST_ECE = {"squad2": 0.05}  # elsewhere as much as chance leaves of a calibrated system's

Made = tuple[dict[str, Any], list[Bound]]  # the figures of a table, and what was promised of them


@dataclass(frozen=True, slots=True)
class Work:
    """What a run works with: the sets by name, and which of their questions are asked."""

    encoder: Encoder
    reader: Reader
    kept: Path
    sets: Mapping[str, Path]
    split: str
    limit: int | None
    told: dict[tuple[str, str], Told] = field(default_factory=dict)  # what was asked for another table already

    def of(self, names: Sequence[str]) -> Iterator[Dataset]:
        """Yield those of the sets that were chosen."""
        for name in names:
            if name in self.sets:
                yield read_dataset(self.sets[name])

    def questions(self, dataset: Dataset, answerable: bool | None = None) -> list[DatasetQuestion]:
        """Return the questions to ask, by whether they have an answer, or all."""
        asked = select(dataset, Plan(self.split, self.limit))
        return [one for one in asked if answerable is None or one.answerable is answerable]


def main() -> None:
    """Make the tables that were asked for, print them, and hold them to what was promised."""
    parser = asking(__doc__)
    parser.add_argument("tables", nargs="+", choices=TABLES)
    parser.add_argument("--limit", type=int, help="questions drawn of each set (default: all)")
    options = parser.parse_args()
    settings = load_settings({})
    encoder, reader = load_encoder(settings.model, settings.cache), load_reader(settings.cache)
    named = {folder.name: folder for folder in folders(options.sets, options.only)}
    work = Work(encoder, reader, options.work / "ours", named, options.split, options.limit)
    made = f"split {work.split}; commit {commit(ROOT)}; reader {reader.fingerprint[:12]}, {reader.runtime}; {machine()}"
    print(made)
    result: dict[str, Any] = {"made": made, "limit": work.limit}
    bounds: list[Bound] = []
    for name in dict.fromkeys(options.tables):
        result[name], promised = TABLES[name](work)
        bounds += promised
    print()
    finish(result, bounds, options.json)


# The order


def order(work: Work) -> Made:
    """Return nDCG@10 and RR@10 of every set before and after reading, with the paired difference."""
    results: dict[str, Values] = {}
    for dataset in work.of(list(work.sets)):
        with cached_collection(dataset, work.kept, work.encoder) as collection:
            evaluation = evaluate(
                dataset,
                collection,
                work.encoder,
                Plan(work.split, work.limit),
                systems=("hybrid", "reader"),
                reader=work.reader,
                on_progress=progress(dataset.name),
            )
        values = {name: one.values for name, one in evaluation.systems.items()}
        results[dataset.name] = {"before": values["hybrid"], "after": values["reader"]}
    made, bounds = {}, []
    for measure in ("nDCG@10", "RR@10"):
        made[measure], gains = ordered(results, measure)
        if measure == "nDCG@10":
            bounds = [Bound(f"{measure}, gain of the worst set", round(min(gains.values()), 4), least=-0.01)]
            if set(MEAN) <= set(results):
                gain = made[measure]["mean"]["effect"]
                bounds.append(Bound(f"{measure}, gain of the mean of {len(MEAN)}", round(gain, 4), least=0.03))
    return made, bounds


def ordered(results: Mapping[str, Values], measure: str) -> tuple[dict[str, Any], dict[str, float]]:
    """Print the table of one measure; return its figures, and the gain of each set."""
    judged = {name: f"Passage {measure}" if name in LONG else measure for name in results}
    asked = {name: one for name, one in results.items() if any(v.get(judged[name]) for v in one.values())}
    outside = [name for name in asked if name not in MEAN] if set(MEAN) & set(asked) else OUTSIDE
    found = standing(asked, "after", outside, judged.__getitem__)
    rows = {name: estimates({name: one}, judged[name])[name] for name, one in asked.items()}
    gains = {name: found["by_set"][name]["before"] for name in asked}
    print(f"\n### {measure} before and after reading\n")
    lines = [
        (f"{name}{' (passages)' if name in LONG else ''}", row["before"].n, *map(cell, row.values()), difference(gain))
        for (name, row), gain in zip(rows.items(), gains.values(), strict=True)
    ]
    means = [f"{value:.3f}" for value in found["mean"].values()]
    last = (f"mean of {', '.join(found['sets'])}", "", *means, difference(found["against"]["before"]))
    markdown(("set", "questions", "before", "after", "after − before"), [*lines, last])
    figures = {
        name: {side: asdict(one) for side, one in row.items()} | {"difference": gains[name]}
        for name, row in rows.items()
    }
    mean = {"sets": found["sets"], **found["mean"], **found["against"]["before"]}
    return {"sets": figures, "mean": mean}, {name: gain["effect"] for name, gain in gains.items()}


# Answers


@dataclass(frozen=True, slots=True)
class Told:
    """What was answered with `min_confidence: 0`, and the threshold that is shipped."""

    observed: Sequence[Observed]
    threshold: float

    @property
    def answered(self) -> list[bool]:
        """Whether each question is answered by the threshold as shipped."""
        return [(one.confidence or 0.0) >= self.threshold for one in self.observed]


def told(work: Work, dataset: Dataset, questions: Sequence[DatasetQuestion], what: str) -> Told:
    """Ask every question as a user would, but that nothing is declined; what `what` names is asked once."""
    if (dataset.name, what) in work.told:
        return work.told[dataset.name, what]
    tell = progress(f"{dataset.name}, {what}")
    with cached_collection(dataset, work.kept, work.encoder) as collection:
        usual, willing = (
            CollectionSystem(collection, work.encoder, "hybrid", Ranking(), reader=work.reader, min_confidence=least)
            for least in (None, 0.0)
        )
        threshold = usual.ask(questions[0]).threshold
        assert threshold is not None, "the reader is on, so there is a threshold"
        found = []
        for done, question in enumerate(questions, start=1):
            found.append(seen(question, willing.ask(question)))
            tell(done, len(questions))
    return work.told.setdefault((dataset.name, what), Told(found, threshold))


def seen(question: DatasetQuestion, answer: Answer) -> Observed:
    """Return what measures look at of an answer."""
    predicted = answer.answer.text if answer.answer else ""
    return Observed(question, answer.passages, answer, predicted=predicted, confidence=answer.confidence)


def answers(work: Work) -> Made:
    """Return how good the short answers and the highlights of answerable questions are."""
    made, bounds = {}, []
    for dataset in work.of(OPEN):
        found = told(work, dataset, work.questions(dataset, True), "answerable")
        values = own_values(found.observed)
        rows: dict[str, dict[str, Estimate]] = {}
        for measure in ANSWERED:
            free = [values[measure][one.question.id] for one in found.observed]
            held = [value * said for value, said in zip(free, found.answered, strict=True)]
            rows[measure] = {"free": mean_estimate(free, seed=0), "shipped": mean_estimate(held, seed=0)}
        share = mean_estimate([float(one) for one in found.answered], seed=0)
        print(f"\n### Answers on {dataset.name}, {share.n} answerable questions over all its paragraphs\n")
        head = ("measure", "min_confidence 0", f"threshold {found.threshold:.3f}, a refusal counts 0")
        lines = [(name, *map(cell, row.values())) for name, row in rows.items()]
        markdown(head, [*lines, ("answered", "", cell(share))])
        figures = {name: {side: asdict(one) for side, one in row.items()} for name, row in rows.items()}
        made[dataset.name] = {**figures, "answered": asdict(share), "threshold": found.threshold}
        for name, least in LEAST_ANSWERED.items():
            bounds.append(Bound(f"{name}, {dataset.name}", round(rows[name]["free"].mean, 4), least=least))
    return made, bounds


# Answerable or not


def answerable(work: Work) -> Made:
    """Return what the confidence is worth on every set that has both kinds of question."""
    made: dict[str, Any] = {}
    for dataset in work.of(LABELLED):
        kinds = {kind: work.questions(dataset, kind) for kind in (True, False)}
        if not all(kinds.values()):
            say(f"{dataset.name}: only one kind of question was drawn; left out")
            continue
        positive = told(work, dataset, kinds[True], "answerable")
        negative = told(work, dataset, kinds[False], "unanswerable")
        made[dataset.name] = worth(positive, negative)
        if dataset.name == "squad2":
            gone = told(work, dataset, [without_article(one) for one in kinds[True]], "taken out")
            made["squad2, taken out"] = worth(positive, gone)
    print("\n### What the confidence is worth\n")
    head = ("set", "questions", "answerable", "AUROC", "ECE", "by chance", "AURC", "refusing: precision", "recall")
    markdown(head, [(name, *told_of(figures)) for name, figures in made.items()])
    return made, list(promised(made))


def without_article(question: DatasetQuestion) -> DatasetQuestion:
    """Return the question asked of everything but its article, so that nothing answers it.

    How rare a word is is counted over the whole collection all the same, the article included.
    """
    filtered = {"field": "metadata.article", "ne": question.metadata["article"]}
    return replace(question, filter=filtered, answerable=False)


def worth(positive: Told, negative: Told) -> dict[str, Any]:
    """Return the figures of the confidences of answerable and unanswerable questions."""
    observed = [*positive.observed, *negative.observed]
    scores = np.array([one.confidence or 0.0 for one in observed])
    labels = np.array([one.question.answerable is True for one in observed])
    refused = np.array([not one for one in (*positive.answered, *negative.answered)])
    right = int((refused & ~labels).sum())
    return {
        "n": len(labels),
        "base_rate": float(labels.mean()),
        **{
            name: asdict(score_estimate(figure, scores, labels, seed=0))
            for name, figure in (("auroc", calibration.auroc), ("ece", calibration.ece), ("aurc", calibration.aurc))
        },
        "threshold": positive.threshold,
        "precision": right / max(1, int(refused.sum())),
        "recall": right / int((~labels).sum()),
        "calibration": asdict(calibration.calibration(scores, labels)),
    }


def told_of(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield the cells of a row."""
    yield str(figures["n"])
    yield f"{figures['base_rate']:.3f}"
    yield cell(Estimate(**figures["auroc"]))
    yield cell(Estimate(**figures["ece"]))
    yield "{:.3f} to {:.3f}".format(*figures["calibration"]["ece_by_chance"])
    yield cell(Estimate(**figures["aurc"]))
    yield f"{figures['precision']:.3f}"
    yield f"{figures['recall']:.3f}"


def promised(made: Mapping[str, Any]) -> Iterator[Bound]:
    """Yield what was promised; the error of a calibrated system holds where its article is not taken out."""
    for name, figures in made.items():
        if name in LEAST_AUROC:
            yield Bound(f"AUROC, {name}", round(figures["auroc"]["mean"], 4), least=LEAST_AUROC[name])
        if "taken out" not in name:
            most = MOST_ECE.get(name, figures["calibration"]["ece_by_chance"][1])
            yield Bound(f"ECE, {name}", round(figures["ece"]["mean"], 4), most=round(most, 4))


# Conflicts


def conflicts(work: Work) -> Made:
    """Return which planted disagreements were told of, and of which ordinary questions one was told."""
    made: dict[str, Any] = {}
    bounds: list[Bound] = []
    for dataset in work.of(("seeds", "squad2")):
        asked = [one for one in select(dataset, Plan(work.split)) if one.answerable]
        planted = [one for one in asked if "conflict" in one.metadata]
        ordinary = [one for one in asked if "conflict" not in one.metadata]
        drawn = random.Random(0).sample(ordinary, min(work.limit or ALARMS, ALARMS, len(ordinary)))
        with cached_collection(dataset, work.kept, work.encoder) as collection:
            system = CollectionSystem(collection, work.encoder, "hybrid", Ranking(), reader=work.reader)
            missed = [one for one in planted if not has_planted(system.ask(one), one)]
            alarms = [(one, found) for one in drawn if (found := system.ask(one)).conflicts]
        print(f"\n### Conflicts, {dataset.name}\n")
        head = ("planted", "found", "ordinary", "false alarms")
        markdown(head, [(len(planted), len(planted) - len(missed), len(drawn), len(alarms))])
        print()
        for one in missed:
            print(f"- missed: {one.text}")
        for one, found in alarms:
            print(f"- alarm: {one.text} {' / '.join(value.text for value in found.conflicts[0].values)}")
        made[dataset.name] = {
            "planted": len(planted),
            "missed": [one.id for one in missed],
            "ordinary": len(drawn),
            "alarms": [one.id for one, _ in alarms],
        }
        if planted:
            bounds.append(Bound(f"planted conflicts missed, {dataset.name}", len(missed), most=0))
        bounds.append(Bound(f"false alarms, {dataset.name}", len(alarms), most=MOST_ALARMS))
    return made, bounds


def has_planted(answer: Answer, question: DatasetQuestion) -> bool:
    """Say whether one conflict of the answer has a value in each of the planted places."""
    assert question.place is not None
    planted = [
        (question.place.document_id(one["doc"]), one["start"], one["end"])
        for one in question.metadata["conflict"]["values"]
    ]
    return any(
        all(
            any(
                said.citation.document_id == document and said.citation.start < end and start < said.citation.end
                for said in conflict.values
            )
            for document, start, end in planted
        )
        for conflict in answer.conflicts
    )


TABLES: Mapping[str, Callable[[Work], Made]] = {
    "order": order,
    "answers": answers,
    "answerable": answerable,
    "conflicts": conflicts,
}

if __name__ == "__main__":
    main()
