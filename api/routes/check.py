"""Checking what a text claims against the documents."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.answers import CheckOut
from api.dependencies import RunningParts
from api.openapi import problems
from api.schemas import CheckRequest
from api.strict import StrictRoute
from api.translations import check_out
from rag.claims import check

router = APIRouter(route_class=StrictRoute, tags=["ask"])


@router.post("/v1/check", responses=problems(404, 409, 415))
def check_claims(body: CheckRequest, request: Request, running: RunningParts) -> CheckOut:
    """Say of each sentence of a text whether the documents support it, contradict it, or say nothing of it."""
    request.state.question = body.text
    parts = running.pincite
    with running.metrics.asking("check"), running.questions.place():
        collection = running.collection(body.collection)
        found = check(body.text, collection, parts.encoder, parts.reader, filter=body.condition)
    told = any(claim.verdict != "not_found" for claim in found.claims)
    running.metrics.asked("check", "answered" if told else "declined", found.timing_ms)
    return check_out(found, parts.config_digest)
