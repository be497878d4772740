"""The dense view: vectors to passage keys, exactly, by FAISS.

A view is an immutable value; a change makes a new one that shares the segments it did not touch, so readers hold no
lock. Each change adds a segment, and the newest segments are merged while they are of similar size, so that there are
about log(n) of them. What is deleted is marked in a copy of its segment's bitmap and left out of the next merge.

FAISS finds candidates by float32 products, whose last digits depend on where a vector lies; candidates are therefore
scored again by `exact_scores`, which does not, and kept with every tie at the cut. So one set of vectors gives the
same scores and the same order in whatever segments it lies. The view lives in memory only: it is read from the vectors
in the truth when a collection is opened, which takes less than a second for 100,000 passages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import faiss
import numpy as np
from numpy.typing import NDArray

from index.keys import Keys, KeySet
from index.top import Scores, Top, best, cut
from index.types import Vectors

Mask = NDArray[np.bool_]

DECIMALS = 6
MARGIN = 16  # candidates beyond the limit, so that the first look is mostly the last
UNCERTAIN = 1e-5  # more than a float32 product of unit vectors can be off, rounding included


def exact_scores(vector: Vectors, rows: Vectors) -> Scores:
    """Return the cosine of `vector` (dimension,) with each of `rows` (n, dimension), both float32 unit vectors.

    float64 of shape (n,), rounded to 6 decimals; each row is multiplied and summed by itself, so a score depends on
    nothing but the two vectors.
    """
    products = rows.astype(np.float64) * vector.astype(np.float64)
    cosines: Scores = np.round(products.sum(axis=1), DECIMALS)
    return cosines


@dataclass(frozen=True, slots=True)
class Segment:
    """Vectors that never change: a FAISS index, its keys (int64, ascending) and which of them still live."""

    index: faiss.IndexFlatIP
    keys: Keys
    alive: Mask

    @classmethod
    def of(cls, keys: Keys, vectors: Vectors) -> Segment:
        """Return a segment of `vectors` (n, dimension) under ascending `keys` (n,)."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(index, keys, np.ones(len(keys), dtype=np.bool_))

    @property
    def count(self) -> int:
        """How many of the vectors live."""
        return int(np.count_nonzero(self.alive))

    @property
    def vectors(self) -> Vectors:
        """All vectors, dead ones too, without a copy: float32 (n, dimension); valid while the segment is held."""
        flat: Vectors = faiss.rev_swig_ptr(self.index.get_xb(), self.index.ntotal * self.index.d)
        return flat.reshape(self.index.ntotal, self.index.d)

    def without(self, removed: KeySet) -> Segment:
        """Return the segment with the keys in `removed` marked dead; itself when it has none of them."""
        gone = removed.contains(self.keys) & self.alive
        return replace(self, alive=self.alive & ~gone) if gone.any() else self

    def positions(self, keys: Keys) -> tuple[Mask, Keys]:
        """Return which of `keys` lie here and live, and the row of each of those."""
        rows = np.searchsorted(self.keys, keys)
        rows[rows == len(self.keys)] = 0
        here: Mask = (self.keys[rows] == keys) & self.alive[rows]
        return here, rows[here]

    def search(self, vector: Vectors, count: int, allowed: KeySet | None) -> tuple[Keys, Scores, float | None]:
        """Return keys and exact scores of about the `count` best allowed rows, and a bound on all others' products.

        The bound is None when there are no others.
        """
        mask = self.alive if allowed is None else self.alive & allowed.contains(self.keys)
        eligible = int(np.count_nonzero(mask))
        if not eligible:
            return self.keys[:0], np.zeros(0), None
        faiss.omp_set_num_threads(1)  # it counts for the calling thread only; more threads per question were slower
        everything = eligible == len(self.keys)
        parameters = None if everything else _selecting(mask)
        products, found = self.index.search(vector[np.newaxis], min(count, eligible), params=parameters)
        rows = found[0][found[0] >= 0]
        bound = float(products[0][len(rows) - 1]) if len(rows) < eligible else None
        return self.keys[rows], exact_scores(vector, self.vectors[rows]), bound


@dataclass(frozen=True, slots=True)
class DenseView:
    """An immutable state of the dense view; vectors are float32 unit vectors of `dimension`."""

    dimension: int
    segments: tuple[Segment, ...] = ()

    @property
    def count(self) -> int:
        """How many passages can be found."""
        return sum(segment.count for segment in self.segments)

    def changed(self, removed: Iterable[range], keys: Keys, vectors: Vectors) -> DenseView:
        """Return the view after a change: without the `removed` keys, and with `vectors` (n, dimension) under `keys`.

        A change that comes twice changes nothing: keys that are here already are not added again. What was removed
        does not come again, because keys are never reused and the truth no longer has its vector.
        """
        gone = KeySet.of(removed)
        segments = [segment.without(gone) for segment in self.segments] if len(gone) else list(self.segments)
        fresh = ~self._known(keys) & ~gone.contains(keys)
        if fresh.any():
            order = np.argsort(keys[fresh])
            segments.append(Segment.of(keys[fresh][order], vectors[fresh][order]))
        return DenseView(self.dimension, _settled([segment for segment in segments if segment.count]))

    def compacted(self) -> DenseView:
        """Return the view in one segment, without what was deleted."""
        return DenseView(self.dimension, (_merged(self.segments),)) if self.count else DenseView(self.dimension)

    def top(self, vector: Vectors, limit: int, allowed: KeySet | None = None) -> Top:
        """Return the `limit` keys whose vectors are most similar to `vector` (dimension,), of those in `allowed`.

        Scores are exact cosines (see `exact_scores`); every key that ties with the last one is there too.
        """
        count = limit + MARGIN
        while True:
            parts = [segment.search(vector, count, allowed) for segment in self.segments]
            keys = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)])
            scores = np.concatenate([np.zeros(0), *(part[1] for part in parts)])
            bounds = [bound for _, _, bound in parts if bound is not None]
            if not bounds or (len(scores) >= limit and cut(scores, limit) > max(bounds) + UNCERTAIN):
                return best(keys, scores, limit, exhausted=not bounds)
            count *= 2

    def scores(self, vector: Vectors, keys: Sequence[int]) -> dict[int, float]:
        """Return the exact cosine of `vector` (dimension,) with each of `keys` that is here."""
        wanted = np.array(keys, dtype=np.int64)
        found: dict[int, float] = {}
        for segment in self.segments if keys else ():
            here, rows = segment.positions(wanted)
            exact = exact_scores(vector, segment.vectors[rows])
            found.update(zip(wanted[here].tolist(), exact.tolist(), strict=True))
        return found

    def _known(self, keys: Keys) -> Mask:
        """Return which of `keys` are in the view, dead ones too."""
        known = np.zeros(len(keys), dtype=np.bool_)
        for segment in self.segments:
            known |= np.isin(keys, segment.keys)
        return known


def _selecting(mask: Mask) -> faiss.SearchParameters:
    """Return FAISS's parameters for a search among the rows where `mask` is true."""
    bits = np.packbits(mask, bitorder="little")
    # FAISS's stubs know the C++ constructors, and not the Python ones that also keep the array alive.
    return faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))  # type: ignore[call-arg,arg-type]


def _settled(segments: list[Segment]) -> tuple[Segment, ...]:
    """Merge the newest segments while the older of the last two is less than twice as long as the newer."""
    while len(segments) > 1 and segments[-2].count < 2 * segments[-1].count:
        segments[-2:] = [_merged(segments[-2:])]
    return tuple(segments)


def _merged(segments: Sequence[Segment]) -> Segment:
    """Return one segment of all that lives in `segments`, ordered by key."""
    keys = np.concatenate([segment.keys[segment.alive] for segment in segments])
    vectors = np.concatenate([segment.vectors[segment.alive] for segment in segments])
    order = np.argsort(keys)
    return Segment.of(keys[order], vectors[order])
