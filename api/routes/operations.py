"""For those who run it: alive, ready, counts, and what is running."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from api.dependencies import Running, RunningParts
from api.inventory import HealthOut, InfoOut, ReaderOut, ReadyOut
from api.limits import named_limits
from api.metrics import MEDIA_TYPE, Measure, build, gauge, of_collections
from api.openapi import problems
from api.strict import StrictRoute
from api.versions import version_of
from index.errors import IndexProblem
from rag.loaders import supported_media_types, supported_suffixes

router = APIRouter(route_class=StrictRoute, tags=["operations"])
_JOB_STATUSES = ("queued", "running", "done", "failed", "cancelled")
_LIBRARIES = (
    "apsw",
    "faiss-cpu",
    "fastapi",
    "numpy",
    "openvino",
    "pydantic",
    "sentence-transformers",
    "tantivy",
    "torch",
    "uvicorn",
)


@router.get("/healthz", responses=problems())
async def healthz() -> HealthOut:
    """Say that the process answers."""
    return HealthOut(status="ok")


@router.get(
    "/readyz", response_model=ReadyOut, responses={**problems(), 503: {"model": ReadyOut, "description": "Not ready."}}
)
def readyz(running: RunningParts) -> Response:
    """Say whether every collection can be asked and written to, and what is behind."""
    behind, unavailable = _lagging(running)
    if running.draining.is_set():
        unavailable["*"] = "The server is about to end."
    ready = not unavailable
    state = ReadyOut(status="ready" if ready else "not_ready", behind=behind, unavailable=unavailable)
    return JSONResponse(state.model_dump(), 200 if ready else 503, {} if ready else {"Retry-After": "5"})


def _lagging(running: Running) -> tuple[list[str], dict[str, str]]:
    """Return the collections that lag behind, and what is wrong with those that fail; `*` stands for all of them."""
    behind: list[str] = []
    unavailable: dict[str, str] = {}
    try:
        running.pincite.catalog.require_writable()
        names = running.pincite.catalog.names()
    except IndexProblem as problem:
        return [], {"*": str(problem)}
    for name in names:
        try:
            found = running.collection(name).search(None, "ready", limit=1)  # reads the truth and a view
            behind += [name] if found.degraded else []
        except IndexProblem as problem:
            unavailable[name] = str(problem)
    return behind, unavailable


@router.get("/metrics", response_class=PlainTextResponse, responses=problems())
def metrics(running: RunningParts) -> Response:
    """Return counts in Prometheus' text format."""
    return Response(running.metrics.text(), headers={"Content-Type": MEDIA_TYPE})


def look(running: Running) -> Iterator[Measure]:
    """Yield what is measured only when somebody asks: what waits, what is stored, what runs."""
    jobs: Counter[str] = Counter(job.summary().status for job in running.jobs.all())
    queues = {
        "questions": running.questions.waiting,
        "writes": running.writes.waiting,
        "encoder": running.pincite.encoder.waiting,
        "jobs": jobs["queued"],
    }
    yield gauge("pincite_waiting", "Who waits for a place, by queue.", "queue", queues)
    yield gauge("pincite_jobs", "Jobs that are remembered.", "status", {one: jobs[one] for one in _JOB_STATUSES})
    with suppress(IndexProblem):  # a folder that fails is told by /readyz; the other measures are wanted then
        yield from of_collections(running.collection(name).info() for name in running.pincite.catalog.names())
    encoder, reader = running.pincite.encoder, running.pincite.reader
    models = {"model": encoder.fingerprint, "reader": reader.fingerprint if reader else ""}
    yield build({"version": version_of("pincite"), "encoder": encoder.runtime, **models})


@router.get("/v1/info", responses=problems())
def info(running: RunningParts) -> InfoOut:
    """Return versions, model, runtime, limits and counts."""
    infos = [running.collection(name).info() for name in running.pincite.catalog.names()]
    encoder, reader = running.pincite.encoder, running.pincite.reader
    return InfoOut(
        name="pincite",
        version=version_of("pincite"),
        versions={name: version_of(name) for name in _LIBRARIES} | {"python": platform.python_version()},
        reader=ReaderOut(fingerprint=reader.fingerprint, runtime=reader.runtime) if reader else None,
        model={"fingerprint": encoder.fingerprint, "dimension": encoder.dimension, "window": encoder.window},
        runtime={"encoder": encoder.runtime, "machine": platform.machine(), "system": platform.system()},
        config=running.pincite.config_digest,
        formats={"suffixes": list(supported_suffixes()), "media_types": list(supported_media_types())},
        limits=named_limits(running.limits),
        counts={
            "collections": len(infos),
            "documents": sum(one.documents for one in infos),
            "passages": sum(one.passages for one in infos),
        },
    )
