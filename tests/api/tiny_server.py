"""A real server over an empty folder, for tests over sockets: `python tiny_server.py FOLDER httptools|h11`.

It prints its port and serves until it is ended.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import uvicorn

from api.app import create_app
from api.limits import Limits
from api.settings import Settings
from api.wiring import Pincite
from index.catalog import Catalog
from rag.encoding import HashingEncoder


def main(folder: str, parser: str) -> None:
    """Serve on a free port of 127.0.0.1."""
    encoder = HashingEncoder()
    bound = socket.socket(proto=socket.IPPROTO_TCP)  # or asyncio leaves Nagle on, 40 ms a response
    bound.bind(("127.0.0.1", 0))
    bound.listen()
    with Catalog(Path(folder), encoder=encoder.fingerprint, dimension=encoder.dimension) as catalog:
        app = create_app(
            Pincite(Settings(data=Path(folder)), catalog, encoder), Limits(body_bytes=2**20, upload_bytes=2**21)
        )
        catalog.announce(f"http://127.0.0.1:{bound.getsockname()[1]}")
        print(bound.getsockname()[1], flush=True)
        config = uvicorn.Config(app, http=parser, log_level="warning", server_header=False, timeout_graceful_shutdown=5)  # type: ignore[arg-type]
        uvicorn.Server(config).run(sockets=[bound])


if __name__ == "__main__":
    main(*sys.argv[1:])
