"""Adding, reading, listing and deleting documents."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from api.deleting import delete_matching
from api.dependencies import DocumentPath, InCollection, Running, RunningParts
from api.incoming import loaded
from api.inventory import (
    DocumentDeleted,
    DocumentList,
    DocumentOut,
    DocumentsDeleted,
    DocumentsOut,
    DocumentWritten,
    JobAccepted,
    TextOut,
)
from api.jobs import DOCUMENTS, Job
from api.limits import LIST_PAGE
from api.once import IDEMPOTENT, OnceRoute, idempotency_key, upload_digest
from api.openapi import problems
from api.problems import Problem
from api.schemas import DeleteRequest, DocumentId, DocumentIn, DocumentsRequest
from api.strict import Handler, QueryInteger, media_type, parse_json
from api.translations import as_json, document_out, result_out
from api.uploads import read_upload
from index.errors import FilterInvalid
from index.types import DocumentInfo, Json, text_digest, utf16_length

_UPLOAD = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["files"],
            "properties": {
                "collection": {"type": "string", "pattern": r"^[A-Za-z0-9._-]{1,64}$", "default": "default"},
                "files": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "string", "format": "binary"},
                },
            },
            "additionalProperties": False,
        }
    }
}
# Bytes that were given are handed back under a type that no browser runs; the rest is octets.
_SAFE_TYPES = {"text/plain", "text/markdown", "application/pdf", "application/json"}
_OCTETS = "application/octet-stream"


class _UploadRoute(OnceRoute):
    """Takes multipart beside the JSON that the route declares."""

    def get_route_handler(self) -> Handler:
        handle_json = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if media_type(request) == "multipart/form-data" and request.method == "POST":
                return await _upload(request)
            return await handle_json(request)

        return handle


router = APIRouter(route_class=OnceRoute, tags=["documents"])
batches = APIRouter(route_class=_UploadRoute, tags=["documents"])


@batches.post(
    "/v1/documents",
    response_model=DocumentsOut,
    responses={202: {"model": JobAccepted, "description": "A job does it."}, **problems(404, 409, 415, 507)},
    openapi_extra={"requestBody": {"content": _UPLOAD}, **IDEMPOTENT},
)
def add_documents(body: DocumentsRequest, running: RunningParts) -> DocumentsOut | Response:
    """Add or replace documents; each succeeds or fails alone. Files are sent as multipart and always become a job."""
    collection = running.collection(body.collection)
    if not body.wait:
        documents = BytesIO(DOCUMENTS.dump_json(body.documents))
        return _accepted(running.jobs.submit("documents", body.collection, [(None, documents)]))
    given = [loaded(document) for document in body.documents]
    with running.writes.place():
        ingest = running.ingest(collection)
        results = [result_out(result) for result in ingest.documents(given, raw_ids=False)]
    return DocumentsOut(results=results, snapshot=running.snapshot(ingest.token))


async def _upload(request: Request) -> Response:
    running: Running = request.app.state.running
    key = idempotency_key(request)
    name, files = await read_upload(request, running.limits)

    def submitted() -> Response:
        running.collection(name)  # raises what a 404 tells
        return _accepted(running.jobs.submit("upload", name, files))

    try:
        if key is None:
            return await run_in_threadpool(submitted)
        digest = await run_in_threadpool(upload_digest, name, files)
        return await running.once.answer(key, digest, lambda: run_in_threadpool(submitted))
    finally:
        for _, stream in files:
            stream.close()


def _accepted(job: Job) -> Response:
    accepted = JobAccepted(job=job.shown())
    return JSONResponse(as_json(accepted), 202, {"Location": f"/v1/jobs/{job.id}"})


@router.put("/v1/documents/{id}", responses=problems(404, 409, 415, 507), openapi_extra=IDEMPOTENT)
def put_document(
    document_id: DocumentPath, body: DocumentIn, running: RunningParts, collection: InCollection = "default"
) -> DocumentWritten:
    """Add or replace one document; an `id` in the body must be the one of the path."""
    if body.id not in {None, document_id}:
        raise Problem(422, "id_differs", "id: leave it out, or send the one of the path.", field="id")
    place = running.collection(collection)
    with running.writes.place():
        ingest = running.ingest(place)
        (result,) = ingest.documents([loaded(body.model_copy(update={"id": document_id}))], raw_ids=False)
    if result.status == "failed":
        raise Problem(422, "document_invalid", result.problem or "The document cannot be stored.", field="text")
    return DocumentWritten(**dict(result_out(result)), snapshot=running.snapshot(ingest.token))


@router.get("/v1/documents", responses=problems(404))
def list_documents(
    running: RunningParts,
    collection: InCollection = "default",
    cursor: Annotated[DocumentId | None, Query(description="`next_cursor` of the page before.")] = None,
    limit: Annotated[QueryInteger, Query(ge=1, le=LIST_PAGE)] = 100,
    filter: Annotated[str | None, Query(description="A filter as in `/v1/ask`, written as JSON.")] = None,  # noqa: A002
) -> DocumentList:
    """List documents in the order of their ids, page by page."""
    found = running.collection(collection).documents(after=cursor, limit=limit + 1, filter=_filter(filter))
    return DocumentList(
        documents=[document_out(document, collection) for document in found[:limit]],
        next_cursor=found[limit - 1].id if len(found) > limit else None,
    )


def _filter(written: str | None) -> Json:
    if written is None:
        return None
    try:
        return parse_json(written.encode("utf-8"))
    except (Problem, UnicodeEncodeError) as error:
        raise FilterInvalid('The parameter filter must be JSON, such as {"field": "language", "eq": "en"}.') from error


@router.get("/v1/documents/{id}", responses=problems(404))
def get_document(document_id: DocumentPath, running: RunningParts, collection: InCollection = "default") -> DocumentOut:
    """Return a document's metadata."""
    return document_out(running.collection(collection).document(document_id), collection)


@router.get("/v1/documents/{id}/text", responses=problems(404))
def get_text(
    document_id: DocumentPath,
    running: RunningParts,
    collection: InCollection = "default",
    start: Annotated[QueryInteger, Query(ge=0, description="The first code point.")] = 0,
    end: Annotated[QueryInteger | None, Query(ge=0, description="The code point after the last; default: all.")] = None,
) -> TextOut:
    """Return a document's text, or a part of it in code points; an `end` beyond the text is brought back to its end."""
    text = running.collection(collection).text(document_id)
    stop = len(text) if end is None else min(end, len(text))
    if start > stop:
        detail = f"start: must not lie behind end, nor behind the text's {len(text)} code points."
        raise Problem(422, "invalid_value", detail, field="start", limit=stop)
    part, before = text[start:stop], utf16_length(text[:start])
    return TextOut(
        text=part,
        start_char=start,
        end_char=stop,
        start_utf16=before,
        end_utf16=before + utf16_length(part),
        document_sha256=text_digest(text),
    )


@router.get(
    "/v1/documents/{id}/original",
    response_class=Response,
    responses={
        200: {"content": {name: {"schema": {"type": "string"}} for name in sorted({_OCTETS, *_SAFE_TYPES})}},
        **problems(404),
    },
)
def get_original(document_id: DocumentPath, running: RunningParts, collection: InCollection = "default") -> Response:
    """Return the bytes that were given, to be saved and never shown."""
    place = running.collection(collection)
    info, data = place.document(document_id), place.original(document_id)
    kind = info.media_type if info.media_type in _SAFE_TYPES else _OCTETS
    return Response(data, headers={"Content-Type": kind, "Content-Disposition": _attachment(info)})


def _attachment(document: DocumentInfo) -> str:
    """Return the header that names the download after the last step of the id, undone as ids are made."""
    name = unquote(document.id.replace("~", "%"), errors="replace").replace("\\", "/").rpartition("/")[2]
    name = "".join(character if character.isprintable() else "_" for character in name) or "document"
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


@router.delete("/v1/documents/{id}", responses=problems(404, 409, 507), openapi_extra=IDEMPOTENT)
def delete_document(
    document_id: DocumentPath, running: RunningParts, collection: InCollection = "default"
) -> DocumentDeleted:
    """Delete a document; it is never found or cited again."""
    place = running.collection(collection)
    place.document(document_id)  # raises what a 404 tells; one that goes in between is as deleted as it can be
    with running.writes.place():
        written = place.delete([document_id])
    return DocumentDeleted(id=document_id, status="deleted", snapshot=running.snapshot(written.token))


@router.post("/v1/documents/delete", responses=problems(404, 409, 415, 507), openapi_extra=IDEMPOTENT)
def delete_documents(body: DeleteRequest, running: RunningParts) -> DocumentsDeleted:
    """Delete every document that a filter matches; with `dry_run` say which they are and delete nothing."""
    place = running.collection(body.collection)
    if body.dry_run:
        return delete_matching(place, body.filter.root, True, running.pincite.config_digest)
    with running.writes.place():
        return delete_matching(place, body.filter.root, False, running.pincite.config_digest)
