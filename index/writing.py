"""What can be written to the truth within one transaction."""

from __future__ import annotations

import json
import secrets
from typing import Any

from index import dates
from index.errors import EncoderMismatch
from index.filters import attributes
from index.reading import PIECE, Reader, Row
from index.types import Document, NewDocument


class Writer(Reader):
    """What can be written within one transaction."""

    erased = False  # whether anything was deleted, which the WAL then still holds

    def sql(self, sql: str, *bindings: Any) -> list[Row]:
        """Run one statement of this folder's own and return all of its rows."""
        rows = super().sql(sql, *bindings)
        if sql.lstrip().startswith("DELETE") and self._connection.changes():
            self.erased = True
        return rows

    def create(self, name: str) -> bool:
        """Make a collection; returns whether it is new."""
        self.sql("INSERT OR IGNORE INTO collection (name) VALUES (?)", name)
        return bool(self._connection.changes())

    def drop(self, collection: int) -> None:
        """Remove a collection with all that it holds, and with what the reports of jobs say of it."""
        self.sql(REPORTS, collection)
        self.sql("DELETE FROM collection WHERE id = ?", collection)

    def bind(self, collection: int, encoder: str, dimension: int) -> None:
        """Bind a collection to the model of its first write; raises `EncoderMismatch` if another one made it."""
        bound = self.binding(collection)
        if bound is None:
            self.sql("UPDATE collection SET encoder = ?, dimension = ? WHERE id = ?", encoder, dimension, collection)
        elif bound != (encoder, dimension):
            raise EncoderMismatch(mismatch(bound[0], encoder))

    def put(self, collection: int, new: NewDocument) -> str:
        """Store a document with its passages and vectors; returns `added`, `replaced` or `unchanged`."""
        document, fingerprint = new.document, new.document.fingerprint
        if self.fingerprints(collection, [document.id]).get(document.id) == fingerprint:
            return "unchanged"
        removed = self._remove(collection, document.id)
        first = self._next_passage()
        key = self._insert_document(collection, document, fingerprint, range(first, first + len(new.passages)))
        self._insert_content(key, document, new)
        self._insert_passages(key, first, new)
        self._insert_attributes(collection, key, document)
        self._log(collection, removed or range(0), range(first, first + len(new.passages)))
        return "added" if removed is None else "replaced"

    def delete(self, collection: int, document_id: str) -> str:
        """Remove a document with all that belongs to it; returns `deleted` or `absent`."""
        removed = self._remove(collection, document_id)
        if removed is None:
            return "absent"
        for trace in TRACES:
            self.sql(trace, collection, document_id)
        self._log(collection, removed, range(0))
        return "deleted"

    def note_change(self, collection: int) -> None:
        """Give the collection a new token after a change that touched no document."""
        self._log(collection, range(0), range(0))

    def _remove(self, collection: int, document_id: str) -> range | None:
        """Delete a document's rows; returns the keys its passages had, None where there was no such document."""
        rows = self.sql(
            "DELETE FROM document WHERE collection = ? AND id = ? RETURNING first_passage, passages",
            collection,
            document_id,
        )
        return range(rows[0][0], rows[0][0] + rows[0][1]) if rows else None

    def _next_passage(self) -> int:
        """Return the first passage key that was never used."""
        return int(self.sql("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'passage'")[0][0]) + 1

    def _insert_document(self, collection: int, document: Document, fingerprint: str, keys: range) -> int:
        """Insert the row of a document and return its key."""
        added = dates.now()
        published, moment = dates.interval(document.published or ""), dates.interval(added)
        assert moment is not None
        values = {
            "collection": collection,
            "id": document.id,
            "sha256": document.sha256,
            "fingerprint": fingerprint,
            "media_type": document.media_type,
            "title": document.title,
            "uri": document.uri,
            "source": document.source,
            "published": document.published,
            "published_low": published and published.low,
            "published_high": published and published.high,
            "language": document.language,
            "encoding": document.encoding,
            "metadata": json.dumps(dict(document.metadata), ensure_ascii=False),
            "added": added,
            "added_low": moment.low,
            "added_high": moment.high,
            "characters": len(document.text),
            "bytes": len(document.original),
            "first_passage": keys.start,
            "passages": len(keys),
        }
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        self.sql(f"INSERT INTO document ({columns}) VALUES ({marks})", *values.values())  # noqa: S608  fixed names
        return self._connection.last_insert_rowid()

    def _insert_content(self, key: int, document: Document, new: NewDocument) -> None:
        """Insert text, original bytes and vectors; an original that is the UTF-8 of the text is not kept twice."""
        text = document.text
        for piece, start in enumerate(range(0, len(text), PIECE)):
            self.sql("INSERT INTO text VALUES (?, ?, ?)", key, piece, text[start : start + PIECE])
        if document.original != text.encode("utf-8"):
            self.sql("INSERT INTO original VALUES (?, ?)", key, document.original)
        self.sql("INSERT INTO vectors VALUES (?, ?)", key, new.vectors.astype("<f4").tobytes())

    def _insert_passages(self, key: int, first: int, new: NewDocument) -> None:
        """Insert the passages under consecutive keys from `first`."""
        rows = (
            (
                first + place,
                key,
                passage.ordinal,
                passage.start,
                passage.end,
                passage.start_utf16,
                passage.header,
                json.dumps(passage.heading_path, ensure_ascii=False),
                passage.first_page,
                passage.last_page,
            )
            for place, passage in enumerate(new.passages)
        )
        self._connection.executemany("INSERT INTO passage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _insert_attributes(self, collection: int, key: int, document: Document) -> None:
        """Insert what filters can find in the metadata; a value that a list repeats counts once."""
        rows = ((collection, name, found.kind, found.value, key) for name, found in attributes(document.metadata))
        self._connection.executemany("INSERT OR IGNORE INTO attribute VALUES (?, ?, ?, ?, ?)", rows)

    def _log(self, collection: int, removed: range, added: range) -> None:
        """Append to the change log, which names no document: it is kept for ever."""
        self.sql(
            "INSERT INTO change (collection, removed_first, removed_count, added_first, added_count, at, mark)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(collection, removed.start, len(removed), added.start, len(added)),
            *(dates.now(), secrets.token_hex(8)),
        )


REPORTS = """
UPDATE job_result SET result = json_set(result, '$.id', NULL, '$.file', NULL)
WHERE job IN (SELECT j.key FROM job j JOIN collection c ON c.name = j.state ->> 'collection' WHERE c.id = ?1)
"""

# What else names a document, and goes with it. A file with a document that is gone has to be read again anyway.
# The `+` keeps SQLite from looking through all files of the collection.
TRACES = (
    """
DELETE FROM file WHERE +collection = ?1 AND key IN (SELECT file FROM file_document WHERE document_id = ?2)
""",
    """
UPDATE job_result SET result = json_set(result, '$.id', NULL, '$.file', NULL) WHERE result ->> 'id' = ?2
AND EXISTS (SELECT 1 FROM job j JOIN collection c ON c.name = j.state ->> 'collection' WHERE j.key = job AND c.id = ?1)
""",
)


def mismatch(bound: str, encoder: str) -> str:
    """Return the text of an `EncoderMismatch`."""
    return (
        f"The collection was built with the model {bound}, and the model in use is {encoder}; their vectors cannot be "
        "compared. Choose the first one with PINCITE_MODEL, or use another collection or data folder."
    )
