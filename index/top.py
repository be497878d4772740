"""The best of many scored keys, with every tie at the cut: what both views answer with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from index.keys import Keys

Scores: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Top:
    """The best keys, best first, with all that tie with the last; `complete` says that nothing else matched."""

    keys: Keys
    scores: Scores
    complete: bool


def best(keys: Keys, scores: Scores, limit: int, *, exhausted: bool) -> Top:
    """Return the `limit` best of candidates with all ties at the cut; `exhausted` says that there are no others."""
    if limit < 1 or not len(keys):
        return Top(keys[:0], scores[:0], complete=exhausted and not len(keys))
    order = np.lexsort((keys, -scores))
    kept = order[: int(np.count_nonzero(scores >= cut(scores, limit)))]
    return Top(keys[kept], scores[kept], complete=exhausted and len(kept) == len(order))


def cut(scores: Scores, limit: int) -> float:
    """Return the score of the last that is kept: the `limit`-th best, or the least where there are fewer."""
    place = max(0, len(scores) - limit)
    return float(np.partition(scores, place)[place])
