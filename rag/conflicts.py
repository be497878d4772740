"""Do documents give different values for the same thing? A number, a date or a name, as it is written. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from itertools import takewhile
from typing import Literal

Kind = Literal["number", "date", "name"]
Relation = Literal["same", "different", "unlike"]

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
_WORD = re.compile(r"[^\W\d_]+")
_SIGN = re.compile(r"[$€£%]")
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_SHORT = {"k": 1e3, "m": 1e6, "bn": 1e9}  # behind the digits or a sum of money; "3 m" are metres
_AFTER = re.compile(r"[ -]?([^\W\d_]+|%)")
_FILL = (
    "a about after all an and are as at be been before but by came come for from had has have he in is it last of on or"
    " per she since than that the there they this to until was were when where which while who with"
)
_FILLING = frozenset(_FILL.split())
_YEAR = "january february march april may june july august september october november december"
_MONTHS = {name: place for place, month in enumerate(_YEAR.split(), 1) for name in (month, month[:3], month[:4])}
_COMMON = "the of and a an in at mr mrs ms dr sir mayor president minister"
_TITLES = frozenset(_COMMON.split())  # in many names, so that they tell none from another


def compared(kind: Kind, first: str, second: str, question: str = "") -> Relation:
    """Say whether two answers of a kind are the same, exclude each other or tell of something else, by their words.

    Numbers with different units, tenfold apart or of which one is a share, dates without a part in common and names
    without a word of their own are of something else; a word that the question has already is none of a name's own.
    """
    if kind == "name":
        given = _TITLES | set(_WORD.findall(question.lower()))
        one, other = ({word for word in _WORD.findall(text.lower()) if word not in given} for text in (first, second))
        return ("same" if one & other else "different") if one and other else "unlike"
    return _numbers(first, second) if kind == "number" else _dates(first, second)


def differ(kind: Kind, first: str, second: str, question: str = "") -> bool:
    """Say whether two answers of a kind exclude each other, as `compared` does."""
    return compared(kind, first, second, question) == "different"


def scaled(text: str, start: int, end: int) -> str:
    """Return the number `text[start:end]` with the sign of money before it and the word after it that scales it."""
    after = _AFTER.match(text, end) if text[end - 1].isdigit() else None
    scaling = after is not None and after[1].lower() in {*_SCALES, *_SHORT}
    return text[_begin(text, start) : after.end() if after and scaling else end]


def units(text: str, start: int, end: int) -> Set[str]:
    """Return what the number `text[start:end]` counts: its sign, and the next one or two words as stems."""
    line = next(iter(text[end : end + 40].splitlines()), "")
    return _units(text[_begin(text, start) : end] + line, 2)


def _begin(text: str, start: int) -> int:
    return start - 1 if start and text[start - 1] in "$€£" else start


def _numbers(first: str, second: str) -> Relation:
    one, other = _values(first), _values(second)
    if one.keys() & other.keys():
        return "same"
    if not one or not other or _far(one.values(), other.values()):
        return "unlike"
    if bool(_SHARE.search(first)) != bool(_SHARE.search(second)):
        return "unlike"
    those, others = _units(first), _units(second)
    return "different" if not those or not others or those & others else "unlike"


def _far(one: Iterable[float], other: Iterable[float]) -> bool:
    """Say whether the least of both are tenfold apart: then they are rather of different things."""
    sizes = min(one), min(other)
    return max(sizes) >= 10 * max(min(sizes), 1e-9)


def _values(text: str) -> dict[str, float]:
    """Return the sizes of the numbers of a text, by how they are written when they are scaled."""
    words = _in_digits(text)
    money = bool(re.search(r"[$€£]", words))
    found = {}
    for number in _NUMBER.finditer(words):
        after = _AFTER.match(words, number.end())
        word = after[1] if after else ""
        scales = {**_SCALES, **_SHORT} if money or (after and after[0] == word) else _SCALES
        plain = re.sub(r",(?=\d{3}\b)", "", number[0])
        if re.fullmatch(r"\d+(?:\.\d+)?", plain):
            size = round(float(plain) * scales.get(word, 1.0), 6)
            found[repr(size)] = size
        else:  # a version, a time, a decimal comma
            found[plain] = float(re.split("[.,]", plain)[0])
    return found


def _in_digits(text: str) -> str:
    """Return the text in lower case, numerals as digits and shares with their sign."""
    return re.sub(r"\b[a-z]+\b", lambda word: _NUMERALS.get(word[0], word[0]), _SHARE.sub("%", text).lower())


def _units(text: str, most: int = 3) -> Set[str]:
    """Return the sign, and the words that follow the first number, without one that scales it, as stems."""
    words = _in_digits(text)
    number = _NUMBER.search(words)
    if number is None:
        return set()
    following = takewhile(lambda word: word not in _FILLING, _run(words, number.end()))
    counted = [word[:4] for word in following if word not in _SCALES]
    return {*_SIGN.findall(words[: number.end()]), *counted[:most]}


def _run(words: str, place: int) -> Iterator[str]:
    """Yield the words from a place on, as long as nothing but a blank or a hyphen is between them."""
    while after := _AFTER.match(words, place):
        yield after[1]
        place = after.end()


def _dates(first: str, second: str) -> Relation:
    one, other = _parts(first), _parts(second)
    shared = one.keys() & other.keys()
    if not shared:
        return "unlike"
    return "different" if any(one[part] != other[part] for part in shared) else "same"


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
