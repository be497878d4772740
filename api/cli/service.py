"""The seam between the commands and what they work on: this process, or the server that holds the data folder.

Everything goes in and comes out as the JSON of the HTTP contract, so that a command prints the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import Any, Protocol

from rag.folders import GivenFile

Json = dict[str, Any]
_IDS = 1_000  # in one filter, and in the answer to it
_USAGE_FIELDS = frozenset({"query", "filter", "name"})


class Refused(Exception):
    """A server refused, with its `code`, or cannot be reached; `usage` where the command was written wrongly."""

    def __init__(self, message: str, *, usage: bool = False, code: str = "") -> None:
        super().__init__(message)
        self.usage, self.code = usage, code


def refused(detail: str, code: str, field: str, status: int) -> Refused:
    """Return the error that a problem document tells: of the usage where it is about what was written as an option."""
    return Refused(detail, usage=status == 422 and field.partition(".")[0] in _USAGE_FIELDS, code=code)


class Service(Protocol):
    """What commands ask for; api/cli/local.py and api/cli/remote.py do it."""

    def ask(self, body: Json) -> Json:
        """Answer a body of `/v1/ask`."""
        ...

    def search(self, body: Json) -> Json:
        """Answer a body of `/v1/search`."""
        ...

    def check(self, body: Json) -> Json:
        """Answer a body of `/v1/check`."""
        ...

    def ingest(
        self, collection: str, files: Iterable[GivenFile], on_file: Callable[[int], None]
    ) -> Iterator[tuple[int, Json]]:
        """Add files and yield the result of each document with its file's place; `on_file` hears how many were read."""
        ...

    def remove_others(self, collection: str, keep: Set[str]) -> Sequence[str]:
        """Delete every document whose id is not in `keep`; return the ids."""
        ...

    def token(self, collection: str) -> str:
        """Return the token of the newest state."""
        ...

    def documents(self, collection: str) -> Iterator[Json]:
        """Yield every document without its text, by id."""
        ...

    def document(self, collection: str, document_id: str) -> Json:
        """Return one document with its `text`."""
        ...

    def delete(self, collection: str, condition: Any, *, dry_run: bool = False) -> Json:
        """Answer what `/v1/documents/delete` does."""
        ...

    def collections(self) -> list[Json]:
        """Return every collection with its counts."""
        ...

    def create(self, name: str) -> bool:
        """Make a collection; return whether it is new."""
        ...

    def drop(self, name: str) -> None:
        """Drop a collection with all of its documents."""
        ...

    def tune(self, collection: str, body: Json) -> Json:
        """Answer a body of `POST /v1/collections/{name}/rankings`."""
        ...

    def rankings(self, collection: str) -> Json:
        """Return the rankings that are kept with a collection."""
        ...

    def use_ranking(self, collection: str, version: int | None) -> Json:
        """Rank by a version that is kept, or with None as Pincite does."""
        ...

    def verify(self, *, repair: bool) -> Sequence[str]:
        """Return what is wrong with the data folder."""
        ...

    def info(self) -> Json:
        """Return versions, model and counts."""
        ...


def delete_ids(at_work: Service, collection: str, document_ids: Sequence[str]) -> list[str]:
    """Delete documents by id, as many in a call as a filter can name; return the ids of those that were there."""
    gone: list[str] = []
    for start in range(0, len(document_ids), _IDS):
        condition = {"field": "document_id", "in": list(document_ids[start : start + _IDS])}
        gone += at_work.delete(collection, condition)["ids"]
    return gone


def described(
    version: str, python: str, data: str, encoder: Json, reader: Json | None, collections: Iterable[Json]
) -> Json:
    """Return what `pincite info` tells; `collections` are as `Service.collections` returns them."""
    told = ("documents", "passages", "dense", "pending", "ranking")
    return {
        "version": version,
        "python": python,
        "data": data,
        "encoder": encoder,
        "reader": reader,
        "collections": {one["name"]: {name: one[name] for name in told} for one in collections},
    }
