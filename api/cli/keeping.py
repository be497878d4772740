"""`pincite documents`, `collections` and `verify`: looking after what is stored."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from api.cli.context import AsJson, CollectionName, Output, opened
from api.cli.output import Exit, emit, err, out

documents = typer.Typer(help="List, show and delete documents.", no_args_is_help=True)
collections = typer.Typer(help="List, create and drop collections.", no_args_is_help=True)
DocumentIds = Annotated[list[str], typer.Argument(help="Document ids.", metavar="ID...")]
Name = Annotated[str, typer.Argument(help="The collection's name.")]


@documents.command("list")
def list_documents(
    context: typer.Context, collection: CollectionName = "default", as_json: AsJson = False, output: Output = None
) -> None:
    """List the documents of a collection."""
    from api.translations import as_json as json_of
    from api.translations import document_out

    with opened(context) as pincite:
        opened_collection = pincite.catalog.collection(collection)
        found: list[dict[str, Any]] = []
        after: str | None = None
        while page := opened_collection.documents(after=after, limit=500):
            found += [json_of(document_out(document, collection)) for document in page]
            after = page[-1].id
    emit({"documents": found}, as_json, output, lambda: _table(found))


@documents.command("show")
def show_document(
    context: typer.Context,
    document_id: Annotated[str, typer.Argument(help="A document id.")],
    collection: CollectionName = "default",
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Show one document: what is known about it and its stored text."""
    from api.translations import as_json as json_of
    from api.translations import document_out

    with opened(context) as pincite:
        opened_collection = pincite.catalog.collection(collection)
        value = json_of(document_out(opened_collection.document(document_id), collection))
        value["text"] = opened_collection.text(document_id)
    emit(value, as_json, output, lambda: _show(value))


@documents.command("delete")
def delete_documents(context: typer.Context, document_ids: DocumentIds, collection: CollectionName = "default") -> None:
    """Delete documents; exit status 1 where one was not there."""
    with opened(context) as pincite:
        written = pincite.catalog.collection(collection).delete(document_ids)
    for document_id, status in written.statuses.items():
        out.print(Text(f"{document_id}: {status}"))
    if "absent" in written.statuses.values():
        raise typer.Exit(Exit.NO)


@collections.command("list")
def list_collections(context: typer.Context, as_json: AsJson = False, output: Output = None) -> None:
    """List the collections with their counts."""
    from api.translations import as_json as json_of
    from api.translations import summary_out

    with opened(context) as pincite:
        infos = [pincite.catalog.collection(name).info() for name in pincite.catalog.names()]
        found = [json_of(summary_out(info, pincite.config_digest)) for info in infos]
    lines = [f"{one['name']}: {one['documents']} documents, {one['passages']} passages" for one in found]
    emit({"collections": found}, as_json, output, lambda: out.print(Text("\n".join(lines))))


@collections.command("create")
def create_collection(context: typer.Context, name: Name) -> None:
    """Create an empty collection."""
    with opened(context) as pincite:
        created = pincite.catalog.create(name)
    out.print(Text(f"{name}: {'created' if created else 'exists already'}"))


@collections.command("drop")
def drop_collection(
    context: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before all of its documents are gone.")] = False,
) -> None:
    """Drop a collection with all of its documents."""
    if not yes:
        typer.confirm(f"Drop the collection {name} with all of its documents?", abort=True)
    with opened(context) as pincite:
        pincite.catalog.drop(name)
    out.print(Text(f"{name}: dropped"))


def verify(
    context: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild the views from the truth first.")] = False,
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Check every checksum, digest and count of the data folder; exit status 1 where something is wrong."""
    with opened(context) as pincite:
        problems = list(pincite.catalog.repair() if repair else pincite.catalog.verify())
    emit({"problems": problems}, as_json, output, lambda: None)
    for problem in problems:
        err.print(Text(problem), soft_wrap=True)
    err.print(f"{len(problems)} problems found" if problems else "clean")
    if problems:
        raise typer.Exit(Exit.NO)


def _table(found: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("id", "title", "source", "published", "language", "passages"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(
            *(
                Text("" if one[key] is None else str(one[key]))
                for key in ("id", "title", "source", "published", "language", "passages")
            )
        )
    out.print(table)


def _show(document: dict[str, Any]) -> None:
    for key, value in document.items():
        if key != "text" and value not in (None, {}, []):
            out.print(Text(f"{key}: {value}"))
    out.print()
    out.print(Text(document["text"]))
