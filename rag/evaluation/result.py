"""What an evaluation found, and the files that keep it: the same input gives the same bytes, timings apart."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from index.types import Json
from rag.evaluation.calibration import Calibration, calibration
from rag.evaluation.datasets import Judgements
from rag.evaluation.measures import (
    CONFIDENCE,
    Observed,
    answerability,
    document_ranking,
    own_values,
    ranking_values,
    told,
)
from rag.evaluation.outcomes import Came, QuoteLength, came, quote_lengths
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.statistics import Estimate, Labels, mean_estimate, score_estimate
from rag.evaluation.trec import Run, write_qrels, write_run
from rag.types import AnswerPassage

PerQuery = Mapping[str, Mapping[str, float]]

LEAD = ("nDCG@10", "Answer@5")  # what a question is said to have gone well or badly by: the first that it has
WORST, SHOWN = 10, 5  # questions of which passages are kept, and how many of each


@dataclass(frozen=True, slots=True)
class SystemResult:
    """How one system did: figures, the same by slice (field, then value), values by query id, and its ranking.

    `calibration` is there where it has a confidence. `worst` are the first passages of the questions that went worst,
    by query id, the worst first; a system that is a run file has none. `came` is what came of the questions by their
    type, where they were asked as a user would.
    """

    measures: Mapping[str, Estimate]
    slices: Mapping[str, Mapping[str, Mapping[str, Estimate]]]
    values: PerQuery
    run: Run
    calibration: Calibration | None = None
    worst: Mapping[str, Sequence[AnswerPassage]] = field(default_factory=dict)
    came: Sequence[Came] = ()
    quote_length: QuoteLength | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Results by system, the manifest of what they were made from, waiting times in milliseconds, and judgements."""

    systems: Mapping[str, SystemResult]
    manifest: Mapping[str, Json]
    timings: Mapping[str, Json] = field(default_factory=dict)
    judgements: Judgements = field(default_factory=dict)  # of the questions that were asked
    diagnosis: Json = None  # as `rag.evaluation.diagnosis` gives it, where it was asked for


def judge(
    judgements: Judgements,
    observed: Sequence[Observed],
    *,
    seed: int,
    slice_by: Sequence[str] = (),
    run: Run | None = None,
) -> SystemResult:
    """Return the measures of one system that was asked the questions of `observed`, sliced by metadata fields.

    Only the judgements of those questions count; intervals are drawn with `seed`. With `run`, a ranking of documents
    made elsewhere, nothing was observed but that, and only rankings are measured.
    """
    asked = {seen.question.id: seen for seen in observed}
    judged = {query: grades for query, grades in judgements.items() if query in asked}
    found = {query: document_ranking(seen.found) for query, seen in asked.items()} if run is None else run
    values = {**ranking_values(judged, found), **(own_values(observed) if run is None else {})}
    return SystemResult(
        measures=_estimates(values, observed, seed),
        slices={field: _sliced(values, observed, field, seed) for field in slice_by},
        values=values,
        run=found,
        calibration=_calibration(observed),
        worst={query: asked[query].found[:SHOWN] for query in worst(values)},
        came=came(observed, values),
        quote_length=quote_lengths(observed),
    )


def lead(values: PerQuery) -> Mapping[str, float]:
    """Return by query id the value of the first measure of `LEAD` that says something about the question."""
    return {query: value for name in reversed(LEAD) for query, value in values.get(name, {}).items()}


def worst(values: PerQuery) -> Sequence[str]:
    """Return the ids of the at most `WORST` questions that went worst, the worst first."""
    by_query = lead(values)
    return sorted(by_query, key=lambda query: by_query[query])[:WORST]


def _calibration(observed: Sequence[Observed]) -> Calibration | None:
    scores, labels = told(answerability, observed)
    return calibration(scores, labels) if _both(labels) else None


def _both(labels: Labels) -> bool:
    return bool(labels.any() and not labels.all())


def _estimates(values: PerQuery, observed: Sequence[Observed], seed: int) -> Mapping[str, Estimate]:
    means = {name: mean_estimate(list(by_query.values()), seed=seed) for name, by_query in values.items() if by_query}
    for name, one in CONFIDENCE.items():
        scores, labels = told(one.pair, observed)
        if len(labels) >= one.least and (_both(labels) or not one.mixed):
            means[name] = score_estimate(one.figure, scores, labels, seed=seed, mixed=one.mixed)
    return means


def _sliced(
    values: PerQuery, observed: Sequence[Observed], field: str, seed: int
) -> Mapping[str, Mapping[str, Estimate]]:
    groups: dict[str, list[Observed]] = {}
    for seen in observed:
        groups.setdefault(_slice(seen.question, field), []).append(seen)
    return {name: _estimates(_only(values, groups[name]), groups[name], seed) for name in sorted(groups)}


def _slice(question: DatasetQuestion, field: str) -> str:
    value = question.metadata.get(field)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _only(values: PerQuery, observed: Sequence[Observed]) -> PerQuery:
    kept = {seen.question.id for seen in observed}
    return {name: {q: value for q, value in by_query.items() if q in kept} for name, by_query in values.items()}


def result_json(evaluation: Evaluation) -> Json:
    """Return the result as JSON: `systems` (figures, slices where asked for) and `manifest`, without timings."""
    return {
        "systems": {name: _system_json(result) for name, result in evaluation.systems.items()},
        "manifest": dict(evaluation.manifest),
    } | ({"diagnosis": evaluation.diagnosis} if evaluation.diagnosis else {})


def _system_json(result: SystemResult) -> Json:
    slices = {
        field: {name: {"measures": _measures_json(estimates)} for name, estimates in groups.items()}
        for field, groups in result.slices.items()
    }
    of_system: dict[str, Json] = {"measures": _measures_json(result.measures)}
    if result.came:
        of_system["outcomes"] = [_came_json(one) for one in result.came]
    if result.quote_length:
        of_system["quote_length"] = asdict(result.quote_length)
    if slices:
        of_system["slices"] = slices
    if result.calibration:
        of_system["calibration"] = rounded(asdict(result.calibration))
    return of_system


def _came_json(one: Came) -> Json:
    of_type: dict[str, Json] = {"type": one.type, "answerable": one.answerable, "questions": one.questions}
    return {**of_type, **dict(one.outcomes), "measures": rounded(dict(one.measures))}


def _measures_json(estimates: Mapping[str, Estimate]) -> Json:
    return {name: rounded(asdict(estimate)) for name, estimate in estimates.items()}


def rounded(value: Json) -> Json:
    """Return `value` with every float in it rounded to six digits after the point."""
    if isinstance(value, dict):
        return {key: rounded(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(below) for below in value]
    return round(value, 6) if isinstance(value, float) else value


def per_query_json(evaluation: Evaluation) -> Json:
    """Return every value as `{system: {measure: {query id: value}}}`."""
    return {
        name: rounded({measure: by_query for measure, by_query in result.values.items() if by_query})
        for name, result in evaluation.systems.items()
    }


def write(evaluation: Evaluation, path: Path, *, runs: bool = False) -> Sequence[Path]:
    """Write the result to `path` and beside it what belongs to it; return the paths written.

    `result.json` comes with `result.per_query.json`, `result.timings.json` (which alone differs from time to time)
    and, with `runs`, what trec_eval reads: a run a system, `result.dense.run`, and `result.qrels`.
    """
    written = {
        path: result_json(evaluation),
        path.with_suffix(".per_query.json"): per_query_json(evaluation),
        path.with_suffix(".timings.json"): dict(evaluation.timings),
    }
    for target, content in written.items():
        target.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return [*written, *(_write_runs(evaluation, path) if runs else ())]


def _write_runs(evaluation: Evaluation, path: Path) -> Iterator[Path]:
    for name, result in evaluation.systems.items():
        run = path.with_suffix(f".{name}.run")
        write_run(run, result.run, tag=name)
        yield run
    qrels = path.with_suffix(".qrels")
    write_qrels(qrels, evaluation.judgements)
    yield qrels
