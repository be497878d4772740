"""Do documents give different values for the same thing? A number, a date or a name, as it is written. Pure."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["number", "date", "name"]

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_NUMERALS = {
    **{word: str(value) for value, word in enumerate([*_ONES.split(), "eighteen", "nineteen"])},
    **{word: str(10 * value) for value, word in enumerate(_TENS.split(), 2)},
    "once": "1",
    "twice": "2",
    "dozen": "12",
}
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SHARE = re.compile(r"%|\bper ?cent\b", re.IGNORECASE)
_SIZE = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"[^\W\d_]+")
_SCALES = {"hundred", "thousand", "million", "billion", "trillion", "m", "bn", "k"}
_NUMERAL = rf"(?:\d|\b(?:{'|'.join(_NUMERALS)}))"
_AFTER = re.compile(
    rf"(?:[\s-]?(?:{'|'.join(sorted(_SCALES, key=len, reverse=True))})\b)?"
    r"(?:\s?%|[\s-](?!(?:and|are|as|at|but|by|for|from|in|is|of|on|or|per|than|that|the|to|was|were|which|with)\b)[^\W\d_]+"
    r"|\sper ?cent|[^\W\d_]+)?",
    re.IGNORECASE,
)
_ENDS = re.compile(rf"{_NUMERAL}$", re.IGNORECASE)
_YEAR = "january february march april may june july august september october november december"
_MONTHS = {name: place for place, month in enumerate(_YEAR.split(), 1) for name in (month, month[:3], month[:4])}
_COMMON = "the of and a an in at mr mrs ms dr sir mayor president minister"
_TITLES = frozenset(_COMMON.split())  # in many names, so that they tell none from another


def differ(kind: Kind, first: str, second: str, question: str = "") -> bool:
    """Say whether two answers of a kind exclude each other, going by how they are written.

    Numbers with different units, tenfold apart or of which one is a share, dates of different precision, and names that
    share a word do not; a word that the question has already is none of a name's own.
    """
    if kind == "name":
        given = _TITLES | set(_WORD.findall(question.lower()))
        one, other = ({word for word in _WORD.findall(text.lower()) if word not in given} for text in (first, second))
        return bool(one and other) and not one & other
    return _numbers(first, second) if kind == "number" else _dates(first, second)


def with_unit(text: str, start: int, end: int) -> str:
    """Return the number `text[start:end]` with the sign before it and, where it ends without a unit, the word after."""
    begin = start - 1 if start and text[start - 1] in "$€£" else start
    after = _AFTER.match(text, end) if _ENDS.search(text[start:end]) else None
    return text[begin : after.end() if after else end]


def same_unit(first: str, second: str) -> bool:
    """Say whether two numbers are followed by the same word, or have the same sign."""
    return bool(_units(first) & _units(second))


def _numbers(first: str, second: str) -> bool:
    one, other = _values(first), _values(second)
    if not one or not other or one & other or _far(one, other):
        return False
    if bool(_SHARE.search(first)) != bool(_SHARE.search(second)):
        return False
    units, others = _units(first), _units(second)
    return not units or not others or bool(units & others)


def _far(one: set[str], other: set[str]) -> bool:
    """Say whether the least of both are tenfold apart: then they are rather of different things."""
    sizes = [min(float(_SIZE.findall(value)[0]) for value in side) for side in (one, other)]
    return max(sizes) >= 10 * max(min(sizes), 1e-9)


def _values(text: str) -> set[str]:
    """Return the numbers of a text, each with the word that scales it, thousands unseparated."""
    words = _in_digits(text)
    found = set()
    for number in _NUMBER.finditer(words):
        after = _WORD.match(words[number.end() :].lstrip(" -"))
        scale = after[0] if after and after[0] in _SCALES else ""
        found.add(re.sub(r",(?=\d{3}\b)", "", number[0]) + scale)
    return found


def _in_digits(text: str) -> str:
    """Return the text in lower case, numerals as digits and shares with their sign."""
    return re.sub(r"\b[a-z]+\b", lambda word: _NUMERALS.get(word[0], word[0]), _SHARE.sub("%", text).lower())


def _units(text: str) -> set[str]:
    """Return the words after the first number, without those that scale it, as stems of four letters."""
    words = _in_digits(text)
    number = _NUMBER.search(words)
    after = _WORD.findall(words[number.end() :])[:3] if number else []
    signs = set(re.findall(r"[$€£%]", words))
    return {word[:4] for word in after if word not in _SCALES and len(word) > 1} | signs


def _dates(first: str, second: str) -> bool:
    one, other = _parts(first), _parts(second)
    shared = one.keys() & other.keys()
    return any(one[part] != other[part] for part in shared)


def _parts(text: str) -> dict[str, int]:
    """Return year, month and day as far as a text gives them, once each."""
    found: dict[str, int] = {}
    for number in re.findall(r"\d+", text):
        if len(number) == 4:
            found.setdefault("year", int(number))
        elif len(number) <= 2 and 0 < int(number) <= 31:
            found.setdefault("day", int(number))
    for word in _WORD.findall(text.lower()):
        if word in _MONTHS:
            found.setdefault("month", _MONTHS[word])
    return found
