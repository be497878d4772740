"""A set of passage keys as ascending disjoint ranges, which is how documents lie in the truth.

Keys are the integers that the truth gives to passages; they are never reused and never leave index/.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Keys: TypeAlias = NDArray[np.int64]
REMEMBERED = 16  # arrays of keys that a set knows its part of


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys `starts[i]` to `stops[i]` (exclusive) for every i; both int64 of shape (n,), ascending and disjoint."""

    starts: Keys
    stops: Keys
    # What `among` found for an array of keys; the array is kept too, so that no other one can get its identity.
    _among: dict[int, tuple[Keys, NDArray[np.bool_]]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, ranges: Iterable[range]) -> KeySet:
        """Return the set of the keys in `ranges`, which are disjoint, come in any order and may be empty."""
        return cls.of_counts((keys.start, len(keys)) for keys in ranges)

    @classmethod
    def of_counts(cls, counts: Iterable[tuple[int, int]]) -> KeySet:
        """Return the set of `count` keys from `first` on for each (first, count), disjoint and in any order."""
        pairs = np.array([*counts], dtype=np.int64).reshape(-1, 2)
        pairs = pairs[pairs[:, 1] > 0]
        pairs = pairs[np.argsort(pairs[:, 0])]
        starts, stops = pairs[:, 0], pairs.sum(axis=1)
        # Neighbours become one range: most filters leave long runs.
        first = np.ones(len(pairs), dtype=np.bool_)
        first[1:] = starts[1:] != stops[:-1]
        last = np.ones(len(pairs), dtype=np.bool_)
        last[:-1] = first[1:]
        return cls(starts[first], stops[last])

    def __len__(self) -> int:
        return int((self.stops - self.starts).sum())

    def contains(self, keys: Keys) -> NDArray[np.bool_]:
        """Return, for each of `keys` (int64, any order), whether it is in the set."""
        if not len(self.starts):
            return np.zeros(len(keys), dtype=np.bool_)
        nearest = np.searchsorted(self.starts, keys, side="right") - 1
        within: NDArray[np.bool_] = (nearest >= 0) & (keys < self.stops[nearest])
        return within

    def among(self, keys: Keys) -> NDArray[np.bool_]:
        """Return what `contains` does, for `keys` that are ascending: quicker where they are many, and remembered."""
        known = self._among.get(id(keys))
        if known is not None and known[0] is keys:
            return known[1]
        steps = np.zeros(len(keys) + 1, dtype=np.int32)
        np.add.at(steps, np.searchsorted(keys, self.starts), 1)
        np.add.at(steps, np.searchsorted(keys, self.stops), -1)
        inside: NDArray[np.bool_] = np.cumsum(steps[:-1]) > 0
        if len(self._among) < REMEMBERED:
            self._among[id(keys)] = keys, inside
        return inside

    def to_array(self) -> Keys:
        """Return all keys, ascending."""
        lengths = self.stops - self.starts
        steps = np.ones(int(lengths.sum()), dtype=np.int64)
        if len(steps):
            steps[0] = self.starts[0]
            steps[np.cumsum(lengths[:-1])] = self.starts[1:] - self.stops[:-1] + 1
        keys: Keys = np.cumsum(steps)
        return keys
