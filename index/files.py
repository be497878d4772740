"""Which files gave which documents of a collection? What did not change since then need not be read again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from index.store import Store


@dataclass(frozen=True, slots=True)
class Brief:
    """A stored document in short: enough to say that it did not change."""

    id: str
    sha256: str
    fingerprint: str
    passages: int


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file whose documents are all stored: its version, and (document id, fingerprint) of each in their order."""

    version: str
    documents: Sequence[tuple[str, str]]


class Files:
    """The record of one collection; `Collection.files` makes it."""

    def __init__(self, store: Store, collection: int) -> None:
        self._store = store
        self._collection = collection

    def known(self, document_ids: Sequence[str]) -> Mapping[str, Brief]:
        """Return those of the documents that are stored."""
        with self._store.reading() as reader:
            rows = reader.sql(KNOWN, json.dumps(list(document_ids)), self._collection)
        return {row[0]: Brief(*row) for row in rows}

    def unchanged(self, versions: Mapping[str, str]) -> Mapping[str, Sequence[Brief]]:
        """Return, of the files given by name with their version, those whose documents are all stored as they were."""
        found: dict[str, list[Brief]] = {}
        counts: dict[str, int] = {}
        with self._store.reading() as reader:
            rows = reader.sql(UNCHANGED, json.dumps(versions), self._collection)
        for name, document_id, sha256, fingerprint, passages in rows:
            counts[name] = counts.get(name, 0) + 1
            if fingerprint is not None:
                found.setdefault(name, []).append(Brief(document_id, sha256, fingerprint, passages))
        return {name: briefs for name, briefs in found.items() if len(briefs) == counts[name]}

    def record(self, files: Mapping[str, FileRecord]) -> None:
        """Remember files by name, all of them or none, instead of what was known about them."""
        with self._store.writing() as writer:
            if not writer.exists(self._collection):
                return
            for name, file in files.items():
                writer.sql("DELETE FROM file WHERE collection = ? AND name = ?", self._collection, name)
                ((key,),) = writer.sql(INSERT_FILE, self._collection, name, file.version)
                writer.sql(INSERT_DOCUMENTS, key, json.dumps(list(file.documents)))


KNOWN = """
SELECT d.id, d.sha256, d.fingerprint, d.passages
FROM json_each(?) asked CROSS JOIN document d ON d.id = asked.value WHERE d.collection = ?
"""
UNCHANGED = """
SELECT f.name, d.id, d.sha256, d.fingerprint, d.passages
FROM json_each(?1) asked CROSS JOIN file f ON f.collection = ?2 AND f.name = asked.key AND f.version = asked.value
JOIN file_document held ON held.file = f.key
LEFT JOIN document d ON d.collection = ?2 AND d.id = held.document_id AND d.fingerprint = held.fingerprint
ORDER BY f.key, held.place
"""
INSERT_FILE = "INSERT INTO file (collection, name, version) VALUES (?, ?, ?) RETURNING key"
INSERT_DOCUMENTS = """
INSERT INTO file_document SELECT ?1, one.key, one.value ->> 0, one.value ->> 1 FROM json_each(?2) one
"""
