"""Work that is answered before it is done: uploads and large batches, one after another in one thread.

Jobs live in memory: the server's end ends them, and what they had added by then stays added.
"""

from __future__ import annotations

import json
import logging
import threading
import traceback
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Literal, Protocol

from api.answers import JobOut, JobResult, JobStatus, JobSummary, Progress, SnapshotOut
from api.limits import Limits
from api.problems import Problem
from api.translations import now, result_out
from index.errors import IndexProblem
from rag.errors import RagProblem
from rag.ingest import Ingest
from rag.types import IngestResult, LoadedDocument

_log = logging.getLogger("pincite")
_ENDED: frozenset[JobStatus] = frozenset({"done", "failed", "cancelled"})


class Part(Protocol):
    """A piece of a job: a file, or a batch of documents (then `name` is None)."""

    @property
    def name(self) -> str | None:
        """The file's name."""
        ...

    def results(self, ingest: Ingest) -> Iterator[IngestResult]:
        """Add its documents and yield what became of each."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class FilePart:
    """One file that was sent; its name is data and is never opened as a path."""

    def __init__(self, name: str, stream: BinaryIO) -> None:
        self.name, self._stream = name, stream

    def results(self, ingest: Ingest) -> Iterator[IngestResult]:
        """Read the file once, when its turn has come."""
        yield from ingest.file(self._stream.read(), name=self.name)

    def close(self) -> None:
        """Delete the temporary file."""
        self._stream.close()


class DocumentsPart:
    """Documents that were sent as JSON."""

    name = None

    def __init__(self, documents: Sequence[LoadedDocument | IngestResult]) -> None:
        self._documents = documents

    def results(self, ingest: Ingest) -> Iterator[IngestResult]:
        """Add the documents in their order."""
        yield from ingest.documents(self._documents, raw_ids=False)

    def close(self) -> None:
        """Let the documents go."""
        self._documents = ()


class Job:
    """One job; every change raises `version`, which followers watch."""

    def __init__(self, kind: Literal["upload", "documents"], collection: str, parts: Sequence[Part], most: int) -> None:
        self.id = f"job_{uuid.uuid4().hex}"
        self.collection, self.parts, self.version = collection, parts, 0
        self.cancelled = threading.Event()
        self._lock = threading.Lock()
        self._results: list[JobResult] = []
        self._most, self._left_out = most, 0
        progress = Progress(files=len(parts), files_done=0, documents=0, passages=0, failed=0, current=None)
        self._state = JobSummary(
            id=self.id,
            kind=kind,
            collection=collection,
            status="queued",
            created=now(),
            started=None,
            finished=None,
            progress=progress,
            problem=None,
            snapshot=None,
        )

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self._state.status in _ENDED

    def summary(self) -> JobSummary:
        """Return the present state without the results."""
        return self._state

    def shown(self) -> JobOut:
        """Return the present state with the results."""
        with self._lock:
            return JobOut(**dict(self._state), results=list(self._results), results_left_out=self._left_out)

    def change(self, **changes: object) -> None:
        """Set fields of the state."""
        with self._lock:
            self._state = self._state.model_copy(update=changes)
            self.version += 1

    def advance(self, **changes: object) -> None:
        """Set fields of the progress."""
        self.change(progress=self._state.progress.model_copy(update=changes))

    def end(self, status: JobStatus, problem: str | None = None) -> None:
        """Reach an end; the first one stays."""
        if not self.ended:
            self.advance(current=None)
            self.change(status=status, problem=problem, finished=now())

    def record(self, result: JobResult) -> None:
        """Keep a result, or count it where there are too many, and add it to the progress."""
        with self._lock:
            if len(self._results) < self._most:
                self._results.append(result)
            else:
                self._left_out += 1
        before = self._state.progress
        failed = result.status == "failed"
        self.advance(
            documents=before.documents + (not failed),
            passages=before.passages + result.passages,
            failed=before.failed + failed,
        )


class Jobs:
    """The queue, its one worker thread, and the jobs since the start; a bounded number of each."""

    def __init__(self, ingest: Callable[[str], Ingest], config: str, limits: Limits) -> None:
        """`ingest` opens a collection by name for adding."""
        self._ingest, self._config, self._limits = ingest, config, limits
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the worker."""
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Cancel everything and wait for the worker, `seconds` at most."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        for job in list(self._jobs.values()):
            self.cancel(job)
        if self._thread is not None:
            self._thread.join(seconds)

    def submit(self, kind: Literal["upload", "documents"], collection: str, parts: Sequence[Part]) -> Job:
        """Queue a job; raises Problem 503 when too many wait (then its parts are closed)."""
        job = Job(kind, collection, parts, self._limits.job_results)
        with self._wake:
            if len(self._waiting) >= self._limits.jobs_waiting or self._stopping:
                _close(job)
                detail = f"{len(self._waiting)} jobs wait already; try again when one has ended."
                raise Problem(503, "busy", detail, limit=self._limits.jobs_waiting, retry_after=5)
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._wake.notify()
        return job

    def get(self, job_id: str) -> Job:
        """Return a job by id; raises Problem 404."""
        job = self._jobs.get(job_id)
        if job is None:
            raise Problem(
                404, "job_missing", "There is no such job; jobs end with the server, and old ones are let go."
            )
        return job

    def all(self) -> Sequence[Job]:
        """Return every job that is remembered, the newest first."""
        with self._wake:
            return list(reversed(self._jobs.values()))

    def cancel(self, job: Job) -> None:
        """Ask a job to end: at once while it waits, after the document under way while it runs."""
        job.cancelled.set()
        with self._wake:
            if job in self._waiting:
                self._waiting.remove(job)
                _close(job)
                job.end("cancelled")

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                job = self._waiting.popleft()
                job.change(status="running", started=now())
            try:
                self._run(job)
            finally:
                _close(job)
                self._forget()

    def _run(self, job: Job) -> None:
        try:
            ingest = self._ingest(job.collection)
            for part in job.parts:
                if job.cancelled.is_set():
                    break
                job.advance(current=part.name)
                _run_part(job, part, ingest)
                job.change(snapshot=SnapshotOut(token=ingest.token, config=self._config))
            job.end("cancelled" if job.cancelled.is_set() else "done")
        except IndexProblem as problem:
            job.end("failed", str(problem))
        except Exception:
            _log.error("%s %s", job.id, json.dumps(traceback.format_exc()))
            job.end("failed", "The server met an error that it did not expect; see its log.")

    def _forget(self) -> None:
        """Let the oldest ended jobs go."""
        with self._wake:
            ended = [job.id for job in self._jobs.values() if job.ended]
            for job_id in ended[: max(0, len(ended) - self._limits.jobs_kept)]:
                del self._jobs[job_id]


def _run_part(job: Job, part: Part, ingest: Ingest) -> None:
    """Add one part; a file that cannot be read fails alone, a store that cannot be written fails the job."""
    try:
        for result in part.results(ingest):
            job.record(_told(part, result))
            if job.cancelled.is_set():
                return
    except RagProblem as problem:
        job.record(_told(part, IngestResult("", "failed", problem=str(problem))))
    job.advance(files_done=job.summary().progress.files_done + 1)


def _told(part: Part, result: IngestResult) -> JobResult:
    """Return a result under its file; a file that failed as a whole has a name, but no document and so no id."""
    told = result_out(result)
    document_id = None if told.status == "failed" and told.id == part.name else told.id
    return JobResult(**{**dict(told), "file": part.name, "id": document_id})


def _close(job: Job) -> None:
    for part in job.parts:
        part.close()
