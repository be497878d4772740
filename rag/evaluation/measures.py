"""The table of measures: what each looks at, and for which questions it says something.

Ranking measures come from ir-measures, by its names, and trec_eval's own core; the rest is below, one row each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import ir_measures
import numpy as np
from ir_measures import RR, P, R, Success, nDCG

from rag.evaluation import calibration, replies
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


def _asked(rule: replies.Rule) -> Callable[[Observed], float | None]:
    """Return `rule` for a system that was asked as a user would."""
    return lambda seen: None if seen.answer is None else rule(seen.question, seen.answer)


def _read(rule: replies.Rule) -> Callable[[Observed], float | None]:
    """Return `rule` for a system that reads; others have neither quote nor words."""
    return lambda seen: None if seen.predicted is None else _asked(rule)(seen)


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
    "Declined, answerable": _asked(replies.declined(replies.answerable)),
    "Declined, unanswerable": _asked(replies.declined(replies.unanswerable)),
    "Declined, near miss": _asked(replies.declined(replies.near_miss)),
    "Declined, off topic": _asked(replies.declined(replies.off_topic)),
    "Absent, answerable": _asked(replies.absent(replies.answerable)),
    "Absent, off topic": _asked(replies.absent(replies.off_topic)),
    "Right@1": _asked(replies.right_passage(1)),
    "Right@3": _asked(replies.right_passage(3)),
    "Lit@3": _asked(replies.right_mark(3)),
    "Quote right": _read(replies.quote_right),
    "Words shown": _read(replies.words_shown),
    "Words right": _read(replies.words_right),
}
"""Per measure its value for one question, 0 to 1, or None where it says nothing about that question."""


@dataclass(frozen=True, slots=True)
class Told:
    """A figure over all questions that `pair` gives a confidence and a truth, and not None.

    It says nothing about fewer than `least` of them, nor, where truths have to be `mixed`, about one kind alone.
    """

    pair: Callable[[Observed], tuple[float, bool] | None]
    figure: Callable[[Values, Labels], float]
    least: int = 1
    mixed: bool = True


def answerability(seen: Observed) -> tuple[float, bool] | None:
    """Return the confidence of an answer and whether there is one, None where either is not known."""
    confidence, label = seen.confidence, seen.question.answerable
    return None if confidence is None or label is None else (confidence, label)


def _sure(
    confidence: Callable[[Answer], float | None], rule: replies.Rule
) -> Callable[[Observed], tuple[float, bool] | None]:
    def pair(seen: Observed) -> tuple[float, bool] | None:
        told, right = confidence(seen.answer) if seen.answer else None, _read(rule)(seen)
        return None if told is None or right is None else (told, bool(right))

    return pair


_FEWEST = 21  # questions of which an error over fifteen bins says anything
CONFIDENCE: Mapping[str, Told] = {
    "Answerability AUROC": Told(answerability, calibration.auroc),
    "Answerability AUPRC": Told(answerability, calibration.auprc),
    "Answerability ECE": Told(answerability, calibration.ece),
    "Answerability Brier": Told(answerability, calibration.brier),
    "Answerability AURC": Told(answerability, calibration.aurc),
    "Quote ECE": Told(
        _sure(replies.quote_confidence, replies.quote_right), calibration.fine_ece, least=_FEWEST, mixed=False
    ),
    "Words ECE": Told(
        _sure(replies.words_confidence, replies.words_right), calibration.fine_ece, least=_FEWEST, mixed=False
    ),
}
"""Per measure what it is told of each question, and its value over all of them."""


def told(pair: Callable[[Observed], tuple[float, bool] | None], observed: Sequence[Observed]) -> tuple[Values, Labels]:
    """Return confidences and truths, shape (n,) each, of the questions that `pair` says something about."""
    known = [one for one in map(pair, observed) if one is not None]
    scores, labels = zip(*known, strict=True) if known else ((), ())
    return np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.bool_)


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
