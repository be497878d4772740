"""The HTTP service, put together from its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api import openapi, problems
from api.dependencies import Gate, Running
from api.jobs import Jobs
from api.limits import Limits
from api.metrics import Metrics
from api.middleware import Border
from api.once import Once
from api.routes import ask, check, collections, documents, jobs, operations, page, verify
from api.versions import version_of
from api.wiring import Pincite
from rag.ingest import Ingest


def create_app(pincite: Pincite, limits: Limits | None = None) -> FastAPI:
    """Return the application that serves `pincite`; without `limits` the defaults hold, and the settings' places."""
    limits = limits or Limits(questions_at_once=pincite.settings.questions_at_once)
    running = _running(pincite, limits)
    app = FastAPI(
        title="Pincite",
        version=version_of("pincite"),
        description="Ask your own documents; get the passages that answer, each cited to the character.",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        generate_unique_id_function=_operation_id,
    )
    app.state.running, app.state.assets = running, page.read_assets()
    running.metrics.watch(partial(operations.look, running))
    problems.add_handlers(app)
    app.add_middleware(
        Border,
        bound_host=pincite.settings.host,
        limits=limits,
        metrics=running.metrics,
        origins=frozenset(pincite.settings.cors_origins),
        log_questions=pincite.settings.log_questions,
    )
    for module in (ask, check, documents, collections, jobs, operations, verify, page):
        app.include_router(module.router)
    app.include_router(documents.batches)
    openapi.install(app)
    return app


def _running(pincite: Pincite, limits: Limits) -> Running:
    metrics = Metrics()

    def ingest(collection: str) -> Ingest:
        return running.ingest(running.collection(collection))

    running = Running(
        pincite=pincite,
        limits=limits,
        metrics=metrics,
        jobs=Jobs(ingest, pincite.config_digest, limits, pincite.catalog.ledger),
        once=Once(pincite.catalog.ledger, limits),
        questions=Gate(limits.questions_at_once, "questions", limits.wait_seconds),
        writes=Gate(limits.writes_at_once, "writes", limits.wait_seconds),
        verifying=Gate(1, "verifications", limits.wait_seconds),
        tuning=Gate(1, "tunings", limits.wait_seconds),
    )
    return running


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    running: Running = app.state.running
    running.jobs.start()
    try:
        yield
    finally:
        if running.draining.is_set():  # the server has stopped them and waits for them
            running.jobs.stop(0.0)
        else:
            running.jobs.stop()


def _operation_id(route: APIRoute) -> str:
    """Name operations as their functions, so that a generated client reads well."""
    return route.name
