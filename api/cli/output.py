"""What commands print: JSON to stdout or a file, words for people, errors on stderr with the contract's exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Exit(IntEnum):
    """What a command's exit status says."""

    GOOD = 0
    NO = 1
    USAGE = 2
    FAILED = 3
    INCONCLUSIVE = 4
    NOT_COMPARABLE = 5


def emit(value: Any, as_json: bool, output: Path | None, show: Callable[[], None]) -> None:
    """Write `value` as JSON to `output` and to stdout where asked for; otherwise show it in words."""
    if output is not None:
        try:
            output.write_text(_json(value) + "\n", encoding="utf-8")
        except OSError as problem:
            fail(f"the output cannot be written: {problem}")
    if as_json:
        sys.stdout.write(_json(value) + "\n")
    elif output is None:
        show()


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the project's own errors into one line on stderr and exit status 2 or 3; a bug keeps its traceback."""
    from api.cli.service import Refused
    from index.errors import FilterInvalid, IndexProblem, NameInvalid
    from rag.errors import QueryInvalid, RagProblem

    try:
        yield
    except (FilterInvalid, NameInvalid, QueryInvalid) as problem:
        fail(str(problem), Exit.USAGE)
    except Refused as problem:
        fail(str(problem), Exit.USAGE if problem.usage else Exit.FAILED)
    except (IndexProblem, RagProblem, OSError) as problem:
        fail(str(problem))


def fail(message: str, status: Exit = Exit.FAILED) -> NoReturn:
    """Print one line on stderr and leave with `status`."""
    err.print(Text(f"pincite: {message}"), soft_wrap=True)
    raise typer.Exit(status)


def parsed_filter(written: str | None) -> Any:
    """Return the JSON of a filter that was given as an option, None where none was; leaves with 2 where it is none."""
    try:
        return json.loads(written) if written else None
    except ValueError as problem:
        fail(f'--filter is not JSON ({problem}); write it like \'{{"field": "source", "eq": "MEA"}}\'.', Exit.USAGE)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
