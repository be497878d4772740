"""E-mail by Python's own parser: a message is a document, an mbox many of them; attachments are named only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from index.types import Json
from rag.errors import LoadProblem, NoText
from rag.loaders.dates import normalise_date
from rag.loaders.decoding import decode
from rag.loaders.fields import language_tag
from rag.loaders.html import read_body
from rag.loaders.source import Part, Source, is_blank, refuse_binary
from rag.loaders.written import TEXT_LIMIT, Written, storable
from rag.loaders.zipped import broken
from rag.types import LoadedDocument

_HEAD = re.compile(rb"\A(?:From [^\n]*\n)?(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+\r?\n?", re.MULTILINE)
_HEAD_LIMIT = 1 << 18  # bytes in which the first headers are looked for
_FROM = re.compile(rb"^From [^\r\n]*\r?\n", re.MULTILINE)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_ATTACHMENTS = 100


def load_message(source: Source) -> Iterator[LoadedDocument]:
    """Yield the one document that a message is: its subject is the title, its date the date, its sender the source.

    Its text is the plain one, or else the HTML. Raises LoadProblem where it is no message, NoText without text.
    """
    refuse_binary(source, "an e-mail")
    if not _HEAD.match(source.data[:_HEAD_LIMIT] + b"\n"):
        raise LoadProblem("The file does not begin with the headers of a message: give it its right ending.")
    with broken("e-mail"):
        message = message_from_bytes(source.data, policy=policy.default)
        assert isinstance(message, EmailMessage)
        subject = _header(message, "subject")
        written, encoding = _body(message)
        if is_blank(written.text):
            written.block(subject or "")
        if is_blank(written.text):
            raise NoText("The message holds no text and no subject: there is nothing to add.")
        yield LoadedDocument(
            text=written.text,
            media_type="message/rfc822",
            original=source.data,
            headings=written.headings,
            title=subject,
            source=_header(message, "from"),
            published=_date(_header(message, "date")),
            language=language_tag(_header(message, "content-language")),
            encoding=encoding,
            metadata=_metadata(message),
        )


def split_mbox(source: Source) -> Iterator[Part]:
    """Yield the messages of an mbox in their order, each with its line (from 1).

    A message begins at a line `From ` at the beginning or after an empty line. Raises LoadProblem without one.
    """
    refuse_binary(source, "an mbox")
    data = source.data
    starts = [match for match in _FROM.finditer(data) if _begins(data, match.start())]
    if not starts or data[: starts[0].start()].strip():
        raise LoadProblem("The file does not begin with a line 'From …', so it is no mbox: give it its right ending.")
    line, counted = 1, 0
    for match, following in zip(starts, [*starts[1:], None], strict=True):
        line += data.count(b"\n", counted, match.start())
        counted = match.start()
        message = data[match.end() : following.start() if following else len(data)]
        yield Part(line, "message.eml", _QUOTED_FROM.sub(rb"\1", message).rstrip(b"\r\n") + b"\n")


def _begins(data: bytes, start: int) -> bool:
    return start == 0 or data[max(0, start - 3) : start].endswith((b"\n\n", b"\n\r\n"))


def _body(message: EmailMessage) -> tuple[Written, str | None]:
    """Return what a reader sees: the plain text where there is any, or else the HTML; and its encoding."""
    written, encoding = Written(), None
    for kind in ("plain", "html"):
        part = message.get_body(preferencelist=(kind,))
        payload = part.get_payload(decode=True) if part is not None else None
        if part is None or not isinstance(payload, bytes) or not payload.strip():
            continue
        charset = part.get_content_charset()
        if kind == "plain":
            text, encoding = decode(payload, charset)
            written.block(text.replace("\r\n", "\n"))
        else:
            written.append(*read_body(payload, charset))
        if not is_blank(written.text):
            break
    return written, encoding


def _header(message: EmailMessage, name: str) -> str | None:
    """Return a header as one line, or None where it is missing or cannot be read."""
    try:
        value = message.get(name)
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):  # Python's parser meets odd headers so
        return None
    words = " ".join(storable(str(value or "")[: TEXT_LIMIT >> 10]).split())
    return None if is_blank(words) else words


def _date(written: str | None) -> str | None:
    try:
        moment = parsedate_to_datetime(written or "")
        return normalise_date(moment.isoformat())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _metadata(message: EmailMessage) -> dict[str, Json]:
    kept: dict[str, Json] = {
        "to": _header(message, "to"),
        "cc": _header(message, "cc"),
        "message_id": _header(message, "message-id"),
        "in_reply_to": _header(message, "in-reply-to"),
        "date": _header(message, "date") if _date(_header(message, "date")) is None else None,
        "attachments": _attachments(message),
    }
    return {name: value for name, value in kept.items() if value}


def _attachments(message: EmailMessage) -> list[Json]:
    """Return the file names of at most 100 attachments; the files are not read."""
    named = (part.get_filename() for part in message.walk() if part is not message)
    names = [" ".join(storable(name).split()) for name in named if name]
    return [name for name in names if name][:_ATTACHMENTS]
