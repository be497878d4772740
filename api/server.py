"""Serving an application on a socket, and ending well: within `drain_seconds`, and a moment more for its jobs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
from functools import partial
from types import FrameType

import uvicorn
from fastapi import FastAPI

from api.dependencies import Running
from api.protocol import Doors, PatientProtocol

# So many are accepted in one go. A connection is sent away for another only where `connections` newer ones came, so an
# honest request that lies ready is read before that happens as long as this is less than half of it.
_AT_ONCE = 128
_BACKLOG = 1024  # connections that the system keeps until they are accepted; asyncio knows one number for both
_FILES = 256  # what the data folder and the rest may need beside the connections


def serve(app: FastAPI, bound: socket.socket) -> None:
    """Serve `app` on a bound socket until SIGTERM or SIGINT; raises what starting it raises."""
    running: Running = app.state.running
    _raise_open_files(running.limits.connections + _FILES)
    config = uvicorn.Config(
        app,
        http=partial(PatientProtocol, doors=Doors(running.limits, running.metrics)),  # type: ignore[arg-type]
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=_AT_ONCE,
        timeout_graceful_shutdown=int(running.limits.drain_seconds),
    )
    _Server(config, running).run(sockets=[bound])


class _Server(uvicorn.Server):
    """Tells the parts that the end has come as soon as the signal does."""

    def __init__(self, config: uvicorn.Config, running: Running) -> None:
        super().__init__(config)
        self._parts = running

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and leave what is there by now out of every later collection: it stays, and walking it takes time."""
        await super().startup(sockets)
        for bound in sockets or ():
            bound.listen(_BACKLOG)
        gc.collect()
        gc.freeze()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Be ready for nothing more from this moment on."""
        self._parts.draining.set()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the jobs stop while the last answers are told; a second Ctrl-C waits for neither."""
        self._parts.draining.set()
        seconds = self._parts.limits.drain_seconds
        stopping = threading.Thread(target=self._parts.jobs.stop, args=(seconds,), name="stopping", daemon=True)
        stopping.start()
        await super().shutdown(sockets)
        while stopping.is_alive() and not self.force_exit:
            await asyncio.sleep(0.05)


def _raise_open_files(wanted: int) -> None:
    """Allow this process as many open files as it may need, where the system lets it."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
