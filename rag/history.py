"""A follow-up question to one that stands alone: carries over what is missing from the turns before. No model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.types import Turn

_REFERS = re.compile(
    r"\b(it|its|they|them|their|theirs|he|him|his|she|her|hers|this|that|these|those|there|then|one|ones|former|latter"
    r"|same|other|another|else|also|too|such)\b",
    re.IGNORECASE,
)
_CONTINUES = re.compile(r"\s*(and|but|or|so|what about|how about|why|why not|how so|really|ok|okay)\b", re.IGNORECASE)
_FULL = 12  # words: a longer question that refers to nothing stands alone


def standalone(query: str, history: Sequence[Turn]) -> str | None:
    """Return the question completed by the questions before it, or None when there is nothing to carry over."""
    asked = [turn.content.strip() for turn in history if turn.role == "user" and turn.content.strip()]
    if not asked or not _depends(query):
        return None
    return " ".join([*asked[-2:], query])


def _depends(query: str) -> bool:
    return bool(_REFERS.search(query) or _CONTINUES.match(query) or len(query.split()) < _FULL)
