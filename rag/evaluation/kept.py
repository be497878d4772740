"""Results that `pincite eval --output` wrote, read back: one file, or a folder with one for each set."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.types import Json
from rag.errors import DatasetInvalid
from rag.evaluation.trec import Run, qrels_rows, read_run

_USUAL = ("reader", "hybrid")  # the order that users get, with a reader and without
_BESIDE = (".per_query", ".timings")  # what is written beside a result
_ANSWERED = {"Quote right": "Declined, answerable", "Words right": "Words shown"}
"""The measures of what was answered alone, each with one that every question has which could have been."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One system of a result: its manifest and its values by measure and query id.

    Where runs were kept it has its ranking and the relevant documents by query id too.
    """

    system: str
    manifest: Mapping[str, Json]
    values: Mapping[str, Mapping[str, float]]
    run: Run | None = None
    relevant: Mapping[str, Sequence[str]] | None = None


def read_kept(path: Path, system: str | None = None) -> Mapping[str, Kept]:
    """Return one system of the result at `path`, or of each result in the folder `path`, by the name of the set.

    Without `system` it is what users get, `reader` or else `hybrid`, or the only one. Raises DatasetInvalid for what is
    not a result, a result without the values that belong beside it, two results of one set, and a system that is not
    there.
    """
    kept: dict[str, Kept] = {}
    for file in _results(path):
        name, one = _read(file, system)
        if name in kept:
            raise DatasetInvalid(f"{path}: two results are of the set {name!r}; a folder holds one for each set")
        kept[name] = one
    return kept


def _results(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    found = [file for file in sorted(path.glob("*.json")) if Path(file.stem).suffix not in _BESIDE]
    if not found:
        raise DatasetInvalid(f"{path}: no result is in this folder; `pincite eval --output` writes them")
    yield from found


def _read(file: Path, system: str | None) -> tuple[str, Kept]:
    result, beside = _json(file), file.with_suffix(".per_query.json")
    manifest, values = result.get("manifest"), _json(beside)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("dataset"), str) or "systems" not in result:
        raise DatasetInvalid(f"{file}: not a result of `pincite eval --output`")
    usual = next((name for name in _USUAL if name in values), next(iter(values)) if len(values) == 1 else None)
    chosen = system or usual
    if chosen not in values:
        wanted = f"no system {chosen!r}" if chosen else "several systems and none of them chosen"
        raise DatasetInvalid(f"{file}: {wanted}; it has {', '.join(values)}")
    run, qrels = file.with_suffix(f".{chosen}.run"), file.with_suffix(".qrels")
    return manifest["dataset"], Kept(
        system=chosen,
        manifest=manifest,
        values=_numbers(beside, values[chosen]),
        run=read_run(run) if run.exists() else None,
        relevant=_relevant(qrels) if qrels.exists() else None,
    )


def _relevant(file: Path) -> Mapping[str, Sequence[str]]:
    relevant: dict[str, list[str]] = {}
    for _, query, document, grade in qrels_rows(file):
        if grade > 0:
            relevant.setdefault(query, []).append(document)
    return relevant


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DatasetInvalid(f"{file}: cannot be read as a result of `pincite eval --output`: {problem}") from problem
    if not isinstance(value, dict):
        raise DatasetInvalid(f"{file}: not a result of `pincite eval --output`")
    return value


def _numbers(file: Path, measures: Any) -> Mapping[str, Mapping[str, float]]:
    rows = measures.values() if isinstance(measures, dict) else (None,)
    if not all(isinstance(row, dict) and all(isinstance(value, int | float) for value in row.values()) for row in rows):
        raise DatasetInvalid(f"{file}: not values by system, measure and query id")
    return dict(measures)


def obstacle(base: Mapping[str, Kept], candidate: Mapping[str, Kept], measure: Callable[[str], str]) -> str | None:
    """Return why the two cannot be compared, None where they can: other sets, corpus, judgements or questions.

    `measure` gives by which measure a set is judged. Raises DatasetInvalid where a set lacks that measure.
    """
    if alone := set(base) ^ set(candidate):
        return f"only one side was asked the questions of {', '.join(sorted(alone))}"
    for name in base:
        sides = base[name], candidate[name]
        for key, what in (("corpus_sha256", "another corpus"), ("questions_sha256", "other questions or judgements")):
            if sides[0].manifest.get(key) != sides[1].manifest.get(key):
                return f"{name}: base and candidate had {what} (`{key}` differs)"
        valued = [set(_values(name, side, measure(name))) for side in sides]
        asked = [set(_values(name, side, _ANSWERED.get(measure(name), measure(name)))) for side in sides]
        if alone := asked[0] ^ asked[1]:
            some = ", ".join(sorted(alone)[:3])
            return (
                f"{name}: {len(alone)} questions were asked on one side only ({some}); same --split, --limit, --seed?"
            )
        if not valued[0] & valued[1]:
            return f"{name}: no question has a {measure(name)!r} on both sides"
    return None


def _values(name: str, side: Kept, measure: str) -> Mapping[str, float]:
    if not side.values.get(measure):
        raise DatasetInvalid(f"{name}: {side.system} has no {measure!r}; it has {', '.join(side.values)}")
    return side.values[measure]
