"""Collections: listing, creating, describing, dropping."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Response

from api.dependencies import CollectionPath, Running, RunningParts
from api.inventory import CollectionDropped, CollectionList, CollectionOut, RankingChosen, RankingList, TuningOut
from api.once import IDEMPOTENT, OnceRoute
from api.openapi import problems
from api.schemas import CollectionSettings, RankingChoice, TuningRequest
from api.translations import collection_out, summary_out
from api.tuning import choose_ranking, rankings, tuned
from index.errors import Unavailable
from rag.ask import examples

router = APIRouter(route_class=OnceRoute, tags=["collections"])


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
    info = running.collection(name).info()
    return collection_out(info, running.pincite.config_digest, _examples(name, info.token, running))


def _examples(name: str, token: str, running: Running) -> Sequence[str]:
    """Return questions that the collection answers; finding them asks many, so they are kept until it changes."""
    known_token, asked = running.examples.get(name, (None, ()))
    if known_token != token:
        with running.questions.place():
            pincite = running.pincite
            asked = examples(running.collection(name), pincite.encoder, reader=pincite.reader)
        running.examples[name] = (token, asked)
    return asked


@router.put(
    "/v1/collections/{name}",
    responses={201: {"model": CollectionOut, "description": "It is new."}, **problems(409, 415, 507)},
    openapi_extra=IDEMPOTENT,
)
def put_collection(
    name: CollectionPath, running: RunningParts, response: Response, body: CollectionSettings | None = None
) -> CollectionOut:
    """Create a collection, or find it there already; no body is as good as `{}`."""
    with running.writes.place():
        new = running.pincite.catalog.create(name)
    response.status_code = 201 if new else 200
    return _described(name, running)


@router.delete("/v1/collections/{name}", responses=problems(404, 409, 507), openapi_extra=IDEMPOTENT)
def drop_collection(name: CollectionPath, running: RunningParts) -> CollectionDropped:
    """Drop a collection with all its documents; `default` is there again at once, empty."""
    with running.writes.place():
        running.pincite.catalog.drop(name)
    running.examples.pop(name, None)
    return CollectionDropped(name=name, status="dropped")


@router.get("/v1/collections/{name}/rankings", responses=problems(404, 409))
def list_rankings(name: CollectionPath, running: RunningParts) -> RankingList:
    """List the rankings that the collection was tuned to, the oldest first."""
    return rankings(running.pincite, name)


@router.post("/v1/collections/{name}/rankings", responses=problems(404, 409, 415, 507), openapi_extra=IDEMPOTENT)
def tune_collection(name: CollectionPath, running: RunningParts, body: TuningRequest) -> TuningOut:
    """Fit a ranking to questions with known answers; keep and use it where it is surely better than Pincite's own."""

    def go_on(asked: int) -> None:
        if running.draining.is_set():
            raise Unavailable("The server is about to end; tune again when it is back.")

    with running.tuning.place():
        return tuned(running.pincite, name, body, go_on)


@router.put("/v1/collections/{name}/ranking", responses=problems(404, 409, 415, 507), openapi_extra=IDEMPOTENT)
def put_ranking(name: CollectionPath, running: RunningParts, body: RankingChoice) -> RankingChosen:
    """Rank by a version that is kept, or with null as Pincite does; the next question is ranked by it."""
    with running.writes.place():
        return choose_ranking(running.pincite, name, body.version)
