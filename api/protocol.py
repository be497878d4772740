"""HTTP on a connection, with an end to everybody's patience: uvicorn's protocol with deadlines and bounds.

uvicorn waits for ever for the rest of a request and for a client to read its answer, keeps any number of connections,
and reads heads of any size. Here a head has to come within `header_seconds`; a body has to bring, and the reader of an
answer to take, `bytes_per_second` on average over each `body_seconds` or `write_seconds`. Over the bound on connections
the one goes that has waited longest without a request, first among those that never made one. Where all work, the new
one gets a 503. What is refused here is a plain answer, because there is no request yet that a route could answer.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.limits import Limits
from api.metrics import Metrics

_log = logging.getLogger("pincite.connections")
_RETRY_SECONDS = 5
_PIPELINED = 16  # requests that may wait behind one another; few clients send two
_CUT_SECONDS = 2.0  # what a client that is waited for still has once the server ends


class Doors:
    """What the connections of one server share: the limits, the counts, and who could be sent away."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self.limits, self.metrics = limits, metrics
        # Ordered, the one that waits longest first; a dict because it finds, drops and keeps the order at once.
        self.fresh: dict[PatientProtocol, None] = {}
        self.idle: dict[PatientProtocol, None] = {}

    def make_room(self) -> bool:
        """Send away the connection that waits longest, and say whether there was one."""
        longest = next(iter(self.fresh or self.idle), None)
        if longest is not None:
            longest.cut("crowded")
        return longest is not None


class _Refused(Exception):
    """A head is over a limit; `args` are status and reason."""


class PatientProtocol(HttpToolsProtocol):
    """One connection; `doors` is what it shares with the others."""

    def __init__(self, *args: Any, doors: Doors, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.timeout_keep_alive = doors.limits.keep_alive_seconds  # type: ignore[assignment]
        self.doors, self.limits = doors, doors.limits
        self._in_head = self._in_body = False
        self._head_bytes = self._body_bytes = 0
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._unwritten = 0
        self._refusal: tuple[int, str] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or send it or another away."""
        super().connection_made(transport)
        # Without a buffer of its own the transport says at once when a client does not keep up.
        transport.set_write_buffer_limits(high=0)
        self.doors.metrics.connections.inc()
        if len(self.connections) > self.limits.connections and not self.doors.make_room():
            self._refuse(503, "connections")
            return
        self.doors.fresh[self] = None
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything that waits for this connection."""
        self.doors.metrics.connections.dec()
        self._forget()
        for timer in (self._reading, self._writing, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def cut(self, reason: str) -> None:
        """Close at once, whatever is still unsent."""
        self._note(reason)
        self._forget()
        self.transport.abort()

    def shutdown(self) -> None:
        """End once the answer under way is told; a body that is not whole and a stalled reader have a moment only."""
        super().shutdown()
        if not self.transport.is_closing():
            self.loop.call_later(_CUT_SECONDS, self._cut_stalled)

    def _cut_stalled(self) -> None:
        if self.transport.is_closing() and self._writing is None:
            return
        if self._in_body and not self.flow.read_paused:
            self._expire_body()
        elif self._writing is not None:
            self.cut("slow_reader")
        else:
            self.loop.call_later(_CUT_SECONDS, self._cut_stalled)

    # Reading

    def data_received(self, data: bytes) -> None:
        """Parse what came, hold it against the limits of heads, and see which deadline counts now."""
        self._unset_keepalive_if_required()
        if self._in_body:
            self._body_bytes += len(data)
        else:
            self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
            if self._head_bytes > self.limits.header_bytes:
                raise self._too_much(b"" if self.headers else self.url)
        except _Refused as refused:
            self._refuse(*refused.args)
        except httptools.HttpParserUpgrade:
            pass  # nothing here can be upgraded to; the request is answered as it stands
        except httptools.HttpParserError:
            self._refuse(*(self._refusal or (400, "malformed")))
        if not self.transport.is_closing():
            self._see_deadline()

    def _too_much(self, url: bytes) -> _Refused:
        over = len(url) > self.limits.request_line_bytes
        self._refusal = (414, "request_line") if over else (431, "header")
        return _Refused(*self._refusal)

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """Hold the head against the limits and start the request; an error here ends the parsing."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        long_line = len(self.url) > self.limits.request_line_bytes
        if len(self.pipeline) >= _PIPELINED:
            self._refusal = (503, "pipelined")
            raise _Refused
        if long_line or size > self.limits.header_bytes or len(self.headers) > self.limits.headers:
            raise self._too_much(self.url)
        self._in_head, self._in_body, self._head_bytes, self._body_bytes = False, True, 0, 0
        self._stop_reading()
        self._forget()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request has come whole."""
        super().on_message_complete()
        self._in_body = False
        self._stop_reading()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None and not self.transport.is_closing():
            self.doors.idle[self] = None

    def _see_deadline(self) -> None:
        if self._reading is not None:
            return
        if self._in_body:
            self._reading = self.loop.call_later(self.limits.body_seconds, self._look_at_body)
        elif self._in_head or self.cycle is None or self.cycle.response_complete:
            self._await_head()

    def _await_head(self) -> None:
        self._reading = self.loop.call_later(self.limits.header_seconds, self._expire_head)

    def _expire_head(self) -> None:
        """A head took too long; silence is closed in silence."""
        if self._head_bytes:
            self._refuse(408, "slow_head")
        else:
            self.cut("silent")

    def _look_at_body(self) -> None:
        self._reading = None
        enough = self._body_bytes >= self.limits.bytes_per_second * self.limits.body_seconds
        if enough or self.flow.read_paused:  # paused: it is we who do not read
            self._body_bytes = 0
            self._see_deadline()
        else:
            self._expire_body()

    def _expire_body(self) -> None:
        self._refuse(408, "slow_body")

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    # Writing

    def pause_writing(self) -> None:
        """Note that the client does not take what it asked for as fast as it comes."""
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        """Note that the client has taken all there was."""
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _watch_writing(self) -> None:
        self._unwritten = self.transport.get_write_buffer_size()
        self._writing = self.loop.call_later(self.limits.write_seconds, self._look_at_reader)

    def _look_at_reader(self) -> None:
        taken = self._unwritten - self.transport.get_write_buffer_size()
        if taken >= self.limits.bytes_per_second * self.limits.write_seconds:
            self._watch_writing()
        else:
            self.cut("slow_reader")

    # Refusing

    def _refuse(self, status: int, reason: str) -> None:
        """Tell a status in plain text and close; only close where that could be taken for another request's answer."""
        if not self._may_speak():
            self.cut(reason)
            return
        self._note(reason)
        self._forget()
        phrase = HTTPStatus(status).phrase
        retry = f"retry-after: {_RETRY_SECONDS}\r\n" if status == 503 else ""
        body = f"{phrase}\n"
        head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        head += f"content-length: {len(body)}\r\n{retry}connection: close\r\n\r\n"
        self.transport.write((head + body).encode("ascii"))
        self.transport.close()

    def _may_speak(self) -> bool:
        under_way = self.cycle is not None and not self.cycle.response_complete
        return not self.pipeline and (not under_way or (self._in_body and not self.cycle.response_started))

    def _note(self, reason: str) -> None:
        self.doors.metrics.refused.labels(reason).inc()
        _log.info("connection closed", extra={"fields": {"reason": reason}})

    def _forget(self) -> None:
        self.doors.fresh.pop(self, None)
        self.doors.idle.pop(self, None)
