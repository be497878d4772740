"""Jobs: listing, watching, cancelling."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.concurrency import run_in_threadpool

from api.dependencies import RunningParts
from api.events import HEARTBEAT, HEARTBEAT_SECONDS, event, event_response
from api.inventory import JobList, JobOut
from api.jobs import Job
from api.openapi import EVENT_STREAM, problems
from api.strict import QueryBoolean, QueryInteger, StrictRoute
from api.translations import as_json

_POLL_SECONDS = 0.1

router = APIRouter(route_class=StrictRoute, tags=["jobs"])
JobPath = Annotated[str, Path(alias="id", description="The job's id.", max_length=100)]


@router.get("/v1/jobs", responses=problems())
def list_jobs(running: RunningParts) -> JobList:
    """List the jobs that are remembered, the newest first, without their results."""
    return JobList(jobs=[job.summary() for job in running.jobs.all()])


@router.get("/v1/jobs/{id}", responses=problems(404))
def get_job(
    job_id: JobPath,
    running: RunningParts,
    after: Annotated[QueryInteger, Query(ge=0, description="Leave out that many results, told before.")] = 0,
) -> JobOut:
    """Return a job with the results so far."""
    return running.jobs.get(job_id).shown(after)


@router.delete("/v1/jobs/{id}", responses=problems(404))
def cancel_job(job_id: JobPath, running: RunningParts) -> JobOut:
    """Cancel a job; what it has added stays, and a job that has ended stays as it is."""
    job = running.jobs.get(job_id)
    running.jobs.cancel(job)
    return job.shown()


@router.get(
    "/v1/jobs/{id}/events",
    response_class=Response,
    responses={200: {"content": EVENT_STREAM}, **problems(404)},
)
async def follow_job(
    job_id: JobPath,
    running: RunningParts,
    follow: Annotated[QueryBoolean, Query(description="false: tell the present state and end.")] = True,
) -> Response:
    """Follow a job as server-sent events: `progress` at every change, `done` with the whole job when it has ended."""
    return event_response(job_events(running.jobs.get(job_id), follow=follow, until=running.draining.is_set))


async def job_events(
    job: Job, *, follow: bool, heartbeat: float = HEARTBEAT_SECONDS, until: Callable[[], bool] = lambda: False
) -> AsyncIterator[bytes]:
    """Yield the events of a job; changes that come quicker than ten a second are told together.

    It ends with the job, or without `done` once `until` says so: the server ends, and the next one goes on.
    """
    told, last = -1, time.monotonic()
    while True:
        ended, version = job.ended, job.version
        if version != told:
            yield event("progress", json.dumps(as_json(job.summary())))
            told, last = version, time.monotonic()
        if ended:
            yield event("done", json.dumps(as_json(await run_in_threadpool(job.shown))))
        if ended or not follow or until():
            return
        if time.monotonic() - last >= heartbeat:
            yield HEARTBEAT
            last = time.monotonic()
        await asyncio.sleep(_POLL_SECONDS)
