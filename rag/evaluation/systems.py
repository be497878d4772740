"""What is measured: anything that finds passages and answers; here, a collection asked in process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from index.collection import Collection
from index.errors import DocumentMissing
from rag.ask import ask, search
from rag.encoding import Encoder
from rag.evaluation.questions import DatasetQuestion
from rag.retrieval import Ranking
from rag.types import Answer, AnswerPassage, Mode, Question


class System(Protocol):
    """Something that can be asked; what it could not do fully it adds to `degraded`."""

    degraded: set[str]

    def search(self, questions: Sequence[DatasetQuestion], depth: int) -> Sequence[Sequence[AnswerPassage]]:
        """Return per question at most `depth` passages, best first."""
        ...

    def ask(self, question: DatasetQuestion) -> Answer:
        """Return the answer as a user would see it."""
        ...

    def text(self, document_id: str) -> str | None:
        """Return the stored text of a document, None where there is none."""
        ...


class CollectionSystem:
    """A collection with its encoder, asked in one mode through `rag.ask`."""

    def __init__(self, collection: Collection, encoder: Encoder, mode: Mode, ranking: Ranking) -> None:
        self.degraded: set[str] = set()
        self._collection, self._encoder, self._mode, self._ranking = collection, encoder, mode, ranking

    def search(self, questions: Sequence[DatasetQuestion], depth: int) -> Sequence[Sequence[AnswerPassage]]:
        """Return per question at most `depth` passages, best first, as `/v1/search` does."""
        asked = [replace(self._question(question), top_k=depth) for question in questions]
        results = search(asked, self._collection, self._encoder, self._ranking, highlight=False)
        for result in results:
            self.degraded.update(result.degraded)
        return [result.passages for result in results]

    def ask(self, question: DatasetQuestion) -> Answer:
        """Return the answer as `/v1/ask` gives it, with as many passages as it gives unless told otherwise."""
        steps = ask(self._question(question), self._collection, self._encoder, self._ranking)
        answer = next(step for step in steps if isinstance(step, Answer))
        self.degraded.update(answer.degraded)
        return answer

    def text(self, document_id: str) -> str | None:
        """Return the stored text of a document, None where it is gone."""
        try:
            return self._collection.text(document_id)
        except DocumentMissing:
            return None

    def _question(self, question: DatasetQuestion) -> Question:
        return Question(question.text, mode=self._mode, history=question.history, filter=question.filter)
