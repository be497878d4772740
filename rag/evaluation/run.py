"""Asks the questions of a dataset and hands what came back to the measures."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from index.collection import Collection
from index.types import Json, text_digest
from rag import judging
from rag.encoding import Encoder
from rag.errors import DatasetInvalid, ReaderOff
from rag.evaluation.datasets import Dataset, Judgements
from rag.evaluation.manifest import digest, manifest
from rag.evaluation.measures import Observed, relevant
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.result import Evaluation, SystemResult, judge
from rag.evaluation.statistics import percentiles
from rag.evaluation.systems import NAMES, CollectionSystem, Name, System, mode_of
from rag.evaluation.trec import Run
from rag.reading import Reader
from rag.retrieval import Ranking
from rag.types import Answer, AnswerPassage, Citation

Progress = Callable[[int, int], None]

DEPTH = 200  # passages asked for a question, so that R@100 can be read where a document has two
_CHUNK = 32  # questions searched at a time
_TIMED = 50  # questions that are searched once more, alone, to see how long one takes


@dataclass(frozen=True, slots=True)
class Plan:
    """How to ask.

    `split` is `dev`, `test` or `all`; `limit` draws that many questions by `seed`; `depth` is how many passages a
    search returns, at most 1,000. With `answers` every question is also asked as a user would, which shows what is
    declined and highlighted, and takes longer. `slice_by` names fields of the questions' metadata. `min_confidence`,
    0 to 1, takes the place of the threshold of a system that has one; with 0 nothing is declined.
    """

    split: str = "test"
    limit: int | None = None
    seed: int = 0
    depth: int = DEPTH
    answers: bool = False
    slice_by: Sequence[str] = ()
    min_confidence: float | None = None


def no_progress(done: int, total: int) -> None:
    """Take notice of nothing."""


def evaluate(
    dataset: Dataset,
    collection: Collection,
    encoder: Encoder,
    plan: Plan,
    *,
    systems: Sequence[Name] | None = None,
    reader: Reader | None = None,
    ranking: Ranking | None = None,
    on_progress: Progress = no_progress,
) -> Evaluation:
    """Ask `collection`, which holds the corpus of `dataset`, by every system of `systems`: all that there are.

    Raises DatasetInvalid where no question is left to ask, ReaderOff for `reader` without one.
    """
    used, names = ranking or Ranking(), chosen(systems, reader is not None)
    reads = reader if "reader" in names else None

    def system(name: Name) -> System:
        read, least = (reader, plan.min_confidence) if name == "reader" else (None, None)
        return CollectionSystem(collection, encoder, mode_of(name), used, reader=read, min_confidence=least)

    return evaluate_systems(
        dataset,
        {name: system(name) for name in names},
        plan,
        model=encoder.fingerprint,
        reader=reads.fingerprint if reads else None,
        settings={
            "ranking": asdict(used),
            "passages": collection.info().passages,
            "read": judging.depth(reads.runtime) if reads else 0,
        },
        missing=sorted(set(dataset.judged) - set(collection.files.known(dataset.judged))),
        on_progress=on_progress,
    )


def chosen(systems: Sequence[Name] | None, reads: bool) -> Sequence[Name]:
    """Return the systems to ask, all that there are where none is named; `reads` says whether there is a reader.

    Raises ReaderOff where `reader` is named without one.
    """
    if systems is None:
        return [name for name in NAMES if reads or name != "reader"]
    if "reader" in systems and not reads:
        raise ReaderOff("The system `reader` needs the reader, which is off: set PINCITE_READER to on.")
    return systems


def evaluate_systems(
    dataset: Dataset,
    systems: Mapping[str, System],
    plan: Plan,
    *,
    model: str,
    settings: Mapping[str, Json],
    reader: str | None = None,
    missing: Sequence[str] = (),
    on_progress: Progress = no_progress,
) -> Evaluation:
    """Ask every system the same questions in the same order.

    `settings` go into the manifest with the plan, and so do the fingerprints `model` and, where one read, `reader`.
    """
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
    made_from = manifest(dataset, model=model, reader=reader, settings={**asdict(plan), **settings}, notes=notes)
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
    quotes = [(passage.citation, passage.text) for passage in shown]
    if answer is None or answer.confidence is None:  # not asked, or nothing read
        return Observed(question, found, answer, exactness.share(quotes))
    said = [answer.answer] if answer.answer else []
    everything = [*said, *answer.alternatives, *(value for conflict in answer.conflicts for value in conflict.values)]
    quotes += [(one.citation, one.text) for one in everything]
    quotes += [(answer.quote.citation, answer.quote.text)] if answer.quote else []
    predicted = said[0].text if said else ""
    return Observed(question, found, answer, exactness.share(quotes), predicted, answer.confidence)


class _Exactness:
    """Compares citations with the stored text, a document's text being fetched once while it is in use."""

    def __init__(self, system: System) -> None:
        self._stored = lru_cache(maxsize=2048)(lambda document: _with_digest(system.text(document)))

    def share(self, quotes: Sequence[tuple[Citation, str]]) -> float | None:
        """Return the share of `quotes`, text as shown with its citation, that are exact, None without any."""
        exact = [self._exact(*quote) for quote in quotes]
        return sum(exact) / len(exact) if exact else None

    def _exact(self, citation: Citation, shown: str) -> bool:
        """Say whether what is shown is what the document holds there under its digest."""
        text, sha256 = self._stored(citation.document_id)
        quoted = text is not None and text[citation.start : citation.end] == citation.quote == shown
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
