"""A parsed filter as one SQL condition over the truth's `document d`, always true or false and never NULL."""

from __future__ import annotations

from typing import TypeAlias

from index.dates import Interval
from index.filters import DATES, METADATA, AllOf, AnyOf, Condition, Filter, Not, Operand, Scalar

Bindings: TypeAlias = list[str | int | float]
Sql: TypeAlias = tuple[str, Bindings]

COMPARE = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
OPPOSITE = {"ne": "eq", "nin": "in"}


def where(tree: Filter | None, collection: int) -> Sql:
    """Return the condition that keeps the documents of `collection` that `tree` matches, and its bindings in order."""
    if tree is None:
        return "d.collection = ?", [collection]
    condition, bindings = _sql(tree, collection)
    return f"d.collection = ? AND {condition}", [collection, *bindings]


def _sql(tree: Filter, collection: int) -> Sql:
    """Return the condition of one node."""
    match tree:
        case Condition(field, operator, operand):
            return _condition(field, operator, operand, collection)
        case Not(part):
            condition, bindings = _sql(part, collection)
            return f"NOT {condition}", bindings
        case AllOf(parts):
            return _joined(" AND ", parts, collection)
        case AnyOf(parts):
            return _joined(" OR ", parts, collection)


def _joined(joint: str, parts: tuple[Filter, ...], collection: int) -> Sql:
    """Return the parts joined by AND or OR, in brackets."""
    done = [_sql(part, collection) for part in parts]
    return f"({joint.join(condition for condition, _ in done)})", [value for _, values in done for value in values]


def _condition(field: str, operator: str, operand: Operand, collection: int) -> Sql:
    """Return one operator on one field; the negative ones are the exact opposite of the positive ones."""
    if operator in OPPOSITE:
        condition, bindings = _condition(field, OPPOSITE[operator], operand, collection)
        return f"NOT {condition}", bindings
    if field.startswith(METADATA):
        return _metadata(field.removeprefix(METADATA), operator, operand, collection)
    if operator == "exists":
        column = "d.published_low" if field == "published" else _column(field)
        return f"({column} IS {'NOT NULL' if operand else 'NULL'})", []
    return _date(field, operator, operand) if field in DATES else _string(_column(field), operator, operand)


def _column(field: str) -> str:
    """Return the column of a field that has one."""
    return {"document_id": "d.id", "added": "d.added_low"}.get(field, f"d.{field}")


def _date(field: str, operator: str, operand: Operand) -> Sql:
    """Return how the document's interval lies to the operand's."""
    low, high = f"d.{field}_low", f"d.{field}_high"
    if isinstance(operand, Interval):
        condition, bindings = {
            "eq": (f"{low} >= ? AND {high} <= ?", [operand.low, operand.high]),
            "gt": (f"{low} >= ?", [operand.high]),
            "gte": (f"{low} >= ?", [operand.low]),
            "lt": (f"{high} <= ?", [operand.low]),
            "lte": (f"{high} <= ?", [operand.high]),
        }[operator]
        return f"ifnull({condition}, 0)", [*bindings]
    spans = [part for part in _listed(operand) if isinstance(part, Interval)]
    if not spans:
        return "0", []
    rows = ", ".join(["(?, ?)"] * len(spans))
    # Only placeholders and fixed column names are put into the text.
    inside = f"EXISTS (SELECT 1 FROM (VALUES {rows}) WHERE {low} >= column1 AND {high} <= column2)"  # noqa: S608
    return inside, [bound for span in spans for bound in (span.low, span.high)]


def _string(column: str, operator: str, operand: Operand) -> Sql:
    """Return a comparison of a column that holds a string or NULL."""
    if isinstance(operand, Scalar):
        return f"ifnull({column} {COMPARE[operator]} ?, 0)", [operand.value]
    values = [part.value for part in _listed(operand) if isinstance(part, Scalar)]
    return f"ifnull({column} IN ({', '.join('?' * len(values))}), 0)", [*values]


def _metadata(name: str, operator: str, operand: Operand, collection: int) -> Sql:
    """Return whether any value under a metadata name compares as asked."""
    found = "SELECT document FROM attribute WHERE collection = ? AND name = ?"
    if operator == "exists":
        return f"(d.key {'IN' if operand else 'NOT IN'} ({found}))", [collection, name]
    if isinstance(operand, Scalar):
        compare = f"kind = ? AND value {COMPARE[operator]} ?"
        return f"(d.key IN ({found} AND {compare}))", [collection, name, operand.kind, operand.value]
    pairs = [part for part in _listed(operand) if isinstance(part, Scalar)]
    if not pairs:
        return "0", []
    rows = ", ".join(["(?, ?)"] * len(pairs))
    values = [value for pair in pairs for value in (pair.kind, pair.value)]
    return f"(d.key IN ({found} AND (kind, value) IN (VALUES {rows})))", [collection, name, *values]


def _listed(operand: Operand) -> tuple[Interval, ...] | tuple[Scalar, ...]:
    """Return the operand of `in`."""
    return operand if isinstance(operand, tuple) else ()
