"""What a question asks for, by its words: a time, a number, a name, a reason, a yes or no; and what it names. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, get_args

Asks = Literal[
    "time", "measure", "count", "person", "place", "which", "reason", "manner", "yesno", "list", "meaning", "what",
    "words",
]  # fmt: skip
ASKS: Sequence[Asks] = get_args(Asks)
POINTS: frozenset[Asks] = frozenset({"time", "measure", "count", "person", "place", "which", "what", "words", "list"})
"""Kinds whose answer can be pointed at in a few words."""

_IS = "is|are|was|were|do|does|did|can|could|may|might|must|should|shall|will|would|has|have|had|am"
_MEASURED = (
    "long|old|far|tall|high|deep|wide|large|big|fast|heavy|hot|cold|thick|soon|close|often|quick|quickly|late|early"
)
_QUESTIONS: Sequence[tuple[Asks, str]] = (  # the first one that fits decides
    (
        "reason",
        r"\bwhy\b|\bhow come\b|\bwhat(?:'s| is| was) the (?:reason|point)\b|\bwhat for\b"
        r"|\bwhat\b.{0,200}(?<!\bstand )\bfor\s*\?$",
    ),
    (
        "list",
        r"\b(?:list|name|which|what) (?:all|every|each|the \w+ (?:kinds|types|ways|steps))\b"
        r"|\bwhat (?:kinds|types|sorts) of\b",
    ),
    (
        "time",
        r"\bwhen\b|\b(?:what|which|since what) (?:year|month|day|date|time|century|decade)\b|\bdeadline\b|\bby what\b",
    ),
    (
        "count",
        r"\bhow ?(?:many|much)\b"
        r"|\b(?:what|which) (?:percentage|percent|number|proportion|share|amount|fraction)\b",
    ),
    ("measure", rf"\bhow (?:{_MEASURED})\b"),
    ("person", r"\b(?:who|whom|whose)\b"),
    ("place", r"\bwhere\b"),
    (
        "meaning",
        r"\bwhat does .{0,200} (?:mean|stand for)\b|\bmeaning\b|\bdefinition\b|\bdefine\b"
        r"|\bwhat(?:'s| is| are) an? [\w -]+\??$",
    ),
    ("which", r"\bwhich\b"),
    ("manner", r"\bhow\b"),
    (
        "yesno",
        rf"(?:^|[.,;:!?–-]\s+|\b(?:and|but|so|ok|then)\s+)(?:{_IS}|isn't|aren't|don't|doesn't|didn't|can't)\b\s+\w+",
    ),
    ("what", r"\bwhat\b|\bwhat's\b"),
)
_PATTERNS: Mapping[Asks, re.Pattern[str]] = {kind: re.compile(asked, re.IGNORECASE) for kind, asked in _QUESTIONS}
_QUOTED = re.compile(r"[\"“„]([^\"”“]{2,})[\"”“]")
_IDENTIFIER = re.compile(
    r"(?<![\w-])(?:--?[A-Za-z][\w-]+|(?=[\w./-]*\d)(?=[\w./-]*[A-Za-z_-])[\w]+(?:[./-]\w+)*|\w+(?:\.\w+)*\(\)|\w+_\w+)"
)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*(?![\w])")
_NAME = re.compile(r"(?<=[\w,;:'’\"“(–-] )[\"“(]?[A-ZÀ-ÖØ-Þ][\w'’-]+(?: [A-ZÀ-ÖØ-Þ][\w'’-]+)*")
_EXACT = re.compile(r"[A-Za-z][\w./-]*\d|^0x|_|^--?[A-Za-z]|\(\)$")
_JOINS = re.compile(r"[^\w]|_")
_DENIES = re.compile(r"\b(?:not|never|no|without|except|cannot)\b|n['’]t\b", re.IGNORECASE)
_SEVERAL = re.compile(
    r"\bwho (?:are|were)\b|\bwhat are\b|\b(?:which|what) (?:two|three|four|five|six|seven|eight|nine|ten|other)\b"
    r"|\bwhich (?!does\b|has\b|was\b|comes\b|goes\b)\w{2,}[^\Wsui]s\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


@lru_cache(maxsize=1_024)
def asks_for(question: str) -> Asks:
    """Return what kind of thing a question asks for; "words" where it has no question word."""
    asked = question.strip()
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.search(asked)), "words")


@lru_cache(maxsize=1_024)
def named(question: str) -> tuple[str, ...]:
    """Return what a question names, as it is written: quoted phrases, identifiers, numbers and capitalized names."""
    found: list[str] = []
    for pattern in (_QUOTED, _IDENTIFIER, _NUMBER, _NAME):
        found += [match[1] if pattern is _QUOTED else match[0].strip('"“(') for match in pattern.finditer(question)]
    return tuple(dict.fromkeys(one for one in found if one))


@lru_cache(maxsize=1_024)
def identifiers(question: str) -> tuple[str, ...]:
    """Return the names of a question that only match as they are: with letters and digits, an underscore, an option."""
    return tuple(name for name in named(question) if _IDENTIFIER.match(name) and _EXACT.search(name))


def stands(squeezed: str, identifier: str) -> bool:
    """Say whether an identifier stands in a text, given as `squeezed` makes it: however its parts are joined."""
    return squeeze(identifier) in squeezed


def squeeze(text: str) -> str:
    """Return the letters and digits of a text in lower case."""
    return _JOINS.sub("", text.lower())


def denies(question: str) -> bool:
    """Say whether a question asks for what is not so."""
    return _DENIES.search(question) is not None


def several(question: str) -> bool:
    """Say whether a question asks for more than one thing: which countries, who are, list all."""
    return asks_for(question) == "list" or _SEVERAL.search(question) is not None


def holds(folded: str, name: str) -> bool:
    """Say whether a text, in lower case, has a name as whole words, or all the words of it."""
    words = _WORD.findall(name.lower())
    return all(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", folded) for word in words)
