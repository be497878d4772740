"""What an evaluation found, and the files that keep it: the same input gives the same bytes, timings apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from index.types import Json
from rag.evaluation.datasets import Judgements
from rag.evaluation.measures import CONFIDENCE, Observed, document_ranking, own_values, ranking_values
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.statistics import Estimate, mean_estimate, score_estimate
from rag.evaluation.trec import Run, write_run

PerQuery = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class SystemResult:
    """How one system did: figures, the same by slice (field, then value), values by query id, and its ranking."""

    measures: Mapping[str, Estimate]
    slices: Mapping[str, Mapping[str, Mapping[str, Estimate]]]
    values: PerQuery
    run: Run


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Results by system, the manifest of what they were made from, and waiting times in milliseconds."""

    systems: Mapping[str, SystemResult]
    manifest: Mapping[str, Json]
    timings: Mapping[str, Json] = field(default_factory=dict)
    diagnosis: Json = None  # as `rag.evaluation.diagnosis` gives it, where it was asked for


def judge(
    judgements: Judgements, observed: Sequence[Observed], *, seed: int, slice_by: Sequence[str] = ()
) -> SystemResult:
    """Return the measures of one system that was asked the questions of `observed`, sliced by metadata fields.

    Only the judgements of those questions count; intervals are drawn with `seed`.
    """
    asked = {seen.question.id: seen for seen in observed}
    judged = {query: grades for query, grades in judgements.items() if query in asked}
    run = {query: document_ranking(seen.found) for query, seen in asked.items()}
    values = {**ranking_values(judged, run), **own_values(observed)}
    return SystemResult(
        measures=_estimates(values, observed, seed),
        slices={field: _sliced(values, observed, field, seed) for field in slice_by},
        values=values,
        run=run,
    )


def _estimates(values: PerQuery, observed: Sequence[Observed], seed: int) -> Mapping[str, Estimate]:
    means = {name: mean_estimate(list(by_query.values()), seed=seed) for name, by_query in values.items() if by_query}
    sure = [s for s in observed if s.confidence is not None and s.question.answerable is not None]
    scores, labels = [s.confidence or 0.0 for s in sure], [bool(s.question.answerable) for s in sure]
    if not any(labels) or all(labels):
        return means
    return means | {name: score_estimate(figure, scores, labels, seed=seed) for name, figure in CONFIDENCE.items()}


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
    """Return the result as JSON: `systems` (measures, slices where asked for) and `manifest`, without timings."""
    return {
        "systems": {name: _system_json(result) for name, result in evaluation.systems.items()},
        "manifest": dict(evaluation.manifest),
    } | ({"diagnosis": evaluation.diagnosis} if evaluation.diagnosis else {})


def _system_json(result: SystemResult) -> Json:
    slices = {
        field: {name: {"measures": _measures_json(estimates)} for name, estimates in groups.items()}
        for field, groups in result.slices.items()
    }
    return {"measures": _measures_json(result.measures)} | ({"slices": slices} if slices else {})


def _measures_json(estimates: Mapping[str, Estimate]) -> Json:
    return {name: {key: round(value, 6) for key, value in asdict(e).items()} for name, e in estimates.items()}


def per_query_json(evaluation: Evaluation) -> Json:
    """Return every value as `{system: {measure: {query id: value}}}`."""
    return {
        name: {
            measure: {query: round(value, 6) for query, value in by_query.items()}
            for measure, by_query in result.values.items()
            if by_query
        }
        for name, result in evaluation.systems.items()
    }


def write(evaluation: Evaluation, path: Path, *, runs: bool = False) -> Sequence[Path]:
    """Write the result to `path` and beside it what belongs to it; return the paths written.

    `result.json` comes with `result.per_query.json`, `result.timings.json` (which alone differs from time to time)
    and, with `runs`, a TREC run file a system: `result.dense.run`.
    """
    written = {
        path: result_json(evaluation),
        path.with_suffix(".per_query.json"): per_query_json(evaluation),
        path.with_suffix(".timings.json"): dict(evaluation.timings),
    }
    for target, content in written.items():
        target.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    found = {path.with_suffix(f".{name}.run"): (name, result.run) for name, result in evaluation.systems.items()}
    for target, (name, run) in found.items() if runs else ():
        write_run(target, run, tag=name)
    return [*written, *(found if runs else ())]
