"""Which ranking does a collection use? Its own where it was tuned and this version understands it, else the default."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any, get_args, get_type_hints

from index.collection import Collection
from index.types import Json, KeptRanking
from rag.retrieval import Ranking, Retrieved

UNKNOWN = "ranking_unknown"  # in `degraded`: another version of Pincite tuned the collection


@dataclass(frozen=True, slots=True)
class Used:
    """The ranking of one question; `kept` is the one in use in the collection, also where it is not understood."""

    ranking: Ranking
    kept: KeptRanking | None = None
    degraded: tuple[str, ...] = ()

    @property
    def version(self) -> int | None:
        """The version of the collection's own ranking that ranks, None where the product's does."""
        return None if self.kept is None or self.degraded else self.kept.version


def used_by(collection: Collection) -> Used:
    """Return the ranking of questions to `collection`, which costs no look at the truth.

    Settings that this version of Pincite does not know exactly are not used in part, because nobody measured that: then
    the default ranks, and `degraded` says so.
    """
    kept = collection.ranking
    own = None if kept is None else understood(kept.settings)
    if own is None:
        return Used(Ranking(), kept, () if kept is None else (UNKNOWN,))
    return Used(own, kept)


def retrieved_by(
    collection: Collection, ranking: Ranking | None, retrieve: Callable[[Ranking], Retrieved]
) -> tuple[Retrieved, Used]:
    """Find by `ranking`, or without one by the collection's own: again where another was chosen meanwhile."""
    while True:
        used = used_by(collection) if ranking is None else Used(ranking)
        found = retrieve(used.ranking)
        if ranking is not None or used.kept == found.found.ranking:
            return found, used


def understood(settings: Mapping[str, Json]) -> Ranking | None:
    """Return the ranking that was written as `settings`; None for fields or values that are not those of `Ranking`."""
    if settings.keys() != {one.name for one in fields(Ranking)}:
        return None
    return Ranking(**settings) if all(_fits(name, value) for name, value in settings.items()) else None


def settings_of(ranking: Ranking) -> Mapping[str, Json]:
    """Return `ranking` as the JSON object that `understood` reads."""
    return asdict(ranking)


def _fits(name: str, value: Json) -> bool:
    kind = _hints()[name]
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    return value in get_args(kind) if get_args(kind) else type(value) is kind


@cache
def _hints() -> Mapping[str, Any]:
    return get_type_hints(Ranking)
