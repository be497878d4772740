"""`pincite ask` and `pincite search`: a question on the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Any

import typer
from rich.text import Text

from api.cli.context import AsJson, CollectionName, Output, service
from api.cli.output import Exit, emit, fail, out, parsed_filter
from api.limits import ASK_TOP_K, BUDGET_MS, SEARCH_TOP_K

Query = Annotated[str, typer.Argument(help="The question.")]
AskTopK = Annotated[int, typer.Option("--top-k", "-k", min=1, max=ASK_TOP_K, help="How many passages at most.")]
TopK = Annotated[int, typer.Option("--top-k", "-k", min=1, max=SEARCH_TOP_K, help="How many passages at most.")]
Filter = Annotated[str | None, typer.Option(help='A filter as JSON: {"field": "published", "gte": "2025"}.')]
Mode = Annotated[str, typer.Option(help="hybrid, dense or lexical.")]
Read = Annotated[bool, typer.Option("--read/--no-read", help="Have the reader, where there is one, read the first.")]
Budget = Annotated[int | None, typer.Option(min=1, max=BUDGET_MS, help="Read only as long as so many ms allow.")]
Least = Annotated[float | None, typer.Option(min=0, max=1, help="The least confidence to answer with; 0 always does.")]


def ask(
    context: typer.Context,
    query: Query,
    collection: CollectionName = "default",
    top_k: AskTopK = 5,
    filter: Filter = None,  # noqa: A002  the contract's name
    mode: Mode = "hybrid",
    read: Read = True,
    budget_ms: Budget = None,
    min_confidence: Least = None,
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Ask a question and read the quote that answers; exit status 0 where answered, 1 where related or absent."""
    body = {**_body(query, collection, top_k, filter, mode, read, budget_ms), "min_confidence": min_confidence}
    with service(context) as at_work:
        value = at_work.ask(body)
    emit(value, as_json, output, lambda: show_answer(value))
    if not value["answerable"]:
        raise typer.Exit(Exit.NO)


def search(
    context: typer.Context,
    query: Query,
    collection: CollectionName = "default",
    top_k: TopK = 5,
    filter: Filter = None,  # noqa: A002  the contract's name
    mode: Mode = "hybrid",
    read: Read = True,
    budget_ms: Budget = None,
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Print the best passages for a question, however weak they are."""
    body = _body(query, collection, top_k, filter, mode, read, budget_ms)
    with service(context) as at_work:
        value = at_work.search(body)
    emit(value, as_json, output, lambda: _show_found(value["results"][0]))


def _body(
    query: str, collection: str, top_k: int, condition: str | None, mode: str, read: bool, budget_ms: int | None
) -> dict[str, Any]:
    """Return the body of a question."""
    if mode not in {"hybrid", "dense", "lexical"}:
        fail(f"--mode {mode} does not exist; it is hybrid, dense or lexical.", Exit.USAGE)
    about = {"collection": collection, "top_k": top_k, "mode": mode, "read": read, "budget_ms": budget_ms}
    return {"query": query, **about, "filter": parsed_filter(condition)}


def show_answer(answer: dict[str, Any]) -> None:
    """Print the JSON of `/v1/ask` for a person: quote, confidence and passages, or why it is not answered."""
    _show_left_out(answer)
    if answer["outcome"] == "answered":
        _show_exact(answer)
        _show_passages(answer["passages"])
        return
    out.print(Text(answer["reason"]["text"], style="bold"))
    _show_confidence(answer)
    if answer["nearest"]:
        out.print(f"\n{_UNSURE[answer['outcome']]}\n")
        _show_passages(answer["nearest"])


_UNSURE = {
    "related": "What speaks of it (no sure answer):",
    "absent": "What came nearest (not an answer):",
}


def _show_found(found: dict[str, Any]) -> None:
    _show_left_out(found)
    _show_passages(found["passages"])


def _show_left_out(value: dict[str, Any]) -> None:
    degraded, warnings = value["degraded"], value.get("warnings", [])  # a search has none
    told = [*([f"Left out: {', '.join(degraded)}"] if degraded else []), *warnings]
    if told:
        out.print(Text("\n".join(told) + "\n", style="dim"))


def _show_exact(answer: dict[str, Any]) -> None:
    """Show the quote that answers, how sure that is, other answers, and what sources disagree on."""
    quote, exact, passages = answer["quote"], answer["answer"], answer["passages"]
    if quote is not None:
        out.print(quoted(quote, exact))
        _show_about(quote)
    _show_confidence(answer)
    told = [("Other answers:", exact["alternatives"])] if exact is not None and exact["alternatives"] else []
    told += [(f"Sources disagree on a {one['kind']}:", one["values"]) for one in answer["conflicts"]]
    for title, values in told:
        out.print(Text(f"\n{title}", style="bold"))
        for said in values:
            out.print(Text(f"• {said['text']}", style="green"))
            _show_said(said, passages)
    if quote is not None or answer["confidence"] is not None:
        out.print()


def quoted(quote: dict[str, Any], exact: dict[str, Any] | None) -> Text:
    """Return the quote with the exact words marked, where they lie in it; a row as its cells with their columns."""
    text, shift = Text(quote["text"]), quote["citation"]["start_char"]
    if exact is not None and _holds(quote["citation"], exact["citation"]):
        cited = exact["citation"]
        text.stylize(_STYLES["answer"], cited["start_char"] - shift, cited["end_char"] - shift)
    cells = cells_of(quote)
    if not cells:
        return text
    return Text(" · ").join(Text(f"{name}: " if name else "") + text[start:end] for name, start, end in cells)


def cells_of(quote: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Return a row's cells but the empty ones: each its column's name, and where it starts and ends in the text.

    There is none where the quote is no row with columns, or it is not sure which column each cell belongs to. Names
    stand in the row itself (`Harbour: Brest | Range: 6.1`), or each column has a cell; api/page/quote.js reads alike.
    """
    text, columns = quote["text"], quote["columns"]
    if quote["kind"] != "row" or not columns:
        return []
    pieces = list(_between_bars(text))
    named = [_named(text, start, end, columns) for start, end in pieces]
    nameless = named.count(None)
    if nameless < len(pieces):
        sure = nameless <= columns.count("")
        return [one or ("", *piece) for one, piece in zip(named, pieces, strict=True)] if sure else []
    if len(pieces) != len(columns):
        return []
    return [(name, start, end) for name, (start, end) in zip(columns, pieces, strict=True) if start < end]


def _between_bars(text: str) -> Iterator[tuple[int, int]]:
    """Yield what stands between the bars of a row, without blanks; a bar at either end begins no cell."""
    edges = [-1, *(bar.start() for bar in re.finditer(r"(?<!\\)\|", text)), len(text)]
    last = len(edges) - 2
    for place, (before, to) in enumerate(pairwise(edges)):
        piece = text[before + 1 : to]
        start = to - len(piece.lstrip())
        if piece.strip() or 0 < place < last:
            yield start, start + len(piece.strip())


def _named(text: str, start: int, end: int, columns: Sequence[str]) -> tuple[str, int, int] | None:
    """Return the value of a cell `Name: value` with its name, None where none of the columns begins it."""
    start += 2 if text.startswith("- ", start, end) else 0
    name = next((one for one in columns if one and text.startswith(f"{one}: ", start, end)), None)
    return None if name is None else (name, start + len(name) + 2, end)


def _show_confidence(answer: dict[str, Any]) -> None:
    if answer["confidence"] is not None:
        out.print(Text(f"Confidence: {confidence_in_words(answer['confidence'])} ({answer['confidence']:.2f})"))


def confidence_in_words(confidence: float) -> str:
    """Return the word for a probability; api/page/words.js has the same words."""
    steps = [(0.9, "very high"), (0.75, "high"), (0.5, "medium"), (0.25, "low")]
    return next((word for least, word in steps if confidence >= least), "very low")


def _show_said(said: dict[str, Any], passages: list[dict[str, Any]]) -> None:
    """Show the sentence that exact words stand in, as far as the passages shown have it, and their place."""
    citation = said["citation"]
    holding = next((one for one in passages if _holds(one["citation"], citation)), None)
    if holding is not None:
        out.print(Text(f"  “{_sentence(holding, citation)}”"))
    _show_about(said)


def _show_about(said: dict[str, Any]) -> None:
    """Show which document says it, and where in it."""
    document, citation = said["document"], said["citation"]
    about = [document["title"] or document["id"], document["source"], document["published"]]
    told = " · ".join(part for part in [*about, _place(citation)] if part)
    out.print(Text(f"  {told}", style="dim"))


def _holds(outer: dict[str, Any], inner: dict[str, Any]) -> bool:
    same = all(outer[name] == inner[name] for name in ("document_id", "document_sha256"))
    return same and bool(outer["start_char"] <= inner["start_char"] and inner["end_char"] <= outer["end_char"])


def _sentence(passage: dict[str, Any], citation: dict[str, Any]) -> str:
    """Return the sentence of a passage that a place lies in, on one line."""
    from rag.splitting import sentences  # half a second

    text, shift = passage["text"], passage["citation"]["start_char"]
    start, end = citation["start_char"] - shift, citation["end_char"] - shift
    inside = [text[one.start : one.end] for one in sentences(text) if one.start < end and start < one.end]
    return " ".join("".join(inside).split())


def _place(citation: dict[str, Any]) -> str:
    return f"{citation['document_id']} {citation['start_char']}–{citation['end_char']}"


_STYLES = {"answer": "bold green", "sentence": "yellow", "term": "underline"}


def _show_passages(passages: list[dict[str, Any]]) -> None:
    for passage in passages:
        document, citation = passage["document"], passage["citation"]
        about = [document["title"] or document["id"], document["source"], document["published"]]
        out.print(Text(f"{passage['rank']}. " + " · ".join(part for part in about if part), style="bold"))
        text = Text(passage["text"])
        for mark in sorted(passage["highlights"], key=lambda one: bool(one["kind"] == "answer")):  # on top of others
            start, end = mark["start_char"] - citation["start_char"], mark["end_char"] - citation["start_char"]
            text.stylize(_STYLES[mark["kind"]], start, end)
        out.print(text)
        out.print(Text(f"{_place(citation)}  sha256 {citation['document_sha256'][:12]}…\n", style="dim"))
