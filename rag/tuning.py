"""A collection tuned to its own questions: which weights would have put the right passages first, and is that sure?

Each question is asked once, and everything that either leg found is a candidate. Weights are fitted to the candidates
by `rag.evaluation.fitting`. They are kept with the collection only where cross-validation shows that questions which
took no part in the fitting are ranked better by them than by the default.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial

import numpy as np

from index.collection import Collection
from index.errors import DocumentMissing
from index.types import Hit, Json
from rag import fusion
from rag.encoding import Encoder
from rag.errors import QuestionsTooFew
from rag.evaluation.fitting import FOLDS, Floats, Form, Places, Pool, choose, cross_validated, discounted, ideal, ndcg
from rag.evaluation.manifest import digest, made_by
from rag.evaluation.questions import AnswerSpan
from rag.evaluation.statistics import shift_interval
from rag.rankings import settings_of
from rag.retrieval import Ranking, Retrieved, retrieve
from rag.types import Question

LEAST = 10  # questions to tune by
ALPHA = 0.02  # of the interval that has to lie above zero; with 0.05 chance was taken for a gain in 4 of 100 cases
_DECIMALS = 3  # of weights that are kept
SHARES = (0.3, 0.5, 0.7)  # of the dense leg in the convex sums that are tried


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question and what is right: the places that answer it, or where there are none, grades of documents by id."""

    question: Question
    relevant: Mapping[str, int]
    spans: Sequence[AnswerSpan] = ()


@dataclass(frozen=True, slots=True)
class Tuned:
    """What tuning found: a ranking, whether it is surely better, and the version under which it was kept, if it was."""

    ranking: Ranking
    better: bool
    figures: Mapping[str, Json]
    version: int | None = None


# What is tuned: everything from here to `tune` has to score as `rag.retrieval` does, and knows the fields of `Ranking`.


def features(found: Retrieved) -> Floats:
    """Return what the hits that were read are scored by, shape (hits read, `fusion.SIGNALS`), in the order of hits."""
    read = dict(sorted(found.looked.words.items()))
    rows = fusion.signals(found.found.hits, read)
    return np.array(rows, dtype=np.float64).reshape(-1, len(fusion.SIGNALS))


def weighted(weights: Floats) -> Ranking:
    """Return the ranking in which the signals count in the proportion of `weights`."""
    return Ranking().weighted([round(float(weight), _DECIMALS) for weight in weights / weights.sum()])


RANKS: Mapping[Ranking, Callable[[Sequence[Hit]], Sequence[float]]] = {
    Ranking(fusion="reciprocal_rank"): fusion.reciprocal_rank,
    **{Ranking(fusion="convex", dense_weight=share): partial(fusion.convex, dense_weight=share) for share in SHARES},
}
"""Rankings without fitted weights that are tried beside, and the score of each hit in them."""


def tune(
    questions: Sequence[Labelled],
    collection: Collection,
    encoder: Encoder,
    *,
    dry_run: bool = False,
    seed: int = 0,
    on_question: Callable[[int], None] = lambda asked: None,
) -> Tuned:
    """Fit a ranking of `collection` to `questions`; keep it where it is better than the default, but not if `dry_run`.

    It is better where the 98 % interval of what it gains in nDCG@10, on questions that it was not fitted to, lies above
    zero. `seed` draws the folds and the resamples of the interval; `on_question` hears how many were asked. Raises
    QuestionsTooFew where fewer than `LEAST` can be judged, FilterInvalid, and whatever asking raises.
    """
    judged, left_out = _judged(questions, collection)
    if len(judged) < LEAST:
        raise QuestionsTooFew(
            f"{len(judged)} of {len(questions)} questions name something relevant that this collection holds, and "
            f"tuning takes {LEAST} at least: label more questions, or ingest the documents that they name."
        )
    ranking, better, figures = _decided(forms(judged, collection, encoder, on_question), seed)
    about = {"left_out": left_out, "questions_sha256": _digest(judged), "token": collection.token, **made_by()}
    kept = collection.rankings.add(settings_of(ranking), {**figures, **about}) if better and not dry_run else None
    return Tuned(ranking, better, {**figures, **about}, kept)


def forms(
    judged: Sequence[Labelled],
    collection: Collection,
    encoder: Encoder,
    on_question: Callable[[int], None] = lambda asked: None,
) -> Sequence[Form]:
    """Ask every question, and return the ways to score what was found: by weights, then those of `RANKS`.

    By weights only the hits that were read are candidates; the others stay below them. The labels have to hold in the
    collection.
    """
    linear, ranks = Form(np.array(Ranking().weights), []), [Form(np.ones(1), []) for _ in RANKS]
    for place, one in enumerate(judged):
        on_question(place)
        found = retrieve(one.question, collection, encoder, Ranking(), 1)
        hits = found.found.hits
        units, gains = _graded(one, hits, collection)
        best = ideal([*one.relevant.values()] or [1.0] * max(1, int(gains.sum())))
        read = [hits[at] for at in sorted(found.looked.words)]
        linear.pools.append(Pool(features(found), *_graded(one, read, collection), best, _unread(one, found)))
        for form, score in zip(ranks, RANKS.values(), strict=True):
            form.pools.append(Pool(np.array(score(hits)).reshape(-1, 1), units, gains, best))
    return [linear, *ranks]


def _decided(forms: Sequence[Form], seed: int) -> tuple[Ranking, bool, Mapping[str, Json]]:
    """Return the ranking that fits best, whether it is better than the default, and what says so."""
    linear = forms[0]
    everything = np.arange(len(linear.pools))
    before, after = ndcg(linear, linear.weights, everything), cross_validated(forms, seed)
    gains = after - before
    low, high = shift_interval([gains], alpha=ALPHA, seed=seed)
    chosen = choose(forms, everything, seed)
    ranking = [*RANKS][chosen.form - 1] if chosen.form else weighted(chosen.weights)
    figures = {
        "measure": "nDCG@10",
        "questions": len(everything),
        "default": _rounded(before.mean()),
        "tuned": _rounded(after.mean()),
        "gain": {"mean": _rounded(gains.mean()), "low": _rounded(low), "high": _rounded(high)},
        "helped": int((gains > 0).sum()),
        "hurt": int((gains < 0).sum()),
        "pull": chosen.pull,
        "folds": FOLDS,
        "seed": seed,
    }
    return ranking, bool(low > 0 and ranking != Ranking()), figures


def _judged(questions: Iterable[Labelled], collection: Collection) -> tuple[list[Labelled], Mapping[str, int]]:
    """Return the questions with the labels that hold in this collection, and how many were left out and why."""
    text = cache(lambda document: _text(collection, document))
    kept, left_out = [], Counter({"unlabelled": 0, "not_in_collection": 0})
    for one in questions:
        labels = {document: grade for document, grade in one.relevant.items() if grade > 0}
        held = (span for span in one.spans if text(span.document_id)[span.start : span.end] == span.text != "")
        spans = [replace(span, place=None) for span in held]  # where it was read is nothing to be fitted to
        present = {} if spans else {name: labels[name] for name in collection.files.known([*labels])}
        if spans or present:
            kept.append(Labelled(one.question, present, spans))
        else:
            left_out["not_in_collection" if labels or one.spans else "unlabelled"] += 1
    return kept, dict(left_out)


def _text(collection: Collection, document_id: str) -> str:
    try:
        return collection.text(document_id)
    except DocumentMissing:
        return ""


def _graded(one: Labelled, hits: Sequence[Hit], collection: Collection) -> tuple[Places, Floats]:
    """Return the unit of each hit and the grade of each unit, as `Pool` has them.

    Where the places of the answer are known, every passage is a unit, relevant if it overlaps one; else documents are.
    """
    if one.spans:
        answering = _answering(one.spans, hits, collection)
        return np.arange(len(hits)), np.array([float(hit.ref.id in answering) for hit in hits])
    documents = list(dict.fromkeys(hit.ref.document_id for hit in hits))  # hits come ordered by it
    places = {document: place for place, document in enumerate(documents)}
    units = np.array([places[hit.ref.document_id] for hit in hits], dtype=np.int64)
    return units, np.array([float(one.relevant.get(document, 0)) for document in documents])


def _unread(one: Labelled, found: Retrieved) -> float:
    """Return the discounted gain of the documents of which no hit was read: they stand below, in the convex order.

    Where passages are judged it is 0: more than ten are read.
    """
    hits, scores = found.found.hits, fusion.convex(found.found.hits, Ranking().dense_weight)
    order = sorted(range(len(hits)), key=lambda at: -round(scores[at], 6))
    read = {hits[at].ref.document_id for at in found.looked.words}
    left = [name for name in dict.fromkeys(hits[at].ref.document_id for at in order) if name not in read]
    return discounted([float(one.relevant.get(name, 0)) for name in left], after=len(read))


def _answering(spans: Sequence[AnswerSpan], hits: Sequence[Hit], collection: Collection) -> set[str]:
    """Return the ids of the passages among the hits that overlap a span."""
    documents = {span.document_id for span in spans}
    stored = collection.passages([hit.ref for hit in hits if hit.ref.document_id in documents])
    return {
        held.ref.id
        for held in stored
        for span in spans
        if held.ref.document_id == span.document_id
        and max(held.passage.start, span.start) < min(held.passage.end, span.end)
    }


def _digest(questions: Sequence[Labelled]) -> str:
    """Return a digest of all that was fitted to, which names no question."""
    return digest([asdict(one) for one in questions])


def _rounded(value: float) -> float:
    return round(float(value), 4)
