"""One collection: its part of the truth and the views made from it. The front door of index/.

Writers wait for each other; readers wait for nobody. A search takes one published state of the views and then reads
the truth, so what was deleted before it began is never found: whatever the views still name is looked up, and what is
gone is dropped.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from index import catch_up, manifest
from index.catch_up import Place, Views
from index.checking import require_storable
from index.dense import DenseView
from index.errors import Behind, CollectionMissing, EncoderMismatch, IndexProblem
from index.files import Files
from index.filters import Filter, parse
from index.keys import KeySet
from index.rankings import Rankings
from index.reading import Located, Reader
from index.store import Store
from index.terms import question_terms
from index.top import Top
from index.types import (
    CollectionInfo,
    DocumentInfo,
    Found,
    Hit,
    Json,
    KeptRanking,
    NewDocument,
    PassageRef,
    StoredPassage,
    Vectors,
    Written,
)
from index.writing import Writer, mismatch

BATCH = 512  # documents of one transaction, after which the views catch up
QUIET_SECONDS = 2.0  # without a write, before a term view with deletions is built afresh
PER_SECOND = 2_000  # passages for which it waits a second more, because building takes the longer the more there are
PATIENCE = 10  # times that wait, after which it is built though it was never quiet
FILTERS = 16  # whose passages are remembered


class Collection:
    """The documents of one name, found by words and by vectors; made by `Catalog.collection`."""

    def __init__(self, name: str, place: Place, encoder: str, dimension: int) -> None:
        """Open the views of the collection; `place` says where, the rest which model is in use."""
        self.name = name
        self._place = place
        self._store: Store = place.store
        self._number = place.collection
        self.files = Files(place.store, place.collection)
        self.rankings = Rankings(place.store, place.collection, self._changing)
        self._encoder = (encoder, dimension)
        self._writing = threading.RLock()
        self._compacting = threading.Lock()
        self._closing = threading.Event()
        self._tidier: threading.Thread | None = None
        self._filters: dict[tuple[str, str], tuple[int, KeySet]] = {}  # by filter and token of the truth
        self._doubtful = False  # a catch-up broke off, so the views on disk may be ahead of those in memory
        self._views = catch_up.opened(place)
        self._tidy_soon()

    def close(self) -> None:
        """Stop the work in the background."""
        self._closing.set()
        if self._tidier is not None:
            self._tidier.join()

    # Writing

    def add(self, new: Sequence[NewDocument]) -> Written:
        """Store documents, each one wholly or not at all, in the order given; a known id is replaced.

        Returns after all are on disk and can be found. Raises `DocumentInvalid` before anything is written,
        `EncoderMismatch`, `StorageFull`, `Unavailable`; after the last two some documents may have been stored.
        """
        for one in new:
            require_storable(one, self._encoder[1])
        statuses: dict[str, str] = {}
        with self._writing:
            for start in range(0, len(new), BATCH):
                with self._then_caught_up(), self._store.writing() as writer:
                    self._require_here(writer)
                    writer.bind(self._number, *self._encoder)
                    for one in new[start : start + BATCH]:
                        status = writer.put(self._number, one)
                        if status != "unchanged" or one.document.id not in statuses:
                            statuses[one.document.id] = status
            return Written(statuses, self._views.token)

    def delete(self, document_ids: Sequence[str]) -> Written:
        """Remove documents, each one wholly; when this returns none of them is found again."""
        statuses: dict[str, str] = {}
        with self._writing, self._then_caught_up():
            for start in range(0, len(document_ids), BATCH):
                with self._store.writing() as writer:
                    self._require_here(writer)
                    for document_id in document_ids[start : start + BATCH]:
                        status = writer.delete(self._number, document_id)
                        if status != "absent" or document_id not in statuses:
                            statuses[document_id] = status
        return Written(statuses, self._views.token)

    @contextmanager
    def _changing(self) -> Iterator[Writer]:
        """Yield what writes to this collection, after whose one transaction the views catch up."""
        with self._writing, self._then_caught_up(), self._store.writing() as writer:
            self._require_here(writer)
            yield writer

    @contextmanager
    def _then_caught_up(self) -> Iterator[None]:
        """Bring the views up to the truth when the block ends, also when it fails half-way."""
        try:
            yield
        finally:
            self._catch_up()
        self._tidy_soon()

    def _catch_up(self) -> None:
        """Publish the views at the newest state of the truth; a dropped collection has none any more."""
        with self._store.reading() as reader:
            if not reader.exists(self._number):
                return
        try:
            if self._doubtful:
                self._publish(catch_up.rebuilt(self._place))
            self._views = catch_up.caught_up(self._place, self._views)
            self._doubtful = False
        except BaseException:
            self._doubtful = True
            raise

    def _publish(self, views: Views, dense: DenseView | None = None) -> None:
        """Let searches see `views`, which were made elsewhere, after what was written meanwhile.

        `dense`, where given, is their dense view at the newest state already.
        """
        views = catch_up.caught_up(self._place, views)
        catch_up.keep(self._place, views)
        self._views = replace(views, dense=dense or views.dense)

    # Keeping the views in order

    def compact(self) -> None:
        """Make both views answer as if they had just been made from the truth."""
        with self._compacting:
            if self._views.terms.deleted:
                fresh = catch_up.rebuilt(self._place, self._closing.is_set, dense=False)
                with self._writing:
                    self._catch_up()
                    self._publish(fresh, self._views.dense)
            with self._writing:
                self._views = replace(self._views, dense=self._views.dense.compacted())

    def rebuild(self) -> None:
        """Throw the views away and make them from the truth."""
        with self._compacting:
            fresh = catch_up.rebuilt(self._place, self._closing.is_set)
            with self._writing:
                self._publish(fresh)

    def _tidy_soon(self) -> None:
        """Have a term view with deletions built afresh in the background."""
        if self._views.terms.deleted and not (self._tidier and self._tidier.is_alive()):
            self._tidier = threading.Thread(target=self._tidy, name=f"tidy {self.name}", daemon=True)
            self._tidier.start()

    def _tidy(self) -> None:
        """Build the term view afresh while anything in it is deleted: when quiet, when one tenth is, or in the end.

        Only then are scores exact again, and only then are the deleted words gone from the files.
        """
        began = time.monotonic()
        while (views := self._views).terms.deleted and not self._closing.is_set():
            wait = QUIET_SECONDS + views.terms.indexed / PER_SECOND
            overdue = views.terms.deleted * 10 >= views.terms.indexed or time.monotonic() - began > PATIENCE * wait
            due = not self._closing.wait(0 if overdue else wait) and (overdue or self._views is views)
            try:
                if due:
                    self.compact()
                    began = time.monotonic()
            except IndexProblem:
                return  # the views in use stay; the next write tries again

    def problems(self) -> list[str]:
        """Return where the views differ from the truth."""
        with self._writing, self._store.reading() as reader:
            views, token = self._views, reader.token(self._number)
            passages = reader.counts(self._number)[1]
            found = []
            if self._doubtful or views.token != token:
                found.append(f"the views are at {views.token} and the truth is at {token}")
            counts = {"dense": views.dense.count, "term": views.terms.count}
            found += [
                f"the {view} view has {n} passages, the truth {passages}" for view, n in counts.items() if n != passages
            ]
            if manifest.read(self._place.folder / catch_up.MANIFEST) is None:
                found.append("the files of the term view are not as they were written")
        return [f"collection {self.name!r}: {problem}; repair makes the views anew" for problem in found]

    # Reading

    @property
    def token(self) -> str:
        """The token of the state that searches see now."""
        return self._views.token

    @property
    def ranking(self) -> KeptRanking | None:
        """The ranking in use in that state; None where it is the product's own."""
        return self._views.ranking

    def document(self, document_id: str) -> DocumentInfo:
        """Return a document without its text; raises `DocumentMissing`."""
        with self._reading() as reader:
            return reader.document(self._number, document_id)

    def text(self, document_id: str) -> str:
        """Return the stored text, into which all offsets count; raises `DocumentMissing`."""
        with self._reading() as reader:
            return reader.text(self._number, document_id)

    def original(self, document_id: str) -> bytes:
        """Return the bytes that were given; raises `DocumentMissing`."""
        with self._reading() as reader:
            return reader.original(self._number, document_id)

    def documents(
        self,
        *,
        after: str | None = None,
        limit: int = 100,
        filter: Json = None,  # noqa: A002  the contract's word
    ) -> Sequence[DocumentInfo]:
        """Return up to `limit` documents that match `filter`, by id, the first one after `after`; `FilterInvalid`."""
        tree = parse(filter)
        with self._reading() as reader:
            return reader.documents(self._number, after, limit, tree)

    def document_ids(self, filter: Json = None) -> Sequence[str]:  # noqa: A002  the contract's word
        """Return the ids of all documents that match `filter`, ordered; raises `FilterInvalid`."""
        tree = parse(filter)
        with self._reading() as reader:
            return reader.document_ids(self._number, tree)

    def outline(self, limit: int) -> Sequence[tuple[str, tuple[str, ...]]]:
        """Return (title, first heading path) of up to `limit` documents that have either, by id; no title is ""."""
        with self._reading() as reader:
            return reader.outline(self._number, limit)

    def info(self) -> CollectionInfo:
        """Return counts, facets and the state of the views."""
        with self._reading() as reader:
            found = reader.info(self._number, self.name)
        views = self._views
        return replace(found, dense=views.dense.method, pending=views.terms.deleted, ranking=views.ranking)

    def passages(self, refs: Sequence[PassageRef]) -> Sequence[StoredPassage]:
        """Return passages with their text, in the order asked, without those that are gone or changed since."""
        with self._reading() as reader:
            return reader.passages(self._number, refs)

    def search(
        self,
        vector: Vectors | Callable[[], Vectors] | None,
        words: str | None,
        *,
        limit: int,
        filter: Json = None,  # noqa: A002  the contract's word
        at_least: str | None = None,
        count: str | None = None,
    ) -> Found:
        """Return the `limit` best passages by vector and the `limit` best by words, joined, in documents that match.

        `vector` is a float32 unit vector of shape (dimension,), or what gives one when it is there: words are looked
        for meanwhile. It and `words` may each be None. Ties within a leg go
        by document id, then by start. The terms of `count`, stop words cut, are counted over the whole collection in
        the same state of the views, so that what is decided by them belongs to the snapshot. Raises `FilterInvalid`,
        `Behind`, `TokenInvalid`, `EncoderMismatch`.
        """
        tree = parse(filter)
        views = self._views
        with self._reading() as reader:
            self._require_reached(reader, views, at_least)
            documents, allowed = (views.documents, None) if tree is None else self._allowed(reader, filter, tree)
            legs = _Legs(reader, views, limit, allowed)
            terms = question_terms(words, views.languages) if words is not None else []
            lexical = legs.lexical(terms)
            counted = terms if count == words or count is None else question_terms(count, views.languages)
            frequencies = views.terms.frequencies(counted) if count is not None else {}
            made = vector() if callable(vector) else vector
            if made is not None:
                self._require_comparable(made)
            hits = legs.joined(made, lexical)
        passages = views.passages if allowed is None else len(allowed)
        behind = views.terms.deleted and not (words is None and count is None)
        degraded = ("term_view_behind",) if behind else ()
        return Found(hits, views.token, documents, passages, views.passages, degraded, frequencies, views.ranking)

    def _allowed(self, reader: Reader, given: Json, tree: Filter) -> tuple[int, KeySet]:
        """Return how many documents match a filter, and their passages; the newest few answers are remembered."""
        asked = (json.dumps(given, sort_keys=True), reader.token(self._number))
        found = self._filters.get(asked)
        if found is None:
            found = reader.allowed(self._number, tree)
            remembered = [*self._filters.items()][1 - FILTERS :]
            self._filters = {**dict(remembered), asked: found}
        return found

    @contextmanager
    def _reading(self) -> Iterator[Reader]:
        """Yield a reader; raises `CollectionMissing` where the collection was dropped."""
        with self._store.reading() as reader:
            self._require_here(reader)
            yield reader

    def _require_here(self, reader: Reader) -> None:
        if not reader.exists(self._number):
            raise CollectionMissing(f"There is no collection {self.name!r} any more.")

    def _require_reached(self, reader: Reader, views: Views, at_least: str | None) -> None:
        if at_least is not None and not reader.reaches(self._number, views.token, at_least):
            raise Behind(f"Collection {self.name!r} has not reached {at_least} yet. Ask again in a moment.")

    def _require_comparable(self, vector: Vectors) -> None:
        """Raise unless the vector comes from the model that made those of the collection."""
        with self._store.reading() as reader:
            bound = reader.binding(self._number)
        if bound not in (None, self._encoder):
            raise EncoderMismatch(mismatch(bound[0], self._encoder[0]))
        if vector.shape != (self._encoder[1],) or not np.isfinite(vector).all():
            raise ValueError(f"a query vector is finite and of shape ({self._encoder[1]},), not {vector.shape}")


class _Legs:
    """One search: both legs over one state of the views, checked against the truth."""

    def __init__(self, reader: Reader, views: Views, limit: int, allowed: KeySet | None) -> None:
        self._reader = reader
        self._views = views
        self._limit = limit
        self._allowed = allowed
        self._located: dict[int, Located] = {}
        self._seen: set[int] = set()  # keys that were looked up, those that are gone too

    def lexical(self, terms: Sequence[str]) -> dict[int, float]:
        """Return the keys of the best by their terms with their scores, best first."""
        return self._leg(lambda count: self._views.terms.top(terms, count, self._allowed)) if terms else {}

    def joined(self, vector: Vectors | None, lexical: Mapping[int, float]) -> list[Hit]:
        """Return the hits of both legs ordered by (document id, start)."""
        dense: dict[int, float] = {}
        if vector is not None:
            dense = self._leg(lambda count: self._views.dense.top(vector, count, self._allowed))
        exact = dense if vector is None else {**self._views.dense.scores(vector, [*lexical]), **dense}
        dense_ranks = {key: rank for rank, key in enumerate(dense, start=1)}
        lexical_ranks = {key: rank for rank, key in enumerate(lexical, start=1)}
        return [
            Hit(
                *(self._located[key].ref, self._located[key].start, exact.get(key), lexical.get(key)),
                *(dense_ranks.get(key), lexical_ranks.get(key)),
            )
            for key in sorted({**dense, **lexical}, key=self._order)
        ]

    def _leg(self, top: Callable[[int], Top]) -> dict[int, float]:
        """Return the keys of one leg with their scores, best first; looks further while too few still exist."""
        count = self._limit
        while True:
            found = top(count)
            keys = found.keys.tolist()
            unseen = [key for key in keys if key not in self._seen]
            self._located.update(self._reader.located(unseen))
            self._seen.update(unseen)
            scores = dict(zip(keys, found.scores.tolist(), strict=True))
            ranked = sorted(
                (key for key in keys if key in self._located), key=lambda key: (-scores[key], self._order(key))
            )
            if len(ranked) >= self._limit or found.complete:
                return {key: scores[key] for key in ranked[: self._limit]}
            count *= 2

    def _order(self, key: int) -> tuple[str, int, int]:
        """Return what ties go by: document id, start, ordinal."""
        located = self._located[key]
        return located.ref.document_id, located.start, located.ref.ordinal
