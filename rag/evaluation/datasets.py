"""Evaluation sets on disk: BEIR's layout, and a folder of documents with questions about it.

    corpus.jsonl[.gz]  queries.jsonl[.gz]  qrels/           BEIR: `_id`s; qrels are `*.tsv` (query-id, corpus-id, score)
                                                            or TREC's `*.qrels` (query-id, 0, corpus-id, score)
    questions.jsonl  documents/                             any format that can be ingested, in documents/ or else
                                                            beside the questions; a document is named by its path
                                                            below that folder, or by its row's `_id`

Document ids are those of ingestion (`rag.ids.document_id`) in everything that is returned.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from rag.errors import DatasetInvalid, LoadProblem
from rag.evaluation.questions import AnswerSpan, DatasetQuestion, read_questions
from rag.evaluation.rows import Place, json_rows, numbered_lines
from rag.evaluation.trec import Known, qrels_rows
from rag.folders import File, find_files
from rag.loaders import load
from rag.types import FailedRow, LoadedDocument

Judgements = Mapping[str, Mapping[str, int]]
"""Per query id, per document id, its grade; a grade of 1 or more is relevant."""

_QUESTIONS = ("questions.jsonl", "questions.jsonl.gz")  # no document, where they lie among documents


@dataclass(frozen=True, slots=True)
class Dataset:
    """Questions, judgements, and the path (a file or a folder) of the documents that they are about."""

    name: str
    corpus: Path
    questions: Sequence[DatasetQuestion]
    judgements: Judgements
    documents: int
    corpus_sha256: str
    unreadable: Sequence[str] = ()  # ids of judged documents without text, which can never be found
    ids: frozenset[str] = frozenset()  # of all documents

    @property
    def known(self) -> Known:
        """The ids that a run over this set may name."""
        return Known({question.id for question in self.questions}, self.ids)

    @property
    def judged(self) -> Sequence[str]:
        """The ids of all documents that are judged for any question, ordered."""
        return sorted({document for grades in self.judgements.values() for document in grades})

    def files(self) -> Sequence[File]:
        """Return the files of the corpus by the names that ingestion knows them by."""
        return corpus_files(self.corpus)

    def texts(self, wanted: Set[str]) -> Mapping[str, tuple[str | None, str]]:
        """Return title and text of those documents of the corpus whose ids are `wanted` and that have text."""
        found = {}
        for entry in _entries(self.corpus) if wanted else ():
            name = entry.place.document_id(entry.id)
            if name in wanted and entry.text is not None:
                found[name] = (entry.title, entry.text)
        return found

    @property
    def questions_sha256(self) -> str:
        """A digest of questions and judgements: two results with another one cannot be compared."""
        asked = [[q.id, q.text, [[t.role, t.content] for t in q.history], q.metadata] for q in self.questions]
        judged = {query: dict(grades) for query, grades in self.judgements.items()}
        return hashlib.sha256(json.dumps([asked, judged], sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A document of the corpus as named there; `text` is None where it cannot be read."""

    place: Place
    id: str
    text: str | None
    title: str | None = None


def read_dataset(folder: Path) -> Dataset:
    """Read the evaluation set in `folder`, whichever layout it has.

    Raises DatasetInvalid, naming file and line, for rows that do not parse, ids that are missing, stand twice or
    name nothing, and spans whose text is not what their document holds there.
    """
    corpus, queries = _present(folder / "corpus.jsonl"), _present(folder / "queries.jsonl")
    if corpus and queries:
        return _read_beir(folder, corpus, queries)
    questions = _present(folder / "questions.jsonl")
    if questions:
        return _read_folder(folder, questions)
    raise DatasetInvalid(
        f"{folder}: no evaluation set; give a folder with corpus.jsonl, queries.jsonl (each may be .gz) and "
        "qrels/*.tsv, or one with questions.jsonl and documents, beside it or in documents/"
    )


def _present(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return path if path.is_file() else packed if packed.is_file() else None


def _read_beir(folder: Path, corpus: Path, queries: Path) -> Dataset:
    questions = read_questions(queries)
    texts = _check_corpus(_entries(corpus), questions)
    known = Known({question.id for question in questions}, texts.keys())
    judgements, halves = _read_qrels(folder / "qrels", known)
    return Dataset(
        name=folder.resolve().name,
        corpus=corpus,
        questions=[replace(q, split=q.split or halves.get(q.id)) for q in questions],
        judgements=judgements,
        documents=len(texts),
        corpus_sha256=_digest([File(corpus, "corpus.jsonl")]),
        unreadable=_unreadable(judgements, texts),
        ids=frozenset(texts),
    )


def _read_folder(folder: Path, queries: Path) -> Dataset:
    corpus = folder / "documents" if (folder / "documents").is_dir() else folder
    questions = read_questions(queries, numbered=True)
    texts = _check_corpus(_entries(corpus), questions)
    if not texts:
        raise DatasetInvalid(f"{corpus}: no document is here; put the files that {queries.name} asks about into it")
    judgements = {question.id: dict.fromkeys(_named(question, texts, corpus), 1) for question in questions}
    judgements = {query: grades for query, grades in judgements.items() if grades}
    return Dataset(
        name=folder.resolve().name,
        corpus=corpus,
        questions=questions,
        judgements=judgements,
        documents=len(texts),
        corpus_sha256=_digest(corpus_files(corpus)),
        unreadable=_unreadable(judgements, texts),
        ids=frozenset(texts),
    )


def _named(question: DatasetQuestion, texts: Mapping[str, bool], corpus: Path) -> Iterator[str]:
    """Yield the ids of the documents that a question names as relevant, or as holding an answer."""
    yield from (span.document_id for span in (*question.spans, *question.support))
    for name in question.relevant:
        assert question.place is not None
        document = question.place.document_id(name)
        if document not in texts:
            raise question.place.problem(
                f"`relevant` names {name!r}, which no document has as id; a file is named by its path below {corpus}"
            )
        yield document


def corpus_files(corpus: Path) -> list[File]:
    """Return a file, or the files below a folder, by the names that ingestion knows them by, but for the questions.

    Raises FileNotFoundError.
    """
    return [file for file in find_files(corpus) if file.name not in _QUESTIONS]


def _entries(corpus: Path) -> Iterator[_Entry]:
    return _folder_entries(corpus_files(corpus)) if corpus.is_dir() else _beir_entries(corpus)


def _beir_entries(corpus: Path) -> Iterator[_Entry]:
    for row in json_rows(corpus):
        text, title = row.fields.get("text"), row.fields.get("title")
        if text is not None and not isinstance(text, str):
            raise row.place.problem("`text` is not a string")
        yield _Entry(row.place, row.string("_id"), text, title if isinstance(title, str) else None)


def _folder_entries(files: Iterable[File]) -> Iterator[_Entry]:
    """Yield the documents below a folder, files without text included."""
    for file in files:
        found = False
        for place, name, row in named_documents(file):
            found = True
            yield _Entry(Place(file.path, place), name, row.text, row.title)
        if not found:
            yield _Entry(Place(file.path, 1), file.name, None)


def named_documents(file: File) -> Iterator[tuple[int, str, LoadedDocument]]:
    """Yield the place (from 1) of each document of a file, its name as ingestion gives it, and what it is.

    What cannot be read is left out, and is counted in the places of the others.
    """
    rows: list[LoadedDocument | FailedRow | None] = []
    try:
        for row in load(file.read(), name=file.name):
            rows.append(row)  # those before a damaged end are documents
    except LoadProblem:
        rows.append(None)
    for place, one in enumerate(rows, start=1):
        if isinstance(one, LoadedDocument):
            yield place, one.id or (file.name if len(rows) == 1 else f"{file.name}#{place}"), one


def _check_corpus(entries: Iterable[_Entry], questions: Sequence[DatasetQuestion]) -> Mapping[str, bool]:
    """Return per document id whether it has text, after checking every span of the questions against it."""
    spans: dict[str, list[AnswerSpan]] = {}
    for span in (span for question in questions for span in (*question.spans, *question.support)):
        spans.setdefault(span.document_id, []).append(span)
    texts: dict[str, bool] = {}
    for entry in entries:
        document = entry.place.document_id(entry.id)
        if document in texts:
            raise entry.place.problem(f"the id {entry.id!r} stands on an earlier line too; ids are unique")
        texts[document] = bool(entry.text and entry.text.strip())
        for span in spans.pop(document, []):
            _check_span(span, entry)
    for unknown in spans.values():
        raise _wrong(unknown[0], f"{unknown[0].kind} names {unknown[0].document_id!r}, which no document has as id")
    return texts


def _check_span(span: AnswerSpan, entry: _Entry) -> None:
    if entry.text is not None and entry.text[span.start : span.end] != span.text:
        raise _wrong(
            span,
            f"{span.kind}'s text is not what {entry.id!r} holds from {span.start} to {span.end}; "
            "offsets count code points of the stored text",
        )


def _wrong(span: AnswerSpan, message: str) -> DatasetInvalid:
    assert span.place is not None, "spans of a dataset were read from a file"
    return span.place.problem(message)


def _read_qrels(folder: Path, known: Known) -> tuple[Judgements, Mapping[str, str]]:
    """Return the judgements of every file, and per query the name of the file (`train`, `dev`, `test`) it is in."""
    judgements: dict[str, dict[str, int]] = {}
    halves: dict[str, str] = {}
    files = sorted([*folder.glob("*.tsv"), *folder.glob("*.qrels")])
    if not files:
        raise DatasetInvalid(
            f"{folder}: no *.tsv file; each row is query-id, corpus-id, score, parted by tabs; TREC's are named *.qrels"
        )
    for path in files:
        rows = qrels_rows(path) if path.suffix == ".qrels" else _beir_qrels_rows(path)
        for place, query, document, grade in rows:
            name = known.document(place, document)
            if judgements.setdefault(known.query(place, query), {}).setdefault(name, grade) != grade:
                raise place.problem(f"{document!r} is judged twice for {query!r}, with another score")
            halves.setdefault(query, path.stem)
    return judgements, halves


def _beir_qrels_rows(path: Path) -> Iterator[tuple[Place, str, str, int]]:
    for place, text in numbered_lines(path):
        fields = text.split("\t")
        if len(fields) != 3:
            raise place.problem(f"{len(fields)} fields where query-id, corpus-id, score are due, parted by tabs")
        if place.line > 1 or fields[0] != "query-id":
            yield place, fields[0], fields[1], place.grade(fields[2])


def _unreadable(judgements: Judgements, texts: Mapping[str, bool]) -> Sequence[str]:
    return sorted({doc for grades in judgements.values() for doc in grades if not texts[doc]})


def _digest(files: Iterable[File]) -> str:
    """Return the SHA-256 over names and contents (unpacked, since gzip heads carry times) of `files`, in order."""
    digest = hashlib.sha256()
    for file in files:
        content = hashlib.sha256()
        with gzip.open(file.path, "rb") if file.path.name.endswith(".jsonl.gz") else file.path.open("rb") as stream:
            while block := stream.read(1 << 20):
                content.update(block)
        digest.update(f"{file.name}\0{content.hexdigest()}\n".encode())
    return digest.hexdigest()
