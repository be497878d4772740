"""`pincite ingest`: files and folders into a collection, with progress."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from api.cli.context import AsJson, CollectionName, Output, opened
from api.cli.output import Exit, emit, err

if TYPE_CHECKING:
    from rag.ingest import Ingest
    from rag.types import IngestResult


def ingest(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(help="Files, folders, or - for standard input.", metavar="PATH...")],
    collection: CollectionName = "default",
    sync: Annotated[bool, typer.Option("--sync", help="Also delete every other document of the collection.")] = False,
    name: Annotated[str, typer.Option(help="What to call standard input; its suffix says the format.")] = "stdin.jsonl",
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Add documents; those that did not change are not encoded again. Exit status 3 where one failed."""
    from rag.ingest import Ingest

    started = time.perf_counter()
    with opened(context) as pincite:
        journey = Ingest(pincite.catalog.collection(collection), pincite.encoder)
        results = list(_run(journey, paths, name))
        # A file that cannot be read now may have given documents before: nothing is removed then.
        complete = all(result.status != "failed" for result in results)
        removed = journey.remove_others({result.id for result in results}) if sync and complete else []
        token = journey.token
    summary = _summary([*results], removed, token)
    emit(summary, as_json, output, lambda: None)
    _report(results, len(removed), time.perf_counter() - started)
    if sync and not complete:
        err.print("--sync removed nothing, because some files failed: mend or remove them, then run it again.")
    if any(result.status == "failed" for result in results):
        raise typer.Exit(Exit.FAILED)


def _run(journey: Ingest, paths: list[str], name: str) -> Iterator[IngestResult]:
    """Yield results while a bar on stderr shows files read and passages added."""
    from rag.folders import find_files

    files = sum(1 if path == "-" else len(find_files(Path(path))) for path in paths)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        bar = progress.add_task("files read", total=files)
        passages = 0
        for result in _results(journey, paths, name, lambda number: progress.update(bar, completed=number)):
            passages += result.passages if result.status in {"added", "replaced"} else 0
            progress.update(bar, description=f"files read, {passages} passages added")
            yield result


def _results(journey: Ingest, paths: list[str], name: str, on_file: Any) -> Iterable[IngestResult]:
    yield from journey.paths((Path(path) for path in paths if path != "-"), on_file)
    if "-" in paths:
        yield from journey.file(sys.stdin.buffer.read(), name=name)


def _summary(results: list[IngestResult], removed: list[str], token: str) -> dict[str, Any]:
    from api.translations import as_json, result_out

    return {"results": [as_json(result_out(result)) for result in results], "removed": removed, "snapshot": token}


def _report(results: list[IngestResult], removed: int, seconds: float) -> None:
    """Say on stderr what failed and how many documents were added, replaced, unchanged."""
    for result in results:
        if result.status == "failed":
            err.print(Text(f"failed: {result.id}: {result.problem}"), soft_wrap=True)
    counts = Counter(str(result.status) for result in results) + Counter({"removed": removed})
    said = ", ".join(
        f"{counts[status]} {status}"
        for status in ("added", "replaced", "unchanged", "removed", "failed")
        if counts[status]
    )
    passages = sum(result.passages for result in results if result.status in {"added", "replaced"})
    err.print(f"{said or 'no files'}; {passages} passages encoded in {seconds:.1f} s")
