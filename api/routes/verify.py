"""Checking the whole data folder while it is served."""

from __future__ import annotations

from fastapi import APIRouter

from api.dependencies import RunningParts
from api.inventory import VerificationOut
from api.openapi import problems
from api.strict import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["operations"])


@router.post("/v1/verify", responses=problems())
def verify_folder(running: RunningParts) -> VerificationOut:
    """Read everything that is stored and say what is wrong with it; one at a time, because it reads all of the disk."""
    with running.verifying.place():
        return VerificationOut(problems=list(running.pincite.catalog.verify()))
