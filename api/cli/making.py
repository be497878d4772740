"""`pincite questions`: a corpus makes its own evaluation set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from api.cli.context import AsJson, service
from api.cli.output import Exit, emit, fail, out, plain_errors

if TYPE_CHECKING:
    from rag.evaluation.making import Made, Source

questions = typer.Typer(help="Make questions for `pincite eval`.", no_args_is_help=True)


@questions.callback()
def group() -> None:
    """Make questions for `pincite eval`."""


@questions.command()
def make(
    context: typer.Context,
    output: Annotated[Path, typer.Option(help="A new folder for the evaluation set.")],
    documents: Annotated[Path | None, typer.Argument(help="A folder, a file or an evaluation set.")] = None,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Or the collection to make it of.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many questions at most.")] = 200,
    seed: Annotated[int, typer.Option(help="What draws the sentences.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Take sentences out of a copy of the documents and ask for what is left. Exit status 1 where none can be made."""
    from rag.evaluation import making

    if (documents is None) == (collection is None):
        fail("name documents, or a collection with --collection.", Exit.USAGE)
    with plain_errors():
        sources = making.read_documents(documents) if documents else _stored(context, collection or "")
        made = making.make(sources, limit=limit, seed=seed)
        if made.questions:
            making.write_set(made, output)
    told = {"documents": len(made.documents), "questions": len(made.questions), "dropped": made.dropped}
    emit(told, as_json, None, lambda: _show(made, output))
    if not made.questions:
        raise typer.Exit(Exit.NO)


def _stored(context: typer.Context, collection: str) -> Iterator[Source]:
    """Yield the documents of a collection with their texts."""
    from rag.evaluation.making import source_of

    with service(context) as at_work:
        for listed in at_work.documents(collection):
            one = at_work.document(collection, listed["id"])
            yield source_of(one["id"], one["title"], one["text"], one, one["metadata"])


def _show(made: Made, output: Path) -> None:
    lines = [f"{len(made.questions)} questions about {len(made.documents)} documents"]
    lines += [f"dropped, {reason}: {count}" for reason, count in made.dropped.items()]
    if made.questions:
        lines += [f"written to {output}; next: pincite eval {output} --split all"]
    else:
        lines += ["nothing was written: longer documents, or more of them, make questions"]
    out.print(Text("\n".join(lines)), soft_wrap=True)
