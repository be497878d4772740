"""The commands' work done in this process, which holds the data folder; the model is loaded when a text needs it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from api.cli.service import Json, described, refused
from api.deleting import delete_matching
from api.limits import LIST_PAGE
from api.problems import from_validation
from api.schemas import AskRequest, CheckRequest, SearchRequest, TuningRequest
from api.translations import answer_json, as_json, check_out, document_out, result_out, search_json, summary_out
from api.tuning import choose_ranking, rankings, tuned
from api.versions import version_of
from api.wiring import Pincite
from index.collection import Collection
from rag.ask import Candidates, ask, search
from rag.claims import check
from rag.folders import GivenFile
from rag.ingest import Ingest

Request = TypeVar("Request", bound=BaseModel)


class Local:
    """A `Service` over an open data folder."""

    def __init__(self, pincite: Pincite) -> None:
        self._pincite = pincite

    def ask(self, body: Json) -> Json:
        """Answer a body of `/v1/ask`."""
        collection, parts = self._collection(body["collection"]), self._pincite
        question = _valid(AskRequest, body).question
        *_, answer = ask(question, collection, parts.encoder, reader=parts.reader)
        assert not isinstance(answer, Candidates)
        return answer_json(answer, self._pincite.config_digest)

    def search(self, body: Json) -> Json:
        """Answer a body of `/v1/search`."""
        collection, parts = self._collection(body["collection"]), self._pincite
        found = search(_valid(SearchRequest, body).questions, collection, parts.encoder, reader=parts.reader)
        return search_json(found, self._pincite.config_digest)

    def check(self, body: Json) -> Json:
        """Answer a body of `/v1/check`."""
        asked, parts = _valid(CheckRequest, body), self._pincite
        collection = self._collection(asked.collection)
        checked = check(asked.text, collection, parts.encoder, parts.reader, filter=asked.condition)
        return as_json(check_out(checked, parts.config_digest))

    def ingest(
        self, collection: str, files: Iterable[GivenFile], on_file: Callable[[int], None]
    ) -> Iterator[tuple[int, Json]]:
        """Add files and yield the result of each document with its file's place."""
        for place, result in self._journey(collection).files(files, on_file):
            yield place, as_json(result_out(result))

    def remove_others(self, collection: str, keep: Set[str]) -> Sequence[str]:
        """Delete every document whose id is not in `keep`; return the ids."""
        return self._journey(collection).remove_others(keep)

    def token(self, collection: str) -> str:
        """Return the token of the newest state."""
        return self._collection(collection).token

    def documents(self, collection: str) -> Iterator[Json]:
        """Yield every document without its text, by id."""
        after: str | None = None
        while page := self._collection(collection).documents(after=after, limit=LIST_PAGE):
            yield from (as_json(document_out(document, collection)) for document in page)
            after = page[-1].id

    def document(self, collection: str, document_id: str) -> Json:
        """Return one document with its `text`."""
        place = self._collection(collection)
        return {**as_json(document_out(place.document(document_id), collection)), "text": place.text(document_id)}

    def delete(self, collection: str, condition: Any, *, dry_run: bool = False) -> Json:
        """Answer what `/v1/documents/delete` does."""
        return as_json(delete_matching(self._collection(collection), condition, dry_run, self._pincite.config_digest))

    def collections(self) -> list[Json]:
        """Return every collection with its counts."""
        infos = [self._collection(name).info() for name in self._pincite.catalog.names()]
        return [as_json(summary_out(info, self._pincite.config_digest)) for info in infos]

    def create(self, name: str) -> bool:
        """Make a collection; return whether it is new."""
        return self._pincite.catalog.create(name)

    def drop(self, name: str) -> None:
        """Drop a collection with all of its documents."""
        self._pincite.catalog.drop(name)

    def tune(self, collection: str, body: Json) -> Json:
        """Answer a body of `POST /v1/collections/{name}/rankings`."""
        return as_json(tuned(self._pincite, collection, _valid(TuningRequest, body)))

    def rankings(self, collection: str) -> Json:
        """Return the rankings that are kept with a collection."""
        return as_json(rankings(self._pincite, collection))

    def use_ranking(self, collection: str, version: int | None) -> Json:
        """Rank by a version that is kept, or with None as Pincite does."""
        return as_json(choose_ranking(self._pincite, collection, version))

    def verify(self, *, repair: bool) -> Sequence[str]:
        """Return what is wrong with the data folder."""
        return self._pincite.catalog.repair() if repair else self._pincite.catalog.verify()

    def info(self) -> Json:
        """Return versions, model and counts."""
        encoder, reader = self._pincite.encoder, self._pincite.reader
        return described(
            version_of("pincite"),
            platform.python_version(),
            str(self._pincite.settings.data),
            {"fingerprint": encoder.fingerprint, "dimension": encoder.dimension, "runtime": encoder.runtime},
            {"fingerprint": reader.fingerprint, "runtime": reader.runtime} if reader else None,
            self.collections(),
        )

    def _collection(self, name: str) -> Collection:
        return self._pincite.catalog.collection(name)

    def _journey(self, collection: str) -> Ingest:
        return Ingest(self._collection(collection), self._pincite.encoder)


def _valid(model: type[Request], body: Json) -> Request:
    """Return the body as the server reads it; raises Refused where the server would refuse it."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        told = from_validation(error.errors())
        raise refused(str(told.detail), told.code, told.field or "", told.status_code) from error
