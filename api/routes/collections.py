"""Collections: listing, creating, describing, dropping."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.answers import CollectionDropped, CollectionList, CollectionOut
from api.dependencies import CollectionPath, Running, RunningParts
from api.openapi import problems
from api.problems import Problem
from api.schemas import CollectionSettings
from api.strict import StrictRoute
from api.translations import collection_out, summary_out
from rag.ask import examples

router = APIRouter(route_class=StrictRoute, tags=["collections"])


@router.get("/v1/collections", responses=problems())
def list_collections(running: RunningParts) -> CollectionList:
    """List the collections by name, with their counts."""
    infos = [running.collection(name).info() for name in running.pincite.catalog.names()]
    return CollectionList(collections=[summary_out(info, running.pincite.config_digest) for info in infos])


@router.get("/v1/collections/{name}", responses=problems(404, 409))
def get_collection(name: CollectionPath, running: RunningParts) -> CollectionOut:
    """Describe one collection: counts, facets, and questions that it answers."""
    return _described(name, running)


def _described(name: str, running: Running) -> CollectionOut:
    collection = running.collection(name)
    with running.questions.place():
        asked = examples(collection, running.pincite.encoder)
    return collection_out(collection.info(), running.pincite.config_digest, asked)


@router.put(
    "/v1/collections/{name}",
    responses={201: {"model": CollectionOut, "description": "It is new."}, **problems(409, 415, 507)},
)
def put_collection(
    name: CollectionPath, running: RunningParts, response: Response, body: CollectionSettings | None = None
) -> CollectionOut:
    """Create a collection, or find it there already; no body is as good as `{}`."""
    with running.writes.place():
        new = running.pincite.catalog.create(name)
    response.status_code = 201 if new else 200
    return _described(name, running)


@router.delete("/v1/collections/{name}", responses=problems(404, 409, 507))
def drop_collection(name: CollectionPath, running: RunningParts) -> CollectionDropped:
    """Drop a collection with all its documents; `default` always exists and cannot be dropped."""
    if name == "default":
        raise Problem(409, "collection_needed", "The collection default always exists; delete its documents instead.")
    running.collection(name)
    with running.writes.place():
        running.pincite.catalog.drop(name)
    return CollectionDropped(name=name, status="dropped")
