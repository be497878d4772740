"""Where in the pipeline was a relevant document lost? Every one that is missed gets exactly one stage.

A document is missed when it is not among the first 10 of the hybrid order, a document standing where its best passage
stands, after passages that say the same as a better one are left out, as an answer leaves them out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from index.collection import Collection
from index.errors import DocumentMissing
from index.types import DocumentInfo, Hit, Json, Passage, PassageRef
from rag import assembly
from rag.encoding import Encoder
from rag.evaluation.datasets import Dataset
from rag.evaluation.measures import relevant
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.run import Plan, Progress, no_progress, select
from rag.retrieval import Ranking, retrieve
from rag.types import Question, Ranked

FIRST = 10  # documents of the order; what stands lower is missed
_ANSWER = 4 * FIRST  # passages that are looked at first for `FIRST` documents that differ

STAGES: Mapping[str, str] = {
    "not ingested": "the collection lacks it, or it has no passage",
    "split apart": "the question has answer spans in it, and no passage holds one of them whole",
    "filtered": "the question's filter leaves it out",
    "not retrieved": "no passage of it is in the pool of either leg",
    "lost in fusion": "a leg alone has it among its first 10 documents, the order of both has not",
    "lost in ranking": "it is in a pool, but neither leg nor both have it among the first 10 documents",
    "collapsed": "it ranks high enough, but its passages say the same as better ones",
}
"""Per stage what it means, in the order in which they are looked at: the first that holds is the one."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A relevant document that was not found, and its rank (from 1, among documents) where it has one."""

    query: str
    document: str
    stage: str
    dense_rank: int | None = None
    lexical_rank: int | None = None
    fused_rank: int | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Of `questions` with `relevant` relevant documents in all, those that were missed."""

    questions: int
    relevant: int
    missed: Sequence[Missed]

    @property
    def stages(self) -> Mapping[str, int]:
        """How many documents were missed at each stage; they add up to all that were."""
        counts = Counter(one.stage for one in self.missed)
        return {stage: counts[stage] for stage in STAGES}

    def json(self) -> Json:
        """Return it as the member `diagnosis` of a result."""
        counts = {"first": FIRST, "questions": self.questions, "relevant": self.relevant, "missed": len(self.missed)}
        return {**counts, "stages": dict(self.stages), "documents": [asdict(one) for one in self.missed]}


def diagnose(
    dataset: Dataset,
    collection: Collection,
    encoder: Encoder,
    plan: Plan,
    *,
    ranking: Ranking | None = None,
    on_progress: Progress = no_progress,
) -> Diagnosis:
    """Ask in hybrid mode the questions of `plan` that have a relevant document, and attribute what is missed.

    `collection` holds the corpus of `dataset`; each leg's pool is the ranking's, or `plan.depth` passages where that
    is more, as in `rag.evaluation.run`. Raises DatasetInvalid where no question is left to ask.
    """
    judged = relevant(dataset.judgements)
    asked = [question for question in select(dataset, plan) if question.id in judged]
    stored = _Stored(collection)
    missed: list[Missed] = []
    total = 0
    for done, question in enumerate(asked, start=1):
        wanted = [document for document, grade in judged[question.id].items() if grade > 0]
        total += len(wanted)
        missed += _missed(question, wanted, _searched(question, collection, encoder, ranking, plan.depth), stored)
        on_progress(done, len(asked))
    return Diagnosis(len(asked), total, missed)


@dataclass(frozen=True, slots=True)
class _Searched:
    """Per order the ranks of its documents: either leg, both, and both without what says the same as better ones."""

    dense: Mapping[str, int]
    lexical: Mapping[str, int]
    fused: Mapping[str, int]
    shown: Mapping[str, int]


def _searched(
    question: DatasetQuestion, collection: Collection, encoder: Encoder, ranking: Ranking | None, depth: int
) -> _Searched:
    asked = Question(question.text, history=question.history, filter=question.filter)
    found = retrieve(asked, collection, encoder, ranking or Ranking(), depth)
    hits, order = found.found.hits, list(found.passages)
    return _Searched(
        dense=_leg(hits, lambda hit: hit.dense_rank),
        lexical=_leg(hits, lambda hit: hit.lexical_rank),
        fused=_ranks(one.stored.document.id for one in order),
        shown=_shown(order),
    )


def _leg(hits: Sequence[Hit], rank: Callable[[Hit], int | None]) -> Mapping[str, int]:
    ranked = sorted((place, hit.ref.document_id) for hit in hits if (place := rank(hit)) is not None)
    return _ranks(document for _, document in ranked)


def _ranks(documents: Iterable[str]) -> Mapping[str, int]:
    return {document: rank for rank, document in enumerate(dict.fromkeys(documents), start=1)}


def _shown(order: Sequence[Ranked]) -> Mapping[str, int]:
    """Return the ranks of the documents that are left; comparing all passages is slow and seldom needed."""
    for most in (_ANSWER, len(order)):
        kept = _ranks(one.stored.document.id for one in assembly.collapse(order[:most], most))
        if len(kept) >= FIRST:
            break
    return kept


def _missed(question: DatasetQuestion, wanted: Sequence[str], searched: _Searched, stored: _Stored) -> Sequence[Missed]:
    lost = [document for document in wanted if not _first(searched.shown, document)]
    return [
        Missed(
            *(question.id, document, _stage(question, document, searched, stored)),
            *(searched.dense.get(document), searched.lexical.get(document), searched.fused.get(document)),
        )
        for document in lost
    ]


def _stage(question: DatasetQuestion, document: str, searched: _Searched, stored: _Stored) -> str:
    """Return the first of `STAGES` that explains why `document` was missed."""
    if not stored.passages(document):
        return "not ingested"
    if _split_apart(question, document, stored):
        return "split apart"
    if question.filter is not None and document not in stored.allowed(json.dumps(question.filter)):
        return "filtered"
    if document not in searched.dense and document not in searched.lexical:
        return "not retrieved"
    if _first(searched.fused, document):
        return "collapsed"
    alone = _first(searched.dense, document) or _first(searched.lexical, document)
    return "lost in fusion" if alone else "lost in ranking"


def _first(ranks: Mapping[str, int], document: str) -> bool:
    return ranks.get(document, FIRST + 1) <= FIRST


def _split_apart(question: DatasetQuestion, document: str, stored: _Stored) -> bool:
    spans = [span for span in question.spans if span.document_id == document]
    whole = (p.start <= span.start and span.end <= p.end for span in spans for p in stored.passages(document))
    return bool(spans) and not any(whole)


class _Stored:
    """What the collection holds, remembered while it is asked for again and again."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.passages = lru_cache(maxsize=2048)(self._passages)
        self.allowed = lru_cache(maxsize=64)(self._allowed)

    def _passages(self, document: str) -> Sequence[Passage]:
        """Return the passages of a document, none where it is not there."""
        try:
            info: DocumentInfo = self._collection.document(document)
        except DocumentMissing:
            return ()
        refs = [PassageRef(document, ordinal, info.sha256) for ordinal in range(info.passages)]
        return [one.passage for one in self._collection.passages(refs)]

    def _allowed(self, condition: str) -> frozenset[str]:
        """Return the ids of the documents that match a filter, written as JSON."""
        return frozenset(self._collection.document_ids(json.loads(condition)))
