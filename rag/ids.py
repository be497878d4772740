"""How a name from outside (a path, a row's `_id`) becomes a document id, always the same way."""

from __future__ import annotations

import hashlib
import re

MAX_LENGTH = 200
_OUTSIDE = re.compile(rb"[^A-Za-z0-9._-]")


def document_id(raw: str) -> str:
    """Return the document id of `raw`: `[A-Za-z0-9._~-]{1,200}`, one to one but for ids that had to be shortened.

    Every byte of its UTF-8 outside `[A-Za-z0-9._-]`, `~` included, is written `~XX`. What is longer than 200 keeps
    its first 160 characters, then `~~` and 32 hex digits of the SHA-256 of the whole. Raises ValueError for a blank
    name, and for `.` and `..`, which name no document.
    """
    escaped = _OUTSIDE.sub(lambda byte: b"~%02X" % byte[0][0], raw.encode("utf-8")).decode("ascii")
    if not raw.strip() or escaped in {".", ".."}:
        raise ValueError(f"{raw!r} cannot name a document; give it a name with a letter or a digit")
    if len(escaped) <= MAX_LENGTH:
        return escaped
    return f"{escaped[:160]}~~{hashlib.sha256(raw.encode('utf-8')).hexdigest()[:32]}"
