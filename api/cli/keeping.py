"""`pincite documents`, `collections`, `verify` and `info`: looking after what is stored."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from api.cli.context import AsJson, CollectionName, Options, Output, service
from api.cli.output import Exit, emit, err, fail, out, parsed_filter
from api.cli.service import delete_ids
from api.settings import origins

documents = typer.Typer(help="List, show and delete documents.", no_args_is_help=True)
collections = typer.Typer(help="List, create and drop collections.", no_args_is_help=True)
DocumentIds = Annotated[list[str] | None, typer.Argument(help="Document ids.", metavar="[ID...]")]
Name = Annotated[str, typer.Argument(help="The collection's name.")]


@documents.command("list")
def list_documents(
    context: typer.Context, collection: CollectionName = "default", as_json: AsJson = False, output: Output = None
) -> None:
    """List the documents of a collection."""
    with service(context) as at_work:
        found = list(at_work.documents(collection))
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
    with service(context) as at_work:
        value = at_work.document(collection, document_id)
    emit(value, as_json, output, lambda: _show(value))


@documents.command("delete")
def delete_documents(
    context: typer.Context,
    document_ids: DocumentIds = None,
    filter: Annotated[str | None, typer.Option(help="Delete what matches this filter, written as JSON.")] = None,  # noqa: A002  the contract's name
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the filter matches.")] = False,
    collection: CollectionName = "default",
) -> None:
    """Delete documents by id or by filter; exit status 1 where one was not there, or nothing matched."""
    condition = parsed_filter(filter)
    if bool(document_ids) == (condition is not None):
        fail("name documents, or choose them with --filter.", Exit.USAGE)
    if dry_run and document_ids:
        fail("--dry-run says what --filter matches; it takes no ids.", Exit.USAGE)
    with service(context) as at_work:
        if document_ids:
            gone = set(delete_ids(at_work, collection, document_ids))
            lines = [f"{one}: {'deleted' if one in gone else 'absent'}" for one in dict.fromkeys(document_ids)]
            good = gone == {*document_ids}
        else:
            matched = at_work.delete(collection, condition, dry_run=dry_run)
            lines = [f"{one}: {'matches' if dry_run else 'deleted'}" for one in matched["ids"]]
            lines += [f"and {matched['ids_left_out']} more"] if matched["ids_left_out"] else []
            lines.append(f"{matched['count']} documents {'match' if dry_run else 'deleted'}")
            good = matched["count"] > 0
    out.print(Text("\n".join(lines)))
    if not good:
        raise typer.Exit(Exit.NO)


@collections.command("list")
def list_collections(context: typer.Context, as_json: AsJson = False, output: Output = None) -> None:
    """List the collections with their counts."""
    with service(context) as at_work:
        found = at_work.collections()
    lines = [f"{one['name']}: {one['documents']} documents, {one['passages']} passages" for one in found]
    emit({"collections": found}, as_json, output, lambda: out.print(Text("\n".join(lines))))


@collections.command("create")
def create_collection(context: typer.Context, name: Name) -> None:
    """Create an empty collection."""
    with service(context) as at_work:
        created = at_work.create(name)
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
    with service(context) as at_work:
        at_work.drop(name)
    out.print(Text(f"{name}: dropped"))


def verify(
    context: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild the views from the truth first.")] = False,
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Check every checksum, digest and count of the data folder; exit status 1 where something is wrong."""
    with service(context) as at_work:
        problems = list(at_work.verify(repair=repair))
    emit({"problems": problems}, as_json, output, lambda: None)
    for problem in problems:
        err.print(Text(problem), soft_wrap=True)
    err.print(f"{len(problems)} problems found" if problems else "clean")
    if problems:
        raise typer.Exit(Exit.NO)


def info(
    context: typer.Context,
    settings: Annotated[bool, typer.Option("--settings", help="Show each setting and where it came from.")] = False,
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Show versions, model and counts, or the settings."""
    if settings:
        options = {name: value for name, value in context.find_object(Options).given.items() if value is not None}  # type: ignore[union-attr]
        try:
            rows = origins(options)
        except ValueError as problem:
            fail(str(problem))
        values = {name: {"value": value, "origin": origin} for name, value, origin in rows}
        lines = [f"{name} = {value}  ({origin})" for name, value, origin in rows]
        emit(values, as_json, output, lambda: out.print(Text("\n".join(lines))))
        return
    with service(context) as at_work:
        value = at_work.info()
    emit(value, as_json, output, lambda: out.print(Text(json.dumps(value, indent=2))))


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
