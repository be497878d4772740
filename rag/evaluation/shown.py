"""The part of a report that teaches most: the questions that went worst, what was found and what was missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element

from rag.evaluation.containment import Piece, findable, fold, holds_answer
from rag.evaluation.datasets import Dataset
from rag.evaluation.markup import tag
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.result import SHOWN, WORST, Evaluation, SystemResult, lead, worst
from rag.types import AnswerPassage

_EXCERPT = 400  # code points

Texts = Mapping[str, tuple[str | None, str]]
Grades = Mapping[str, int]


def worst_questions(evaluation: Evaluation, dataset: Dataset) -> Element | None:
    """Return per system its worst questions, each with the passages found and the relevant documents missed."""
    lists = {name: worst(result.values) for name, result in evaluation.systems.items()}
    if not any(lists.values()):
        return None
    asked = {question.id: question for question in dataset.questions}
    texts = dataset.texts(_without_text(evaluation, lists))
    parts: list[Element] = []
    for name, queries in lists.items():
        result = evaluation.systems[name]
        parts.append(tag("h3", name))
        for query in queries:
            grades = evaluation.judgements.get(query, {})
            parts.append(_question(asked[query], result, grades, texts))
    words = (
        f"For the {WORST} questions that went worst with each system: its first passages, and the relevant documents "
        "that are not among them."
    )
    return tag("section", tag("h2", "What was found, worst first"), tag("p", words, class_="muted"), *parts, id="worst")


def _without_text(evaluation: Evaluation, lists: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the ids of the documents whose text no passage brings: missed ones, and those of runs."""
    wanted: set[str] = set()
    for name, queries in lists.items():
        result = evaluation.systems[name]
        for query in queries:
            wanted.update(_missed(evaluation.judgements.get(query, {}), _first(result, query)))
            wanted.update(() if result.worst[query] else result.run.get(query, ())[:SHOWN])
    return wanted


def _first(result: SystemResult, query: str) -> Sequence[str]:
    """Return the ids of the documents that are shown as found."""
    return [one.document.id for one in result.worst[query]] or result.run.get(query, ())[:SHOWN]


def _missed(grades: Grades, found: Sequence[str]) -> Sequence[str]:
    return [document for document, grade in grades.items() if grade > 0 and document not in found]


def _question(question: DatasetQuestion, result: SystemResult, grades: Grades, texts: Texts) -> Element:
    value = lead(result.values)[question.id]
    found = list(_found(question, result, grades, texts))
    ranked = result.run.get(question.id, ())
    lost = [
        _entry(f"missed, {_place(document, ranked)}", document, *texts.get(document, (None, "")), question, "lost")
        for document in _missed(grades, _first(result, question.id))
    ]
    answers = f"Right would be: {'; '.join(question.answers)}" if question.answers else ""
    return tag(
        "details",
        tag("summary", f"{question.text} ", tag("span", f"{question.id}, {value:.3f}", class_="muted")),
        tag("p", answers, class_="muted") if answers else None,
        tag("ol", *found, *lost, class_="found") if found or lost else tag("p", "Nothing was found."),
    )


def _place(document: str, ranked: Sequence[str]) -> str:
    return f"document {ranked.index(document) + 1} of the ranking" if document in ranked else "not found at all"


def _found(question: DatasetQuestion, result: SystemResult, grades: Grades, texts: Texts) -> Iterator[Element]:
    passages = result.worst[question.id]
    for rank, passage in enumerate(passages, start=1):
        said = _judged(grades, passage.document.id) + _held(passage, question)
        kind = "good" if grades.get(passage.document.id, 0) > 0 else ""
        yield _entry(f"{rank}, {said}", passage.document.id, passage.document.title, passage.text, question, kind)
    for rank, document in enumerate(() if passages else result.run.get(question.id, ())[:SHOWN], start=1):
        kind = "good" if grades.get(document, 0) > 0 else ""
        title, text = texts.get(document, (None, ""))
        yield _entry(f"{rank}, {_judged(grades, document)}", document, title, text, question, kind)


def _judged(grades: Grades, document: str) -> str:
    if document not in grades:
        return "not relevant as far as is known" if grades else "not judged"
    return f"relevant, grade {grades[document]}" if grades[document] > 0 else "judged as not relevant"


def _held(passage: AnswerPassage, question: DatasetQuestion) -> str:
    piece = Piece(passage.document.id, passage.citation.start, passage.text)
    return ", holds an answer" if holds_answer(piece, question) else ""


def _entry(said: str, document: str, title: str | None, text: str, question: DatasetQuestion, kind: str) -> Element:
    about = tag("p", tag("span", said, class_="tag"), " ", title or document, class_="about")
    named = tag("p", document, class_="muted") if title and title != document else None
    return tag("li", about, named, tag("blockquote", _excerpt(text, question)), class_=kind or None)


def _excerpt(text: str, question: DatasetQuestion) -> str:
    """Return the part of `text` around an answer, or its beginning, with white space as blanks."""
    flat = " ".join(text.split())
    if len(flat) <= _EXCERPT:
        return flat
    places = [at for answer in findable(question) if (at := fold(flat).find(answer)) >= 0]
    start = max(0, min(places, default=0) - _EXCERPT // 2)
    start = flat.rfind(" ", 0, start + 1) + 1
    end = flat.rfind(" ", start, start + _EXCERPT)
    end = end if end > 0 and start + _EXCERPT < len(flat) else min(len(flat), start + _EXCERPT)
    return f"{'… ' if start else ''}{flat[start:end]}{' …' if end < len(flat) else ''}"
