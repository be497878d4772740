"""Reading requests strictly: JSON as RFC 8259 means it, no unknown parameter, no other content type.

FastAPI alone answers 422 to malformed JSON, lets NaN, Infinity and unknown parameters pass, and breaks on a lone
surrogate; `StrictRoute` is the route class of every router of this API.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Iterable
from typing import Annotated, Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError, from_json

from api.problems import Problem
from index.types import Json

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def parse_json(data: bytes) -> Json:
    """Return the value that `data` holds: UTF-8, finite numbers, at most 200 levels deep.

    Raises Problem 400: malformed, NaN or Infinity (also spelled `1e999`), a lone surrogate, too deep.
    """
    try:
        value = from_json(data, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise Problem(400, "malformed_json", f"The body is not JSON: {error}.") from error
    if _holds_infinity(value):
        raise Problem(400, "malformed_json", "The body is not JSON: a number in it is too large for a 64-bit float.")
    return value


def _holds_infinity(value: Json) -> bool:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, float) and not math.isfinite(one):
            return True
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return False


class StrictRequest(Request):
    """A request whose JSON is read by `parse_json`."""

    async def json(self) -> Json:
        """Read the whole body and parse it."""
        if not hasattr(self, "_json"):
            self._json = parse_json(await self.body())
        return self._json


class StrictRoute(APIRoute):
    """A route that refuses unknown or repeated query parameters, and bodies that are not JSON."""

    def get_route_handler(self) -> Handler:
        """Return FastAPI's handler behind our checks."""
        handle = super().get_route_handler()
        parameters = _query_names(self.dependant)

        async def strict_handle(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            _check_parameters(strict.query_params.multi_items(), parameters)
            if self.body_field is not None:
                await _check_body(strict, required=self.body_field.field_info.is_required())
            return await handle(strict)

        return strict_handle


def media_type(request: Request) -> str:
    """Return the request's content type without its parameters, in lower case, empty when there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def refuse_content_type(wanted: str) -> Problem:
    """Return the 415 that names what would do."""
    return Problem(415, "unsupported_media_type", f"Send the body as {wanted} and say so in Content-Type.")


async def _check_body(request: Request, *, required: bool) -> None:
    """Refuse a body that is missing or not JSON; FastAPI would call the one absent and take the other for text."""
    if media_type(request) == "application/json":
        if required and not await request.body():
            raise Problem(400, "malformed_json", "The body is empty: send a JSON object.")
    elif required or await request.body():
        raise refuse_content_type("application/json")


def _query_names(dependant: Dependant) -> frozenset[str]:
    names = {field.alias for field in dependant.query_params}
    return frozenset(names.union(*(_query_names(below) for below in dependant.dependencies)))


def _check_parameters(given: Iterable[tuple[str, str]], known: frozenset[str]) -> None:
    seen: set[str] = set()
    for name, _ in given:
        if name not in known:
            allowed = ", ".join(sorted(known)) or "none"
            shown = name[:100]
            raise Problem(
                422, "unknown_parameter", f"There is no parameter {shown!r} here; known: {allowed}.", field=shown
            )
        if name in seen:
            raise Problem(422, "repeated_parameter", f"The parameter {name} is given twice; give it once.", field=name)
        seen.add(name)


def _whole_number(value: object) -> object:
    if isinstance(value, str):
        if not (value.isascii() and value.removeprefix("-").isdigit() and len(value) <= 16):
            raise PydanticCustomError("whole_number", "must be a whole number of at most 16 digits")
        return int(value)
    return value


def _true_or_false(value: object) -> object:
    if isinstance(value, str):
        if value not in {"true", "false"}:
            raise PydanticCustomError("true_or_false", "must be true or false")
        return value == "true"
    return value


# Query parameters are text; these read them without Pydantic's leniency (`1_000`, ` 5`, `yes`, `on`).
QueryInteger = Annotated[int, BeforeValidator(_whole_number)]
QueryBoolean = Annotated[bool, BeforeValidator(_true_or_false)]
