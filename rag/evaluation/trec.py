"""TREC run files: `query-id Q0 document-id rank score tag`, one line a document.

trec_eval ignores the rank: it sorts by score, held in single precision, and breaks ties by descending document id.
So a run is written with a score of its own for every place, and read the way trec_eval reads it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rag.evaluation.rows import Place, numbered_lines

Run = Mapping[str, Sequence[str]]
"""Per query id the ids of documents found, best first, none twice."""


def write_run(path: Path, run: Run, tag: str) -> None:
    """Write `run` to `path`; the scores are whole numbers that fall by one, so no two of a query are equal."""
    lines = (
        f"{query} Q0 {document} {rank} {len(documents) - rank + 1} {tag}\n"
        for query, documents in run.items()
        for rank, document in enumerate(documents, start=1)
    )
    path.write_text("".join(lines), encoding="utf-8")


def read_run(path: Path) -> Run:
    """Read a run file as trec_eval would; raises DatasetInvalid for a bad line or a document that stands twice."""
    scores: dict[str, dict[str, float]] = {}
    for place, text in numbered_lines(path):
        query, document, score = _run_line(place, text)
        found = scores.setdefault(query, {})
        if document in found:
            raise place.problem(f"the document {document!r} stands twice for the query {query!r}")
        found[document] = score
    return {query: _ordered(found) for query, found in scores.items()}


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
