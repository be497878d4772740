"""`pincite check`: what a text claims, held against the documents sentence by sentence."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from api.cli.context import AsJson, CollectionName, Output, service
from api.cli.output import Exit, emit, err, fail, out, parsed_filter
from api.cli.questioning import Filter

_SHOWN = {"supported": "green", "contradicted": "red", "not_found": "dim"}


def check(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file of plain text, or - for standard input.")],
    collection: CollectionName = "default",
    filter: Filter = None,  # noqa: A002  the contract's name
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Say which sentences of a text the documents support or contradict; exit status 1 where they contradict one."""
    body = {"text": _text(file), "collection": collection, "filter": parsed_filter(filter)}
    with service(context) as at_work, err.status("each sentence is looked up and read"):
        value = at_work.check(body)
    emit(value, as_json, output, lambda: _show(value["claims"]))
    if any(claim["verdict"] == "contradicted" for claim in value["claims"]):
        raise typer.Exit(Exit.NO)


def _text(file: Path) -> str:
    """Return the text of a file, or of standard input."""
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as problem:
        fail(f"{file} cannot be read: {problem.strerror}.")
    except UnicodeDecodeError:
        fail(f"{file} is no text in UTF-8: save what it says as plain text, then check that.")


def _show(claims: list[dict[str, Any]]) -> None:
    for claim in claims:
        verdict, style = claim["verdict"].replace("_", " "), _SHOWN[claim["verdict"]]
        if claim["confidence"] is None:
            out.print(Text(f"{claim['text']}\n", style="dim"))
            continue
        out.print(Text(f"{verdict} ({claim['confidence']:.2f}): {claim['text']}", style=style))
        for words, which in (("", "citations"), ("but: ", "against"), ("nearest: ", "nearest")):
            for citation in claim[which]:
                place = f"{citation['document_id']} {citation['start_char']}–{citation['end_char']}"
                out.print(Text.assemble(f"  {words}“{' '.join(citation['quote'].split())}”  ", (place, "dim")))
        out.print()
    counts = Counter(claim["verdict"] for claim in claims if claim["confidence"] is not None)
    out.print(Text(", ".join(f"{counts[one]} {one.replace('_', ' ')}" for one in _SHOWN), style="bold"))
