"""Server-sent events: their format, and a heartbeat while nothing happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

HEARTBEAT = b": heartbeat\n\n"
HEARTBEAT_SECONDS = 10.0
Chunks = Generator[bytes, None, None]


def event(name: str, data: str) -> bytes:
    """Return one event; `data` is JSON on one line, as every JSON writer here makes it."""
    return f"event: {name}\ndata: {data}\n\n".encode()


async def with_heartbeat(first: bytes, rest: Chunks, seconds: float = HEARTBEAT_SECONDS) -> AsyncIterator[bytes]:
    """Yield `first`, then what the blocking generator `rest` yields, and a comment whenever `seconds` pass in vain.

    Each step of `rest` runs in a worker thread while the one before is sent, so one step at most piles up, and what a
    step holds is free again however slowly the reader reads. `rest` is closed when the reader leaves; a step that is
    under way then is let finish first.
    """
    chunk: bytes | None = first
    step = asyncio.ensure_future(run_in_threadpool(next, rest, None))
    try:
        while chunk is not None:
            yield chunk
            while not step.done():
                done, _ = await asyncio.wait({step}, timeout=seconds)
                if not done:
                    yield HEARTBEAT
            chunk = step.result()
            if chunk is not None:
                step = asyncio.ensure_future(run_in_threadpool(next, rest, None))
    finally:
        if step.done():
            rest.close()
        else:
            step.add_done_callback(lambda ended: rest.close() if not ended.exception() else None)


def event_response(chunks: AsyncIterator[bytes]) -> StreamingResponse:
    """Return the response that streams `chunks`, which are events."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(chunks, media_type="text/event-stream", headers=headers)
