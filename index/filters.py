"""The filter language of the contract: JSON in, a frozen tree out; what follows it not is refused with its place.

One condition is `{"field": …, operator: value, …}` (several operators must all hold); conditions are joined by
`{"and": […]}`, `{"or": […]}` and `{"not": {…}}`. Fields are `published`, `added`, `source`, `language`,
`document_id`, `media_type` and `metadata.NAME`.

A date is the interval of its precision. With X the operand's interval, `gte` holds when the document's interval starts
at or after X's start, `gt` at or after X's end, `lte` when it ends at or before X's end, `lt` at or before X's start,
`eq` when it lies within X. A document without the field matches `exists: false`, `ne` and `nin` only. A list in
metadata matches when any element does (`ne` and `nin` are the opposite of `eq` and `in`). Values compare within their
kind: strings by code point, numbers by size; true is not 1, and booleans have no order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from index.dates import Interval, interval
from index.errors import FilterInvalid
from index.types import Json

DATES = ("published", "added")
STRINGS = ("source", "language", "document_id", "media_type")
METADATA = "metadata."
ORDERED = ("gt", "gte", "lt", "lte")
OPERATORS = ("eq", "ne", *ORDERED, "in", "nin", "exists")

MAX_DEPTH = 16
MAX_CONDITIONS = 256
MAX_VALUES = 10_000


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string, number or boolean with its kind, because in Python and in SQL `True == 1`."""

    kind: str  # string | number | boolean
    value: str | int | float


Operand: TypeAlias = Interval | Scalar | bool | tuple[Interval, ...] | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one field: `operand` is a tuple for `in` and `nin`, a bool for `exists`."""

    field: str
    operator: str
    operand: Operand


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds when every part holds."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds when at least one part holds."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Holds when its part does not."""

    part: Filter


Filter: TypeAlias = Condition | AllOf | AnyOf | Not


def scalar(value: Json) -> Scalar | None:
    """Return a value that filters can compare, or None for null, lists, objects, NaN and numbers beyond a float."""
    if isinstance(value, bool):
        return Scalar("boolean", int(value))
    if isinstance(value, str):
        return Scalar("string", value)
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return Scalar("number", value)
    if isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            return None
        return Scalar("number", number) if math.isfinite(number) else None
    return None


def attributes(metadata: Mapping[str, Json]) -> Iterator[tuple[str, Scalar]]:
    """Yield what can be filtered by: each string, number or boolean under its name, lists of them spread out."""
    for name, value in metadata.items():
        for element in value if isinstance(value, list | tuple) else (value,):
            found = scalar(element)
            if found is not None:
                yield name, found


def parse(raw: Json) -> Filter | None:
    """Return the tree of a filter in JSON, None where nothing is filtered; raises `FilterInvalid`."""
    if raw is None:
        return None
    tree = _parse(raw, "filter", 1)
    conditions = list(_conditions(tree))
    if len(conditions) > MAX_CONDITIONS:
        raise FilterInvalid(f"A filter has at most {MAX_CONDITIONS} conditions, this one has {len(conditions)}.")
    values = sum(len(condition.operand) for condition in conditions if isinstance(condition.operand, tuple))
    if values > MAX_VALUES:
        raise FilterInvalid(f"A filter lists at most {MAX_VALUES} values, this one has {values}.")
    return tree


def _conditions(tree: Filter) -> Iterator[Condition]:
    """Yield the leaves of a tree."""
    match tree:
        case Condition():
            yield tree
        case Not(part):
            yield from _conditions(part)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _conditions(part)


def _parse(node: Json, path: str, depth: int) -> Filter:
    """Return the tree of one JSON node that lies at `path`."""
    if depth > MAX_DEPTH:
        raise FilterInvalid(f"A filter is nested at most {MAX_DEPTH} deep.", path)
    if not isinstance(node, dict):
        raise FilterInvalid('A condition is an object such as {"field": "language", "eq": "en"}.', path)
    for joint in ("and", "or", "not"):
        if joint in node:
            return _joined(joint, node, path, depth)
    return _condition(node, path)


def _joined(joint: str, node: dict[str, Json], path: str, depth: int) -> Filter:
    """Return the tree of `{"and": […]}`, `{"or": […]}` or `{"not": {…}}`."""
    if len(node) > 1:
        raise FilterInvalid(f'"{joint}" stands alone in its object; join conditions inside it.', path)
    inner, path = node[joint], f"{path}.{joint}"
    if joint == "not":
        return Not(_parse(inner, path, depth + 1))
    if not isinstance(inner, list) or not inner:
        raise FilterInvalid(f'"{joint}" takes a list of one or more conditions.', path)
    parts = tuple(_parse(part, f"{path}[{place}]", depth + 1) for place, part in enumerate(inner))
    return AllOf(parts) if joint == "and" else AnyOf(parts)


def _condition(node: dict[str, Json], path: str) -> Filter:
    """Return the condition of `{"field": …, operator: value, …}`; several operators become an `AllOf`."""
    field = node.get("field")
    if not isinstance(field, str) or not _known(field):
        known = ", ".join((*DATES, *STRINGS, METADATA + "NAME"))
        raise FilterInvalid(f'"field" names one of {known}.', f"{path}.field")
    operators = [name for name in node if name != "field"]
    unknown = [name for name in operators if name not in OPERATORS]
    if unknown or not operators:
        raise FilterInvalid(f"A condition has one or more of the operators {', '.join(OPERATORS)}.", path)
    parts = tuple(Condition(field, name, _operand(field, name, node[name], f"{path}.{name}")) for name in operators)
    return parts[0] if len(parts) == 1 else AllOf(parts)


def _known(field: str) -> bool:
    """Return whether the language has this field."""
    return field in DATES or field in STRINGS or (field.startswith(METADATA) and len(field) > len(METADATA))


def _operand(field: str, operator: str, value: Json, path: str) -> Operand:
    """Return the operand that the operator and the field's kind ask for."""
    if operator == "exists":
        if not isinstance(value, bool):
            raise FilterInvalid('"exists" takes true or false.', path)
        return value
    one = _date if field in DATES else _string if field in STRINGS else _value
    if operator not in ("in", "nin"):
        return one(value, operator, path)
    if not isinstance(value, list):
        raise FilterInvalid(f'"{operator}" takes a list of values.', path)
    if len(value) > MAX_VALUES:
        raise FilterInvalid(f"A filter lists at most {MAX_VALUES} values, this one has {len(value)}.", path)
    listed = [one(element, operator, f"{path}[{place}]") for place, element in enumerate(value)]
    return tuple(listed)  # type: ignore[return-value]  # all of one kind, because `one` is one function


def _date(value: Json, operator: str, path: str) -> Interval:
    """Return the interval of a date operand."""
    span = interval(value) if isinstance(value, str) else None
    if span is None:
        raise FilterInvalid('A date is written "2025", "2025-08", "2025-08-26" or "2025-08-26T09:30:00Z".', path)
    return span


def _string(value: Json, operator: str, path: str) -> Scalar:
    """Return a string operand."""
    if not isinstance(value, str):
        raise FilterInvalid("This field holds strings and compares with a string.", path)
    return Scalar("string", _encodable(value, path))


def _value(value: Json, operator: str, path: str) -> Scalar:
    """Return the operand for a metadata field."""
    found = scalar(value)
    if found is None:
        raise FilterInvalid("Metadata compares with a string, a finite number, true or false.", path)
    if found.kind == "boolean" and operator in ORDERED:
        raise FilterInvalid(f'true and false have no order; "{operator}" takes a string or a number.', path)
    if isinstance(found.value, str):
        _encodable(found.value, path)
    return found


def _encodable(value: str, path: str) -> str:
    """Return `value`, refusing lone surrogates, which no stored text holds and SQL cannot carry."""
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise FilterInvalid("A string holds a lone surrogate, which is no character.", path)
    return value
