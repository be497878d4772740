"""What can be read from the truth; every query of one `Reader` sees the same state of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from index.errors import Damaged, DocumentMissing, TokenInvalid
from index.filter_sql import where
from index.filters import Filter
from index.keys import KeySet
from index.types import CollectionInfo, Document, DocumentInfo, Passage, PassageRef, StoredPassage, Vectors, words_of

PIECE = 65_536  # code points of text in one row
NONE = "0"  # the token of a collection that was never written to

Row = tuple[Any, ...]

INFO = (
    "d.id, d.sha256, d.media_type, d.title, d.uri, d.source, d.published, d.language, d.encoding, d.metadata, d.added, "
    "d.characters, d.bytes, d.passages, d.fingerprint"
)
PASSAGE = "p.ordinal, p.start, p.stop, p.start_utf16, p.header, p.heading_path, p.first_page, p.last_page"


class Connection(Protocol):
    """What is asked of a database connection here."""

    def execute(self, statements: str, bindings: Sequence[Any] = ...) -> Iterable[Any]:
        """Run SQL and yield its rows."""

    def executemany(self, statements: str, sequenceofbindings: Iterable[Sequence[Any]]) -> Iterable[Any]:
        """Run SQL once for each of the bindings."""

    def changes(self) -> int:
        """Return how many rows the last statement changed."""

    def last_insert_rowid(self) -> int:
        """Return the key of the row that was inserted last."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write: the passage keys that it took away and those that it brought."""

    token: str
    removed: range
    added: range


class Located(NamedTuple):
    """Where a passage key lies: enough to name, order and check a hit."""

    ref: PassageRef
    start: int


@dataclass(frozen=True, slots=True)
class Indexed:
    """A passage as the term view wants it."""

    key: int
    words: str  # source, header and text
    language: str | None


@dataclass(frozen=True, slots=True)
class Stored:
    """All that the truth holds of one document; vectors as the bytes of float32 rows."""

    info: DocumentInfo
    text: str
    original: bytes
    passages: Sequence[Passage]
    vectors: bytes

    def as_document(self) -> Document:
        """Return the document as it was given."""
        held = self.info
        return Document(
            id=held.id,
            text=self.text,
            original=self.original,
            media_type=held.media_type,
            title=held.title,
            uri=held.uri,
            source=held.source,
            published=held.published,
            language=held.language,
            encoding=held.encoding,
            metadata=held.metadata,
        )


class Reader:
    """Queries over one state of the truth; `collection` is always a collection's number."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sql(self, sql: str, *bindings: Any) -> list[Row]:
        """Run one statement of this folder's own and return all of its rows."""
        return list(self._connection.execute(sql, bindings))

    # Collections and tokens

    def names(self) -> list[str]:
        """Return the names of all collections, ordered."""
        return [row[0] for row in self.sql("SELECT name FROM collection ORDER BY name")]

    def number(self, name: str) -> int | None:
        """Return the number of the collection of that name; numbers are never used again."""
        rows = self.sql("SELECT id FROM collection WHERE name = ?", name)
        return rows[0][0] if rows else None

    def exists(self, collection: int) -> bool:
        """Return whether the collection has not been dropped."""
        return bool(self.sql("SELECT 1 FROM collection WHERE id = ?", collection))

    def binding(self, collection: int) -> tuple[str, int] | None:
        """Return the encoder's fingerprint and the dimension of the vectors, None before the first write."""
        rows = self.sql("SELECT encoder, dimension FROM collection WHERE id = ? AND encoder IS NOT NULL", collection)
        return (rows[0][0], rows[0][1]) if rows else None

    def token(self, collection: int) -> str:
        """Return the token of the newest change."""
        rows = self.sql("SELECT seq FROM change WHERE collection = ? ORDER BY seq DESC LIMIT 1", collection)
        return str(rows[0][0]) if rows else NONE

    def mark(self, collection: int, token: str) -> str | None:
        """Return what tells the change of that token from one of another history; None where there is none."""
        rows = self.sql("SELECT mark FROM change WHERE collection = ? AND seq = ?", collection, int(token))
        return rows[0][0] if rows else None

    def reaches(self, collection: int, reached: str, asked: str) -> bool:
        """Return whether a view at `reached` holds all that was written up to `asked`; raises `TokenInvalid`."""
        if not (asked.isascii() and asked.isdecimal() and len(asked) < 19):
            raise TokenInvalid("at_least takes a token that a write answered with.")
        if int(asked) <= int(reached):
            return True
        newest = self.sql("SELECT ifnull(max(seq), 0) FROM change")[0][0]
        missing = self.sql(
            "SELECT 1 FROM change WHERE collection = ? AND seq > ? AND seq <= ? LIMIT 1",
            *(collection, int(reached), int(asked)),
        )
        return int(asked) <= newest and not missing

    def changes_since(self, collection: int, token: str) -> Iterator[Change]:
        """Yield the changes after `token`, oldest first."""
        rows = self._connection.execute(
            "SELECT seq, removed_first, removed_count, added_first, added_count FROM change"
            " WHERE collection = ? AND seq > ? ORDER BY seq",
            (collection, int(token)),
        )
        for seq, gone, gone_count, new, new_count in rows:
            yield Change(str(seq), range(gone, gone + gone_count), range(new, new + new_count))

    # Documents

    def fingerprints(self, collection: int, ids: Sequence[str]) -> dict[str, str]:
        """Return the fingerprints of those documents that are stored."""
        sql = "SELECT fingerprint FROM document WHERE collection = ? AND id = ?"
        found = {one: self.sql(sql, collection, one) for one in ids}
        return {one: rows[0][0] for one, rows in found.items() if rows}

    def document(self, collection: int, document_id: str) -> DocumentInfo:
        """Return one document without its text; raises `DocumentMissing`."""
        rows = self.sql(f"SELECT {INFO} FROM document d WHERE d.collection = ? AND d.id = ?", collection, document_id)  # noqa: S608
        if not rows:
            raise DocumentMissing(f"The collection has no document {document_id!r}.")
        return info(rows[0])

    def documents(self, collection: int, after: str | None, limit: int, tree: Filter | None) -> list[DocumentInfo]:
        """Return documents in the order of their ids, from after `after` on."""
        condition, bindings = where(tree, collection)
        sql = f"SELECT {INFO} FROM document d WHERE {condition} AND d.id > ? ORDER BY d.id LIMIT ?"  # noqa: S608
        return [info(row) for row in self.sql(sql, *bindings, after or "", limit)]

    def document_ids(self, collection: int, tree: Filter | None = None) -> list[str]:
        """Return the ids of the documents that a filter leaves, ordered."""
        condition, bindings = where(tree, collection)
        return [row[0] for row in self.sql(f"SELECT d.id FROM document d WHERE {condition} ORDER BY d.id", *bindings)]  # noqa: S608

    def text(self, collection: int, document_id: str) -> str:
        """Return a document's stored text; raises `DocumentMissing`."""
        return "".join(row[0] for row in self.sql(PIECES, self._key(collection, document_id), 0, 2**62))

    def original(self, collection: int, document_id: str) -> bytes:
        """Return the bytes that were given; raises `DocumentMissing`."""
        rows = self.sql("SELECT data FROM original WHERE document = ?", self._key(collection, document_id))
        return rows[0][0] if rows else self.text(collection, document_id).encode("utf-8")

    def _key(self, collection: int, document_id: str) -> int:
        rows = self.sql("SELECT key FROM document WHERE collection = ? AND id = ?", collection, document_id)
        if not rows:
            raise DocumentMissing(f"The collection has no document {document_id!r}.")
        return int(rows[0][0])

    def outline(self, collection: int, limit: int) -> list[tuple[str, tuple[str, ...]]]:
        """Return title and first heading path of documents that have either, in the order of their ids."""
        rows = self.sql(OUTLINE, collection, limit)
        return [(title or "", tuple(json.loads(path))) for title, path in rows]

    def info(self, collection: int, name: str) -> CollectionInfo:
        """Return counts and facets."""
        documents, passages, characters = self.sql(COUNTS, collection)[0]
        updated = self.sql("SELECT at FROM change WHERE collection = ? ORDER BY seq DESC LIMIT 1", collection)
        bound = self.binding(collection)
        return CollectionInfo(
            name=name,
            documents=documents,
            passages=passages,
            characters=characters,
            updated=updated[0][0] if updated else None,
            token=self.token(collection),
            encoder=bound[0] if bound else None,
            sources=self._facet(collection, "source"),
            languages=self._facet(collection, "language"),
            years=self._facet(collection, "substr(published, 1, 4)"),
        )

    def counts(self, collection: int) -> tuple[int, int]:
        """Return how many documents and passages there are."""
        documents, passages, _ = self.sql(COUNTS, collection)[0]
        return documents, passages

    def languages(self, collection: int) -> list[str | None]:
        """Return the languages of the documents, None for those without one."""
        return [row[0] for row in self.sql("SELECT DISTINCT language FROM document WHERE collection = ?", collection)]

    def _facet(self, collection: int, expression: str) -> dict[str, int]:
        """Return how many documents have each value of a column, most first."""
        sql = (
            f"SELECT {expression} AS value, count(*) FROM document WHERE collection = ? AND value IS NOT NULL"  # noqa: S608
            " GROUP BY value ORDER BY 2 DESC, 1"
        )
        return dict(self.sql(sql, collection))

    # Passages

    def allowed(self, collection: int, tree: Filter) -> tuple[int, KeySet]:
        """Return how many documents a filter leaves, and the keys of their passages."""
        condition, bindings = where(tree, collection)
        rows = self.sql(f"SELECT d.first_passage, d.passages FROM document d WHERE {condition}", *bindings)  # noqa: S608
        return len(rows), KeySet.of_counts(rows)

    def located(self, keys: Sequence[int]) -> dict[int, Located]:
        """Return where those of the passage keys lie that still exist."""
        rows = self.sql(LOCATED, json.dumps(list(keys)))
        return {key: Located(PassageRef(owner, ordinal, sha256), start) for key, owner, ordinal, sha256, start in rows}

    def passages(self, collection: int, refs: Sequence[PassageRef]) -> list[StoredPassage]:
        """Return the passages that still exist under the digest that they were found with, in the order asked."""
        documents: dict[tuple[str, str], tuple[int, DocumentInfo] | None] = {}
        found = []
        for ref in refs:
            version = (ref.document_id, ref.sha256)
            if version not in documents:
                documents[version] = self._version(collection, *version)
            held = documents[version]
            one = held and self._passage(held[0], ref.ordinal)
            if held and one:
                found.append(StoredPassage(ref, one, self._slice(held[0], one.start, one.end), held[1]))
        return found

    def _version(self, collection: int, document_id: str, sha256: str) -> tuple[int, DocumentInfo] | None:
        """Return key and info of a document if its text still has that digest."""
        rows = self.sql(
            f"SELECT d.key, {INFO} FROM document d WHERE d.collection = ? AND d.id = ? AND d.sha256 = ?",  # noqa: S608
            *(collection, document_id, sha256),
        )
        return (rows[0][0], info(rows[0][1:])) if rows else None

    def _passage(self, document: int, ordinal: int) -> Passage | None:
        """Return one passage of a document."""
        rows = self.sql(f"SELECT {PASSAGE} FROM passage p WHERE document = ? AND ordinal = ?", document, ordinal)  # noqa: S608
        return passage(rows[0]) if rows else None

    def _slice(self, document: int, start: int, end: int) -> str:
        """Return code points `start` to `end` of a document's text; cut in Python, because SQL stops at NUL."""
        first = start // PIECE
        joined = "".join(row[0] for row in self.sql(PIECES, document, first, max(end - 1, 0) // PIECE))
        return joined[start - first * PIECE : end - first * PIECE]

    # What views are made of

    def vectors(self, collection: int, dimension: int, keys: range | None = None) -> tuple[KeySet, Vectors]:
        """Return the vectors of the passages in `keys`, or of all, ordered by key: float32 (n, dimension)."""
        bounds = (0, 2**62) if keys is None else (keys.start, keys.stop)
        ((total,),) = self.sql(TOTAL, collection, *bounds)
        vectors = np.empty((total, dimension), dtype=np.float32)
        counts: list[tuple[int, int]] = []
        place = 0
        # Row by row into place: at a million passages a second copy would be 1.5 GB.
        for first, count, data in self._connection.execute(VECTORS, (collection, *bounds)):
            if data is None or len(data) != count * dimension * 4:
                raise Damaged("The vectors in the truth do not match its passages. Run `pincite verify`.")
            vectors[place : place + count] = np.frombuffer(data, dtype="<f4").reshape(count, dimension)
            counts.append((first, count))
            place += count
        return KeySet.of_counts(counts), vectors

    def indexed(self, collection: int, keys: range | None = None) -> Iterator[Indexed]:
        """Yield the passages in `keys`, or all in the order of (document id, ordinal), with all their words."""
        bounds = (0, 2**62) if keys is None else (keys.start, keys.stop)
        for document, language, source in self.sql(DOCUMENTS, collection, *bounds):
            text = "".join(row[0] for row in self.sql(PIECES, document, 0, 2**62))
            for key, header, start, stop in self.sql(HEADERS, document):
                yield Indexed(key, words_of(source, header, text[start:stop]), language)

    # What is checked

    def stored(self, collection: int, document_id: str) -> Stored:
        """Return all that the truth holds of one document; raises `DocumentMissing`."""
        key = self._key(collection, document_id)
        rows = self.sql(f"SELECT {PASSAGE} FROM passage p WHERE document = ? ORDER BY ordinal", key)  # noqa: S608
        vectors = self.sql("SELECT data FROM vectors WHERE document = ?", key)
        return Stored(
            info=self.document(collection, document_id),
            text=self.text(collection, document_id),
            original=self.original(collection, document_id),
            passages=[passage(row) for row in rows],
            vectors=vectors[0][0] if vectors else b"",
        )


PIECES = "SELECT text FROM text WHERE document = ? AND piece BETWEEN ? AND ? ORDER BY piece"
COUNTS = "SELECT count(*), ifnull(sum(passages), 0), ifnull(sum(characters), 0) FROM document WHERE collection = ?"
OUTLINE = """
SELECT title, path FROM (
    SELECT d.id, d.title, ifnull((
        SELECT p.heading_path FROM passage p WHERE p.document = d.key AND p.heading_path <> '[]'
        ORDER BY p.ordinal LIMIT 1), '[]') AS path
    FROM document d WHERE d.collection = ?)
WHERE title IS NOT NULL OR path <> '[]' ORDER BY id LIMIT ?
"""
LOCATED = """
SELECT p.key, d.id, p.ordinal, d.sha256, p.start
FROM json_each(?) asked JOIN passage p ON p.key = asked.value JOIN document d ON d.key = p.document
"""

WITH_PASSAGES = "d.collection = ? AND d.passages > 0 AND d.first_passage >= ? AND d.first_passage < ?"
TOTAL = f"SELECT ifnull(sum(d.passages), 0) FROM document d WHERE {WITH_PASSAGES}"  # noqa: S608  fixed words
VECTORS = f"""
SELECT d.first_passage, d.passages, v.data FROM document d LEFT JOIN vectors v ON v.document = d.key
WHERE {WITH_PASSAGES} ORDER BY d.first_passage
"""  # noqa: S608  fixed words
DOCUMENTS = f"SELECT d.key, d.language, d.source FROM document d WHERE {WITH_PASSAGES} ORDER BY d.id"  # noqa: S608
HEADERS = "SELECT key, header, start, stop FROM passage WHERE document = ? ORDER BY ordinal"


def info(row: Row) -> DocumentInfo:
    """Return the `DocumentInfo` of a row of `INFO`."""
    head, metadata, tail = row[:9], json.loads(row[9]), row[10:]
    return DocumentInfo(*head, metadata, *tail)  # type: ignore[call-arg]  # mypy cannot count the two slices


def passage(row: Row) -> Passage:
    """Return the `Passage` of a row of `PASSAGE`."""
    ordinal, start, stop, start_utf16, header, path, first_page, last_page = row
    return Passage(ordinal, start, stop, start_utf16, header, tuple(json.loads(path)), first_page, last_page)
