"""Questions of an evaluation set: what is asked, what would be right, and in which half of the set it lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from index.errors import FilterInvalid
from index.filters import parse
from index.types import Json
from rag.evaluation.rows import Place, Row, json_rows
from rag.types import Turn

_OWN_FIELDS = frozenset({"_id", "text", "metadata"})


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """A place that answers: code points `start` to `end` (exclusive) of the document's stored text, and its text."""

    document_id: str
    start: int
    end: int
    text: str
    place: Place | None = None  # in a file of questions
    kind: str = "an answer span"  # as a complaint calls it


@dataclass(frozen=True, slots=True)
class DatasetQuestion:
    """One question with what is known about it; `answerable` is None where nobody says, `split` likewise."""

    id: str
    text: str
    history: Sequence[Turn] = ()
    answers: Sequence[str] = ()
    spans: Sequence[AnswerSpan] = ()
    support: Sequence[AnswerSpan] = ()  # the places that a person would accept as the whole answer
    answerable: bool | None = None
    short: bool = False  # whether `answers` are the few words that are asked for
    type: str | None = None  # what kind of question it is; `off_topic` is known to the measures
    split: str | None = None
    filter: Json = None  # the filter language of index/filters.py; None filters nothing
    relevant: Sequence[str] = ()  # documents named beside the question, as they are named there
    metadata: Mapping[str, Json] = field(default_factory=dict)
    place: Place | None = None

    @property
    def supporting(self) -> Sequence[AnswerSpan]:
        """The spans of `support`, or the answer spans where none is given."""
        return self.support or self.spans


def read_questions(path: Path, *, numbered: bool = False) -> Sequence[DatasetQuestion]:
    """Read a queries file, one `{"_id", "text", "metadata"}` a line, in its order.

    Of `metadata` are read `answers`, `answer_spans` and `support` (`[{"doc", "start", "end", "text"}]`), `answerable`,
    `short`, `type`, `history` (`[{"role", "text"}]`), `split`, `filter` and `relevant`; all of it is kept for slices,
    and may stand beside `text` too. Where `silver` is true nobody checked the labels, so `answerable` is not used. With
    `numbered` a row without an id gets the number of its line. Raises DatasetInvalid for a row that lacks its id or its
    text, or has an id twice.
    """
    questions: dict[str, DatasetQuestion] = {}
    for row in json_rows(path):
        question = _question(row, numbered)
        if question.id in questions:
            raise row.place.problem(f"the id {question.id!r} stands on an earlier line too; ids are unique")
        questions[question.id] = question
    if not questions:
        raise Place(path, 1).problem("holds no question")
    return tuple(questions.values())


def _question(row: Row, numbered: bool) -> DatasetQuestion:
    name = str(row.place.line) if numbered and "_id" not in row.fields else row.string("_id")
    if name.split() != [name]:
        raise row.place.problem(f"the id {name!r} holds white space, which TREC run files cannot carry; rename it")
    metadata = row.fields.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise row.place.problem("`metadata` is not an object")
    metadata = {key: value for key, value in row.fields.items() if key not in _OWN_FIELDS} | metadata
    return DatasetQuestion(
        id=name,
        text=row.string("text"),
        history=tuple(_history(row.place, metadata)),
        answers=tuple(_strings(row.place, metadata, "answers")),
        spans=tuple(_spans(row.place, metadata, "answer_spans", "an answer span")),
        support=tuple(_support(row.place, metadata)),
        answerable=_answerable(row.place, metadata),
        short=_short(row.place, metadata),
        type=_type(row.place, metadata),
        split=metadata.get("split"),
        filter=_filter(row.place, metadata),
        relevant=tuple(_strings(row.place, metadata, "relevant")),
        metadata=metadata,
        place=row.place,
    )


def _objects(place: Place, metadata: Mapping[str, Json], key: str) -> Sequence[Mapping[str, Json]]:
    rows = metadata.get(key) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise place.problem(f"`{key}` is not a list of objects")
    return rows


def _history(place: Place, metadata: Mapping[str, Json]) -> Iterator[Turn]:
    for turn in _objects(place, metadata, "history"):
        role, content = turn.get("role"), turn.get("text", turn.get("content"))
        if role not in ("user", "assistant") or not isinstance(content, str):
            raise place.problem('a turn of `history` is {"role": "user" or "assistant", "text": "…"}')
        yield Turn(role, content)


def _strings(place: Place, metadata: Mapping[str, Json], key: str) -> Sequence[str]:
    strings = metadata.get(key) or []
    if not isinstance(strings, list) or not all(isinstance(one, str) for one in strings):
        raise place.problem(f'`{key}` is not a list of strings, such as ["…"]')
    return [one for one in strings if one.strip()]


def _spans(place: Place, metadata: Mapping[str, Json], key: str, kind: str) -> Iterator[AnswerSpan]:
    for span in _objects(place, metadata, key):
        doc, start, end, text = (span.get(key) for key in ("doc", "start", "end", "text"))
        if not isinstance(doc, str) or not isinstance(text, str) or type(start) is not int or type(end) is not int:
            raise place.problem(kind + ' is {"doc": "…", "start": 0, "end": 9, "text": "…"}')
        yield AnswerSpan(place.document_id(doc), start, end, text, place, kind)


def _support(place: Place, metadata: Mapping[str, Json]) -> Iterator[AnswerSpan]:
    for span in _spans(place, metadata, "support", "a supporting span"):
        if not span.text.strip():
            raise place.problem("a supporting span is blank; nothing could be quoted of it")
        yield span


def _filter(place: Place, metadata: Mapping[str, Json]) -> Json:
    try:
        parse(metadata.get("filter"))
    except FilterInvalid as problem:
        raise place.problem(f"`filter`: {problem}") from problem
    return metadata.get("filter")


def _answerable(place: Place, metadata: Mapping[str, Json]) -> bool | None:
    answerable = metadata.get("answerable")
    if answerable is not None and not isinstance(answerable, bool):
        raise place.problem("`answerable` is true, false or null")
    return None if metadata.get("silver") else answerable


def _short(place: Place, metadata: Mapping[str, Json]) -> bool:
    short = metadata.get("short")
    if short is not None and not isinstance(short, bool):
        raise place.problem("`short` is true or false, or left out")
    if short and metadata.get("answerable") is not False and not _strings(place, metadata, "answers"):
        raise place.problem("`short` is true, but `answers` has no words to compare with")
    return bool(short)


def _type(place: Place, metadata: Mapping[str, Json]) -> str | None:
    kind = metadata.get("type")
    if kind is not None and not isinstance(kind, str):
        raise place.problem('`type` is a string, such as "near_miss", or left out')
    return kind
