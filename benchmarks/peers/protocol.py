"""How a peer is run: one program each, spoken to by lines of JSON, so that all of them can be asked by turns.

The first line is the job: `passages` (a JSON Lines file of `{"text"}`), `vectors` (a .npy file, a row a passage),
`model` (a sentence-transformers folder), `corpus`, `name` and `work` (for ours), `limit` (passages wanted). The answer
is `{}` when libraries and model are loaded. The second line is `{}`; the answer is `{"seconds"}`, what building took.
Each further line is `{"question"}`, and its answer `{"ms", "found"}`: how long it took, and what was found, best first,
as places among the passages, or as [document, start, end].
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Found = Sequence[int] | Sequence[tuple[str, int, int]]
Ask = Callable[[str], Found]


@dataclass(frozen=True, slots=True)
class Built:
    """What can be asked, and the seconds that building took where it was built earlier."""

    ask: Ask
    seconds: float | None = None


def serve(prepare: Callable[[Mapping[str, Any]], Callable[[], Built]]) -> None:
    """Build what the first line of stdin says, then answer every line until there is none.

    `prepare` loads the model and what is given, which does not count, and returns what builds.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer
    build = prepare(json.loads(sys.stdin.readline()))
    print("{}", file=answers, flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    built = build()
    seconds = time.perf_counter() - started if built.seconds is None else built.seconds
    print(json.dumps({"seconds": seconds}), file=answers, flush=True)
    for line in sys.stdin:
        question = json.loads(line)["question"]
        started = time.perf_counter()
        found = built.ask(question)
        took = (time.perf_counter() - started) * 1000
        print(json.dumps({"ms": took, "found": found}), file=answers, flush=True)


def texts_of(job: Mapping[str, Any]) -> list[str]:
    """Return the texts of the passages."""
    with Path(job["passages"]).open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]
