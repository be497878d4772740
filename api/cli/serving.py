"""`pincite serve`."""

from __future__ import annotations

import ipaddress
import json
import socket
from typing import Annotated

import typer
from rich.text import Text

from api.cli.context import Options, opened
from api.cli.output import err, fail, out

_SEND_BYTES = 2**18


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="A loopback address (PINCITE_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="The port, 0 for a free one (PINCITE_PORT or PORT).")] = None,
) -> None:
    """Serve the page and the HTTP interface until interrupted."""
    from api import logs, server
    from api.app import create_app
    from rag.encoding import warm_up

    settings = context.find_object(Options).settings(host=host, port=port)  # type: ignore[union-attr]
    bound = _bind(settings.host, settings.port)
    url = _url(bound)
    with opened(context, host=host, port=port) as pincite:
        pincite.catalog.announce(url)
        logs.configure(settings.log_format, settings.log_level)
        warm_up(pincite.encoder)
        if pincite.reader:
            pincite.reader.warm_up()
        app = create_app(pincite)
        info = pincite.catalog.collection("default").info()
        bound.listen()  # whoever follows the printed address at once waits for the server instead of being refused
        err.print(Text(f"{info.documents} documents, {info.passages} passages in {settings.data}"))
        out.print(Text(f"Page:  {url}/\nAsk:   {_curl(url)}\nStop:  Ctrl-C"), soft_wrap=True)
        server.serve(app, bound)


def _bind(host: str, port: int) -> socket.socket:
    """Bind before anything slow happens, so that a taken port is said at once."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        fail(f"{host} is not an address; use 127.0.0.1 or ::1.")
    if not address.is_loopback:
        fail(f"{host} can be reached from other machines, which needs keys; until there are any, use 127.0.0.1 or ::1.")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # asyncio turns Nagle off, which costs 40 ms an answer, only where it sees that this is TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Or the system keeps megabytes for each reader that does not read, and nobody notices that it does not.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
    try:
        bound.bind((str(address), port))
    except OSError as problem:
        fail(f"port {port} on {host} cannot be had ({problem.strerror}); choose another with --port or PORT.")
    return bound


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _curl(url: str) -> str:
    question = json.dumps({"query": "How was the India-US 2+2 intersessional dialogue held?"})
    return f"curl -s {url}/v1/ask -H 'Content-Type: application/json' -d '{question}'"
