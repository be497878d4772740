"""Shows how well the questions about the seeds are answered, by kind of question.

A declined question shows what came nearest, so its highlights are looked at too in "highlighted"; in "answered and
highlighted" it counts as none. An answer is highlighted where a sentence highlight of the first three passages holds
the whole of it: the labelled place, or its words. "first three" looks at the first three sentence highlights in all,
"every part" asks for each answer of a question that needs two documents, "labelled place" lets no other place count.

    python benchmarks/seed_questions.py seeds --split dev

Choose on `dev`, report `test`. The documents are ingested into a cache of their own (`--cache`).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reporting import Bound, finish, say, table

from api.settings import load_settings
from rag.encoding import load_encoder
from rag.evaluation.cache import cached_collection
from rag.evaluation.containment import Piece, findable, holds_answer
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.questions import AnswerSpan, DatasetQuestion
from rag.evaluation.run import Plan, select
from rag.evaluation.systems import CollectionSystem
from rag.retrieval import Ranking
from rag.types import Answer, AnswerPassage

PASSAGES = 3
HIGHLIGHTS = 3
COLUMNS = ("highlighted", "answered and highlighted", "first three", "every part", "labelled place")
Row = Mapping[str, Any]


def main() -> None:
    """Ask every question of one split and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="a folder with documents/ and questions.jsonl")
    parser.add_argument("--split", choices=("dev", "test", "all"), default="dev")
    parser.add_argument("--cache", type=Path, help="keep the ingested documents here (default: throw them away)")
    parser.add_argument("--model", help="a model folder or cached name (default: the one that is installed)")
    parser.add_argument("--output", type=Path, help="write the result here as JSON")
    options = parser.parse_args()
    dataset = read_dataset(options.dataset)
    with tempfile.TemporaryDirectory() as scratch:
        rows = asked(dataset, options.split, options.cache or Path(scratch), options.model)
    kinds = list(dict.fromkeys(row["type"] for row in rows))
    lines = [(kind, *line([row for row in rows if row["type"] == kind])) for kind in kinds]
    table(("type", "n", "declined", *COLUMNS), [*lines, ("all", *line(rows))])
    missed = [row for row in rows if row["answerable"] and not row["answered and highlighted"]]
    answered = [row for row in rows if not row["answerable"] and not row["declined"]]
    for title, some in (("answerable, but declined or not highlighted", missed), ("answered wrongly", answered)):
        print(f"\n{title}:", *(f"  {row['id']} {row['type']}: {row['question']}" for row in some), sep="\n")
    finish({"split": options.split, "questions": rows}, bounds(rows), options.output)


def asked(dataset: Dataset, split: str, cache: Path, model: str | None) -> list[Row]:
    """Return what became of every question."""
    encoder = load_encoder(model, load_settings({}).cache)
    with cached_collection(dataset, cache, encoder) as collection:
        system = CollectionSystem(collection, encoder, "hybrid", Ranking())
        questions = select(dataset, Plan(split=split))
        say(f"asking {len(questions)} questions of {dataset.documents} documents")
        return [judged(question, system.ask(question)) for question in questions]


def judged(question: DatasetQuestion, answer: Answer) -> Row:
    """Return what became of one question; a figure is None where the question has no answer to look for."""
    row = {"id": question.id, "question": question.text, "type": question.metadata.get("type")}
    row |= {"answerable": question.answerable, "declined": not answer.answerable}
    if not question.answerable:
        return row | dict.fromkeys(COLUMNS)
    shown = answer.passages or answer.nearest
    places = [piece for passage in shown[:PASSAGES] for piece in sentences(passage)]
    highlighted = any(holds(piece, question) for piece in places)
    return row | {
        "highlighted": highlighted,
        "answered and highlighted": highlighted and answer.answerable,
        "first three": any(holds(piece, question) for piece in places[:HIGHLIGHTS]),
        "every part": all(any(holds(piece, part) for piece in places) for part in parts(question)),
        "labelled place": any(contains(piece, span) for piece in places for span in question.spans),
    }


def sentences(passage: AnswerPassage) -> list[Piece]:
    """Return the sentence highlights of a passage, the best first."""
    first = passage.citation.start
    return [
        Piece(passage.document.id, mark.start, passage.text[mark.start - first : mark.end - first])
        for mark in passage.highlights
        if mark.kind == "sentence"
    ]


def parts(question: DatasetQuestion) -> list[DatasetQuestion]:
    """Return a question that needs all of its answers as one question for each; any other as itself."""
    if not question.metadata.get("all_required"):
        return [question]
    return [replace(question, answers=(span.text,), spans=(span,)) for span in question.spans]


def holds(piece: Piece, question: DatasetQuestion) -> bool:
    """Whether a highlight holds the whole of an answer: one of the labelled places, or its words."""
    if any(contains(piece, span) for span in question.spans):
        return True
    return bool(findable(question)) and holds_answer(piece, replace(question, spans=()))


def contains(piece: Piece, span: AnswerSpan) -> bool:
    """Whether a highlight covers a labelled place from end to end."""
    return piece.document_id == span.document_id and piece.start <= span.start and span.end <= piece.end


def line(rows: Sequence[Row]) -> list[str]:
    """Return the cells of one line: how many, how many declined, the share of each column."""
    shares = [share(rows, column) for column in COLUMNS]
    cells = ["" if value is None else f"{value:.3f}" for value in shares]
    return [str(len(rows)), str(sum(row["declined"] for row in rows)), *cells]


def share(rows: Sequence[Row], column: str) -> float | None:
    """Return the share of rows where a column is true, over the rows where it says something."""
    values = [row[column] for row in rows if row[column] is not None]
    return sum(values) / len(values) if values else None


def bounds(rows: Sequence[Row]) -> list[Bound]:
    """Return the figures that have a bound, over all kinds of questions."""
    answerable = [row for row in rows if row["answerable"]]
    unanswerable = [row for row in rows if not row["answerable"]]
    return [
        Bound("answerable declined", rounded(answerable, "declined"), most=0.10),
        Bound("unanswerable declined", rounded(unanswerable, "declined"), least=0.60),
        *(Bound(name, rounded(answerable, name), least=0.85) for name in COLUMNS[:2]),
    ]


def rounded(rows: Sequence[Row], column: str) -> float:
    """Return the share of rows where a column is true, to four places; no rows make 0."""
    return round(share(rows, column) or 0.0, 4)


if __name__ == "__main__":
    main()
