"""Kills processes that write at the n-th call that changes a file, again and again over one data folder, and checks it.

`python killing.py FOLDER ROUNDS SEED` prints a line of JSON for each round: the call, how many documents are
acknowledged, whether the process was killed before it had done its work, and what was wrong afterwards. Each part runs
in a fork of this process, which itself never starts a thread.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from disk import Call, Disk
from workload import Expected, Told, opened, work

STEPS = 12
LATEST = 500  # call


def main(folder: str, rounds: str, seed: str) -> None:
    """Kill, check, and go on with what is there."""
    print(f"seed {seed}", file=sys.stderr)
    maker, expected = random.Random(int(seed)), Expected()
    for number in range(int(rounds)):
        call = int(LATEST ** maker.uniform(0, 1))
        told, status = forked(partial(killed_at, call, Path(folder), maker.randrange(2**32), f"k{number}s"))
        for kind, what in told:
            (expected.begin if kind == "begin" else expected.done)(what)
        (answer,), ended = forked(partial(checked, Path(folder), expected))
        assert ended == 0
        expected.acknowledged, expected.under_way = answer["settled"], {}
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or not status, f"the process that wrote ended with {status}"
        there = sum(version is not None for version in expected.acknowledged.values())
        print(json.dumps({"call": call, "killed": killed, "there": there, "faults": answer["faults"]}), flush=True)


def killed_at(call: int, folder: Path, seed: int, prefix: str, say: Callable[[object], None]) -> None:
    """Write to the data folder until the call of that number, which is not made any more."""
    numbers = count(1)

    def watch(made: Call) -> None:
        if next(numbers) == call:
            os.kill(os.getpid(), signal.SIGKILL)

    disk = Disk(watch)  # lives as long as this name

    def told(kind: str) -> Callable[[Told], None]:
        return lambda what: say([kind, dict(what)])

    with opened(folder) as catalog:
        work(catalog, seed, STEPS, prefix, told("begin"), told("done"))
    disk.unregister()


def checked(folder: Path, expected: Expected, say: Callable[[object], None]) -> None:
    """Say what is wrong, and which versions are there."""
    faults = expected.faults(folder, views=True)
    if not faults:
        with opened(folder) as catalog:
            expected.settle(catalog)
    say({"faults": faults, "settled": expected.acknowledged})


def forked(action: Callable[[Callable[[object], None]], None]) -> tuple[list, int]:
    """Run a function in a fork; returns what it said through a pipe, and how it ended."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            action(lambda what: os.write(write, json.dumps(what).encode() + b"\n") and None)
        except BaseException as error:  # a child must never come back into the parent's code
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        lines = pipe.read().splitlines()
    return [json.loads(line) for line in lines], os.waitpid(child, 0)[1]


if __name__ == "__main__":
    main(*sys.argv[1:])
