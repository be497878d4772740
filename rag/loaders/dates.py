"""Publication dates as they stand in the wild -> one spelling, with the precision that they came with."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

from index.types import Json

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTH_NUMBER = {name[:3]: number for number, name in enumerate(_MONTHS, 1)}
_MONTH = r"(?P<month>" + "|".join(f"{m[:3]}(?:{m[3:]})?" if len(m) > 3 else m for m in _MONTHS) + r"|sept)\.?"
_YEAR = r"(?P<year>[0-9]{4})"
_DAY = r"(?P<day>[0-9]{1,2})"

_ISO = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?(?:-([0-9]{2}))?")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r" ?(Z|z|[+-][0-9]{2}:?[0-9]{2})?"
)
_RFC2822 = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun), ?)?"
    rf"{_DAY} {_MONTH} {_YEAR} (?P<hour>[0-9]{{2}}):(?P<minute>[0-9]{{2}})(?::(?P<second>[0-9]{{2}}))?"
    r" (?P<zone>gmt|utc|ut|z|[+-][0-9]{4})",
    re.IGNORECASE,
)
_WRITTEN = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (rf"{_MONTH} {_DAY}, ?{_YEAR}", rf"{_DAY} {_MONTH} {_YEAR}", rf"{_MONTH} {_YEAR}")
)


def normalise_date(value: Json) -> str | None:
    """Return `value` as `2025`, `2025-08`, `2025-08-26` or an instant `2025-08-26T09:30:00Z`, or None.

    Read are ISO 8601 dates, RFC 3339 instants (seconds, their fraction and the offset may be missing), RFC 2822, and
    English dates written out ("August 26, 2025", "26 Aug 2025", "August 2025"). An instant is turned to UTC; one
    without an offset is taken to be in UTC. Whole numbers from 1000 to 9999 are years. Everything else, dates that
    do not exist and orders that could be read in two ways ("03/04/2025") give None: nothing is guessed.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    written = " ".join(value.split())
    try:
        return _iso(written) or _instant(written) or _rfc2822(written) or _written_out(written)
    except (ValueError, OverflowError):  # a month 13, a 30th of February, an instant before the year 1
        return None


def _iso(written: str) -> str | None:
    match = _ISO.fullmatch(written)
    if match is None:
        return None
    date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    return written


def _instant(written: str) -> str | None:
    match = _INSTANT.fullmatch(written)
    if match is None:
        return None
    fraction = (match[5] or "0")[:6].ljust(6, "0")
    day = date.fromisoformat(match[1])
    moment = datetime(
        day.year, day.month, day.day, int(match[2]), int(match[3]), int(match[4] or 0), int(fraction), _zone(match[6])
    )
    return _in_utc(moment)


def _rfc2822(written: str) -> str | None:
    match = _RFC2822.fullmatch(written)
    if match is None:
        return None
    clock = (int(match["hour"]), int(match["minute"]), int(match["second"] or 0))
    zone = match["zone"] if match["zone"][0] in "+-" else None
    return _in_utc(datetime(int(match["year"]), _month(match), int(match["day"]), *clock, tzinfo=_zone(zone)))


def _written_out(written: str) -> str | None:
    match = next((found for pattern in _WRITTEN if (found := pattern.fullmatch(written))), None)
    if match is None:
        return None
    day = match.groupdict().get("day")
    whole = date(int(match["year"]), _month(match), int(day or 1)).isoformat()
    return whole if day else whole[:7]


def _month(match: re.Match[str]) -> int:
    return _MONTH_NUMBER[match["month"][:3].lower()]


def _zone(offset: str | None) -> timezone:
    if offset is None or offset in "Zz":
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    if hours > 23 or minutes > 59:
        raise ValueError("an offset has at most 23:59")
    return timezone((-1 if offset[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))


def _in_utc(moment: datetime) -> str:
    """Write an aware instant in UTC with `Z`; the fraction only where there is one, without its trailing zeros."""
    written = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (written.rstrip("0") if moment.microsecond else written) + "Z"
