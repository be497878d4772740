"""What reading costs: a question with and without it, and against a plain cross-encoder over the same passages.

    python benchmarks/reader/cost.py --data FOLDER --queries queries.jsonl.gz … --json cost.json

Starts `pincite serve` over a data folder and asks `POST /v1/ask` for real questions, each with reading and with
`"read": false` by turns, by one client and then by eight; then once more without a reader, for the memory that it adds.
Then asks in process, and gives the passages that were read for each question to `CrossEncoder.predict` of
sentence-transformers in fp32, on all cores, by turns: whole passages, as the plain recipe would, and cut to the window
that is read here. The cross-encoder is of the same architecture, its head at random: only its time is looked at.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from reporting import Bound, finish, machine, say, table
from serve import WARM, asked_by, questions, told
from service import Service, serving

WAYS: Mapping[str, Mapping[str, Any]] = {"reading": {}, "not reading": {"read": False}}
CLIENTS = 8
MOST_MS = {True: 150.0, False: 400.0}  # p50 of one client, with AVX-512 or AMX, and without
WIDE = ("avx512f", "amx_tile")


def main() -> None:
    """Measure, print and check the bounds."""
    options = parsed()
    asked = questions(options.queries, options.questions + WARM, options.seed)
    result: dict[str, Any] = {"seed": options.seed, "machine": machine(), **served(options.data, asked)}
    from against import against  # heavy: not where each of eight clients, which import this file, would wait for it

    result["against"] = against(options.data, asked[: options.pairs])
    rows = [
        (name, run["all"]["n"], *(f"{run['all'][p]:.1f}" for p in ("p50", "p95")), f"{run['per_second']:.2f}")
        for name, run in result["runs"].items()
    ]
    print(result["machine"])
    table(("asked", "n", "p50 ms", "p95 ms", "answers a second"), rows)
    read = result["runs"]["reading, 1 client"]
    print("median ms by stage, reading:", {stage: round(value, 1) for stage, value in read["stages_p50"].items()})
    print("memory, MiB:", {name: round(one["rss"]) for name, one in result["memory_mib"].items()})
    print()
    head = ("in process, one question", "p50 ms", "p95 ms", "times the cross-encoder's", "by rounds")
    table(head, [(name, *told_of(figures)) for name, figures in result["against"]["figures"].items()])
    print({name: value for name, value in result["against"].items() if name != "figures"})
    bounds = [
        Bound("p50 with one client, ms", round(read["all"]["p50"], 1), most=options.most_ms),
        Bound("errors", sum(run["errors"] for run in result["runs"].values()), most=0),
    ]
    finish(result, bounds, options.json)


def told_of(figures: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a row."""
    ratios = {name.split(", ")[1]: one for name, one in figures.items() if isinstance(one, dict)}
    return (
        f"{figures['p50']:.1f}",
        f"{figures['p95']:.1f}",
        "; ".join(f"{name} {one['ratio']:.2f}" for name, one in ratios.items()),
        "; ".join(f"{min(one['rounds']):.2f} to {max(one['rounds']):.2f}" for one in ratios.values()),
    )


# Over HTTP


def served(data: Path, asked: Sequence[str]) -> dict[str, Any]:
    """Ask a server with a reader both ways, and one without for its memory."""
    runs: dict[str, Any] = {}
    os.environ["PINCITE_READER"] = "on"
    with serving(data) as service:
        counts = service.call("GET", "/v1/info")["counts"]
        say(f"serving {counts}")
        by_turns(service, asked[:WARM])
        for name, found in by_turns(service, asked[WARM:]).items():
            runs[f"{name}, 1 client"] = rated(told(found), 1)
        for name, more in WAYS.items():
            found = asked_by(CLIENTS, service.address, asked[WARM:], **more)
            runs[f"{name}, {CLIENTS} clients"] = rated(told(found), CLIENTS)
        memory = {"reader on": service.memory()}
    os.environ["PINCITE_READER"] = "off"
    with serving(data) as service:
        asked_by(1, service.address, asked)
        asked_by(CLIENTS, service.address, asked[WARM:])
        memory["reader off"] = service.memory()
    return {"counts": counts, "questions": len(asked) - WARM, "runs": runs, "memory_mib": memory}


def by_turns(service: Service, asked: Sequence[str]) -> dict[str, list[tuple[float, str, Mapping[str, float], str]]]:
    """Ask every question both ways, the first one changing each time; return of each what `serve.told` takes."""
    found: dict[str, list[tuple[float, str, Mapping[str, float], str]]] = {name: [] for name in WAYS}
    for number, query in enumerate(asked):
        for name in sorted(WAYS, reverse=bool(number % 2)):
            started = time.perf_counter()
            answer = service.ask(query, **WAYS[name])
            waited = (time.perf_counter() - started) * 1000
            found[name].append((waited, "answered" if answer["answerable"] else "declined", answer["timing_ms"], ""))
    say(f"{len(asked)} questions asked both ways")
    return found


def rated(figures: dict[str, Any], clients: int) -> dict[str, Any]:
    """Add how many questions are answered in a second: each client waits for one answer before it asks again."""
    return {**figures, "per_second": clients * 1000 / figures["all"]["mean"]}


def parsed() -> argparse.Namespace:
    """Read the command line."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    most = MOST_MS[any(one in flags for one in WIDE)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a data folder; it is served as it is")
    parser.add_argument("--queries", type=Path, nargs="+", required=True, help="queries.jsonl files, .gz or not")
    parser.add_argument("--questions", type=int, default=200, help="asked over HTTP")
    parser.add_argument("--pairs", type=int, default=60, help="questions whose passages the cross-encoder scores")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most-ms", type=float, default=most, help=f"bound of p50 with one client ({most:g} here)")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
