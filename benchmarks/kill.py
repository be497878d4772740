"""Shows that kill -9 while documents are written loses nothing that was acknowledged.

Over and over a server is started on the same data folder, two clients add, replace and delete small documents, and the
server is killed at a moment drawn by the seed. Then `pincite verify` must be clean, every document whose writing was
acknowledged must be there with the text that was sent and be found by its words, and none whose deletion was
acknowledged may be. What was under way at the kill may be there or not, but never half.

    python benchmarks/kill.py --rounds 20

With `--calls N` a process that writes without a server is first killed N times more, each time at a random call that
changes a file of the truth.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reporting import Bound, finish, say, table
from service import Refused, Service, verified

KILLING = Path(__file__).parents[1] / "tests" / "faults" / "killing.py"
CLIENTS = 2
EARLIEST_KILL, LATEST_KILL = 0.05, 4.0  # seconds after the clients begin
SEARCHED = 10  # acknowledged documents that are searched for after a round
SYLLABLES = ("ba", "ke", "li", "mo", "nu", "ra", "sé", "ti", "vo", "zu", "ña", "ö")
Text = str | None  # None: there is no such document


@dataclass
class Client:
    """One writer: what it knows to be stored, and what was under way when its server died."""

    name: str
    maker: random.Random
    stored: dict[str, Text] = field(default_factory=dict)
    under_way: dict[str, Text] = field(default_factory=dict)
    acknowledged: int = 0
    touched: set[str] = field(default_factory=set)
    problem: str | None = None
    _serial: int = 0

    def run(self, service: Service, stopping: threading.Event) -> None:
        """Write until the server is gone; a refusal is not expected and kept as a problem."""
        self.touched = set()
        while not stopping.is_set():
            self.under_way = self._next()
            try:
                self._send(service)
            except (OSError, http.client.HTTPException, ValueError):
                return  # the server is gone: what was under way is unknown
            except Refused as refused:
                self.problem = str(refused)
                return
            self.stored |= self.under_way
            self.touched |= self.under_way.keys()
            self.acknowledged += len(self.under_way)
            self.under_way = {}

    def _next(self) -> dict[str, Text]:
        """Return what to write next: mostly new documents, now and then known ones anew, or a deletion."""
        known = sorted(name for name, text in self.stored.items() if text is not None)
        if known and self.maker.random() < 0.3:
            return {self.maker.choice(known): None}
        names = [self._name() for _ in range(self.maker.randint(1, 4))]
        if known:
            names[0] = self.maker.choice([*known, names[0]])
        return {name: self._text(name) for name in names}

    def _name(self) -> str:
        self._serial += 1
        return f"{self.name}-{self._serial}"

    def _text(self, name: str) -> str:
        """Return a short text that no other document has, beginning with its own word."""
        words = ["".join(self.maker.choices(SYLLABLES, k=3)) for _ in range(self.maker.randint(5, 120))]
        return f"{own_word(name)} {' '.join(words)}. 🧭"

    def _send(self, service: Service) -> None:
        documents = [{"id": name, "text": text} for name, text in self.under_way.items()]
        if documents[0]["text"] is None:
            service.call("DELETE", f"/v1/documents/{documents[0]['id']}")
            return
        results = service.call("POST", "/v1/documents", {"documents": documents})["results"]
        wrong = [one for one in results if one["document_sha256"] != digest(self.under_way[one["id"]] or "")]
        self.problem = f"another digest was acknowledged: {wrong}" if wrong else self.problem


def main() -> None:
    """Kill the server in every round and check what is left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, help="what draws moments and texts (default: a new one, which is printed)")
    parser.add_argument("--calls", type=int, default=0, help="kill that often at a random call that writes")
    parser.add_argument("--json", "--output", dest="output", type=Path, help="write the result here")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}")
    maker = random.Random(seed)
    clients = [Client(f"client{place}", random.Random(maker.random())) for place in range(CLIENTS)]
    with tempfile.TemporaryDirectory() as scratch:
        calls = list(killed_at_calls(Path(scratch) / "calls", options.calls, seed))
        rounds = list(played(Path(scratch) / "data", clients, maker, options.rounds))
    table(rounds[0].keys(), [list(row.values()) for row in rounds])
    problems = [problem for row in rounds for problem in row["problems"]] + [
        one for row in calls for one in row["faults"]
    ]
    bounds = [
        Bound("rounds", len(rounds), least=20),
        Bound("calls killed at", sum(row["killed"] for row in calls), least=options.calls // 2),
        Bound("rounds killed with a write under way", sum(row["under way"] > 0 for row in rounds), least=1),
        Bound("documents acknowledged", sum(row["acknowledged"] for row in rounds), least=20),
        Bound("problems", len(problems), most=0),
    ]
    finish({"seed": seed, "rounds": rounds, "calls": calls}, bounds, options.output)


def killed_at_calls(folder: Path, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the call, whether it was reached, how many documents are there, and the faults, of each kill."""
    command = [sys.executable, str(KILLING), str(folder), str(count), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for number, line in enumerate(process.stdout, start=1):
            yield json.loads(line)
            if number % 50 == 0:
                say(f"{number} of {count} calls")
    if process.returncode:
        raise RuntimeError(f"{KILLING.name} ended with status {process.returncode}")


def played(data: Path, clients: Sequence[Client], maker: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Write, kill, verify, start again and check what is left; yield one line of the table a round."""
    service = Service(data)
    try:
        for number in range(1, count + 1):
            before = sum(client.acknowledged for client in clients)
            after = maker.uniform(EARLIEST_KILL, LATEST_KILL)
            killed(service, clients, after)
            acknowledged = sum(client.acknowledged for client in clients) - before
            under_way = sum(len(client.under_way) for client in clients)
            problems = [*verified(data), *(client.problem for client in clients if client.problem)]
            service = Service(data)
            problems += lost(service, clients)
            say(f"round {number}: killed after {after:.2f} s, {acknowledged} acknowledged, {len(problems)} problems")
            yield {
                "round": number,
                "killed after s": round(after, 2),
                "acknowledged": acknowledged,
                "under way": under_way,
                "stored": sum(text is not None for client in clients for text in client.stored.values()),
                "problems": problems,
            }
    finally:
        service.kill()


def killed(service: Service, clients: Sequence[Client], after: float) -> None:
    """Let the clients write to a server and kill it after that many seconds."""
    stopping = threading.Event()
    threads = [threading.Thread(target=client.run, args=(service, stopping)) for client in clients]
    for thread in threads:
        thread.start()
    time.sleep(after)
    service.kill()
    stopping.set()
    for thread in threads:
        thread.join()


def lost(service: Service, clients: Sequence[Client]) -> list[str]:
    """Return every difference between what was acknowledged and what is there; take notice of what was under way."""
    there = {document["id"]: document["document_sha256"] for document in service.documents()}
    problems = []
    for client in clients:
        for name in sorted(client.stored.keys() | client.under_way.keys()):
            may_be = [client.stored.get(name)] + ([client.under_way[name]] if name in client.under_way else [])
            found = [text for text in may_be if there.get(name) == (None if text is None else digest(text))]
            if not found:
                problems.append(f"{name}: {there.get(name)} is there, which was never sent")
            client.stored[name] = found[0] if found else None
        client.under_way = {}
        problems += unfound(service, client)
    return problems


def unfound(service: Service, client: Client) -> list[str]:
    """Return what is wrong with the texts written in the last round, all read and some searched for by their word."""
    problems = []
    present = [name for name in sorted(client.touched) if client.stored[name] is not None]
    problems += [f"{name}: another text" for name in present if service.text(name)["text"] != client.stored[name]]
    for name in client.maker.sample(present, min(SEARCHED, len(present))):
        (result,) = service.search(own_word(name), mode="lexical", top_k=1)["results"]
        if [one["document"]["id"] for one in result["passages"]] != [name]:
            problems.append(f"{name}: not found by its word")
    return problems


def own_word(name: str) -> str:
    """Return a word that only one document holds."""
    return "w" + hashlib.sha256(name.encode()).hexdigest()[:12]


def digest(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, as the service counts it."""
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    main()
