"""`pincite eval`: how good is retrieval on a set of questions with known answers?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from api.cli.context import AsJson, Options
from api.cli.diagnosing import show_diagnosis
from api.cli.output import Exit, emit, err, fail, out, plain_errors

if TYPE_CHECKING:
    from rag.evaluation.result import Evaluation
    from rag.types import Mode

MODES = ("dense", "lexical", "hybrid")


def evaluate(
    context: typer.Context,
    dataset: Annotated[Path, typer.Argument(help="A folder in BEIR layout, or with questions.jsonl and documents/.")],
    split: Annotated[str, typer.Option(help="dev, test or all.")] = "test",
    system: Annotated[list[str] | None, typer.Option(help="dense, lexical or hybrid; may be repeated.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only that many questions, drawn by the seed.")] = None,
    seed: Annotated[int, typer.Option(help="What draws questions and resamples intervals.")] = 0,
    answers: Annotated[bool, typer.Option("--answers", help="Also ask as a user would: declined, highlights.")] = False,
    slice_by: Annotated[list[str] | None, typer.Option(help="Also show measures by this metadata field.")] = None,
    diagnose: Annotated[bool, typer.Option("--diagnose", help="Say where hybrid loses each missed document.")] = False,
    runs: Annotated[bool, typer.Option("--runs", help="Write TREC runs beside the output too.")] = False,
    as_json: AsJson = False,
    output: Annotated[Path | None, typer.Option(help="Write the result here, values per question beside it.")] = None,
) -> None:
    """Measure a set; its corpus is ingested once into a cache of its own, never into a user's collection."""
    from rag.encoding import load_encoder
    from rag.evaluation import run
    from rag.evaluation.cache import cached_collection
    from rag.evaluation.datasets import read_dataset
    from rag.evaluation.diagnosis import diagnose as diagnosed
    from rag.evaluation.result import result_json, write

    settings = context.find_object(Options).settings()  # type: ignore[union-attr]
    systems = _systems(system)
    with plain_errors(), _progress() as progress:
        read = read_dataset(dataset)
        encoder = load_encoder(settings.model, settings.cache)
        bar = progress.add_task("documents ingested", total=None)
        cache = settings.data / "evaluation"
        with cached_collection(read, cache, encoder, on_progress=_shown(progress, bar)) as collection:
            progress.reset(bar, description="questions asked")
            evaluation = run.evaluate(
                read,
                collection,
                encoder,
                systems=systems,
                split=split,
                limit=limit,
                seed=seed,
                answers=answers,
                slice_by=slice_by or (),
                on_progress=_shown(progress, bar),
            )
            if diagnose:
                progress.reset(bar, description="questions diagnosed")
                plan = run.Plan(split, limit, seed)
                found = diagnosed(read, collection, encoder, plan, on_progress=_shown(progress, bar))
                evaluation = replace(evaluation, diagnosis=found.json())
        if output is not None:
            for written in write(evaluation, output, runs=runs):
                err.print(Text(f"written: {written}"))
    emit(result_json(evaluation), as_json, None, lambda: _show(evaluation))


def _systems(names: list[str] | None) -> list[Mode]:
    chosen = [mode for mode in MODES if names is None or mode in names]
    if names is not None and set(names) - set(MODES):
        fail(f"--system takes {', '.join(MODES)}, not {', '.join(sorted(set(names) - set(MODES)))}.", Exit.USAGE)
    return chosen  # type: ignore[return-value]


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def _shown(progress: Progress, bar: TaskID) -> Callable[[int, int], None]:
    return lambda done, total: progress.update(bar, completed=done, total=total)


def _show(evaluation: Evaluation) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("measure")
    for name in evaluation.systems:
        table.add_column(name, justify="right")
    measures = dict.fromkeys(measure for result in evaluation.systems.values() for measure in result.measures)
    for measure in measures:
        cells = []
        for result in evaluation.systems.values():
            estimate = result.measures.get(measure)
            cells.append(
                f"{estimate.mean:.3f} [{estimate.low:.3f}, {estimate.high:.3f}] n={estimate.n}" if estimate else ""
            )
        table.add_row(measure, *cells)
    out.print(table)
    if evaluation.diagnosis:
        show_diagnosis(evaluation.diagnosis)
