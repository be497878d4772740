"""The log: one event is one line, whatever is in it, and no text of anybody's unless it was asked for."""

from __future__ import annotations

import json
import logging
from typing import Any, Literal

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.app import create_app
from api.logs import Lines
from api.settings import Settings
from api.wiring import Pincite

QUESTION = "canary\r\n2026 ERROR forged"


def record(message: str, **fields: Any) -> logging.LogRecord:
    """Return a log record as the code makes them."""
    return logging.makeLogRecord({"msg": message, "levelno": logging.INFO, "levelname": "INFO", "fields": fields})


@pytest.mark.parametrize("form", ["text", "json"])
@given(st.text(), st.text())
def test_one_event_is_one_line_of_ascii(form: Literal["text", "json"], message: str, value: str) -> None:
    """Line ends, escapes of terminals, changes of direction: none gets through, wherever it stands."""
    line = Lines(form).format(record(message, value=value))
    assert line.isascii()
    assert line.isprintable()
    if form == "json":
        assert (json.loads(line)["event"], json.loads(line)["value"]) == (message, value)


def test_a_value_with_a_space_is_quoted() -> None:
    """So that nobody can add a field to a line of text."""
    line = Lines("text").format(record("request", route="a status=200", status=404))
    assert line.endswith('INFO request route="a status=200" status=404')


def test_a_trace_is_told_on_the_line(caplog: pytest.LogCaptureFixture) -> None:
    """As JSON text in both forms."""
    try:
        raise KeyError("first\nsecond")
    except KeyError:
        logging.getLogger("pincite").exception("failed")
    (found,) = caplog.records
    for form in ("text", "json"):
        line = Lines(form).format(found)  # type: ignore[arg-type]
        assert line.isprintable()
        assert "KeyError" in line


@pytest.mark.parametrize("asked_for", [True, False])
def test_questions_are_logged_only_where_asked_for(
    pincite: Pincite, caplog: pytest.LogCaptureFixture, asked_for: bool
) -> None:
    """Asked and searched, answered as JSON and as a stream."""
    caplog.set_level(logging.INFO, "pincite.requests")
    settings = Settings(data=pincite.settings.data, log_questions=asked_for)
    with TestClient(
        create_app(Pincite(settings, pincite.catalog, pincite.encoder)), base_url="http://127.0.0.1"
    ) as client:
        for path, body in (
            ("/v1/ask", {"query": QUESTION}),
            ("/v1/ask", {"query": QUESTION, "stream": True}),
            ("/v1/search", {"queries": [QUESTION]}),
        ):
            assert client.post(path, json=body).status_code == 200
    lines = [Lines("text").format(one) for one in caplog.records if one.name == "pincite.requests"]
    assert len(lines) == 3
    assert all(("canary" in line) == asked_for for line in lines)
    assert all(line.isprintable() for line in lines)
