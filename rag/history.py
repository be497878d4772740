"""A follow-up question to one that stands alone: carries over what is missing from the turns before. No model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.terms import question_terms
from rag.types import Turn

_REFERS = re.compile(
    r"\b(it|its|they|them|their|theirs|he|him|his|she|her|hers|this|that|these|those|there|then|one|ones|former|latter"
    r"|same|other|another|else|also|too|such)\b",
    re.IGNORECASE,
)
_CONTINUES = re.compile(r"\s*(and|but|or|so|what about|how about|why|why not|how so|really|ok|okay)\b", re.IGNORECASE)
_NAME = re.compile(r"\S\s+[^\W\d_a-zß-öø-ÿ]\w|\d")  # a capital inside the question, or a number
_FEW = 3  # terms: a question of no more, without a name, seldom stands alone


def standalone(query: str, history: Sequence[Turn]) -> str | None:
    """Return the question completed by the questions before it, or None when there is nothing to carry over."""
    asked = [turn.content.strip() for turn in history if turn.role == "user" and turn.content.strip()]
    if not asked or not _depends(query):
        return None
    return " ".join([*asked[-2:], query])


def _depends(query: str) -> bool:
    if _REFERS.search(query) or _CONTINUES.match(query):
        return True
    return not _NAME.search(query) and len(set(question_terms(query, [None]))) <= _FEW
