"""Dates as intervals of their precision."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from index.dates import Interval, interval, now

START = datetime(1, 1, 1, tzinfo=UTC)


def microseconds(*when: int) -> int:
    """Return the microseconds from 0001-01-01T00:00Z to a time, worked out by the standard library."""
    passed = datetime(*when, tzinfo=UTC) - START
    return (passed.days * 86_400 + passed.seconds) * 10**6 + passed.microseconds


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2025", (2025, 1, 1), (2026, 1, 1)),
        ("2025-08", (2025, 8, 1), (2025, 9, 1)),
        ("2025-12", (2025, 12, 1), (2026, 1, 1)),
        ("2024-02", (2024, 2, 1), (2024, 3, 1)),
        ("2024-02-29", (2024, 2, 29), (2024, 3, 1)),
        ("2025-08-26T09:30Z", (2025, 8, 26, 9, 30), (2025, 8, 26, 9, 31)),
        ("2025-08-26 09:30", (2025, 8, 26, 9, 30), (2025, 8, 26, 9, 31)),
        ("2025-08-26T09:30:05Z", (2025, 8, 26, 9, 30, 5), (2025, 8, 26, 9, 30, 6)),
        ("2025-08-26T09:30:05+05:30", (2025, 8, 26, 4, 0, 5), (2025, 8, 26, 4, 0, 6)),
        ("2025-08-26T23:30:05-0100", (2025, 8, 27, 0, 30, 5), (2025, 8, 27, 0, 30, 6)),
        ("2025-08-26T09:30:05.25Z", (2025, 8, 26, 9, 30, 5, 250_000), (2025, 8, 26, 9, 30, 5, 260_000)),
        ("2025-08-26T09:30:05.123456789Z", (2025, 8, 26, 9, 30, 5, 123_456), (2025, 8, 26, 9, 30, 5, 123_457)),
        ("0001", (1, 1, 1), (2, 1, 1)),
    ],
)
def test_a_date_spans_its_precision(text: str, low: tuple[int, ...], high: tuple[int, ...]) -> None:
    """The interval starts where the date does and ends where the next one of its kind starts."""
    assert interval(text) == Interval(microseconds(*low), microseconds(*high))


def test_the_last_year_has_an_end() -> None:
    """Year 10000 is not a datetime, and the interval of 9999 ends there all the same."""
    year, day = interval("9999"), interval("9999-12-31")
    assert year is not None
    assert day is not None
    assert year.high == day.high == microseconds(9999, 12, 31) + 86_400 * 10**6


@pytest.mark.parametrize(
    "text",
    [
        *("", "25", "2025-13", "2025-00", "2025-02-29", "2025-1-1", "2025/01/01", "0000", "2025-08-26T", "-2025"),
        *("2025-08-26T24:00Z", "2025-08-26T09:60Z", "2025-08-26T09Z", "2025-08-26Z", "2025-08-26T09:30+5"),
        *(" 2025", "2025\n", "٢٠٢٥"),
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    """Nothing is guessed."""
    assert interval(text) is None


def test_the_present_is_an_instant_of_a_millisecond() -> None:
    """What `now` writes can be filtered by, like any date."""
    span = interval(now())
    assert span is not None
    assert span.high - span.low == 1000
