"""Asks the questions of a dataset and hands what came back to the measures."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from index.collection import Collection
from index.types import Json, text_digest
from rag.encoding import Encoder
from rag.errors import DatasetInvalid
from rag.evaluation.datasets import Dataset, Judgements
from rag.evaluation.manifest import digest, manifest
from rag.evaluation.measures import Observed, relevant
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.result import Evaluation, SystemResult, judge
from rag.evaluation.statistics import percentiles
from rag.evaluation.systems import CollectionSystem, System
from rag.evaluation.trec import Run
from rag.retrieval import Ranking
from rag.types import Answer, AnswerPassage, Mode

Progress = Callable[[int, int], None]

DEPTH = 200  # passages asked for a question, so that R@100 can be read where a document has two
_CHUNK = 32  # questions searched at a time
_TIMED = 50  # questions that are searched once more, alone, to see how long one takes


@dataclass(frozen=True, slots=True)
class Plan:
    """How to ask.

    `split` is `dev`, `test` or `all`; `limit` draws that many questions by `seed`; `depth` is how many passages a
    search returns, at most 1,000. With `answers` every question is also asked as a user would, which shows what is
    declined and highlighted, and takes longer. `slice_by` names fields of the questions' metadata.
    """

    split: str = "test"
    limit: int | None = None
    seed: int = 0
    depth: int = DEPTH
    answers: bool = False
    slice_by: Sequence[str] = ()


def no_progress(done: int, total: int) -> None:
    """Take notice of nothing."""


def evaluate(
    dataset: Dataset,
    collection: Collection,
    encoder: Encoder,
    plan: Plan,
    *,
    systems: Sequence[Mode] = ("dense", "lexical", "hybrid"),
    ranking: Ranking | None = None,
    on_progress: Progress = no_progress,
) -> Evaluation:
    """Ask `collection`, which holds the corpus of `dataset`, in every mode of `systems`.

    Raises DatasetInvalid where no question is left to ask.
    """
    used = ranking or Ranking()
    named: dict[str, System] = {mode: CollectionSystem(collection, encoder, mode, used) for mode in systems}
    return evaluate_systems(
        dataset,
        named,
        plan,
        model=encoder.fingerprint,
        settings={"ranking": asdict(used), "passages": collection.info().passages},
        missing=sorted(set(dataset.judged) - set(collection.files.known(dataset.judged))),
        on_progress=on_progress,
    )


def evaluate_systems(
    dataset: Dataset,
    systems: Mapping[str, System],
    plan: Plan,
    *,
    model: str,
    settings: Mapping[str, Json],
    missing: Sequence[str] = (),
    on_progress: Progress = no_progress,
) -> Evaluation:
    """Ask every system the same questions in the same order; `settings` go into the manifest with the plan."""
    questions = select(dataset, plan)
    searched = _worth_searching(dataset, questions)
    steps = len(systems) * (len(searched) + (len(questions) if plan.answers else 0))
    count = _Count(steps, on_progress)
    results: dict[str, SystemResult] = {}
    timings: dict[str, Json] = {}
    for name, system in systems.items():
        observed, timings[name] = _observe(system, questions, searched, plan, count)
        results[name] = judge(dataset.judgements, observed, seed=plan.seed, slice_by=plan.slice_by)
    notes = _notes(dataset, questions, missing, systems)
    made_from = manifest(dataset, model=model, settings={**asdict(plan), **settings}, notes=notes)
    return Evaluation(results, made_from, timings, _judged(dataset, questions))


def evaluate_runs(dataset: Dataset, runs: Mapping[str, Run], plan: Plan) -> Evaluation:
    """Measure rankings of documents made elsewhere, by name, on the questions of `plan`; no model is asked.

    A question that a run lacks scores 0; the manifest counts such questions, in `unanswered`.
    """
    questions = select(dataset, plan)
    judged = relevant(dataset.judgements)
    observed = [Observed(question, ()) for question in questions if question.id in judged]
    results, unanswered = {}, {}
    for name, run in runs.items():
        asked = {seen.question.id: run.get(seen.question.id, ()) for seen in observed}
        unanswered[name] = sum(not found for found in asked.values())
        results[name] = judge(dataset.judgements, observed, seed=plan.seed, slice_by=plan.slice_by, run=asked)
    settings = {**asdict(plan), "runs": {name: digest(dict(run)) for name, run in runs.items()}}
    notes = {**_notes(dataset, questions, (), {}), "unanswered": unanswered}
    made_from = manifest(dataset, model="none", settings=settings, notes=notes)
    return Evaluation(results, made_from, judgements=_judged(dataset, questions))


def _judged(dataset: Dataset, questions: Sequence[DatasetQuestion]) -> Judgements:
    return {q.id: dataset.judgements[q.id] for q in questions if q.id in dataset.judgements}


def default_split(dataset: Dataset) -> str:
    """Return `test`, or `all` where no question says which split it is in."""
    return "test" if any(question.split for question in dataset.questions) else "all"


def select(dataset: Dataset, plan: Plan) -> Sequence[DatasetQuestion]:
    """Return the questions of the plan's split, `limit` of them drawn by its seed, in the dataset's order."""
    kept = [question for question in dataset.questions if plan.split in ("all", question.split)]
    if not kept:
        raise DatasetInvalid(f"{dataset.name}: no question is in the split {plan.split!r}; `all` asks every one")
    if plan.limit is None or plan.limit >= len(kept):
        return kept
    drawn = sorted(random.Random(plan.seed).sample(range(len(kept)), plan.limit))
    return [kept[at] for at in drawn]


def _worth_searching(dataset: Dataset, questions: Sequence[DatasetQuestion]) -> Sequence[DatasetQuestion]:
    """Return the questions that a search can do well or badly on: a document is relevant, or an answer is known."""
    judged = relevant(dataset.judgements)
    return [q for q in questions if q.id in judged or ((q.answers or q.spans) and q.answerable is not False)]


class _Count:
    """Counts what is done over all systems."""

    def __init__(self, total: int, on_progress: Progress) -> None:
        self._done, self._total, self._on_progress = 0, total, on_progress

    def add(self, steps: int) -> None:
        self._done += steps
        self._on_progress(self._done, self._total)


def _observe(
    system: System,
    questions: Sequence[DatasetQuestion],
    searched: Sequence[DatasetQuestion],
    plan: Plan,
    count: _Count,
) -> tuple[Sequence[Observed], Mapping[str, Json]]:
    found: dict[str, Sequence[AnswerPassage]] = {}
    for start in range(0, len(searched), _CHUNK):
        chunk = searched[start : start + _CHUNK]
        passages = system.search(chunk, plan.depth)
        found.update((question.id, some) for question, some in zip(chunk, passages, strict=True))
        count.add(len(chunk))
    timings: dict[str, Json] = {}
    if searched:
        timings["search_ms"] = percentiles([_timed(system, question, plan.depth) for question in searched[:_TIMED]])
    answers, waits = _ask(system, questions if plan.answers else (), count)
    if waits:
        timings["ask_ms"] = percentiles(waits)
    exactness = _Exactness(system)
    asked = questions if plan.answers else searched
    return [_observed(q, found.get(q.id, ()), answers.get(q.id), exactness) for q in asked], timings


def _timed(system: System, question: DatasetQuestion, depth: int) -> float:
    started = time.perf_counter()
    system.search([question], depth)
    return (time.perf_counter() - started) * 1000


def _ask(
    system: System, questions: Sequence[DatasetQuestion], count: _Count
) -> tuple[Mapping[str, Answer], Sequence[float]]:
    answers: dict[str, Answer] = {}
    waits: list[float] = []
    for question in questions:
        started = time.perf_counter()
        answers[question.id] = system.ask(question)
        waits.append((time.perf_counter() - started) * 1000)
        count.add(1)
    return answers, waits


def _observed(
    question: DatasetQuestion, found: Sequence[AnswerPassage], answer: Answer | None, exactness: _Exactness
) -> Observed:
    shown = [*found, *answer.passages, *answer.nearest] if answer else found
    return Observed(question, found, answer, exactness.share(shown))


class _Exactness:
    """Compares citations with the stored text, a document's text being fetched once while it is in use."""

    def __init__(self, system: System) -> None:
        self._stored = lru_cache(maxsize=2048)(lambda document: _with_digest(system.text(document)))

    def share(self, passages: Sequence[AnswerPassage]) -> float | None:
        """Return the share of `passages` that quote their document exactly under its digest, None without any."""
        exact = [self._exact(passage) for passage in passages]
        return sum(exact) / len(exact) if exact else None

    def _exact(self, passage: AnswerPassage) -> bool:
        citation = passage.citation
        text, sha256 = self._stored(citation.document_id)
        quoted = text is not None and text[citation.start : citation.end] == citation.quote == passage.text
        return quoted and sha256 == citation.document_sha256


def _with_digest(text: str | None) -> tuple[str | None, str | None]:
    return text, None if text is None else text_digest(text)


def _notes(
    dataset: Dataset, questions: Sequence[DatasetQuestion], missing: Sequence[str], systems: Mapping[str, System]
) -> Mapping[str, Json]:
    judged = relevant(dataset.judgements)
    return {
        "questions": len(questions),
        "without_relevant": sum(question.id not in judged for question in questions),
        "not_found": sorted({*missing, *dataset.unreadable}),
        "degraded": sorted(set().union(*(system.degraded for system in systems.values()))),
    }
