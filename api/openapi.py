"""The OpenAPI document: FastAPI's, with what its models cannot say put in.

That is: the recursive schema of a filter, the problem document under its own media type, and the two bodies and two
content types that one path may have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from api.problems import MEDIA_TYPE

_OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "exists")
FILTER_SCHEMA: dict[str, Any] = {
    "description": "One condition, or conditions joined by `and`, `or`, `not`.",
    "examples": [{"and": [{"field": "published", "gte": "2025-08-01"}, {"field": "language", "eq": "en"}]}],
    "oneOf": [
        {
            "type": "object",
            "required": ["field"],
            "properties": {
                "field": {
                    "type": "string",
                    "pattern": r"^(published|added|source|language|document_id|media_type|metadata\..+)$",
                },
                **{name: {} for name in _OPERATORS},
            },
            "minProperties": 2,
            "additionalProperties": False,
        },
        *(
            {
                "type": "object",
                "required": [name],
                "properties": {
                    name: {"type": "array", "items": {"$ref": "#/components/schemas/Filter"}, "minItems": 1}
                },
                "additionalProperties": False,
            }
            for name in ("and", "or")
        ),
        {
            "type": "object",
            "required": ["not"],
            "properties": {"not": {"$ref": "#/components/schemas/Filter"}},
            "additionalProperties": False,
        },
    ],
}


PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457 problem details; `code` is stable.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "field": {"type": "string", "description": "Where in the body or the parameters, such as `documents[0].text`."},
        "limit": {"type": "number"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "detail"],
                "properties": {
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "field": {"type": "string"},
                    "limit": {"type": "number"},
                },
            },
        },
    },
}
_PROBLEM_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_MEANINGS: Mapping[int, str] = {
    400: "Malformed: not HTTP, JSON or multipart as they are defined.",
    403: "The Host or Origin is not this server's.",
    404: "No such collection, document or job.",
    409: "Not possible in the present state.",
    413: "The body is larger than the limit.",
    415: "The body has another content type than the ones declared.",
    422: "An unknown field or parameter, or a bad value.",
    500: "An error that the server did not expect.",
    503: "Not now; `Retry-After` says when to ask again.",
    507: "The disk is full; nothing was written.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route: the given statuses and those that any request can meet, as problems."""
    every = sorted({400, 403, 413, 422, 500, 503, *statuses})
    return {status: {"description": _MEANINGS[status], "content": _PROBLEM_CONTENT} for status in every}


EVENT_STREAM: dict[str, Any] = {
    "text/event-stream": {
        "schema": {
            "description": "One server-sent event; comments in between keep the connection open.",
            "type": "object",
            "required": ["event", "data"],
            "properties": {
                "event": {"type": "string"},
                "data": {"type": "string", "contentMediaType": "application/json"},
            },
        }
    }
}


def install(app: FastAPI) -> None:
    """Make `app.openapi()` return the completed document."""
    generate = app.openapi

    def completed() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(Problem=PROBLEM_SCHEMA, Filter=FILTER_SCHEMA)
        return document

    app.openapi = completed  # type: ignore[method-assign]
