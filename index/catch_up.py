"""Changes of the truth to views: read them in order, apply them, publish a new immutable state.

Views are caches. What is missing on disk, does not match its manifest, has another version, another history or another
count than the truth is thrown away and made anew; encoding is never repeated for it.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index import manifest, rankings
from index.dense import DenseView
from index.errors import Unavailable, unwritable
from index.keys import Keys, KeySet
from index.reading import Change, Indexed, Reader
from index.store import Store
from index.terms import VERSION, TermView
from index.types import KeptRanking, Vectors

MANIFEST = "terms.json"


@dataclass(frozen=True, slots=True)
class Views:
    """One published state: both views at `token`, and what the truth held then."""

    token: str
    dense: DenseView
    terms: TermView
    documents: int
    passages: int
    languages: tuple[str | None, ...]
    ranking: KeptRanking | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where one collection's views are made from and kept: its number in the truth, the dimension, the folder."""

    store: Store
    collection: int
    dimension: int
    folder: Path


def opened(place: Place) -> Views:
    """Return the views of a collection at the newest state of the truth, from disk where they can be used.

    A term view on disk may have deletions; the collection builds it afresh in the background.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    with place.store.reading() as reader:
        token = reader.token(place.collection)
        terms = _terms_on_disk(place, reader)
        if terms is None or terms.count != reader.counts(place.collection)[1]:
            terms = _built_terms(place, reader)
        views = _state(place, reader, token, _loaded_dense(place, reader), terms)
    keep(place, views)
    _remove_leftovers(place, views)
    return views


def rebuilt(place: Place, stopping: Callable[[], bool] = lambda: False, *, dense: bool = True) -> Views:
    """Return views made from the truth alone; those on disk stay until `keep` names the new ones.

    Without `dense` that view is empty: whoever has a good one spares the memory of a second.

    Raises `Unavailable` as soon as `stopping` says so: a large term view takes long to build.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    with place.store.reading() as reader:
        token = reader.token(place.collection)
        vectors = _loaded_dense(place, reader) if dense else DenseView(place.dimension)
        return _state(place, reader, token, vectors, _built_terms(place, reader, stopping))


def caught_up(place: Place, views: Views) -> Views:
    """Return the views after all changes that they have not seen, kept on disk."""
    with place.store.reading() as reader:
        token = reader.token(place.collection)
        if token == views.token:
            return views
        changes = list(reader.changes_since(place.collection, views.token))
        removed = [change.removed for change in changes]
        keys, vectors = _added_vectors(place, reader, changes)
        dense = views.dense.changed(removed, keys, vectors)
        terms = views.terms.changed(removed, _added_rows(place, reader, changes))
        views = _state(place, reader, token, dense, terms)
    keep(place, views)
    return views


def keep(place: Place, views: Views) -> None:
    """Make the term view of `views` the one on disk, and remove the one that it replaces."""
    path = place.folder / MANIFEST
    before = manifest.folder_of(path)
    with place.store.reading() as reader:
        mark = reader.mark(place.collection, views.token)
    facts = {"version": VERSION, "token": views.token, "mark": mark, "indexed": views.terms.indexed}
    try:
        manifest.write(path, views.terms.folder, facts)
    except OSError as error:
        raise unwritable(path, error) from error
    if before not in (None, views.terms.folder):
        shutil.rmtree(str(before), ignore_errors=True)


def _state(place: Place, reader: Reader, token: str, dense: DenseView, terms: TermView) -> Views:
    """Return both views with what else a search needs to know about the truth at `token`."""
    documents, passages = reader.counts(place.collection)
    languages = tuple(reader.languages(place.collection))
    return Views(token, dense, terms, documents, passages, languages, rankings.in_use(reader, place.collection))


def _loaded_dense(place: Place, reader: Reader) -> DenseView:
    """Return the dense view of all vectors in the truth."""
    keys, vectors = reader.vectors(place.collection, place.dimension)
    return DenseView(place.dimension).changed((), keys.to_array(), vectors)


def _built_terms(place: Place, reader: Reader, stopping: Callable[[], bool] = lambda: False) -> TermView:
    """Return a term view of all passages in the truth, in a folder of its own."""
    folder = place.folder / f"terms-{uuid.uuid4().hex}"
    try:
        return TermView.build(folder, _until(stopping, reader.indexed(place.collection)))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # so that trying again on a full disk does not fill it further
        raise


def _until(stopping: Callable[[], bool], rows: Iterable[Indexed]) -> Iterator[Indexed]:
    for row in rows:
        if stopping():
            raise Unavailable("The collection is closing; its views are made when it is opened again.")
        yield row


def _terms_on_disk(place: Place, reader: Reader) -> TermView | None:
    """Return the term view on disk, caught up, or None when it cannot be used."""
    found = manifest.read(place.folder / MANIFEST)
    if found is None or found["version"] != VERSION:
        return None
    token = found["token"]
    if found["mark"] != reader.mark(place.collection, token):
        return None  # beyond the truth, or of another history
    try:
        terms = TermView.open(place.folder / found["folder"], found["indexed"])
    except Unavailable:
        return None
    changes = list(reader.changes_since(place.collection, token))
    return terms.changed([change.removed for change in changes], _added_rows(place, reader, changes))


def _added_vectors(place: Place, reader: Reader, changes: Iterable[Change]) -> tuple[Keys, Vectors]:
    """Return keys and vectors that the changes brought and that are still there."""
    parts = [reader.vectors(place.collection, place.dimension, keys) for keys in _runs(changes)]
    keys = [np.zeros(0, np.int64), *(part.to_array() for part, _ in parts)]
    vectors = [np.zeros((0, place.dimension), np.float32), *(part for _, part in parts)]
    return np.concatenate(keys), np.concatenate(vectors)


def _added_rows(place: Place, reader: Reader, changes: Iterable[Change]) -> Iterator[Indexed]:
    """Yield the passages that the changes brought and that are still there."""
    for keys in _runs(changes):
        yield from reader.indexed(place.collection, keys)


def _runs(changes: Iterable[Change]) -> Iterator[range]:
    """Yield what the changes added as few ranges: documents that were written together have adjoining keys."""
    added = KeySet.of(change.added for change in changes)
    for start, stop in zip(added.starts.tolist(), added.stops.tolist(), strict=True):
        yield range(start, stop)


def _remove_leftovers(place: Place, views: Views) -> None:
    """Remove folders that a crash left behind."""
    for other in place.folder.iterdir():
        if other.is_dir() and other != views.terms.folder:
            shutil.rmtree(other, ignore_errors=True)
