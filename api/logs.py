"""The server's log: one line on standard error for each event, as text or as JSON, whatever a client sent.

Everything that is not plain ASCII on one line is escaped as JSON escapes it: no line end, no terminal command and no
change of direction gets through, so nobody can write lines that the server did not.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

_PLAIN = re.compile(r"[A-Za-z0-9._:/{}+@~-]+")
_LOGGERS = ("pincite", "uvicorn", "asyncio")


class Lines(logging.Formatter):
    """Writes a record and its `fields`, a mapping that callers give as `extra`."""

    def __init__(self, form: Literal["text", "json"]) -> None:
        super().__init__()
        self._json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, without its end."""
        fields: Mapping[str, object] = getattr(record, "fields", {})
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        trace = {"trace": self.formatException(record.exc_info)} if record.exc_info else {}
        if self._json:
            head = {"time": time, "level": record.levelname.lower(), "event": record.getMessage()}
            return json.dumps({**head, **fields, **trace}, default=str)
        told = "".join(f" {name}={_told(value)}" for name, value in {**fields, **trace}.items())
        return f"{time} {record.levelname} {json.dumps(record.getMessage())[1:-1]}{told}"


def _told(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def configure(form: Literal["text", "json"], level: str) -> None:
    """Send what the server and its parts log from `level` upwards to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(form))
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        # What runs beneath says at `info` what ours says better.
        logger.setLevel(
            level.upper() if name == "pincite" else max(logging.WARNING, logging.getLevelName(level.upper()))
        )
