"""JSON and JSON Lines: one document a row, also BEIR's `corpus.jsonl[.gz]`; any other JSON is plain text.

A row is an object with a `text` (or `content`, or `body`), and perhaps `_id` or `id`, `title` and `metadata`. What a
document has a field for is taken from the row or from its metadata; every other member is metadata.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator

from index.types import Json
from rag.errors import LoadProblem, NoText
from rag.loaders.decoding import decode
from rag.loaders.fields import take_fields
from rag.loaders.packed import iterate_lines, read_whole
from rag.loaders.source import Source, is_blank, refuse_blank
from rag.types import FailedRow, LoadedDocument

_TEXT_NAMES = ("text", "content", "body")
_ID_NAMES = ("_id", "id")
_DEPTH = 50  # how deep a row may be nested; metadata is written as JSON again and again
_HOPELESS = 100  # failed rows at the beginning, without a single good one, after which the file is given up


class _RowProblem(LoadProblem):
    """Why one row cannot become a document."""


def load_json_lines(source: Source) -> Iterator[LoadedDocument | FailedRow]:
    """Yield a document or a FailedRow for each line that is not blank; `original` is the line's own bytes.

    Lines end with LF or CRLF and are UTF-8. Raises NoText where no line holds anything, and LoadProblem where the
    first 100 lines all fail, or a compressed file is damaged or too large; rows before the damage were yielded.
    """
    rows = ((line, _read_line(line, raw)) for line, raw in iterate_lines(source) if raw.strip())
    yield from _give_up_early(_refuse_repeated(rows))


def load_json(source: Source) -> Iterator[LoadedDocument | FailedRow]:
    """Yield the rows of an array, of `{"documents": […]}`, of JSON Lines under a wrong name, or one document.

    The `original` of an array's row is the row as JSON in UTF-8 with sorted keys; its line is its place in the array,
    counted from 1. JSON without rows becomes one document of its own text.
    """
    data = read_whole(source)
    text, encoding = decode(data, source.charset)
    refuse_blank(text)
    try:
        value = _parse(text)
    except _RowProblem as problem:
        if not _looks_like_lines(text):
            raise LoadProblem(f"The file is no valid JSON: {problem}.") from problem
        yield from load_json_lines(source)
        return
    yield from _read_value(value, Source(data, source.name), text, encoding)


def _read_value(value: Json, source: Source, text: str, encoding: str) -> Iterator[LoadedDocument | FailedRow]:
    rows = value.get("documents") if isinstance(value, dict) else value
    if isinstance(rows, list) and not rows:
        raise NoText("The file holds an empty list: there is no text to add.")
    if isinstance(rows, list) and any(_is_row(row) for row in rows):
        yield from _refuse_repeated((place, _read_row(place, row)) for place, row in enumerate(rows, 1))
    elif _is_row(value):
        yield _read_row(1, value, source.data, encoding)
    else:
        yield LoadedDocument(text=text, media_type="application/json", original=source.data, encoding=encoding)


def _read_line(line: int, raw: bytes) -> LoadedDocument | FailedRow:
    try:
        row = _parse(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return FailedRow(line, f"not valid UTF-8 at byte {error.start} of the line")
    except _RowProblem as problem:
        return FailedRow(line, f"no valid JSON: {problem}")
    return _read_row(line, row, raw)


def _parse(text: str) -> Json:
    """Parse JSON; NaN and infinity pass here and are refused in the row that holds them."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _RowProblem(f"{error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise _RowProblem("it is nested too deeply") from error
    except ValueError as error:  # a whole number of thousands of digits
        raise _RowProblem("it holds a number of too many digits") from error


def _read_row(
    line: int, row: Json, original: bytes | None = None, encoding: str = "utf-8"
) -> LoadedDocument | FailedRow:
    """Make a document of a row; without an `original` that is the row as JSON in UTF-8 with sorted keys."""
    try:
        _refuse_unstorable(row)
        if original is None:
            original = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")
        return _document(row, original, encoding)
    except _RowProblem as problem:
        return FailedRow(line, str(problem))


def _document(row: Json, original: bytes, encoding: str) -> LoadedDocument:
    if not isinstance(row, dict):
        raise _RowProblem('not an object: a row looks like {"_id": "…", "text": "…"}')
    rest = dict(row)
    identity, text = _take_id(rest), _take_text(rest)
    nested = rest.pop("metadata", None)
    if nested is not None and not isinstance(nested, dict):
        raise _RowProblem("`metadata` is not an object")
    fields = take_fields({**(nested or {}), **{name: value for name, value in rest.items() if value is not None}})
    return fields.describe(LoadedDocument(text, "application/json", original, id=identity, encoding=encoding))


def _take_id(rest: dict[str, Json]) -> str | None:
    name = next((name for name in _ID_NAMES if rest.get(name) is not None), None)
    if name is None:
        return None
    value = rest.pop(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise _RowProblem(f"`{name}` is neither a string nor a whole number, or it is blank")
    return str(value)


def _take_text(rest: dict[str, Json]) -> str:
    name = next((name for name in _TEXT_NAMES if isinstance(rest.get(name), str)), None)
    if name is None:
        raise _RowProblem("no text: a row needs a string under `text`, `content` or `body`")
    text: str = rest.pop(name)
    if is_blank(text):
        raise _RowProblem(f"`{name}` is blank")
    return text


def _is_row(value: Json) -> bool:
    return isinstance(value, dict) and any(isinstance(value.get(name), str) for name in _TEXT_NAMES)


def _refuse_unstorable(value: Json, path: str = "", depth: int = 0) -> None:
    """Refuse what no UTF-8 and no strict JSON can hold, and name the member: half a surrogate pair, NaN, infinity."""
    place = path.removeprefix(".") or "the row"
    if depth > _DEPTH:
        raise _RowProblem(f"nested more than {_DEPTH} deep")
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise _RowProblem(f"a lone surrogate in `{place}` at character {error.start}") from error
    elif isinstance(value, float) and not math.isfinite(value):
        raise _RowProblem(f"`{place}` is {value}, which is no JSON number")
    elif isinstance(value, dict):
        for name, item in value.items():
            _refuse_unstorable(name, f"{path}.(name)", depth + 1)
            _refuse_unstorable(item, f"{path}.{name}", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_unstorable(item, f"{path}[{index}]", depth + 1)


def _refuse_repeated(
    rows: Iterable[tuple[int, LoadedDocument | FailedRow]],
) -> Iterator[LoadedDocument | FailedRow]:
    """Turn a row whose id came before into a FailedRow: the first one stays."""
    seen: dict[str, int] = {}
    for line, row in rows:
        if isinstance(row, FailedRow) or row.id is None:
            yield row
        elif row.id in seen:
            yield FailedRow(line, f"the id {row.id!r} came before, at {seen[row.id]}")
        else:
            seen[row.id] = line
            yield row


def _give_up_early(rows: Iterable[LoadedDocument | FailedRow]) -> Iterator[LoadedDocument | FailedRow]:
    good = total = 0
    for row in rows:
        total += 1
        good += isinstance(row, LoadedDocument)
        yield row
        if not good and total == _HOPELESS:
            raise LoadProblem(f"None of the first {_HOPELESS} lines is a row: is this file JSON Lines at all?")
    if not total:
        raise NoText("The file holds only blanks: there is no text to add.")


def _looks_like_lines(text: str) -> bool:
    try:
        return isinstance(_parse(text.lstrip().partition("\n")[0]), dict)
    except _RowProblem:
        return False
