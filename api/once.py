"""A write that is sent again under the same `Idempotency-Key` is not done again: it gets the answer of the first time.

Only answers of what was done are kept: a refusal changed nothing, so the same key may try again.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, BinaryIO

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.types import Message

from api.limits import Limits
from api.problems import Problem
from api.strict import Handler, StrictRoute
from index.ledger import KeptAnswer, Ledger

HEADER = "Idempotency-Key"
_PATTERN = r"[!-~]{1,200}"
_KEPT_HEADERS = ("content-type", "location")
_WRITES = frozenset({"POST", "PUT", "DELETE"})

IDEMPOTENT: dict[str, Any] = {
    "parameters": [
        {
            "name": HEADER,
            "in": "header",
            "required": False,
            "description": "The same key with the same request gets the first answer again, and nothing is done twice.",
            "schema": {"type": "string", "pattern": f"^{_PATTERN}$"},
        }
    ]
}


class Once:
    """The answers that are kept, and the keys whose requests are under way."""

    def __init__(self, ledger: Ledger, limits: Limits) -> None:
        self._ledger, self._limits = ledger, limits
        self._under_way: set[str] = set()

    async def answer(self, key: str, request: str, act: Callable[[], Awaitable[Response]]) -> Response:
        """Return the answer kept under `key`, or that of `act`; `request` is a digest of what is asked.

        Raises Problem: 409 while the same key is under way, 422 where it was used for another request.
        """
        if key in self._under_way:
            detail = f"A request with this {HEADER} is under way; ask again when it is done."
            raise Problem(409, "request_under_way", detail, field=HEADER)
        self._under_way.add(key)
        try:
            at = int(time.time())
            not_before = at - self._limits.idempotency_hours * 3600
            kept = await run_in_threadpool(self._ledger.answer, key, not_before)
            if kept is not None:
                return _replayed(kept, request)
            response = await act()
            if response.status_code < 300:
                headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
                answer = KeptAnswer(request, response.status_code, headers, bytes(response.body))
                most = self._limits.idempotency_keys
                await run_in_threadpool(
                    lambda: self._ledger.keep_answer(key, answer, at=at, not_before=not_before, most=most)
                )
            return response
        finally:
            self._under_way.discard(key)


class OnceRoute(StrictRoute):
    """A route whose writes are done once for each key."""

    def get_route_handler(self) -> Handler:
        """Return the strict handler behind the look for a key."""
        handle = super().get_route_handler()
        if not _WRITES & set(self.methods or ()):
            return handle

        async def handle_once(request: Request) -> Response:
            key = idempotency_key(request)
            if key is None:
                return await handle(request)
            body = await request.body()
            again = Request(request.scope, _given(body))
            once: Once = request.app.state.running.once
            return await once.answer(key, request_digest(request, body), lambda: handle(again))

        return handle_once


def idempotency_key(request: Request) -> str | None:
    """Return the key that came with the request; raises Problem 422 for one that is none, or two."""
    keys = request.headers.getlist(HEADER)
    if not keys:
        return None
    if len(keys) > 1 or not re.fullmatch(_PATTERN, keys[0]):
        detail = f"{HEADER}: send one, of 1 to 200 visible ASCII characters."
        raise Problem(422, "invalid_value", detail, field=HEADER, limit=200)
    return keys[0]


def request_digest(request: Request, body: bytes) -> str:
    """Return a digest of all that decides what a request does."""
    url = f"{request.method} {request.url.path}?{request.url.query}\n"
    return hashlib.sha256(url.encode() + request.headers.get("content-type", "").encode() + b"\n" + body).hexdigest()


def upload_digest(collection: str, files: Sequence[tuple[str, BinaryIO]]) -> str:
    """Return the same for an upload, whose boundary may differ each time; the files are rewound."""
    digest = hashlib.sha256(collection.encode())
    for name, stream in files:
        stream.seek(0)
        digest.update(f"\n{len(name)} {name} ".encode("utf-8", "surrogatepass"))
        digest.update(hashlib.file_digest(stream, "sha256").digest())  # type: ignore[arg-type]
        stream.seek(0)
    return digest.hexdigest()


def _replayed(kept: KeptAnswer, request: str) -> Response:
    if kept.request != request:
        detail = f"This {HEADER} came with another request before; take a new one for each request."
        raise Problem(422, "idempotency_key_reused", detail, field=HEADER)
    return Response(kept.body, kept.status, kept.headers)


def _given(body: bytes) -> Callable[[], Awaitable[Message]]:
    """Return a `receive` that gives a body that was read already."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
