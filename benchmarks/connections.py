"""Honest clients while a thousand others are silent, slow or talk nonsense: `python benchmarks/connections.py`.

A real `pincite serve` over the sample documents is asked by honest clients, first alone and then while another process
holds as many bad connections as it is told: silent ones, half a head, a head and a body at a byte a second, readers at
a byte a second, and malformed requests again and again. Told are the honest clients' latencies and errors before and
during it, what is still open a second after the last deadline, and how much memory the server took. Leaves with status
1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import multiprocessing
import re
import resource
import socket
import tempfile
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import quantiles

from reporting import Bound, finish, say, table
from service import Service, command, serving

DOCUMENTS = Path(__file__).parent.parent / "seeds" / "documents"
QUESTIONS = (
    "What does COMPACT stand for?",
    "Which countries make up the Quad?",
    "How was the India-US 2+2 intersessional dialogue held?",
    "Who won the chess championship on the moon?",
)
PAUSE_SECONDS = 0.02  # between two questions of an honest client
OPENED_AT_ONCE = 50

HOST = b"Host: 127.0.0.1\r\n"
POST = b"POST /v1/ask HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
BEGUN = {
    "silent": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost: 127",
    "slow head": b"GET / HTTP/1.1\r\nX: ",
    "slow body": POST,
    "slow reader": (b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n") * 12,
}
KINDS = (*BEGUN, "malformed")
MALFORMED = (
    b"rubbish\r\n\r\n",
    b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 100_000,
    b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
)


class Honest:
    """Clients that ask one question after another, each over a connection of its own."""

    def __init__(self, service: Service, clients: int) -> None:
        self._service, self._clients = service, clients

    def ask_until(self, stop: threading.Event) -> tuple[list[float], list[str]]:
        """Return the latencies in milliseconds and the errors of all clients."""
        taken: list[float] = []
        errors: list[str] = []

        def ask() -> None:
            for question in itertools.cycle(QUESTIONS):
                if stop.wait(PAUSE_SECONDS):
                    return
                started = time.perf_counter()
                try:
                    self._service.ask(question)
                    taken.append((time.perf_counter() - started) * 1000)
                except Exception as error:
                    errors.append(repr(error))

        with ThreadPoolExecutor(self._clients) as pool:
            for _ in range(self._clients):
                pool.submit(ask)
        return taken, errors

    def ask_for(self, seconds: float) -> tuple[list[float], list[str]]:
        """Ask for that long."""
        stop = threading.Event()
        timer = threading.Timer(seconds, stop.set)
        timer.start()
        return self.ask_until(stop)


async def _hold(kind: str, port: int, stop: asyncio.Event) -> None:
    """Keep one bad connection until the server closes it or the time has come."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError), socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)  # what is not read is not taken either
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(connection, BEGUN[kind])
        while not stop.is_set():
            if kind in {"slow head", "slow body"}:
                await loop.sock_sendall(connection, b"x")
            with contextlib.suppress(TimeoutError):
                if not await asyncio.wait_for(loop.sock_recv(connection, 1), 1.0):
                    return
            if kind == "slow reader":
                await asyncio.sleep(1.0)


async def _babble(port: int, stop: asyncio.Event) -> None:
    """Send one malformed request after another."""
    for request in itertools.cycle(MALFORMED):
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            writer.write_eof()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(), 5.0)
            writer.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.5)
            return


async def _attack(port: int, number: int, opened: Event, deadline: float) -> None:
    stop_babble, stop = asyncio.Event(), asyncio.Event()
    tasks = []
    for place in range(number):
        kind = KINDS[place % len(KINDS)]
        work = _babble(port, stop_babble) if kind == "malformed" else _hold(kind, port, stop)
        tasks.append(asyncio.create_task(work))
        if place % OPENED_AT_ONCE == 0:
            await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    opened.set()
    await asyncio.sleep(deadline - 2)
    stop_babble.set()
    await asyncio.sleep(30)
    stop.set()
    await asyncio.gather(*tasks)


def attack(port: int, number: int, opened: Event, deadline: float) -> None:
    """Open `number` bad connections, set `opened`, and hold them; runs in a process of its own."""
    _allow_files(number + 200)
    asyncio.run(_attack(port, number, opened, deadline))


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def measures(service: Service) -> dict[str, float]:
    """Return what /metrics says without buckets, by name and labels."""
    with urllib.request.urlopen(f"http://{service.address}/metrics") as response:
        lines = response.read().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def spread(taken: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99 of latencies in milliseconds."""
    cuts = quantiles(taken, n=100)
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "p99": round(cuts[98], 1)}


def main() -> None:
    """Measure, print a table and the bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1000, help="bad connections (1000)")
    parser.add_argument("--clients", type=int, default=2, help="honest clients (2)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the honest clients ask alone (20)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the result here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        say("the sample documents are ingested")
        command(data, "ingest", str(DOCUMENTS))
        with serving(data) as service:
            measure(service, options)


def measure(service: Service, options: argparse.Namespace) -> None:
    """Ask alone, ask during the attack, look what is left, and tell."""
    honest = Honest(service, options.clients)
    limits = service.call("GET", "/v1/info")["limits"]
    deadline = max(limits[f"{name}_seconds"] for name in ("header", "body", "write"))
    honest.ask_for(3)
    say(f"{options.clients} honest clients ask alone for {options.seconds:.0f} s")
    alone, errors_alone = honest.ask_for(options.seconds)
    before = measures(service)
    say(f"{options.connections} bad connections, held for {deadline + 1:.0f} s")
    processes = multiprocessing.get_context("spawn")
    opened, port = processes.Event(), int(service.address.rpartition(":")[2])
    attacking = processes.Process(target=attack, args=(port, options.connections, opened, deadline), daemon=True)
    attacking.start()
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(honest.ask_until, stop)
        opened.wait()
        time.sleep(deadline + 1)
        stop.set()
        during, errors_during = asking.result()
    after = measures(service)
    attacking.terminate()
    attacking.join()
    closed = {
        found[1]: int(value - before.get(name, 0))
        for name, value in after.items()
        if (found := re.fullmatch(r'pincite_connections_closed_total\{reason="(\w+)"\}', name))
    }
    tell(options, {"alone": (alone, errors_alone), "during": (during, errors_during)}, closed, before, after)


def tell(
    options: argparse.Namespace,
    honest: Mapping[str, tuple[Sequence[float], Sequence[str]]],
    closed: Mapping[str, int],
    before: Mapping[str, float],
    after: Mapping[str, float],
) -> None:
    """Print the table and the bounds, and leave; `honest` has latencies in milliseconds and errors."""
    names = ("p50", "p95", "p99")
    runs = {
        run: {**spread(taken), "questions": len(taken), "errors": list(errors)}
        for run, (taken, errors) in honest.items()
    }
    table(
        ("honest clients", "questions", "errors", *(f"{name} ms" for name in names)),
        [(run, told["questions"], len(told["errors"]), *(told[name] for name in names)) for run, told in runs.items()],
    )
    print("closed by the server: " + ", ".join(f"{count} {reason}" for reason, count in sorted(closed.items())))
    grown = (after["process_resident_memory_bytes"] - before["process_resident_memory_bytes"]) / 2**20
    bounds = [
        Bound("honest errors during it", len(runs["during"]["errors"]), most=0),
        Bound("honest p95 during it, ms", runs["during"]["p95"], most=500),
        Bound("bad connections open a second after the deadline", after["pincite_connections"] - 1, most=0),
        Bound("memory grown, MiB", round(grown, 1), most=64),
    ]
    finish({"connections": options.connections, **runs, "closed": dict(closed)}, bounds, options.json)


if __name__ == "__main__":
    main()
