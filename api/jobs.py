"""Work that is answered before it is done: uploads and large batches, one after another in one thread.

A job is on disk before it is answered. A server that ends, however it ends, leaves its jobs to the next one, which goes
on with the file that was under way. What had been added but not yet told then comes out as unchanged.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

from pydantic import TypeAdapter

from api.answers import SnapshotOut
from api.incoming import loaded
from api.inventory import JobOut, JobResult, JobStatus, JobSummary, Progress
from api.limits import RESULTS_PAGE, Limits
from api.problems import Problem
from api.schemas import DocumentIn
from api.translations import now, result_out
from index.errors import IndexProblem
from index.ledger import KeptJob, KeptPart, Ledger
from rag.errors import RagProblem
from rag.ingest import Ingest
from rag.types import IngestResult

_log = logging.getLogger("pincite")
_ENDED: frozenset[JobStatus] = frozenset({"done", "failed", "cancelled"})
_SAVE_SECONDS = 0.5  # how much of a job's account a crash may lose; the documents are safe before
DOCUMENTS: TypeAdapter[list[DocumentIn]] = TypeAdapter(list[DocumentIn])
Given = tuple[str | None, BinaryIO]  # a file's name, or None for documents as JSON; and what is in it


class _State(JobSummary):
    """A job as it is stored."""

    cancelling: bool = False  # it was asked to end and has not yet


class Job:
    """One job; every change raises `version`, which followers watch."""

    def __init__(self, kept: KeptJob, ledger: Ledger, most: int) -> None:
        """Take up a job as the ledger has it; `most` results of it are kept."""
        self.id, self.parts, self.version = kept.id, kept.parts, 0
        self.cancelled = threading.Event()
        self._kept, self._ledger, self._most = kept, ledger, most
        self._lock = threading.RLock()
        self._fresh: list[str] = []  # results that the ledger does not have yet
        self._saved = time.monotonic()
        self._state = _State.model_validate_json(kept.state)
        if self._state.cancelling:
            self.cancelled.set()

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self._state.status in _ENDED

    @property
    def done_before(self) -> tuple[int, int]:
        """How many parts are done, and how many results of the next one are told already."""
        return self._kept.parts_done, self._kept.told

    def summary(self) -> JobSummary:
        """Return the present state without the results."""
        return JobSummary(**self._state.model_dump(exclude={"cancelling"}))

    def shown(self, after: int = 0) -> JobOut:
        """Return the present state with the results that come after the first `after`, a page of them at most."""
        with self._lock:
            found = list(self._ledger.job_results(self.id, after, RESULTS_PAGE))
            found += self._fresh[max(0, after - self._kept.results) :][: RESULTS_PAGE - len(found)]
            progress = self._state.progress
            left_out = max(0, progress.documents + progress.failed - after - len(found))
            results = [JobResult.model_validate_json(one) for one in found]
            return JobOut(**dict(self.summary()), results=results, results_left_out=left_out)

    def change(self, **changes: object) -> None:
        """Set fields of the state."""
        with self._lock:
            self._state = self._state.model_copy(update=changes)
            self.version += 1

    def advance(self, **changes: object) -> None:
        """Set fields of the progress."""
        with self._lock:
            self.change(progress=self._state.progress.model_copy(update=changes))

    def end(self, status: JobStatus, problem: str | None = None) -> None:
        """Reach an end and store it; the first one stays."""
        with self._lock:
            if not self.ended:
                self.advance(current=None)
                self.change(status=status, problem=problem, finished=now(), cancelling=False)
                self.save()

    def cancel(self) -> None:
        """Ask a running job to end, also if it is another process that goes on with it."""
        with self._lock:
            if not self.ended:
                self.cancelled.set()
                self.change(cancelling=True)
                self.save()

    def record(self, place: int, result: JobResult) -> None:
        """Note a result of the part at `place`; the parts before it are done then."""
        with self._lock:
            if self._kept.results + len(self._fresh) < self._most:
                self._fresh.append(result.model_dump_json())
            done, told = self.done_before
            self._kept = replace(self._kept, parts_done=place, told=told + 1 if place == done else 1)
            before, failed = self._state.progress, result.status == "failed"
            self.advance(
                files_done=place,
                documents=before.documents + (not failed),
                passages=before.passages + result.passages,
                failed=before.failed + failed,
            )

    def save(self, *, seldom: bool = False) -> None:
        """Store where the job is; `seldom` only where that is a while ago."""
        with self._lock:
            if seldom and time.monotonic() - self._saved < _SAVE_SECONDS:
                return
            kept = replace(
                self._kept,
                state=self._state.model_dump_json(),
                ended=self.ended,
                results=self._kept.results + len(self._fresh),
            )
            self._ledger.save_job(kept, self._fresh)
            self._kept, self._fresh, self._saved = kept, [], time.monotonic()


class Jobs:
    """The queue, its one worker thread, and the jobs that are remembered; a bounded number of each."""

    def __init__(self, ingest: Callable[[str], Ingest], config: str, limits: Limits, ledger: Ledger) -> None:
        """`ingest` opens a collection by name for adding."""
        self._ingest, self._config, self._limits, self._ledger = ingest, config, limits, ledger
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._coming = 0  # jobs that are being written to disk
        self._wake = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take up the jobs that are stored and start the worker."""
        for kept in self._ledger.jobs():
            job = Job(kept, self._ledger, self._limits.job_results)
            self._jobs[job.id] = job
            if job.cancelled.is_set():
                job.end("cancelled")
            elif not job.ended:
                job.change(status="queued")
                self._waiting.append(job)
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Take nothing more and wait for the worker, `seconds` at most; what is not done stays stored."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(seconds)

    def submit(self, kind: Literal["upload", "documents"], collection: str, given: Sequence[Given]) -> Job:
        """Store a job and queue it; raises Problem 503 when too many wait, and StorageFull."""
        with self._wake:
            if len(self._waiting) + self._coming >= self._limits.jobs_waiting or self._stopping:
                detail = f"{len(self._waiting)} jobs wait already; try again when one has ended."
                raise Problem(503, "busy", detail, limit=self._limits.jobs_waiting, retry_after=5)
            self._coming += 1
        try:
            state = _new_state(kind, collection, len(given))
            kept = self._ledger.add_job(state.id, state.model_dump_json(), given)
        finally:
            with self._wake:
                self._coming -= 1
        job = Job(kept, self._ledger, self._limits.job_results)
        with self._wake:
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._wake.notify()
        return job

    def get(self, job_id: str) -> Job:
        """Return a job by id; raises Problem 404."""
        job = self._jobs.get(job_id)
        if job is None:
            raise Problem(404, "job_missing", "There is no such job; jobs that ended long ago are let go.")
        return job

    def all(self) -> Sequence[Job]:
        """Return every job that is remembered, the newest first."""
        with self._wake:
            return list(reversed(self._jobs.values()))

    def cancel(self, job: Job) -> None:
        """Ask a job to end: at once while it waits, after the documents under way while it runs."""
        with self._wake:
            waits = job in self._waiting
            if waits:
                self._waiting.remove(job)
        if waits:
            job.end("cancelled")
        else:
            job.cancel()

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                job = self._waiting.popleft()
                job.change(status="running", started=job.summary().started or now())
            try:
                self._run(job)
                self._forget()
            except IndexProblem:  # the end cannot be stored now: the next start does the rest of the job again
                _log.error("%s %s", job.id, json.dumps(traceback.format_exc()))

    def _run(self, job: Job) -> None:
        try:
            ingest = self._ingest(job.summary().collection)
            for place, result in _rest(job, self._ledger, ingest):
                job.record(place, result)
                if job.cancelled.is_set() or self._stopping:
                    break
                job.change(snapshot=SnapshotOut(token=ingest.token, config=self._config))
                job.save(seldom=True)
            job.change(snapshot=SnapshotOut(token=ingest.token, config=self._config))
            if job.cancelled.is_set():
                job.end("cancelled")
            elif self._stopping:
                job.save()
            else:
                job.advance(files_done=len(job.parts))
                job.end("done")
        except (IndexProblem, RagProblem) as problem:
            if not self._stopping:  # or the folder may have been closed: the next start goes on
                job.end("failed", str(problem))
        except Exception:
            _log.error("%s %s", job.id, json.dumps(traceback.format_exc()))
            job.end("failed", "The server met an error that it did not expect; see its log.")

    def _forget(self) -> None:
        """Let the oldest ended jobs go."""
        with self._wake:
            ended = [job.id for job in self._jobs.values() if job.ended]
            gone = ended[: max(0, len(ended) - self._limits.jobs_kept)]
            for job_id in gone:
                del self._jobs[job_id]
        if gone:
            self._ledger.forget_jobs(gone)


@dataclass(frozen=True, slots=True)
class _SpooledFile:
    """A file of a job; its name is data and is never opened as a path."""

    job: Job
    ledger: Ledger
    part: KeptPart

    @property
    def name(self) -> str:
        """The name that it was sent under."""
        return self.part.name or ""

    def read(self) -> bytes:
        """Read it once, when its turn has come."""
        self.job.advance(current=self.part.name)
        return self.ledger.part(self.job.id, self.part)


def _rest(job: Job, ledger: Ledger, ingest: Ingest) -> Iterator[tuple[int, JobResult]]:
    """Do what of a job is still to be done; yield each result with the place of its part, but those told before."""
    done, told = job.done_before
    parts = job.parts[done:]
    if job.summary().kind == "upload":
        results = ingest.files(_SpooledFile(job, ledger, part) for part in parts)
    else:
        results = _documents(job, ledger, parts, ingest)
    for number, (place, result) in enumerate(results):
        if number >= told:
            yield done + place, _told(parts[place].name, result)


def _documents(
    job: Job, ledger: Ledger, parts: Sequence[KeptPart], ingest: Ingest
) -> Iterator[tuple[int, IngestResult]]:
    for place, part in enumerate(parts):
        documents = DOCUMENTS.validate_json(ledger.part(job.id, part), strict=True)
        given = (loaded(document) for document in documents)
        yield from ((place, result) for result in ingest.documents(given, raw_ids=False))


def _new_state(kind: Literal["upload", "documents"], collection: str, parts: int) -> _State:
    return _State(
        id=f"job_{uuid.uuid4().hex}",
        kind=kind,
        collection=collection,
        status="queued",
        created=now(),
        started=None,
        finished=None,
        progress=Progress(files=parts, files_done=0, documents=0, passages=0, failed=0, current=None),
        problem=None,
        snapshot=None,
    )


def _told(name: str | None, result: IngestResult) -> JobResult:
    """Return a result under its file; a file that failed as a whole has a name, but no document and so no id."""
    told = result_out(result)
    document_id = None if told.status == "failed" and told.id == name else told.id
    return JobResult(**{**dict(told), "file": name, "id": document_id})
