"""Changes a question so that its passage no longer answers it: the subject stays, the answer is gone.

What people wrote of this kind (Rajpurkar et al., Know What You Don't Know, 2018) swaps a name or a number, or turns a
word round; so does this. The few sets with such questions teach too little of it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w’'-]*(?: (?:of |the |de )?[A-Z][\w’'-]*)*")  # inside a sentence
_NUMBER = re.compile(r"\b\d+(?:[.,]\d+)*\b")
_TURNED = (
    ("first", "last"), ("most", "least"), ("before", "after"), ("largest", "smallest"), ("highest", "lowest"),
    ("more", "less"), ("north", "south"), ("northern", "southern"), ("east", "west"), ("eastern", "western"),
    ("oldest", "youngest"), ("won", "lost"), ("win", "lose"), ("best", "worst"), ("early", "late"),
    ("earliest", "latest"), ("began", "ended"), ("begin", "end"), ("start", "stop"), ("increase", "decrease"),
    ("increased", "decreased"), ("major", "minor"), ("male", "female"), ("men", "women"), ("man", "woman"),
    ("son", "daughter"), ("father", "mother"), ("brother", "sister"), ("husband", "wife"), ("king", "queen"),
    ("left", "right"), ("inside", "outside"), ("above", "below"), ("internal", "external"), ("allowed", "forbidden"),
    ("support", "oppose"), ("supported", "opposed"), ("buy", "sell"), ("bought", "sold"), ("rise", "fall"),
    ("old", "new"), ("public", "private"), ("positive", "negative"), ("minimum", "maximum"), ("joined", "left"),
    ("accepted", "rejected"), ("common", "rare"), ("always", "never"), ("summer", "winter"), ("rich", "poor"),
    ("strong", "weak"), ("upper", "lower"), ("add", "remove"), ("enable", "disable"), ("open", "close"),
)  # fmt: skip
_OPPOSITE = {one: other for pair in _TURNED for one, other in (pair, pair[::-1])}
_WORD = re.compile(r"[a-z]+")


def altered(question: str, passage: str, others: Sequence[str], chance: random.Random) -> str | None:
    """Return the question with a name, a number or a word changed, None where there is nothing to change.

    A name is taken from `others`, passages about something near, and a number is one near it; neither occurs in the
    passage. Only what the passage holds is changed, since what it lacks decides nothing.
    """
    changes = [
        question[: found.start()] + put + question[found.end() :]
        for found, put in [*_names(question, passage, others, chance), *_numbers(question, passage, chance)]
    ]
    changes += [
        question[: found.start()] + _OPPOSITE[found[0]] + question[found.end() :]
        for found in _WORD.finditer(question)
        if found[0] in _OPPOSITE and _OPPOSITE[found[0]] not in passage.lower()
    ]
    return chance.choice(changes) if changes else None


def _names(
    question: str, passage: str, others: Sequence[str], chance: random.Random
) -> list[tuple[re.Match[str], str]]:
    """Return the question's names that the passage has too, each with another that only other passages have."""
    there = sorted({found[0] for other in others for found in _NAME.finditer(other) if len(found[0]) > 3})
    new = [name for name in there if name not in passage and name not in question]
    return [(found, chance.choice(new)) for found in _NAME.finditer(question) if new and found[0] in passage]


def _numbers(question: str, passage: str, chance: random.Random) -> list[tuple[re.Match[str], str]]:
    """Return the question's numbers that the passage has too, each with one near it that the passage lacks."""
    found = []
    for number in _NUMBER.finditer(question):
        if number[0].isdigit() and number[0] in passage:
            near = str(int(number[0]) + chance.choice((-12, -7, -3, -2, -1, 1, 2, 3, 5, 10)))
            if near not in passage and not near.startswith("-"):
                found.append((number, near))
    return found
