"""A question and a passage as one row of tokens for the reader: the same when it is trained and when it reads.

    [CLS] question [SEP] header [SEP] window of the passage [SEP]

Of a passage that is longer than the window, the part is read that holds most of the question's rare word pieces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

QUESTION, HEADER, WINDOW = 96, 20, 96  # tokens, at most
_STEPS = 4  # places that a window may start at, in each window's length
_CLS, _SEP = 101, 102
_COMMONEST = 1_995  # BERT's vocabulary lists words from here on by falling frequency; before are signs and letters


@dataclass(frozen=True, slots=True)
class Pair:
    """Token ids with their segments (0 the question, 1 the rest), and where the tokens of the passage lie.

    `first` is the place in `ids` of the passage's first token, and `offsets` its tokens' code points in the text.
    """

    ids: Sequence[int]
    segments: Sequence[int]
    first: int
    offsets: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text's token ids and, for each, its start and end (exclusive) in code points."""

    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]


def tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Tokens]:
    """Return the tokens of each text, without special ones; the tokenizer must not cut or pad."""
    return [Tokens(one.ids, one.offsets) for one in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def pair(question: Tokens, header: Tokens, passage: Tokens, window: int = WINDOW) -> Pair:
    """Join them, cutting each to its length; a window of the passage is chosen by the question."""
    asked = question.ids[-QUESTION:]  # of a follow-up, which was completed by what comes before it, the end is asked
    start = best_start(question.ids, passage.ids, window)
    lead = [_CLS, *asked, _SEP]
    middle = [*header.ids[:HEADER], _SEP]
    read = passage.ids[start : start + window]
    ids = [*lead, *middle, *read, _SEP]
    return Pair(
        ids,
        [0] * len(lead) + [1] * (len(ids) - len(lead)),
        len(lead) + len(middle),
        passage.offsets[start : start + window],
    )


def best_start(question: Sequence[int], passage: Sequence[int], window: int) -> int:
    """Return where the window starts that holds most of the question's word pieces, rare ones counting more."""
    if len(passage) <= window:
        return 0
    rarity = {token: math.log(token - _COMMONEST) for token in question if token > _COMMONEST + 1}
    last = len(passage) - window
    starts = sorted({*range(0, last, max(1, window // _STEPS)), last})

    def held(start: int) -> float:
        return sum(rarity.get(token, 0.0) for token in set(passage[start : start + window]))

    best: int = max(starts, key=held)
    return best
