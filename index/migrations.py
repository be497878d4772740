"""The layout of the truth, as numbered steps that are only ever appended; `PRAGMA user_version` counts those taken.

Nothing here is edited after it was released: old data folders take the steps that they lack when they are opened.
"""

from __future__ import annotations

import apsw

from index.errors import VersionTooNew

M001 = """
CREATE TABLE collection (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    encoder TEXT,                     -- fingerprint of the model that made the vectors; NULL before the first write
    dimension INTEGER                 -- of its vectors
) STRICT;

CREATE TABLE document (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    sha256 TEXT NOT NULL,             -- of the stored text in UTF-8
    fingerprint TEXT NOT NULL,        -- of everything given
    media_type TEXT NOT NULL,
    title TEXT,
    uri TEXT,
    source TEXT,
    published TEXT,
    published_low INTEGER,            -- microseconds since 0001-01-01T00:00Z, inclusive
    published_high INTEGER,           -- exclusive
    language TEXT,
    encoding TEXT,
    metadata TEXT NOT NULL,           -- JSON
    added TEXT NOT NULL,
    added_low INTEGER NOT NULL,
    added_high INTEGER NOT NULL,
    characters INTEGER NOT NULL,      -- code points of the text
    bytes INTEGER NOT NULL,           -- of the original
    first_passage INTEGER NOT NULL,   -- a document's passages have the keys from here on, without a gap
    passages INTEGER NOT NULL,
    UNIQUE (collection, id)
) STRICT;

-- What filters look at, in one narrow index, so that a filter never reads the wide rows of `document`.
CREATE INDEX document_facts ON document (
    collection, published_low, published_high, source, language, media_type, id, added_low, added_high,
    first_passage, passages
);

CREATE TABLE passage (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL REFERENCES document (key) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL,           -- code points into the text, inclusive
    stop INTEGER NOT NULL,            -- exclusive
    start_utf16 INTEGER NOT NULL,
    header TEXT NOT NULL,
    heading_path TEXT NOT NULL,       -- JSON list of strings
    first_page INTEGER,
    last_page INTEGER,
    UNIQUE (document, ordinal)
) STRICT;

-- Text is kept in pieces of 65,536 code points, so that a passage of a huge document is read without the rest.
CREATE TABLE text (
    document INTEGER NOT NULL REFERENCES document (key) ON DELETE CASCADE,
    piece INTEGER NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (document, piece)
) STRICT;

-- Only where the original is not the UTF-8 of the text.
CREATE TABLE original (
    document INTEGER PRIMARY KEY REFERENCES document (key) ON DELETE CASCADE,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE vectors (
    document INTEGER PRIMARY KEY REFERENCES document (key) ON DELETE CASCADE,
    data BLOB NOT NULL                -- float32, little-endian, one row per passage in the order of ordinals
) STRICT;

-- Metadata that can be filtered by: one row per value, lists spread out.
CREATE TABLE attribute (
    collection INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,               -- string | number | boolean
    value ANY NOT NULL,
    document INTEGER NOT NULL REFERENCES document (key) ON DELETE CASCADE,
    PRIMARY KEY (collection, name, kind, value, document)
) STRICT, WITHOUT ROWID;
CREATE INDEX attribute_document ON attribute (document);

CREATE TABLE change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    document_id TEXT NOT NULL,
    removed_first INTEGER NOT NULL,   -- passage keys that this change took away
    removed_count INTEGER NOT NULL,
    added_first INTEGER NOT NULL,     -- and those that it brought
    added_count INTEGER NOT NULL,
    at TEXT NOT NULL,
    mark TEXT NOT NULL                -- random: tells this history from one that went another way after a restore
) STRICT;
CREATE INDEX change_collection ON change (collection, seq);
"""

M002 = """
-- Files as they were ingested last: what did not change since then needs no reading.
CREATE TABLE file (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    version TEXT NOT NULL,            -- a digest of its bytes and of what read them
    UNIQUE (collection, name)
) STRICT;

-- The documents that a file gave; the file counts as unchanged while all of them are still stored like this.
CREATE TABLE file_document (
    file INTEGER NOT NULL REFERENCES file (key) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    document_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (file, place)
) STRICT, WITHOUT ROWID;

-- Work that was accepted. Names of collections, not numbers: jobs live outside collections.
CREATE TABLE job (
    key INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order in which they came
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,              -- JSON, for those above to read
    ended INTEGER NOT NULL,           -- 1 when nothing more will happen
    parts_done INTEGER NOT NULL,      -- parts that need not be done again
    told INTEGER NOT NULL             -- results of the part after those that are recorded already
) STRICT;

-- What a job was given; the bytes lie in the job's spool file until it has ended.
CREATE TABLE job_part (
    job INTEGER NOT NULL REFERENCES job (key) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    name TEXT,                        -- of a file
    start INTEGER NOT NULL,           -- bytes into the spool file
    length INTEGER NOT NULL,
    PRIMARY KEY (job, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_result (
    job INTEGER NOT NULL REFERENCES job (key) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    result TEXT NOT NULL,             -- JSON
    PRIMARY KEY (job, place)
) STRICT, WITHOUT ROWID;

-- Answers to requests that carried an idempotency key.
CREATE TABLE answered (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    request TEXT NOT NULL,            -- a digest of what was asked
    at INTEGER NOT NULL,              -- seconds since 1970
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,            -- JSON
    body BLOB NOT NULL
) STRICT;
"""

M003 = """
-- The log is kept for ever, so it must not name what was deleted; nothing ever read the ids in it.
ALTER TABLE change DROP COLUMN document_id;

-- To find what else names a document when it is deleted.
CREATE INDEX file_document_id ON file_document (document_id);
CREATE INDEX job_result_document ON job_result (result ->> 'id') WHERE result ->> 'id' IS NOT NULL;
"""

M004 = """
-- Views catch up by ranges of passage keys; without this each range reads every document.
CREATE INDEX document_passages ON document (collection, first_passage);
"""

M005 = """
-- Rankings that a collection was tuned to. What stands in the JSON is for those above to read.
CREATE TABLE ranking (
    collection INTEGER NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,         -- 1, 2 and so on within the collection
    created TEXT NOT NULL,
    settings TEXT NOT NULL,           -- JSON
    figures TEXT NOT NULL,            -- JSON: what it was fitted on, and what it gained
    PRIMARY KEY (collection, version)
) STRICT, WITHOUT ROWID;

-- The version in use; NULL where it is the ranking of the product.
ALTER TABLE collection ADD COLUMN ranking INTEGER;
"""

STEPS = (M001, M002, M003, M004, M005)


def migrate(connection: apsw.Connection) -> bool:
    """Take the steps that the database lacks, each in a transaction of its own; returns whether there were any.

    Raises `VersionTooNew`.
    """
    version = connection.pragma("user_version")
    if version > len(STEPS):
        raise VersionTooNew(
            f"The data folder has layout {version}, and this version of Pincite knows layouts up to {len(STEPS)}. "
            "Install the version that wrote it, or choose another data folder with PINCITE_DATA."
        )
    for number in range(version, len(STEPS)):
        with connection:
            connection.execute(STEPS[number])
            connection.pragma("user_version", number + 1)
    return bool(version < len(STEPS))
