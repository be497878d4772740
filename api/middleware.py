"""The border that every request crosses first: who may ask, how much they may send, and what every answer carries.

Pure ASGI, so that nothing is buffered: a body that grows over its limit is refused while it is read, whatever its
Content-Length said. `Host` and `Origin` are checked against DNS rebinding and requests from foreign pages. Requests are
counted and logged here, with nothing of what they asked.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.limits import Limits
from api.metrics import Metrics
from api.problems import MEDIA_TYPE, Problem, problem_body

_log = logging.getLogger("pincite")
_requests = logging.getLogger("pincite.requests")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'self'; object-src 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
RawHeaders = list[tuple[bytes, bytes]]


def _raw(headers: Mapping[str, str]) -> RawHeaders:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


_HEADERS = _raw(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
)
_PREFLIGHT = _raw(
    {
        "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
        "Access-Control-Allow-Headers": "Accept, Content-Type, Idempotency-Key",
        "Access-Control-Max-Age": "600",
    }
)
_EXPOSED = _raw({"Access-Control-Expose-Headers": "Location, Retry-After, X-Request-ID"})
_NO_STORE = (b"cache-control", b"no-store")
_CLOSE = (b"connection", b"close")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_DRAIN_SECONDS = 2.0


class Border:
    """The outermost middleware; `bound_host` is what the server listens on and joins the three names of loopback.

    Pages of `origins` may read answers too. With `log_questions` the log repeats what was asked.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        bound_host: str,
        limits: Limits,
        metrics: Metrics,
        origins: frozenset[str] = frozenset(),
        log_questions: bool = False,
    ) -> None:
        self.app, self.limits, self.metrics = app, limits, metrics
        self.origins, self.log_questions = origins, log_questions
        host = f"[{bound_host}]" if ":" in bound_host else bound_host
        self.hosts = {"localhost", "127.0.0.1", "[::1]", host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP goes through untouched."""
        if scope["type"] == "http":
            await _Crossing(self, scope, receive, send).run()
        else:
            await self.app(scope, receive, send)


class _Crossing:
    """One request on its way through the border."""

    def __init__(self, border: Border, scope: Scope, receive: Receive, send: Send) -> None:
        self.border, self.method = border, scope["method"]
        # A HEAD is a GET whose body the server leaves out; the copy keeps the server's own scope as it is.
        self.scope = {**scope, "method": "GET"} if self.method == "HEAD" else scope
        self._receive, self._send = receive, send
        self.headers = Headers(scope=scope)
        self.request_id = f"req_{uuid.uuid4().hex}"
        self.status = 0
        self.read = self.sent = 0  # bytes of the bodies
        self.unread = "transfer-encoding" in self.headers or self.headers.get("content-length", "0") != "0"
        self.draining = self.ended = False
        origin = self.headers.get("origin")
        self.allowed = origin if origin in border.origins else None
        upload = self.headers.get("content-type", "").lower().startswith("multipart/")
        self.limit = border.limits.upload_bytes if upload else border.limits.body_bytes

    async def run(self) -> None:
        started = time.perf_counter()
        self.scope["state"] = {**self.scope.get("state", {}), "request_id": self.request_id}
        self.border.metrics.in_flight.inc()
        try:
            self._refuse_strangers()
            self._refuse_declared_size()
            if self.allowed and self.method == "OPTIONS" and "access-control-request-method" in self.headers:
                await self._answer_preflight()
            else:
                await self.border.app(self.scope, self.receive, self.send)
        except Problem as problem:
            await self._answer(problem)
        except Exception as error:
            await self._fail(error)
        finally:
            self._tell(time.perf_counter() - started)
        if self.draining:
            await self._drain()

    def _refuse_strangers(self) -> None:
        names = self.headers.getlist("host")
        host = names[0].lower() if len(names) == 1 else ""
        match = _HOST.fullmatch(host)
        if match is None:
            raise Problem(400, "host_malformed", "Send exactly one Host header: a name or address, perhaps a port.")
        if match[1] not in self.border.hosts:
            raise Problem(403, "host_refused", f"This server answers as {', '.join(sorted(self.border.hosts))} only.")
        origins = self.headers.getlist("origin")
        if self.allowed and len(origins) == 1:
            return
        if any(origin.lower().partition("://")[2] != host for origin in origins):
            raise Problem(403, "origin_refused", "Requests from pages of another origin are refused.")
        site = self.headers.get("sec-fetch-site", "none")
        if self.method not in _SAFE_METHODS and site not in {"none", "same-origin"}:
            raise Problem(403, "origin_refused", "Requests from pages of another site are refused.")

    def _refuse_declared_size(self) -> None:
        declared = self.headers.get("content-length", "0")
        if "content-length" in self.headers and "transfer-encoding" in self.headers:
            raise Problem(400, "malformed_body", "Content-Length and Transfer-Encoding together have no clear meaning.")
        if not (declared.isascii() and declared.isdigit()):
            raise Problem(400, "malformed_body", "Content-Length is not a number.")
        # A number of more digits than this is larger than any limit, and slow to convert when it is absurd.
        if len(declared) > 18 or int(declared) > self.limit:
            raise self._too_large()

    def _too_large(self) -> Problem:
        return Problem(413, "too_large", f"The body may have {self.limit} bytes at most.", limit=self.limit)

    async def receive(self) -> Message:
        message = await self._receive()
        self._note(message)
        if self.read > self.limit:
            raise self._too_large()
        return message

    def _note(self, message: Message) -> None:
        self.read += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            self.unread = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            # What nobody has read by now would be read for nothing, without a limit.
            self.draining = self.unread and self.status >= 400
            message = {**message, "headers": self._all_headers(list(message.get("headers", ())))}
        elif self.ended:
            return
        else:
            self.sent += len(message.get("body", b""))
            if self.draining:
                message = {**message, "more_body": True}  # `_drain` ends the response
        await self._send(message)
        if self.method == "HEAD" and not self.ended and not self.draining:
            self.ended = True  # a stream would go on in silence
            await self._send({"type": "http.response.body", "body": b""})

    def _all_headers(self, headers: RawHeaders) -> RawHeaders:
        if not any(name == b"cache-control" for name, _ in headers):
            headers.append(_NO_STORE)
        if self.unread:
            headers.append(_CLOSE)
        if self.border.origins:
            headers.append((b"vary", b"Origin"))
        if self.allowed:
            headers += [(b"access-control-allow-origin", self.allowed.encode("latin-1")), *_EXPOSED]
        return [*headers, *_HEADERS, (b"x-request-id", self.request_id.encode("ascii"))]

    async def _answer_preflight(self) -> None:
        await self.send({"type": "http.response.start", "status": 204, "headers": _PREFLIGHT})
        await self.send({"type": "http.response.body", "body": b""})

    async def _answer(self, problem: Problem) -> None:
        body = problem_body(problem, self.request_id)
        headers = _raw({"content-type": MEDIA_TYPE, "content-length": str(len(body)), **(problem.headers or {})})
        await self.send({"type": "http.response.start", "status": problem.status_code, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def _fail(self, error: Exception) -> None:
        """Tell an error that nothing foresaw: one line in the log, a 500 that repeats nothing of it."""
        _log.error("unforeseen error", extra={"fields": {"request_id": self.request_id}}, exc_info=error)
        if self.status:
            raise error  # too late for a status: the server cuts the connection, so that nobody takes half for whole
        await self._answer(Problem(500, "internal", "The server met an error that it did not expect; see its log."))

    async def _drain(self) -> None:
        """Read on a little before closing: a reset would take the refusal from a client that is still sending."""
        try:
            if "expect" not in self.headers:
                await asyncio.wait_for(self._drop_rest(), _DRAIN_SECONDS)
        except TimeoutError:
            pass
        await self._send({"type": "http.response.body", "body": b""})

    async def _drop_rest(self) -> None:
        most = self.read + self.limit
        while self.unread and self.read <= most:
            self._note(await self._receive())

    def _tell(self, seconds: float) -> None:
        """Count and log the request by its route, never by its path, which is the client's."""
        metrics = self.border.metrics
        metrics.in_flight.dec()
        route = getattr(self.scope.get("route"), "path", "other")
        method = self.method if self.method in _METHODS else "other"
        metrics.requests.labels(method, route, str(self.status)).inc()
        metrics.request_seconds.labels(route).observe(seconds)
        if _requests.isEnabledFor(logging.INFO):
            fields = {"request_id": self.request_id, "method": method, "route": route, "status": self.status}
            fields |= {"ms": round(seconds * 1000, 1), "bytes_in": self.read, "bytes_out": self.sent}
            if self.border.log_questions and "question" in self.scope["state"]:
                fields["question"] = self.scope["state"]["question"]
            _requests.info("request", extra={"fields": fields})
