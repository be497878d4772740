"""Rows of JSONL and TSV files that know where they stand, so that every complaint names file and line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from index.types import Json
from rag.errors import DatasetInvalid
from rag.ids import document_id


@dataclass(frozen=True, slots=True)
class Place:
    """A line (from 1) of a file."""

    path: Path
    line: int

    def problem(self, message: str) -> DatasetInvalid:
        """Return the error to raise about this line."""
        return DatasetInvalid(f"{self.path}:{self.line}: {message}")

    def grade(self, raw: str) -> int:
        """Return how relevant `raw` says that a document is; raises DatasetInvalid unless it is a whole number."""
        try:
            return int(raw)
        except ValueError as error:
            raise self.problem(f"the score {raw!r} is not a whole number") from error

    def document_id(self, raw: str) -> str:
        """Return the document id of `raw` as ingestion makes it; raises DatasetInvalid for a name that has none."""
        try:
            return document_id(raw)
        except (ValueError, UnicodeEncodeError) as error:
            raise self.problem(str(error)) from error


@dataclass(frozen=True, slots=True)
class Row:
    """One JSON object of a JSONL file and where it stands."""

    place: Place
    fields: Mapping[str, Json]

    def string(self, key: str) -> str:
        """Return the field `key`, which must be a string that is not blank; raises DatasetInvalid otherwise."""
        value = self.fields.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.place.problem(f"`{key}` is missing or blank; every row needs it, as a string")
        return value


def numbered_lines(path: Path) -> Iterator[tuple[Place, str]]:
    """Yield the lines of a text file (UTF-8, gzip where it ends in `.gz`) that are not blank, without line ends."""
    line = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            for line, data in enumerate(stream, start=1):
                text = data.decode("utf-8-sig" if line == 1 else "utf-8").rstrip("\r\n")
                if text.strip():
                    yield Place(path, line), text
    except UnicodeDecodeError as error:
        raise Place(path, line).problem(f"not UTF-8 ({error.reason}); convert the file to UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise Place(path, line + 1).problem(f"cannot be read: {error}") from error


def json_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a JSONL file; raises DatasetInvalid for a line that is not a JSON object."""
    for place, text in numbered_lines(path):
        try:
            fields = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise place.problem(f"not JSON: {error}") from error
        if not isinstance(fields, dict):
            raise place.problem('not a JSON object; every line is one, such as {"_id": "1", "text": "…"}')
        yield Row(place, fields)


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is not a JSON number")
