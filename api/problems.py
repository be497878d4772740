"""Errors as RFC 9457 problem documents: one stable `code` each, the field at fault, the limit, the request's id.

Problems of index/ and rag/ are translated by one table (`KINDS`), which a test holds against the exception trees.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from index import errors as index_errors
from rag import errors as rag_errors

MEDIA_TYPE = "application/problem+json"
_ERRORS_SHOWN = 20
_DETAIL_CHARACTERS = 500


class Problem(HTTPException):
    """A refusal: its status, its stable code, one sentence that says what to do, and where known the field and limit.

    It is an HTTPException because FastAPI lets only those through from the reading of a body.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        limit: int | float | None = None,
        retry_after: int | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        super().__init__(status, detail, headers)
        self.code, self.field, self.limit, self.errors = code, field, limit, errors


@dataclass(frozen=True, slots=True)
class Kind:
    """How one exception of a lower folder is told over HTTP."""

    status: int
    code: str
    retry_after: int | None = None


KINDS: Mapping[type[Exception], Kind] = {
    # The two bases are never raised as such; a 500 is what an unknown error deserves.
    index_errors.IndexProblem: Kind(500, "index_problem"),
    index_errors.CollectionMissing: Kind(404, "collection_missing"),
    index_errors.DocumentMissing: Kind(404, "document_missing"),
    index_errors.RankingMissing: Kind(404, "ranking_missing"),
    index_errors.FilterInvalid: Kind(422, "filter_invalid"),
    index_errors.NameInvalid: Kind(422, "name_invalid"),
    index_errors.DocumentInvalid: Kind(422, "document_invalid"),
    index_errors.TokenInvalid: Kind(422, "token_invalid"),
    index_errors.EncoderMismatch: Kind(409, "encoder_mismatch"),
    index_errors.Behind: Kind(503, "behind", retry_after=1),
    index_errors.VersionTooNew: Kind(409, "version_too_new"),
    index_errors.Unavailable: Kind(503, "unavailable", retry_after=5),
    index_errors.StorageFull: Kind(507, "storage_full"),
    index_errors.DataFolderLocked: Kind(503, "data_folder_locked", retry_after=5),
    index_errors.Damaged: Kind(503, "damaged", retry_after=60),
    rag_errors.RagProblem: Kind(500, "rag_problem"),
    rag_errors.LoadProblem: Kind(422, "unreadable_file"),
    rag_errors.UnsupportedFormat: Kind(422, "unsupported_format"),
    rag_errors.NoText: Kind(422, "no_text"),
    rag_errors.ModelUnavailable: Kind(503, "model_unavailable", retry_after=60),
    rag_errors.ReaderOff: Kind(409, "reader_off"),
    rag_errors.QueryInvalid: Kind(422, "query_invalid"),
    rag_errors.DatasetInvalid: Kind(422, "dataset_invalid"),
    rag_errors.QuestionsTooFew: Kind(422, "questions_too_few"),
}


_FIELDS = {rag_errors.QueryInvalid: "query", index_errors.TokenInvalid: "at_least", index_errors.NameInvalid: "name"}


def translate(error: Exception) -> Problem:
    """Return the problem that tells `error`, an IndexProblem or a RagProblem; its nearest base in `KINDS` decides."""
    kind = next(KINDS[base] for base in type(error).__mro__ if base in KINDS)
    field = error.path if isinstance(error, index_errors.FilterInvalid) else _FIELDS.get(type(error))
    return Problem(kind.status, kind.code, str(error), field=field, retry_after=kind.retry_after)


def problem_json(problem: Problem, request_id: str) -> dict[str, Any]:
    """Return the members of the problem document; `field`, `limit` and `errors` only where there is one."""
    document: dict[str, Any] = {
        "type": f"urn:pincite:problem:{problem.code}",
        "title": problem.code.replace("_", " ").capitalize(),
        "status": problem.status_code,
        "detail": problem.detail[:_DETAIL_CHARACTERS],
        "code": problem.code,
        "request_id": request_id,
    }
    extra = {"field": problem.field, "limit": problem.limit, "errors": list(problem.errors) or None}
    return document | {name: value for name, value in extra.items() if value is not None}


def problem_body(problem: Problem, request_id: str) -> bytes:
    """Return the problem document as JSON bytes; a lone surrogate from the client's text is escaped, never raised."""
    return json.dumps(problem_json(problem, request_id)).encode("ascii")


def add_handlers(app: FastAPI) -> None:
    """Make `app` tell every error as a problem document."""
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(index_errors.IndexProblem, _on_domain)
    app.add_exception_handler(rag_errors.RagProblem, _on_domain)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)


def from_validation(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """Return one 422 for Pydantic's errors: the first decides code, field and limit, `errors` lists up to 20."""
    told = [_told(error) for error in errors[:_ERRORS_SHOWN]]
    first = told[0]
    listed = [{name: value for name, value in one.items() if value is not None} for one in told]
    return Problem(422, first["code"], first["detail"], field=first["field"], limit=first["limit"], errors=listed)


_CODES = {"extra_forbidden": "unknown_field", "missing": "missing_field"}
_LIMIT_NAMES = ("limit", "max_length", "min_length", "le", "ge", "lt", "gt")


def _told(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return code, detail, field and limit of one Pydantic error; the input itself is never repeated."""
    field = _path(error["loc"])
    context = error.get("ctx") or {}
    limit = next((context[name] for name in _LIMIT_NAMES if isinstance(context.get(name), int | float)), None)
    detail = f"{field}: {error['msg']}." if field else f"{error['msg']}."
    if error["type"] == "extra_forbidden":
        detail = f"{field}: there is no such field; leave it out or correct its name."
    return {
        "code": _CODES.get(error["type"], "invalid_value"),
        "detail": detail[:_DETAIL_CHARACTERS],
        "field": field or None,
        "limit": limit,
    }


def _path(location: Sequence[str | int]) -> str:
    """Return `documents[0].text` for ("body", "documents", 0, "text")."""
    steps = location[1:] if location and location[0] in {"body", "query", "path", "header"} else location
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return path.removeprefix(".")[:200]


def _respond(request: Request, problem: Problem) -> Response:
    body = problem_body(problem, request.state.request_id)
    return Response(body, problem.status_code, dict(problem.headers or {}), MEDIA_TYPE)


def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _respond(request, from_validation(error.errors()))


def _on_domain(request: Request, error: Exception) -> Response:
    return _respond(request, translate(error))


_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 400: "malformed_body"}


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        return _respond(request, error)
    code = _HTTP_CODES.get(error.status_code, "refused")
    problem = Problem(error.status_code, code, str(error.detail))
    problem.headers = error.headers
    return _respond(request, problem)


def _on_disconnect(request: Request, error: Exception) -> Response:
    """Answer a client that left before its body was complete; nobody reads it, but it is no fault of the server."""
    return _respond(request, Problem(400, "body_incomplete", "The body ended before it was complete."))
