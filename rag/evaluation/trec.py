"""TREC's files: runs, `query-id Q0 document-id rank score tag`, and qrels, `query-id 0 document-id grade`.

trec_eval ignores the rank: it sorts by score, held in single precision, and breaks ties by descending document id.
So a run is written with a score of its own for every place, and read the way trec_eval reads it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.evaluation.rows import Place, numbered_lines

Run = Mapping[str, Sequence[str]]
"""Per query id the ids of documents found, best first, none twice."""


@dataclass(frozen=True, slots=True)
class Known:
    """The ids that a file may name; a document is named as in its corpus, or by the id that ingestion made of that."""

    queries: Set[str]
    documents: Set[str]

    def query(self, place: Place, name: str) -> str:
        """Return `name`; raises DatasetInvalid where no query has it."""
        if name not in self.queries:
            raise place.problem(f"no query has the id {name!r}")
        return name

    def document(self, place: Place, name: str) -> str:
        """Return the id of the document `name`; raises DatasetInvalid where there is none."""
        for document in (place.document_id(name), name):
            if document in self.documents:
                return document
        raise place.problem(f"no document of the corpus has the id {name!r}")


def write_run(path: Path, run: Run, tag: str) -> None:
    """Write `run` to `path`; the scores are whole numbers that fall by one, so no two of a query are equal."""
    lines = (
        f"{query} Q0 {document} {rank} {len(documents) - rank + 1} {tag}\n"
        for query, documents in run.items()
        for rank, document in enumerate(documents, start=1)
    )
    path.write_text("".join(lines), encoding="utf-8")


def read_run(path: Path, known: Known | None = None) -> Run:
    """Read a run file as trec_eval would, ties by descending document id as the file has it.

    Raises DatasetInvalid for a bad line, a document that stands twice, and, with `known`, ids that are not.
    """
    scores: dict[str, dict[str, float]] = {}
    names: dict[str, str] = {}  # document ids by their names in the file
    for place, text in numbered_lines(path):
        query, document, score = _run_line(place, text)
        if known:
            known.query(place, query)
            names[document] = known.document(place, document)
        found = scores.setdefault(query, {})
        if document in found:
            raise place.problem(f"the document {document!r} stands twice for the query {query!r}")
        found[document] = score
    return {query: [names.get(document, document) for document in _ordered(found)] for query, found in scores.items()}


def _run_line(place: Place, text: str) -> tuple[str, str, float]:
    fields = text.split()
    if len(fields) != 6:
        raise place.problem(f"{len(fields)} fields where six are due: query-id Q0 document-id rank score tag")
    try:
        score = float(fields[4])
    except ValueError as error:
        raise place.problem(f"the score {fields[4]!r} is not a number") from error
    if math.isnan(score):
        raise place.problem("the score is not a number")
    return fields[0], fields[2], score


def _ordered(found: Mapping[str, float]) -> Sequence[str]:
    by_id = sorted(found, key=lambda document: document.encode("utf-8"), reverse=True)
    return sorted(by_id, key=lambda document: -np.float32(found[document]))


def write_qrels(path: Path, judgements: Mapping[str, Mapping[str, int]]) -> None:
    """Write judgements (per query id, per document id, a grade) to `path`."""
    lines = (
        f"{query} 0 {document} {grade}\n" for query, grades in judgements.items() for document, grade in grades.items()
    )
    path.write_text("".join(lines), encoding="utf-8")


def qrels_rows(path: Path) -> Iterator[tuple[Place, str, str, int]]:
    """Yield place, query id, document id and grade of each line; raises DatasetInvalid for a bad one."""
    for place, text in numbered_lines(path):
        fields = text.split()
        if len(fields) != 4:
            raise place.problem(f"{len(fields)} fields where four are due: query-id 0 document-id grade")
        yield place, fields[0], fields[2], place.grade(fields[3])
