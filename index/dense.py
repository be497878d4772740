"""The dense view: vectors to passage keys by FAISS, exactly where few vectors are looked at, by codes where many are.

A view is an immutable value; a change makes a new one that shares the segments it did not touch, so readers hold no
lock. Each change adds a segment, and the newest segments are merged while they are of similar size, so that there are
about log(n) of them. What is deleted is marked in a copy of its segment's bitmap and left out of the next merge.

FAISS finds candidates by float32 products, whose last digits depend on where a vector lies; candidates are therefore
scored again by `exact_scores`, which does not, and kept with every tie at the cut. So one set of vectors gives the
same scores and the same order in whatever segments it lies.

A large segment also has a code of one bit for each dimension of each vector (`Codes`). It names some hundreds of
candidates, which are scored by their vectors like any others, so codes can miss a passage but never change a score. The
view lives in memory only: it is read from the vectors in the truth when a collection is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import faiss
import numpy as np
from numpy.typing import NDArray

from index.keys import Keys, KeySet
from index.top import Scores, Top, best, cut
from index.types import Vectors

Mask = NDArray[np.bool_]

DECIMALS = 6
CODED = 32_768  # vectors from which a segment has codes: below, reading every vector is as quick
NARROW = 2_000  # rows that a filter may leave for each of them to be scored, codes or not
DEPTH = 640  # candidates that codes name at least
DEEPER = 3  # and for each of those that are wanted
QUICK = 1_024  # candidates up to which FAISS's fast scan is the fast one; beyond it was five times slower
TRAINED_ON = 65_536  # vectors whose mean the codes are relative to
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
class Codes:
    """RaBitQ codes of a segment's vectors (Gao and Long, "RaBitQ", SIGMOD 2024), in the order of its rows.

    FAISS scans one form of them quickest, and filters the other by a bitmap while it scans; each is 48 bytes a vector
    of 384 dimensions.
    """

    scanned: faiss.IndexRaBitQFastScan
    filtered: faiss.IndexRaBitQ

    @classmethod
    def of(cls, vectors: Vectors) -> Codes:
        """Return the codes of `vectors` (n, dimension), the same ones for the same vectors."""
        codes = cls(
            faiss.IndexRaBitQFastScan(vectors.shape[1], faiss.METRIC_INNER_PRODUCT),
            faiss.IndexRaBitQ(vectors.shape[1], faiss.METRIC_INNER_PRODUCT),
        )
        sample = np.ascontiguousarray(vectors[:: max(1, len(vectors) // TRAINED_ON)])
        for index in (codes.scanned, codes.filtered):
            index.train(sample)
            index.add(vectors)
        return codes

    def search(self, vector: Vectors, depth: int, mask: Mask | None) -> Keys:
        """Return about the `depth` best rows of those where `mask` is true, of all without one."""
        if mask is None and depth <= QUICK:
            return cast(Keys, self.scanned.search(vector[np.newaxis], depth)[1][0])
        parameters = faiss.RaBitQSearchParameters(sel=None if mask is None else _selector(mask), qb=4)  # type: ignore[call-arg]
        return cast(Keys, self.filtered.search(vector[np.newaxis], depth, params=parameters)[1][0])


@dataclass(frozen=True, slots=True)
class Segment:
    """Vectors that never change: a FAISS index, keys (int64, ascending), which still live, and codes if large."""

    index: faiss.IndexFlatIP
    keys: Keys
    alive: Mask
    codes: Codes | None = None

    @classmethod
    def of(cls, keys: Keys, vectors: Vectors) -> Segment:
        """Return a segment of `vectors` (n, dimension) under ascending `keys` (n,)."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        codes = Codes.of(vectors) if len(keys) >= CODED else None
        return cls(index, keys, np.ones(len(keys), dtype=np.bool_), codes)

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
        gone = removed.among(self.keys) & self.alive
        return replace(self, alive=self.alive & ~gone) if gone.any() else self

    def positions(self, keys: Keys) -> tuple[Mask, Keys]:
        """Return which of `keys` lie here and live, and the row of each of those."""
        held, rows = self._rows(keys)
        here: Mask = held & self.alive[rows]
        return here, rows[here]

    def holds(self, keys: Keys) -> Mask:
        """Return which of `keys` lie here, dead ones too."""
        return self._rows(keys)[0]

    def _rows(self, keys: Keys) -> tuple[Mask, Keys]:
        """Return which of `keys` lie here, and the row of each; the row of one that does not means nothing."""
        rows = np.searchsorted(self.keys, keys)
        rows[rows == len(self.keys)] = 0
        return self.keys[rows] == keys, rows

    def search(self, vector: Vectors, count: int, allowed: KeySet | None) -> tuple[Keys, Scores, float | None]:
        """Return keys and exact scores of about the `count` best allowed rows, and a bound on all others' products.

        The bound is None when there are no others; where codes chose, it bounds the others that they named.
        """
        mask = self.alive if allowed is None else self.alive & allowed.among(self.keys)
        eligible = int(np.count_nonzero(mask))
        if not eligible:
            return self.keys[:0], np.zeros(0), None
        faiss.omp_set_num_threads(1)  # it counts for the calling thread only; more threads per question were slower
        depth = max(DEPTH, DEEPER * count)
        if self.codes is None:
            rows, bound = self._scan(vector, min(count, eligible), mask, eligible)
        elif eligible <= max(NARROW, depth):
            rows, bound = self._best_of(vector, np.flatnonzero(mask), count)
        else:
            # Few enough rows are dead that they are left out afterwards; a filter has to be part of the scan.
            named = self.codes.search(vector, depth, None if allowed is None else mask)
            named = named[named >= 0]
            rows, bound = self._best_of(vector, named[mask[named]], count)
            bound = -1.0 if bound is None else bound
        return self.keys[rows], exact_scores(vector, self.vectors[rows]), bound

    def _scan(self, vector: Vectors, count: int, mask: Mask, eligible: int) -> tuple[Keys, float | None]:
        """Return the `count` best of the `eligible` rows where `mask` is true, and the last one's product."""
        parameters = None if eligible == len(mask) else faiss.SearchParameters(sel=_selector(mask))  # type: ignore[call-arg]
        products, found = self.index.search(vector[np.newaxis], count, params=parameters)
        rows = found[0][found[0] >= 0]
        return rows, float(products[0][len(rows) - 1]) if len(rows) < eligible else None

    def _best_of(self, vector: Vectors, rows: Keys, count: int) -> tuple[Keys, float | None]:
        """Return the `count` best of `rows`, and the least of their products where others were left out."""
        products = self.vectors[rows] @ vector
        if len(rows) <= count:
            return rows, None
        kept = np.argpartition(-products, count - 1)[:count]
        return rows[kept], float(products[kept].min())


@dataclass(frozen=True, slots=True)
class DenseView:
    """An immutable state of the dense view; vectors are float32 unit vectors of `dimension`."""

    dimension: int
    segments: tuple[Segment, ...] = ()

    @property
    def count(self) -> int:
        """How many passages can be found."""
        return sum(segment.count for segment in self.segments)

    @property
    def method(self) -> str:
        """How the nearest are found: `exact`, or `rabitq+exact` where codes name what is scored exactly."""
        return "rabitq+exact" if any(segment.codes for segment in self.segments) else "exact"

    def changed(self, removed: Iterable[range], keys: Keys, vectors: Vectors) -> DenseView:
        """Return the view after a change: without the `removed` keys, and with `vectors` (n, dimension) under `keys`.

        A change that comes twice changes nothing: keys that are here already are not added again. What was removed
        does not come again, because keys are never reused and the truth no longer has its vector.
        """
        gone = KeySet.of(removed)
        segments = [segment.without(gone) for segment in self.segments] if len(gone) else list(self.segments)
        fresh = ~self._known(keys) & ~gone.contains(keys)
        if not fresh.all():
            keys, vectors = keys[fresh], vectors[fresh]
        if len(keys):
            if (np.diff(keys) < 0).any():  # mostly they are in order, and a copy is saved
                order = np.argsort(keys)
                keys, vectors = keys[order], vectors[order]
            segments.append(Segment.of(keys, vectors))
        return DenseView(self.dimension, _settled([segment for segment in segments if segment.count]))

    def compacted(self) -> DenseView:
        """Return the view in one segment, without what was deleted."""
        if len(self.segments) == 1 and self.segments[0].alive.all():
            return self
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
            known |= segment.holds(keys)
        return known


def _selector(mask: Mask) -> faiss.IDSelectorBitmap:
    """Return what lets FAISS search among the rows where `mask` is true.

    FAISS's stubs know the C++ constructors of it and of what takes it, and not the Python ones that keep it alive.
    """
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))  # type: ignore[call-arg,arg-type]


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
