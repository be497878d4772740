"""The habits of data -> the fields of a document: `date` is `published`, `url` is `uri`, `lang` is `language`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from index.types import Json
from rag.loaders.dates import normalise_date
from rag.types import LoadedDocument

_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,4}")


@dataclass(frozen=True, slots=True)
class Fields:
    """What is known about a document; None where it is not, and under `metadata` whatever has no field of its own."""

    title: str | None = None
    uri: str | None = None
    source: str | None = None
    published: str | None = None
    language: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)

    def describe(self, document: LoadedDocument) -> LoadedDocument:
        """Return `document` with these fields; its own title stays where there is none here."""
        return replace(
            document,
            title=self.title or document.title,
            uri=self.uri,
            source=self.source,
            published=self.published,
            language=self.language,
            metadata=self.metadata,
        )


def take_fields(given: Mapping[str, Json]) -> Fields:
    """Sort `given` into a document's fields; a value that was taken leaves the metadata, all others stay there.

    A null or blank value is as good as absent. A date or a language tag that cannot be read stays under its own
    name, as it came: nothing is guessed. The first name of each field that can be read is taken.
    """
    rest = {name: value for name, value in given.items() if not _is_absent(value)}
    return Fields(
        title=_take(rest, ("title",), _title),
        uri=_take(rest, ("uri", "url"), _plain),
        source=_take(rest, ("source",), _plain),
        published=_take(rest, ("published", "date"), normalise_date),
        language=_take(rest, ("language", "lang"), language_tag),
        metadata=rest,
    )


def language_tag(value: Json) -> str | None:
    """Return `value` where it is a language tag such as `en` or `pt-BR`, or None."""
    if not isinstance(value, str) or _LANGUAGE_TAG.fullmatch(value.strip()) is None:
        return None
    return value.strip().replace("_", "-")


def json_value(value: object, budget: int = 10_000) -> Json:
    """Return `value` as plain JSON (keys become strings), or raise ValueError where it is none.

    At most `budget` values are copied: aliases can make a short text endless.
    """
    left = [budget]

    def copy(value: object) -> Json:
        left[0] -= 1
        if left[0] < 0:
            raise ValueError("too many values")
        if isinstance(value, Mapping):
            return {copy(str(key)): copy(item) for key, item in value.items()}
        if isinstance(value, list):
            return [copy(item) for item in value]
        if isinstance(value, str):
            value.encode("utf-8")  # raises a ValueError for half of a surrogate pair
            return value
        if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        raise ValueError(f"a {type(value).__name__} is no JSON")

    return copy(value)


def _take(rest: dict[str, Json], names: tuple[str, ...], read: Callable[[Json], str | None]) -> str | None:
    for name in names:
        taken = read(rest.get(name))
        if taken is not None:
            del rest[name]
            return taken
    return None


def _is_absent(value: Json) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _plain(value: Json) -> str | None:
    return value.strip() if isinstance(value, str) else None


def _title(value: Json) -> str | None:
    """A title may be a number, such as the name of a novel."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else _plain(value)
