"""The command line: one Typer application made of the commands beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli import checking, comparing, evaluating, ingesting, keeping, making, questioning, serving, tuning
from api.cli.context import Options

app = typer.Typer(
    help="Ask your own documents; get the passages that answer, each cited to the character.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    context: typer.Context,
    data: Annotated[Path | None, typer.Option(help="The data folder (PINCITE_DATA).")] = None,
    model: Annotated[str | None, typer.Option(help="A model folder or cached name (PINCITE_MODEL).")] = None,
) -> None:
    """Ask your own documents; get the passages that answer, each cited to the character."""
    context.obj = Options({"data": data, "model": model})


app.command()(ingesting.ingest)
app.command()(questioning.ask)
app.command()(questioning.search)
app.command()(checking.check)
app.command()(serving.serve)
app.add_typer(keeping.documents, name="documents")
app.add_typer(keeping.collections, name="collections")
app.command()(keeping.verify)
app.command(name="eval")(evaluating.evaluate)
app.command()(comparing.compare)
app.command()(tuning.tune)
app.add_typer(making.questions, name="questions")
app.command()(keeping.info)
