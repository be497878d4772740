"""The table of measures: what each looks at, and for which questions it says something.

Ranking measures come from ir-measures, by its names, and trec_eval's own core; the rest is below, one row each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import ir_measures
from ir_measures import RR, P, R, Success, nDCG

from rag.evaluation import calibration
from rag.evaluation.containment import Overlap, Piece, exact_match, findable, holds_answer, token_f1, token_overlap
from rag.evaluation.datasets import Judgements
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.statistics import Labels, Values
from rag.evaluation.trec import Run
from rag.types import Answer, AnswerPassage


@dataclass(frozen=True, slots=True)
class Observed:
    """What one system did with one question.

    `found` are the passages of a search, best first. `answer` is what it said when asked, None where it was not.
    `exact` is the share of its citations that are exact, 0 to 1. `predicted` is the short answer ("" when declined),
    `confidence` the probability that there is one; both are None for a system that gives none.
    """

    question: DatasetQuestion
    found: Sequence[AnswerPassage]
    answer: Answer | None = None
    exact: float | None = None
    predicted: str | None = None
    confidence: float | None = None


RANKING: Sequence[ir_measures.measures.Measure] = (
    nDCG @ 10,
    R @ 10,
    R @ 20,
    R @ 100,
    RR @ 10,
    P @ 1,
    Success @ 1,
    Success @ 5,
    Success @ 10,
)


def relevant(judgements: Judgements) -> Judgements:
    """Return the queries that have a relevant document at all; no ranking can score on another."""
    return {query: grades for query, grades in judgements.items() if any(grade > 0 for grade in grades.values())}


def ranking_values(judgements: Judgements, run: Run) -> Mapping[str, Mapping[str, float]]:
    """Return per ranking measure the value, 0 to 1, of every query of `judgements` that has a relevant document.

    A query that `run` lacks scores 0. trec_eval gets a score of its own for every place, so that it sees no tie.
    """
    judged = relevant(judgements)
    qrels = [ir_measures.Qrel(q, document, grade) for q, grades in judged.items() for document, grade in grades.items()]
    scored = [
        ir_measures.ScoredDoc(query, document, float(len(run[query]) - place))
        for query in judged
        for place, document in enumerate(run.get(query, ()))
    ]
    # Filled beforehand, so that the order is that of the judgements and every query is there.
    values = {str(measure): dict.fromkeys(judged, 0.0) for measure in RANKING}
    if judged:
        for metric in ir_measures.iter_calc(RANKING, qrels, scored):
            values[str(metric.measure)][metric.query_id] = float(metric.value)
    return values


def _answer_found(depth: int) -> Callable[[Observed], float | None]:
    def measure(seen: Observed) -> float | None:
        if not _has_answer(seen.question):
            return None
        return float(any(_holding(seen, depth)))

    return measure


def _answer_place(depth: int) -> Callable[[Observed], float | None]:
    def measure(seen: Observed) -> float | None:
        if not _has_answer(seen.question):
            return None
        places = (place for place, holds in enumerate(_holding(seen, depth), start=1) if holds)
        return 1 / next(places, math.inf)

    return measure


def _answer_gain(depth: int) -> Callable[[Observed], float | None]:
    def measure(seen: Observed) -> float | None:
        if not _has_answer(seen.question):
            return None
        held = list(_holding(seen, len(seen.found)))
        best = sum(1 / math.log2(place + 1) for place in range(1, min(depth, sum(held)) + 1))
        gained = sum(1 / math.log2(place + 1) for place, holds in enumerate(held[:depth], start=1) if holds)
        return gained / best if best else 0.0

    return measure


def _answer_highlighted(depth: int) -> Callable[[Observed], float | None]:
    def measure(seen: Observed) -> float | None:
        if seen.answer is None or not _has_answer(seen.question):
            return None
        return float(any(holds_answer(piece, seen.question) for piece in _sentences(seen.answer, depth)))

    return measure


def _passage_overlap(depth: int, figure: Callable[[Overlap], float]) -> Callable[[Observed], float | None]:
    def measure(seen: Observed) -> float | None:
        if not seen.question.spans:
            return None
        return figure(token_overlap(map(_piece, seen.found[:depth]), _wanted(seen.question)))

    return measure


def _highlight_overlap(depth: int) -> Callable[[Observed], float | None]:
    def measure(seen: Observed) -> float | None:
        if seen.answer is None or not seen.question.spans:
            return None
        return token_overlap(_sentences(seen.answer, depth), _wanted(seen.question)).iou

    return measure


def _declined(answerable: bool) -> Callable[[Observed], float | None]:
    def measure(seen: Observed) -> float | None:
        if seen.answer is None or seen.question.answerable is not answerable:
            return None
        return float(not seen.answer.answerable)

    return measure


def _predicted(score: Callable[[str, Sequence[str]], float]) -> Callable[[Observed], float | None]:
    def measure(seen: Observed) -> float | None:
        labelled = seen.question.answers or seen.question.answerable is False
        return score(seen.predicted, seen.question.answers) if seen.predicted is not None and labelled else None

    return measure


OWN: Mapping[str, Callable[[Observed], float | None]] = {
    "Answer@1": _answer_found(1),
    "Answer@5": _answer_found(5),
    "Answer@20": _answer_found(20),
    "Answer@50": _answer_found(50),
    "Passage nDCG@10": _answer_gain(10),
    "Passage RR@10": _answer_place(10),
    "Answer in highlights@3": _answer_highlighted(3),
    "Answer in highlights@5": _answer_highlighted(5),
    "Passage token IoU@5": _passage_overlap(5, lambda overlap: overlap.iou),
    "Passage token precision@5": _passage_overlap(5, lambda overlap: overlap.precision),
    "Passage token recall@5": _passage_overlap(5, lambda overlap: overlap.recall),
    "Highlight token IoU@3": _highlight_overlap(3),
    "Exact match": _predicted(exact_match),
    "Token F1": _predicted(token_f1),
    "Citations exact": lambda seen: seen.exact,
    "Declined, answerable": _declined(True),
    "Declined, unanswerable": _declined(False),
}
"""Per measure its value for one question, 0 to 1, or None where it says nothing about that question."""

CONFIDENCE: Mapping[str, Callable[[Values, Labels], float]] = {
    "Answerability AUROC": calibration.auroc,
    "Answerability AUPRC": calibration.auprc,
    "Answerability ECE": calibration.ece,
    "Answerability Brier": calibration.brier,
    "Answerability AURC": calibration.aurc,
}
"""Per measure its value over all questions that have a confidence and a known `answerable`."""


def own_values(observed: Sequence[Observed]) -> Mapping[str, Mapping[str, float]]:
    """Return per measure of `OWN` its value by query id, for the questions that it says something about."""
    values: dict[str, dict[str, float]] = {name: {} for name in OWN}
    for seen in observed:
        for name, measure in OWN.items():
            value = measure(seen)
            if value is not None:
                values[name][seen.question.id] = value
    return values


def document_ranking(passages: Sequence[AnswerPassage]) -> Sequence[str]:
    """Return the ids of the documents of `passages`, each in the place of its best passage."""
    return tuple(dict.fromkeys(passage.document.id for passage in passages))


def _has_answer(question: DatasetQuestion) -> bool:
    return question.answerable is not False and bool(question.spans or findable(question))


def _holding(seen: Observed, depth: int) -> Iterator[bool]:
    """Yield for each of the first `depth` passages found whether it holds an answer."""
    return (holds_answer(_piece(passage), seen.question) for passage in seen.found[:depth])


def _piece(passage: AnswerPassage) -> Piece:
    return Piece(passage.document.id, passage.citation.start, passage.text)


def _wanted(question: DatasetQuestion) -> Sequence[Piece]:
    return [Piece(span.document_id, span.start, span.text) for span in question.spans]


def _sentences(answer: Answer, depth: int) -> Iterator[Piece]:
    """Yield the sentence highlights of the first `depth` passages shown; a declined question shows none."""
    for passage in answer.passages[:depth]:
        first = passage.citation.start
        for mark in passage.highlights:
            if mark.kind == "sentence":
                yield Piece(passage.document.id, mark.start, passage.text[mark.start - first : mark.end - first])
