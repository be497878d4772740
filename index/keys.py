"""A set of passage keys as ascending disjoint ranges, which is how documents lie in the truth.

Keys are the integers that the truth gives to passages; they are never reused and never leave index/.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Keys: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys `starts[i]` to `stops[i]` (exclusive) for every i; both int64 of shape (n,), ascending and disjoint."""

    starts: Keys
    stops: Keys

    @classmethod
    def of(cls, ranges: Iterable[range]) -> KeySet:
        """Return the set of the keys in `ranges`, which are disjoint, come in any order and may be empty."""
        bounds = sorted((keys.start, keys.stop) for keys in ranges if len(keys))
        pairs = np.array(bounds, dtype=np.int64).reshape(-1, 2)
        return cls(pairs[:, 0].copy(), pairs[:, 1].copy())

    def __len__(self) -> int:
        return int((self.stops - self.starts).sum())

    def contains(self, keys: Keys) -> NDArray[np.bool_]:
        """Return, for each of `keys` (int64, any order), whether it is in the set."""
        if not len(self.starts):
            return np.zeros(len(keys), dtype=np.bool_)
        nearest = np.searchsorted(self.starts, keys, side="right") - 1
        within: NDArray[np.bool_] = (nearest >= 0) & (keys < self.stops[nearest])
        return within

    def to_array(self) -> Keys:
        """Return all keys, ascending."""
        ranges = [np.arange(start, stop) for start, stop in zip(self.starts, self.stops, strict=True)]
        return np.concatenate([np.zeros(0, np.int64), *ranges])
