"""A real server over an empty folder, for tests over sockets: `python tiny_server.py FOLDER httptools|h11 [LIMITS]`.

It prints its port and serves until it is ended: with `httptools` as `pincite serve` does, with `h11` as uvicorn does by
itself. LIMITS is JSON; with it the sockets hold little, so that slow readers are seen, and the log is JSON.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import uvicorn

from api import logs, server
from api.app import create_app
from api.limits import Limits
from api.settings import Settings
from api.wiring import Pincite
from index.catalog import Catalog
from rag.encoding import HashingEncoder
from rag.reading import WordReader


def main(folder: str, parser: str, limits: str = "{}") -> None:
    """Serve on a free port of 127.0.0.1."""
    encoder = HashingEncoder()
    bound = socket.socket(proto=socket.IPPROTO_TCP)  # or asyncio leaves Nagle on, 40 ms a response
    chosen = json.loads(limits)
    if chosen:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        logs.configure("json", "info")
    bound.bind(("127.0.0.1", 0))
    bound.listen()
    with Catalog(Path(folder), encoder=encoder.fingerprint, dimension=encoder.dimension) as catalog:
        settings = Settings(data=Path(folder))
        app = create_app(
            Pincite(settings, catalog, encoder, WordReader()),
            Limits(**{"body_bytes": 2**20, "upload_bytes": 2**21, **chosen}),
        )
        catalog.announce(f"http://127.0.0.1:{bound.getsockname()[1]}")
        print(bound.getsockname()[1], flush=True)
        if parser == "httptools":
            server.serve(app, bound)
        else:
            config = uvicorn.Config(
                app, http="h11", log_level="warning", server_header=False, timeout_graceful_shutdown=5
            )
            uvicorn.Server(config).run(sockets=[bound])


if __name__ == "__main__":
    main(*sys.argv[1:])
