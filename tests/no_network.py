"""Runs Python code in which looking up a host name or connecting to another machine ends the process with status 99.

Use: `python no_network.py CODE [ARGUMENT...]`; the arguments are `sys.argv[1:]` of the code.
"""

from __future__ import annotations

import os
import sys
from typing import Any

LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """End the process at once, so that no library can swallow what happened."""
    connects = event == "socket.connect" and isinstance(arguments[1], tuple)
    if event in LOOKUPS or connects:
        os.write(2, f"NETWORK {event} {arguments[-1 if connects else 0]!r}\n".encode())
        os._exit(99)


if __name__ == "__main__":
    del sys.path[0]  # this folder, whose folders are called as the packages are
    code, *rest = sys.argv[1:]
    sys.argv = ["-c", *rest]
    sys.addaudithook(refuse)
    exec(compile(code, "<no network>", "exec"), {"__name__": "__main__"})
