"""`pincite tune`: a ranking for one collection, fitted to questions with known answers, kept and undone by version."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from api.cli.context import AsJson, CollectionName, Output, service
from api.cli.output import Exit, emit, err, fail, out, plain_errors
from api.limits import TUNING_QUESTIONS

if TYPE_CHECKING:
    from rag.evaluation.questions import DatasetQuestion

DEFAULT = "default"  # what --use calls Pincite's own ranking


def tune(
    context: typer.Context,
    questions: Annotated[
        Path | None, typer.Argument(help="A file of questions (JSONL), or a dataset as eval takes it.")
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="List the rankings that were kept.")] = False,
    use: Annotated[str | None, typer.Option(help="Rank by this version, or by Pincite's: default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say whether it would be better.")] = False,
    collection: CollectionName = "default",
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Fit the ranking of a collection to its questions; exit status 1 where that is not surely better."""
    if (questions is not None) + history + (use is not None) != 1:
        fail("give one of three: a file or dataset of questions, --history, or --use VERSION.", Exit.USAGE)
    if questions is None and dry_run:
        fail("--dry-run says what tuning would do; give questions with it.", Exit.USAGE)
    if history:
        with service(context) as at_work:
            kept = at_work.rankings(collection)
        emit(kept, as_json, output, lambda: _show_history(kept["rankings"]))
    elif use is not None:
        version = _version(use)
        with service(context) as at_work:
            chosen = at_work.use_ranking(collection, version)
        emit(chosen, as_json, output, lambda: out.print(Text(f"{collection}: ranked by {_name(version)}")))
    elif questions is not None:
        with plain_errors():
            labelled = _labelled(questions)
        with service(context) as at_work, err.status(f"{len(labelled)} questions are asked and fitted to"):
            tuned = at_work.tune(collection, {"questions": labelled, "dry_run": dry_run})
        emit(tuned, as_json, output, lambda: _show(tuned, dry_run, collection))
        if not tuned["better"]:
            raise typer.Exit(Exit.NO)


def _version(use: str) -> int | None:
    if use == DEFAULT:
        return None
    if not (use.isascii() and use.isdecimal() and 0 < int(use) < 2**31):
        fail(f"--use takes a version that --history lists, or {DEFAULT}; not {use!r}.", Exit.USAGE)
    return int(use)


def _name(version: int | None) -> str:
    return "Pincite's own ranking" if version is None else f"version {version}"


def _labelled(path: Path) -> Sequence[Mapping[str, Any]]:
    """Return the questions to tune by as `/v1/collections/{name}/rankings` takes them; raises DatasetInvalid."""
    from rag.errors import DatasetInvalid
    from rag.evaluation.datasets import read_dataset
    from rag.evaluation.questions import read_questions

    if path.is_dir():
        dataset = read_dataset(path)
        asked, grades = dataset.questions, dataset.judgements
    else:
        asked = read_questions(path, numbered=True)
        grades = {question.id: _named(question) for question in asked}
    chosen = [one for one in asked if one.split == "dev"] if any(one.split for one in asked) else list(asked)
    if not chosen:
        raise DatasetInvalid(f"{path}: no question is in the split 'dev', and a collection is tuned by no others.")
    if len(chosen) > TUNING_QUESTIONS:
        err.print(f"{TUNING_QUESTIONS} of {len(chosen)} questions are drawn: no more are fitted to at once")
        chosen = random.Random(0).sample(chosen, TUNING_QUESTIONS)
    return [_sent(one, grades.get(one.id, {})) for one in chosen]


def _named(question: DatasetQuestion) -> Mapping[str, int]:
    """Return the documents that a question names as relevant, each with the grade 1."""
    assert question.place is not None
    return {question.place.document_id(name): 1 for name in question.relevant}


def _sent(question: DatasetQuestion, grades: Mapping[str, int]) -> Mapping[str, Any]:
    from api.cli.served import talk_and_filter

    return {
        "query": question.text,
        **talk_and_filter(question),
        "relevant": {document: grade for document, grade in grades.items() if grade > 0},
        "answer_spans": [
            {"document_id": span.document_id, "start_char": span.start, "end_char": span.end, "text": span.text}
            for span in question.spans
        ],
    }


def _show(tuned: Mapping[str, Any], dry_run: bool, collection: str) -> None:
    figures = tuned["figures"]
    left_out = ", ".join(f"{count} {why.replace('_', ' ')}" for why, count in figures["left_out"].items() if count)
    lines = [
        f"{figures['questions']} questions" + (f", left out: {left_out}" if left_out else ""),
        f"{figures['measure']} of questions that took no part in the fitting: {figures['default']:.3f} → "
        f"{figures['tuned']:.3f}, gain {_gain(figures)}; {figures['helped']} better, {figures['hurt']} worse",
    ]
    fitted = ", ".join(f"{name} {value}" for name, value in tuned["settings"].items())
    if tuned["version"] is not None:
        undo = f"pincite tune --use {DEFAULT} --collection {collection}"
        lines += [f"kept and used as version {tuned['version']}: {fitted}", f"undo: {undo}"]
    elif tuned["better"] and dry_run:
        lines.append(f"better; nothing was kept, as asked: {fitted}")
    else:
        lines.append("not surely better than Pincite's own ranking, so nothing was kept")
    out.print(Text("\n".join(lines)), soft_wrap=True)


def _gain(figures: Mapping[str, Any]) -> str:
    gain = figures["gain"]
    return f"{gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"


def _show_history(rankings: Sequence[Mapping[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("version", "in use", "created", "questions", "gain", "settings"):
        table.add_column(column, overflow="fold")
    used = any(one["in_use"] for one in rankings)
    table.add_row(DEFAULT, "" if used else "yes", "", "", "", "")
    for one in rankings:
        settings = ", ".join(f"{name} {value}" for name, value in one["settings"].items())
        figures = one["figures"]  # those of another version of Pincite may be others
        about = (str(figures.get("questions", "")), _gain(figures) if "gain" in figures else "")
        table.add_row(str(one["version"]), "yes" if one["in_use"] else "", one["created"], *about, Text(settings))
    out.print(table)
