"""`pincite ingest`: files and folders into a collection, once with progress, or for as long as they change."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from api.cli.context import AsJson, CollectionName, Output, service
from api.cli.output import Exit, emit, err, fail
from api.cli.service import Json, Service
from rag.folders import GivenFile, Sent, find_files


def ingest(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(help="Files, folders, or - for standard input.", metavar="PATH...")],
    collection: CollectionName = "default",
    sync: Annotated[bool, typer.Option("--sync", help="Also delete every other document of the collection.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on following the folders until interrupted.")] = False,
    name: Annotated[str, typer.Option(help="What to call standard input; its suffix says the format.")] = "stdin.jsonl",
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Add documents; those that did not change are not encoded again. Exit status 3 where one failed."""
    if watch and (as_json or output or not all(Path(path).is_dir() for path in paths)):
        fail("--watch follows folders, and prints lines: without files, -, --json and --output.", Exit.USAGE)
    started = time.perf_counter()
    with service(context) as at_work:
        if watch:
            from api.cli.watching import Watch

            watched = Watch(at_work, collection, [Path(path) for path in paths])
        files = watched.files() if watch else _files(paths, name)
        told = list(_run(at_work, collection, files))
        results = [result for _, result in told]
        # A file that cannot be read now may have given documents before: nothing is removed then.
        complete = all(result["status"] != "failed" for result in results)
        removed = at_work.remove_others(collection, {one["id"] for one in results}) if sync and complete else []
        if not watch:
            summary = {"results": results, "removed": list(removed), "snapshot": at_work.token(collection)}
            emit(summary, as_json, output, lambda: None)
        _report(results, len(removed), time.perf_counter() - started)
        if sync and not complete:
            err.print("--sync removed nothing, because some files failed: mend or remove them, then run it again.")
        if watch:
            watched.follow(told)
    if not complete and not watch:
        raise typer.Exit(Exit.FAILED)


def _files(paths: Sequence[str], name: str) -> list[GivenFile]:
    """Return what the paths name, standard input last."""
    files: list[GivenFile] = [file for path in paths if path != "-" for file in find_files(Path(path))]
    return [*files, *([Sent(name, sys.stdin.buffer.read())] if "-" in paths else [])]


def _run(at_work: Service, collection: str, files: Sequence[GivenFile]) -> Iterator[tuple[int, Json]]:
    """Yield results while a bar on stderr shows files read and passages added."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        bar = progress.add_task("files read", total=len(files))
        passages = 0
        for place, result in at_work.ingest(collection, files, lambda done: progress.update(bar, completed=done)):
            passages += result["passages"] if result["status"] in {"added", "replaced"} else 0
            progress.update(bar, description=f"files read, {passages} passages added")
            yield place, result


def _report(results: Sequence[dict[str, Any]], removed: int, seconds: float) -> None:
    """Say on stderr what failed and how many documents were added, replaced, unchanged."""
    for result in results:
        if result["status"] == "failed":
            err.print(Text(f"failed: {result['id']}: {result['problem']}"), soft_wrap=True)
    counts = Counter(str(result["status"]) for result in results) + Counter({"removed": removed})
    said = ", ".join(
        f"{counts[status]} {status}"
        for status in ("added", "replaced", "unchanged", "removed", "failed")
        if counts[status]
    )
    passages = sum(result["passages"] for result in results if result["status"] in {"added", "replaced"})
    err.print(f"{said or 'no files'}; {passages} passages encoded in {seconds:.1f} s")
