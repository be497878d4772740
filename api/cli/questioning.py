"""`pincite ask` and `pincite search`: a question on the terminal."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from api.cli.context import AsJson, CollectionName, Output, service
from api.cli.output import Exit, emit, fail, out, parsed_filter
from api.limits import ASK_TOP_K, SEARCH_TOP_K

Query = Annotated[str, typer.Argument(help="The question.")]
AskTopK = Annotated[int, typer.Option("--top-k", "-k", min=1, max=ASK_TOP_K, help="How many passages at most.")]
TopK = Annotated[int, typer.Option("--top-k", "-k", min=1, max=SEARCH_TOP_K, help="How many passages at most.")]
Filter = Annotated[str | None, typer.Option(help='A filter as JSON: {"field": "published", "gte": "2025"}.')]
Mode = Annotated[str, typer.Option(help="hybrid, dense or lexical.")]


def ask(
    context: typer.Context,
    query: Query,
    collection: CollectionName = "default",
    top_k: AskTopK = 5,
    filter: Filter = None,  # noqa: A002  the contract's name
    mode: Mode = "hybrid",
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Ask a question and read the passages that answer it; exit status 1 where nothing does."""
    body = _body(query, collection, top_k, filter, mode)
    with service(context) as at_work:
        value = at_work.ask(body)
    emit(value, as_json, output, lambda: _show_answer(value))
    if not value["answerable"]:
        raise typer.Exit(Exit.NO)


def search(
    context: typer.Context,
    query: Query,
    collection: CollectionName = "default",
    top_k: TopK = 5,
    filter: Filter = None,  # noqa: A002  the contract's name
    mode: Mode = "hybrid",
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Print the best passages for a question, however weak they are."""
    body = _body(query, collection, top_k, filter, mode)
    with service(context) as at_work:
        value = at_work.search(body)
    emit(value, as_json, output, lambda: _show_passages(value["results"][0]["passages"]))


def _body(query: str, collection: str, top_k: int, condition: str | None, mode: str) -> dict[str, Any]:
    """Return the body of a question."""
    if mode not in {"hybrid", "dense", "lexical"}:
        fail(f"--mode {mode} does not exist; it is hybrid, dense or lexical.", Exit.USAGE)
    about = {"collection": collection, "top_k": top_k, "mode": mode}
    return {"query": query, **about, "filter": parsed_filter(condition)}


def _show_answer(answer: dict[str, Any]) -> None:
    if answer["answerable"]:
        _show_passages(answer["passages"])
        return
    out.print(Text(answer["reason"]["text"], style="bold"))
    if answer["nearest"]:
        out.print("\nWhat came nearest (not an answer):\n")
        _show_passages(answer["nearest"])


def _show_passages(passages: list[dict[str, Any]]) -> None:
    for passage in passages:
        document, citation = passage["document"], passage["citation"]
        about = [document["title"] or document["id"], document["source"], document["published"]]
        out.print(Text(f"{passage['rank']}. " + " · ".join(part for part in about if part), style="bold"))
        text = Text(passage["text"])
        for mark in passage["highlights"]:
            start, end = mark["start_char"] - citation["start_char"], mark["end_char"] - citation["start_char"]
            text.stylize("underline" if mark["kind"] == "term" else "yellow", start, end)
        out.print(text)
        place = f"{citation['document_id']} {citation['start_char']}–{citation['end_char']}"
        out.print(Text(f"{place}  sha256 {citation['document_sha256'][:12]}…\n", style="dim"))
