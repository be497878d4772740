"""`pincite eval`: how good is retrieval on a set of questions with known answers?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from api.cli.context import AsJson, CollectionName, Options
from api.cli.diagnosing import show_diagnosis
from api.cli.output import Exit, emit, err, fail, out, plain_errors

if TYPE_CHECKING:
    from api.settings import Settings
    from rag.evaluation.datasets import Dataset
    from rag.evaluation.result import Evaluation, SystemResult
    from rag.evaluation.run import Plan
    from rag.evaluation.systems import Name
    from rag.evaluation.trec import Run

MinConfidence = Annotated[
    float | None, typer.Option(min=0, max=1, help="With --answers: in place of the reader's threshold.")
]
SYSTEMS = ("dense", "lexical", "hybrid", "reader")  # as rag.evaluation.systems has them, which is heavy


def evaluate(
    context: typer.Context,
    dataset: Annotated[Path, typer.Argument(help="A folder in BEIR layout, or documents with questions.jsonl.")],
    split: Annotated[str | None, typer.Option(help="dev, test or all; test, or all where none is named.")] = None,
    system: Annotated[list[str] | None, typer.Option(help="dense, lexical, hybrid or reader; may be repeated.")] = None,
    run: Annotated[list[Path] | None, typer.Option(help="Measure this TREC run instead; may be repeated.")] = None,
    server: Annotated[str | None, typer.Option(help="Ask the server at this URL, which holds the corpus.")] = None,
    collection: CollectionName = "default",
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only that many questions, drawn by the seed.")] = None,
    seed: Annotated[int, typer.Option(help="What draws questions and resamples intervals.")] = 0,
    answers: Annotated[bool, typer.Option("--answers", help="Also ask as a user would: declined, highlights.")] = False,
    min_confidence: MinConfidence = None,
    slice_by: Annotated[list[str] | None, typer.Option(help="Also measure by this metadata field.")] = None,
    diagnose: Annotated[bool, typer.Option("--diagnose", help="Say where hybrid loses each missed document.")] = False,
    runs: Annotated[bool, typer.Option("--runs", help="Write TREC runs and qrels beside the output too.")] = False,
    as_json: AsJson = False,
    output: Annotated[Path | None, typer.Option(help="Write the result here, values per question beside it.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a report for people here, one HTML file.")] = None,
) -> None:
    """Measure a set; its corpus is ingested once into a cache of its own, never into a user's collection."""
    from rag.evaluation.datasets import read_dataset
    from rag.evaluation.result import result_json, write
    from rag.evaluation.run import Plan, default_split, evaluate_runs

    settings = context.find_object(Options).settings()  # type: ignore[union-attr]
    systems = _systems(system)
    _refuse_contradictions(run, server, diagnose, asked=bool(system or answers))
    if min_confidence is not None and not (answers and (systems is None or "reader" in systems)):
        fail("--min-confidence is of the reader's answers: give --answers too, and no --system or reader.", Exit.USAGE)
    if collection != "default" and not server:
        fail("--collection is of a server: give --server too; the corpus of a set has a folder of its own.", Exit.USAGE)
    if runs and not output:
        fail("--runs are written beside the output: give --output too.", Exit.USAGE)
    with plain_errors(), _progress() as progress:
        read = read_dataset(dataset)
        _refuse_places(read, [output, report])
        plan = Plan(
            split=split or default_split(read),
            limit=limit,
            seed=seed,
            answers=answers,
            slice_by=tuple(slice_by or ()),
            min_confidence=min_confidence,
        )
        if run:
            evaluation = evaluate_runs(read, _read_runs(run, read), plan)
        elif server:
            evaluation = _evaluate_served(read, plan, systems, server, collection, progress)
        else:
            evaluation = _evaluate_here(read, plan, systems, diagnose, settings, progress)
        written = list(write(evaluation, output, runs=runs)) if output else []
        if report:
            from rag.evaluation.report import report as report_of

            report.write_text(report_of(evaluation, read), encoding="utf-8")
            written.append(report)
        for path in written:
            err.print(Text(f"written: {path}"))
    emit(result_json(evaluation), as_json, None, lambda: _show(evaluation))


def _evaluate_here(
    dataset: Dataset, plan: Plan, systems: list[Name] | None, diagnosed: bool, settings: Settings, progress: Progress
) -> Evaluation:
    """Ask the corpus, ingested in this process, by the systems of `systems`, all where none is named."""
    from api.wiring import loaded_reader
    from rag.encoding import load_encoder
    from rag.evaluation.cache import cached_collection
    from rag.evaluation.diagnosis import diagnose
    from rag.evaluation.run import evaluate

    encoder = load_encoder(settings.model, settings.cache)
    reader = loaded_reader(settings) if systems is None or "reader" in systems else None
    bar = progress.add_task("documents ingested", total=None)
    shown = _shown(progress, bar)
    with cached_collection(dataset, settings.data / "evaluation", encoder, on_progress=shown) as collection:
        progress.reset(bar, description="questions asked")
        evaluation = evaluate(dataset, collection, encoder, plan, systems=systems, reader=reader, on_progress=shown)
        if diagnosed:
            progress.reset(bar, description="questions diagnosed")
            found = diagnose(dataset, collection, encoder, plan, on_progress=shown)
            evaluation = replace(evaluation, diagnosis=found.json())
    return evaluation


def _evaluate_served(
    dataset: Dataset, plan: Plan, systems: list[Name] | None, url: str, collection: str, progress: Progress
) -> Evaluation:
    from api.cli.remote import Remote
    from api.cli.served import evaluate_served

    shown = _shown(progress, progress.add_task("questions asked", total=None))
    return evaluate_served(dataset, Remote(url), collection, systems, plan, on_progress=shown)


def _refuse_contradictions(run: list[Path] | None, server: str | None, diagnose: bool, *, asked: bool) -> None:
    """Leave where options were given that cannot be had together."""
    if run and (server or asked or diagnose):
        wrong = "--server, --system, --answers and --diagnose"
        fail(f"--run measures rankings that are there already: leave {wrong} out.", Exit.USAGE)
    if server and diagnose:
        fail("--diagnose looks into a collection of this process: leave --server out.", Exit.USAGE)
    if server and not server.startswith(("http://", "https://")):
        fail("--server takes a URL, such as http://127.0.0.1:8000.", Exit.USAGE)


def _read_runs(paths: Sequence[Path], dataset: Dataset) -> Mapping[str, Run]:
    """Return the runs by the names of their files, without `.run`."""
    from rag.evaluation.trec import read_run

    runs = {path.name.removesuffix(".run"): read_run(path, dataset.known) for path in paths}
    if len(runs) < len(paths):
        fail("Two files of --run have the same name, which is what their figures are told apart by.", Exit.USAGE)
    return runs


def _refuse_places(dataset: Dataset, paths: Sequence[Path | None]) -> None:
    """Leave before anything is asked where a result cannot be written, or would be a document the next time."""
    for path in (path for path in paths if path):
        if path.is_dir():
            fail(f"{path} cannot be written: it is a folder; name a file.", Exit.USAGE)
        if not path.absolute().parent.is_dir():
            fail(f"{path} cannot be written: there is no folder {path.parent}.", Exit.USAGE)
        if dataset.corpus.is_dir() and path.resolve().is_relative_to(dataset.corpus.resolve()):
            fail(f"{path} would become a document of the set: write it outside of {dataset.corpus}.", Exit.USAGE)


def _systems(names: list[str] | None) -> list[Name] | None:
    """Return the systems in their usual order; None, which is all that there are, where none is named."""
    if not names:
        return None
    if unknown := sorted(set(names) - set(SYSTEMS)):
        fail(f"--system takes {', '.join(SYSTEMS)}, not {', '.join(unknown)}.", Exit.USAGE)
    return [name for name in SYSTEMS if name in names]  # type: ignore[misc]


def _show_outcomes(system: str, result: SystemResult) -> None:
    """Print what came of the questions of one system by their type, where they were asked, and how long quotes are."""
    if not result.came:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(f"outcomes, {system}")
    counts = result.came[0].outcomes
    for head in ("n", *counts):
        table.add_column(head, justify="right")
    for one in result.came:
        kind = one.type or "all"
        name = kind if one.answerable else f"{kind}, unanswerable"
        table.add_row(Text(name), str(one.questions), *(str(one.outcomes[outcome]) for outcome in counts))
    out.print()
    out.print(table)
    if result.quote_length:
        out.print(Text(f"\nquote length, median: {result.quote_length.median} code points, n {result.quote_length.n}"))


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def _shown(progress: Progress, bar: TaskID) -> Callable[[int, int], None]:
    return lambda done, total: progress.update(bar, completed=done, total=total)


def _show(evaluation: Evaluation) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("measure")
    table.add_column("n", justify="right")
    for name in evaluation.systems:
        table.add_column(name, justify="right", no_wrap=True)  # four of them fit into 80 columns
    results = evaluation.systems.values()
    for measure in dict.fromkeys(measure for result in results for measure in result.measures):
        found = [result.measures.get(measure) for result in results]
        counts = dict.fromkeys(str(one.n) for one in found if one)
        cells = [f"{one.mean:.3f}\n{one.low:.3f}–{one.high:.3f}" if one else "" for one in found]
        table.add_row(measure, ", ".join(counts), *map(Text, cells))
    out.print(table)
    for name, result in list(evaluation.systems.items())[-1:]:  # what users get
        _show_outcomes(name, result)
    if evaluation.diagnosis:
        show_diagnosis(evaluation.diagnosis)
