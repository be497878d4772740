"""Dates that keep the precision they were given with, as half-open intervals on one time line.

`2025` is the whole year, `2025-08` the month, `2025-08-26` the day, `2025-08-26T09:30Z` the minute, and so on down to
the microsecond. An instant without a zone is taken as UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

DAY = 86_400_000_000
MINUTE = 60_000_000
SECOND = 1_000_000

FORM = re.compile(
    r"(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:[Tt ](?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])"
    r"(?::(?P<second>[0-5][0-9])(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<zone>[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?)?)?)?"
)


@dataclass(frozen=True, slots=True)
class Interval:
    """Microseconds since 0001-01-01T00:00Z, `low` inclusive, `high` exclusive."""

    low: int
    high: int


def interval(text: str) -> Interval | None:
    """Return the time that `text` spans at its own precision, or None when it is no date of api.md's forms."""
    match = FORM.fullmatch(text)
    if match is None:
        return None
    try:
        low, high = days(match["year"], match["month"], match["day"])
    except ValueError:
        return None
    return Interval(low * DAY, high * DAY) if match["hour"] is None else instant(low * DAY, match)


def days(year: str, month: str | None, day: str | None) -> tuple[int, int]:
    """Return the first day of a year, month or day and the day after it, counted from 0001-01-01; raises ValueError."""
    first = date(int(year), int(month or 1), int(day or 1)).toordinal() - 1
    if day is not None:
        return first, first + 1
    if month is None or month == "12":
        return first, date(int(year), 12, 31).toordinal()
    return first, date(int(year), int(month) + 1, 1).toordinal() - 1


def instant(midnight: int, match: re.Match[str]) -> Interval:
    """Return the interval of a time of day after `midnight` (microseconds), at the precision of its last part."""
    low = midnight + int(match["hour"]) * 60 * MINUTE + int(match["minute"]) * MINUTE - offset(match["zone"])
    if match["second"] is None:
        return Interval(low, low + MINUTE)
    low += int(match["second"]) * SECOND
    digits = match["fraction"] or ""
    low += int(digits[:6].ljust(6, "0"))
    return Interval(low, low + 10 ** max(0, 6 - len(digits)))


def offset(zone: str | None) -> int:
    """Return how many microseconds a zone such as `+05:30` is ahead of UTC; none and `Z` are 0."""
    if zone is None or zone in "Zz":
        return 0
    ahead = int(zone[1:3]) * 60 + int(zone[-2:])
    return (-ahead if zone[0] == "-" else ahead) * MINUTE


def now() -> str:
    """Return the present instant in UTC as `2025-08-26T09:30:00.123Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
