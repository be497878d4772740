"""How quickly are questions answered over HTTP, alone, eight at a time, and while documents are added?

    python benchmarks/serve.py --data FOLDER --queries queries.jsonl.gz … --ingest corpus.jsonl.gz --json out.json

Starts `pincite serve` over a data folder and asks `POST /v1/ask` for real questions, one after another on kept
connections, from processes of their own so that asking does not slow answering. Some questions come first and are not
counted. With `--ingest` the same is asked again while another client adds the documents of a corpus, under ids of their
own, which are deleted in the end. Bounds are checked for one client and while adding.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import random
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from reporting import Bound, finish, rows_of, say, table
from service import Refused, Service, serving

WARM = 60  # questions that are not counted
MOST_ALONE_MS, MOST_WHILE_ADDING_MS = 15.0, 500.0
MOST_RSS_MIB, MOST_START_SECONDS = 1024, 5.0
PREFIX = "serve-benchmark~"
ADDED_AT_ONCE = 8  # documents in one request


def questions(files: Sequence[Path], most: int, seed: int) -> list[str]:
    """Return `most` questions of BEIR query files, drawn by the seed."""
    texts = [row["text"] for file in files for row in rows_of(file)]
    return random.Random(seed).sample(texts, min(most, len(texts)))


def ask_all(address: str, asked: Sequence[str], more: Mapping[str, Any], answers: Any) -> None:
    """Ask one question after another and put (milliseconds, outcome, stages) of each; run in a process of its own."""
    connection = http.client.HTTPConnection(address, timeout=60)
    for query in asked:
        body = json.dumps({"query": query, **more}).encode()
        started = time.perf_counter()
        try:
            connection.request("POST", "/v1/ask", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
            outcome = ("answered" if answer["answerable"] else "declined") if response.status == 200 else "error"
        except (OSError, http.client.HTTPException, ValueError, KeyError) as problem:
            connection.close()
            answer, outcome = {"detail": repr(problem)}, "error"
        milliseconds = (time.perf_counter() - started) * 1000
        answers.put((milliseconds, outcome, answer.get("timing_ms", {}), str(answer.get("detail", ""))))
    answers.put(None)


def asked_by(
    clients: int, address: str, asked: Sequence[str], **more: Any
) -> list[tuple[float, str, Mapping[str, float], str]]:
    """Share the questions, with what else is to be sent, among processes and return what each came to."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [
        context.Process(target=ask_all, args=(address, asked[number::clients], more, answers))
        for number in range(clients)
    ]
    for process in processes:
        process.start()
    found, running = [], clients
    while running:
        one = answers.get()
        if one is None:
            running -= 1
        else:
            found.append(one)
    for process in processes:
        process.join()
    return found


def told(found: Iterable[tuple[float, str, Mapping[str, float], str]]) -> dict[str, Any]:
    """Return mean and percentiles in milliseconds, of all, answered and declined, and the median of each stage."""
    found = list(found)
    result: dict[str, Any] = {}
    for name in ("all", "answered", "declined"):
        times = [milliseconds for milliseconds, outcome, *_ in found if name in ("all", outcome)]
        if times:
            percentiles = {f"p{p}": float(np.percentile(times, p)) for p in (50, 95, 99)}
            result[name] = {"n": len(times), "mean": float(np.mean(times)), **percentiles}
    stages = {stage for _, _, timing, _ in found for stage in timing}
    result["stages_p50"] = {stage: median(t[stage] for _, _, t, _ in found if stage in t) for stage in sorted(stages)}
    problems = [problem for _, outcome, _, problem in found if outcome == "error"]
    return result | {"errors": len(problems), "first_errors": problems[:3]}


class Adder(threading.Thread):
    """Adds the documents of a corpus one request after another until told to stop, and deletes them in the end."""

    def __init__(self, service: Service, corpus: Path) -> None:
        super().__init__(name="adder")
        self._service, self._ended = service, threading.Event()
        self._rows = [
            {"id": f"{PREFIX}{number}", "text": row["text"], "title": row.get("title")}
            for number, row in enumerate(rows_of(corpus))
        ]
        self.added, self.passages, self.errors = 0, 0, 0

    def run(self) -> None:
        """Add until told to stop; after the last document it begins again with changed ones."""
        place = 0
        while not self._ended.is_set():
            chosen = [self._rows[(place + at) % len(self._rows)] for at in range(ADDED_AT_ONCE)]
            again = place // len(self._rows)
            documents = [{**row, "text": f"{row['text']}\n\nVersion {again}."} for row in chosen]
            try:
                results = self._service.call("POST", "/v1/documents", {"documents": documents})["results"]
                self.added += sum(one["status"] in {"added", "replaced"} for one in results)
                self.passages += sum(one["passages"] for one in results if one["status"] in {"added", "replaced"})
                self.errors += sum(one["status"] == "failed" for one in results)
            except (Refused, OSError, http.client.HTTPException) as problem:
                say(f"adding failed: {problem}")
                self.errors += 1
            place += ADDED_AT_ONCE

    def stop(self) -> None:
        """End after the request under way, and remove what was added."""
        self._ended.set()
        self.join()
        condition = {"field": "document_id", "in": [row["id"] for row in self._rows]}
        for start in range(0, len(self._rows), 500):
            condition["in"] = [row["id"] for row in self._rows[start : start + 500]]
            self._service.call("POST", "/v1/documents/delete", {"filter": condition})


def measure(data: Path, asked: Sequence[str], corpus: Path | None, clients: Sequence[int]) -> dict[str, Any]:
    """Start the server and ask by every number of clients, then again while a corpus is added."""
    started = time.perf_counter()
    with serving(data) as service:
        result: dict[str, Any] = {"start_seconds": time.perf_counter() - started}
        counts = service.call("GET", "/v1/info")["counts"]
        say(f"ready after {result['start_seconds']:.1f} s: {counts}")
        result |= {"counts": counts, "questions": len(asked) - WARM, "runs": {}}
        asked_by(1, service.address, asked[:WARM])
        for number in clients:
            result["runs"][f"{number} client(s)"] = told(asked_by(number, service.address, asked[WARM:]))
            say(f"{number} client(s): {result['runs'][f'{number} client(s)']['all']}")
        result |= {"memory_mib": service.memory()}
        if corpus is not None:
            adder = Adder(service, corpus)
            adder.start()
            try:
                for number in clients:
                    name = f"{number} client(s), adding"
                    result["runs"][name] = told(asked_by(number, service.address, asked[WARM:]))
                    say(f"{name}: {result['runs'][name]['all']}")
            finally:
                adder.stop()
            result["added"] = {"documents": adder.added, "passages": adder.passages, "errors": adder.errors}
            result["memory_after_adding_mib"] = service.memory()
    return result


def main() -> None:
    """Measure, print and check the bounds."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a data folder; it is served as it is")
    parser.add_argument("--queries", type=Path, nargs="+", required=True, help="queries.jsonl or queries.jsonl.gz")
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--ingest", type=Path, help="a corpus to add meanwhile")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most-ms", type=float, default=MOST_ALONE_MS, help="bound of p50 with one client")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    asked = questions(options.queries, options.questions + WARM, options.seed)
    result = measure(options.data, asked, options.ingest, options.clients)
    rows = [
        (name, kind, run[kind]["n"], *(f"{run[kind][p]:.1f}" for p in ("p50", "p95", "p99")), run["errors"])
        for name, run in result["runs"].items()
        for kind in ("all", "answered", "declined")
        if kind in run
    ]
    table(("run", "questions", "n", "p50 ms", "p95 ms", "p99 ms", "errors"), rows)
    for name, run in result["runs"].items():
        print(name, "median ms by stage:", {stage: round(value, 1) for stage, value in run["stages_p50"].items()})
    print("memory, MiB:", {name: round(value) for name, value in result["memory_mib"].items()})
    alone = result["runs"].get("1 client(s)", {}).get("all", {}).get("p50", float("inf"))
    bounds = [
        Bound("p50 with one client, ms", round(alone, 2), most=options.most_ms),
        Bound("RSS, MiB", round(result["memory_mib"]["rss"]), most=MOST_RSS_MIB),
        Bound("seconds until ready", round(result["start_seconds"], 2), most=MOST_START_SECONDS),
        Bound("errors", sum(run["errors"] for run in result["runs"].values()), most=0),
    ]
    bounds += [
        Bound(f"p95, {name}, ms", round(run["all"]["p95"], 1), most=MOST_WHILE_ADDING_MS)
        for name, run in result["runs"].items()
        if name.endswith("adding")
    ]
    finish({"seed": options.seed, **result}, bounds, options.json)


if __name__ == "__main__":
    main()
