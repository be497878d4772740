"""What is kept beside the documents: work that was accepted, and answers to requests that may come again.

Both belong to the data folder, not to a collection. What a job was given lies in one spool file until the job has
ended, so that large uploads do not pass through the database.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from index.errors import Unavailable, unwritable
from index.manifest import sync_folder
from index.store import Store

SPOOL = "jobs"  # the folder of the spool files, below the data folder


@dataclass(frozen=True, slots=True)
class KeptPart:
    """A piece of a job: the file's name where it is one, and where its bytes lie in the spool file."""

    name: str | None
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class KeptJob:
    """A job as it is stored; `state` is JSON that only those above read."""

    id: str
    state: str
    ended: bool
    parts_done: int  # parts that need not be done again
    told: int  # results of the part after those that are recorded already
    results: int  # how many are recorded
    parts: Sequence[KeptPart]


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The answer to a request, and a digest of what was asked."""

    request: str
    status: int
    headers: dict[str, str]
    body: bytes


class Ledger:
    """Jobs and answers of one data folder; `Catalog.ledger` is it. Every method may raise `Unavailable`."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._spool = folder / SPOOL

    # Jobs

    def add_job(self, job_id: str, state: str, parts: Iterable[tuple[str | None, BinaryIO]]) -> KeptJob:
        """Keep a job with all that it needs; when this returns it survives a power cut. Raises `StorageFull`."""
        kept = self._spooled(job_id, parts)
        try:
            with self._store.writing() as writer:
                insert = "INSERT INTO job (id, state, ended, parts_done, told) VALUES (?, ?, 0, 0, 0) RETURNING key"
                ((key,),) = writer.sql(insert, job_id, state)
                for place, part in enumerate(kept):
                    values = (key, place, part.name, part.start, part.length)
                    writer.sql("INSERT INTO job_part VALUES (?, ?, ?, ?, ?)", *values)
        except BaseException:
            self._erase(job_id)
            raise
        return KeptJob(job_id, state, False, 0, 0, 0, kept)

    def save_job(self, job: KeptJob, results: Sequence[str]) -> None:
        """Store where a job is, with the results that came since; what an ended job was given is erased."""
        with self._store.writing() as writer:
            update = "UPDATE job SET state = ?, ended = ?, parts_done = ?, told = ? WHERE id = ? RETURNING key"
            rows = writer.sql(update, job.state, job.ended, job.parts_done, job.told, job.id)
            for (key,) in rows:
                for place, result in enumerate(results, start=job.results - len(results)):
                    writer.sql("INSERT INTO job_result VALUES (?, ?, ?)", key, place, result)
                if job.ended:
                    writer.sql("DELETE FROM job_part WHERE job = ?", key)
        if job.ended:
            self._erase(job.id)

    def jobs(self) -> Sequence[KeptJob]:
        """Return every job, the oldest first, and erase spool files that no job needs."""
        with self._store.reading() as reader:
            rows = reader.sql(JOBS)
            parts: dict[int, list[KeptPart]] = {}
            for key, *part in reader.sql("SELECT job, name, start, length FROM job_part ORDER BY job, place"):
                parts.setdefault(key, []).append(KeptPart(*part))
        found = [
            KeptJob(job_id, state, bool(ended), done, told, results, parts.get(key, []))
            for key, job_id, state, ended, done, told, results in rows
        ]
        needed = {job.id for job in found if not job.ended}
        for file in self._spool.glob("*"):
            if file.name not in needed:
                self._erase(file.name)
        return found

    def job_results(self, job_id: str, after: int, limit: int) -> Sequence[str]:
        """Return up to `limit` recorded results of a job, those after the first `after`."""
        with self._store.reading() as reader:
            return [row[0] for row in reader.sql(RESULTS, job_id, after, limit)]

    def part(self, job_id: str, part: KeptPart) -> bytes:
        """Return the bytes of a part of a job that has not ended."""
        try:
            with (self._spool / job_id).open("rb") as file:
                file.seek(part.start)
                return file.read(part.length)
        except OSError as error:
            raise Unavailable(f"What the job was given cannot be read ({error}). Send it again.") from error

    def forget_jobs(self, job_ids: Sequence[str]) -> None:
        """Let ended jobs go, with their results."""
        with self._store.writing() as writer:
            writer.sql("DELETE FROM job WHERE id IN (SELECT value FROM json_each(?))", json.dumps(list(job_ids)))

    def _spooled(self, job_id: str, parts: Iterable[tuple[str | None, BinaryIO]]) -> list[KeptPart]:
        """Write what a job was given into one file, and have it and its name on disk when this returns."""
        kept, start = [], 0
        try:
            self._spool.mkdir(mode=0o700, exist_ok=True)
            with open(self._spool / job_id, "xb", opener=_private) as file:
                for name, stream in parts:
                    shutil.copyfileobj(stream, file)
                    kept.append(KeptPart(name, start, file.tell() - start))
                    start = file.tell()
                file.flush()
                os.fsync(file.fileno())
            for folder in (self._spool, self._spool.parent):
                sync_folder(folder)
        except OSError as error:
            self._erase(job_id)
            raise unwritable(self._spool, error) from error
        return kept

    def _erase(self, job_id: str) -> None:
        (self._spool / job_id).unlink(missing_ok=True)

    # Answers to requests with an idempotency key

    def answer(self, key: str, not_before: int) -> KeptAnswer | None:
        """Return the answer that was kept under a key at or after `not_before`, in seconds since 1970."""
        with self._store.reading() as reader:
            sql = "SELECT request, status, headers, body FROM answered WHERE key = ? AND at >= ?"
            rows = reader.sql(sql, key, not_before)
        return KeptAnswer(rows[0][0], rows[0][1], json.loads(rows[0][2]), rows[0][3]) if rows else None

    def keep_answer(self, key: str, answer: KeptAnswer, *, at: int, not_before: int, most: int) -> None:
        """Keep an answer; those from before `not_before` and the oldest beyond `most` are let go."""
        values = (key, answer.request, at, answer.status, json.dumps(answer.headers), answer.body)
        with self._store.writing() as writer:
            writer.sql("DELETE FROM answered WHERE key = ? OR at < ?", key, not_before)
            insert = "INSERT INTO answered (key, request, at, status, headers, body) VALUES (?, ?, ?, ?, ?, ?)"
            writer.sql(insert, *values)
            oldest = "SELECT seq FROM answered ORDER BY seq DESC LIMIT -1 OFFSET ?"
            writer.sql(f"DELETE FROM answered WHERE seq IN ({oldest})", most)  # noqa: S608  a fixed statement


JOBS = """
SELECT j.key, j.id, j.state, j.ended, j.parts_done, j.told, (SELECT count(*) FROM job_result r WHERE r.job = j.key)
FROM job j ORDER BY j.key
"""
RESULTS = """
SELECT r.result FROM job_result r JOIN job j ON j.key = r.job WHERE j.id = ? AND r.place >= ?
ORDER BY r.place LIMIT ?
"""


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
