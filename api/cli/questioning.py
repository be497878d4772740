"""`pincite ask` and `pincite search`: a question on the terminal."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.text import Text

from api.cli.context import AsJson, CollectionName, Output, opened
from api.cli.output import Exit, emit, fail, out

Query = Annotated[str, typer.Argument(help="The question.")]
TopK = Annotated[int, typer.Option("--top-k", "-k", min=1, max=1000, help="How many passages at most.")]
Filter = Annotated[str | None, typer.Option(help='A filter as JSON: {"field": "published", "gte": "2025"}.')]
Mode = Annotated[str, typer.Option(help="hybrid, dense or lexical.")]


def ask(
    context: typer.Context,
    query: Query,
    collection: CollectionName = "default",
    top_k: TopK = 5,
    filter: Filter = None,  # noqa: A002  the contract's name
    mode: Mode = "hybrid",
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Ask a question and read the passages that answer it; exit status 1 where nothing does."""
    from api.translations import answer_json
    from rag.ask import Candidates
    from rag.ask import ask as answer_to

    question = _question(query, top_k, filter, mode)
    with opened(context) as pincite:
        *_, answer = answer_to(question, pincite.catalog.collection(collection), pincite.encoder)
        assert not isinstance(answer, Candidates)
        value = answer_json(answer, pincite.config_digest)
    emit(value, as_json, output, lambda: _show_answer(value))
    if not answer.answerable:
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
    from api.translations import search_json
    from rag.ask import search as passages_for

    question = _question(query, top_k, filter, mode)
    with opened(context) as pincite:
        found = passages_for([question], pincite.catalog.collection(collection), pincite.encoder)
        value = search_json(found, pincite.config_digest)
    emit(value, as_json, output, lambda: _show_passages(value["results"][0]["passages"]))


def _question(query: str, top_k: int, condition: str | None, mode: str) -> Any:
    from rag.types import Question

    try:
        parsed = json.loads(condition) if condition else None
    except ValueError as problem:
        fail(f'--filter is not JSON ({problem}); write it like \'{{"field": "source", "eq": "MEA"}}\'.', Exit.USAGE)
    if mode not in {"hybrid", "dense", "lexical"}:
        fail(f"--mode {mode} does not exist; it is hybrid, dense or lexical.", Exit.USAGE)
    return Question(query, top_k=top_k, filter=parsed, mode=mode)  # type: ignore[arg-type]


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
