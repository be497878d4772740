"""The seam between the commands and what they work on: this process, or the server that holds the data folder.

Everything goes in and comes out as the JSON of the HTTP contract, so that a command prints the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import Any, Protocol

Json = dict[str, Any]


class Refused(Exception):
    """A server refused, or cannot be reached; `usage` where the command was written wrongly."""

    def __init__(self, message: str, *, usage: bool = False) -> None:
        super().__init__(message)
        self.usage = usage


class GivenFile(Protocol):
    """A file that is read when its turn has come."""

    @property
    def name(self) -> str:
        """The name that its documents are known by."""
        ...

    def read(self) -> bytes:
        """Return its bytes; raises OSError."""
        ...


class Service(Protocol):
    """What commands ask for; api/cli/local.py and api/cli/remote.py do it."""

    def ask(self, body: Json) -> Json:
        """Answer a body of `/v1/ask`."""
        ...

    def search(self, body: Json) -> Json:
        """Answer a body of `/v1/search`."""
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

    def verify(self, *, repair: bool) -> Sequence[str]:
        """Return what is wrong with the data folder."""
        ...

    def info(self) -> Json:
        """Return versions, model and counts."""
        ...
