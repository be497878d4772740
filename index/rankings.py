"""The rankings that a collection was tuned to: numbered versions, of which one is in use, or none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from index import dates
from index.errors import RankingMissing
from index.reading import Reader
from index.store import Store
from index.types import Json, KeptRanking
from index.writing import Writer

_ALL = """
SELECT r.version, r.created, r.settings, r.figures, r.version IS c.ranking
FROM ranking r JOIN collection c ON c.id = r.collection WHERE c.id = ? ORDER BY r.version
"""


def kept(reader: Reader, collection: int) -> list[KeptRanking]:
    """Return the rankings of the collection of that number, oldest first."""
    return [
        KeptRanking(version, created, json.loads(settings), json.loads(figures), bool(in_use))
        for version, created, settings, figures, in_use in reader.sql(_ALL, collection)
    ]


def in_use(reader: Reader, collection: int) -> KeptRanking | None:
    """Return the ranking that the collection of that number uses, None where it is the product's own."""
    return next((one for one in kept(reader, collection) if one.in_use), None)


class Rankings:
    """The rankings of one collection. Choosing one is a change like any other, so views and tokens follow it."""

    def __init__(self, store: Store, collection: int, changing: Callable[[], AbstractContextManager[Writer]]) -> None:
        """`collection` is its number; `changing` yields a writer, after whose transaction the views catch up."""
        self._store, self._collection, self._changing = store, collection, changing

    def all(self) -> Sequence[KeptRanking]:
        """Return every version, oldest first."""
        with self._store.reading() as reader:
            return kept(reader, self._collection)

    def add(self, settings: Mapping[str, Json], figures: Mapping[str, Json]) -> int:
        """Keep a ranking under the next version, use it from now on, and return the version."""
        written = (json.dumps(dict(one), ensure_ascii=False) for one in (settings, figures))
        with self._changing() as writer:
            ((known,),) = writer.sql("SELECT count(*) FROM ranking WHERE collection = ?", self._collection)
            version = int(known) + 1
            writer.sql("INSERT INTO ranking VALUES (?, ?, ?, ?, ?)", self._collection, version, dates.now(), *written)
            self._choose(writer, version)
        return version

    def use(self, version: int | None) -> None:
        """Use a version from now on, or with None the product's own ranking; raises `RankingMissing`."""
        with self._changing() as writer:
            if version is not None and version not in {one.version for one in kept(writer, self._collection)}:
                raise RankingMissing(f"The collection has no ranking {version}; `pincite tune --history` lists them.")
            self._choose(writer, version)

    def _choose(self, writer: Writer, version: int | None) -> None:
        writer.sql("UPDATE collection SET ranking = ? WHERE id = ?", version, self._collection)
        writer.note_change(self._collection)
