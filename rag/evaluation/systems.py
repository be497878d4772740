"""What is measured: anything that finds passages and answers; here, a collection asked in process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol

from index.collection import Collection
from index.errors import DocumentMissing
from rag.ask import ask, search
from rag.encoding import Encoder
from rag.evaluation.questions import DatasetQuestion
from rag.reading import Reader
from rag.retrieval import Ranking
from rag.types import Answer, AnswerPassage, Mode, Question

Name = Literal["dense", "lexical", "hybrid", "reader"]
NAMES: Sequence[Name] = ("dense", "lexical", "hybrid", "reader")
"""Our systems: the first stage in each mode, and what a reader makes of hybrid's passages, which is what users get."""


def mode_of(name: Name) -> Mode:
    """Return the mode that the first stage of a system is asked in."""
    return "hybrid" if name == "reader" else name


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
    """A collection with its encoder, asked in one mode through `rag.ask`; without `reader` nothing is read.

    `min_confidence`, 0 to 1, takes the place of the reader's threshold.
    """

    def __init__(
        self,
        collection: Collection,
        encoder: Encoder,
        mode: Mode,
        ranking: Ranking,
        *,
        reader: Reader | None = None,
        min_confidence: float | None = None,
    ) -> None:
        self.degraded: set[str] = set()
        self._collection, self._encoder, self._mode, self._ranking = collection, encoder, mode, ranking
        self._reader, self._min_confidence = reader, min_confidence

    def search(self, questions: Sequence[DatasetQuestion], depth: int) -> Sequence[Sequence[AnswerPassage]]:
        """Return per question at most `depth` passages, best first, as `/v1/search` does."""
        asked = [replace(self._question(question), top_k=depth) for question in questions]
        results = search(asked, self._collection, self._encoder, self._ranking, reader=self._reader, highlight=False)
        for result in results:
            self.degraded.update(result.degraded)
        return [result.passages for result in results]

    def ask(self, question: DatasetQuestion) -> Answer:
        """Return the answer as `/v1/ask` gives it, with as many passages as it gives unless told otherwise."""
        asked, reader = self._question(question), self._reader
        (answer,) = ask(asked, self._collection, self._encoder, self._ranking, reader=reader, candidates=False)
        assert isinstance(answer, Answer)
        self.degraded.update(answer.degraded)
        return answer

    def text(self, document_id: str) -> str | None:
        """Return the stored text of a document, None where it is gone."""
        try:
            return self._collection.text(document_id)
        except DocumentMissing:
            return None

    def _question(self, question: DatasetQuestion) -> Question:
        return Question(
            question.text,
            mode=self._mode,
            history=question.history,
            filter=question.filter,
            read=self._reader is not None,
            min_confidence=self._min_confidence,
        )
