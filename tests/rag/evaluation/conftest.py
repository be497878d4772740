"""Small evaluation sets, and systems whose score is known before they run."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from index.types import DocumentInfo, text_digest
from rag.evaluation.questions import DatasetQuestion
from rag.types import Answer, AnswerPassage, Citation, Highlight, Reason, Span


def jsonl(path: Path, rows: Sequence[object]) -> Path:
    """Write one JSON value a line, packed where the name ends in `.gz`."""
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def info(document_id: str, text: str) -> DocumentInfo:
    """A document's entry with nothing in it but what measures read."""
    return DocumentInfo(
        id=document_id, sha256=text_digest(text), media_type="text/plain", title=None, uri=None, source=None,
        published=None, language=None, encoding=None, metadata={}, added="2025-01-01T00:00:00.000Z",
        characters=len(text), bytes=len(text.encode()), passages=1, fingerprint="",
    )  # fmt: skip


def passage(
    document_id: str, text: str, span: Span | None = None, sentences: Sequence[Span] = (), rank: int = 1
) -> AnswerPassage:
    """The part `span` of a document (all of it unless given) as a passage, with sentence highlights."""
    part = span or Span(0, len(text))
    quote = text[part.start : part.end]
    return AnswerPassage(
        rank=rank, id=f"{document_id}:{part.start}", text=quote, score=1.0, dense=None, lexical=None,
        document=info(document_id, text),
        citation=Citation(
            collection="default", document_id=document_id, document_sha256=text_digest(text), start=part.start,
            end=part.end, start_utf16=part.start, end_utf16=part.end, quote=quote, first_page=None, last_page=None,
            heading_path=(),
        ),
        highlights=[Highlight("sentence", mark.start, mark.end, mark.start, mark.end) for mark in sentences],
    )  # fmt: skip


def answer(query: str, passages: Sequence[AnswerPassage]) -> Answer:
    """An answer that shows `passages`, or declines where there are none."""
    reason = None if passages else Reason("below_threshold", "Nothing here answers that.")
    return Answer(query, None, "answered" if passages else "absent", reason, passages, [], "1", (), {})


class KnownSystem:
    """A system that ranks the documents of a corpus by a rule of the test, so that its score is known."""

    def __init__(
        self,
        corpus: Mapping[str, str],
        rank: Callable[[DatasetQuestion], Sequence[str]],
        declines: Callable[[DatasetQuestion], bool] = lambda question: False,
    ) -> None:
        self.degraded: set[str] = set()
        self._corpus, self._rank, self._declines = corpus, rank, declines

    def search(self, questions: Sequence[DatasetQuestion], depth: int) -> Sequence[Sequence[AnswerPassage]]:
        """Return whole documents as passages, in the order of the rule."""
        return [[passage(doc, self._corpus[doc]) for doc in self._rank(question)[:depth]] for question in questions]

    def ask(self, question: DatasetQuestion) -> Answer:
        """Show the five best whole documents, or decline."""
        shown = [] if self._declines(question) else self.search([question], 5)[0]
        return answer(question.text, shown)

    def text(self, document_id: str) -> str | None:
        """Return what the corpus holds."""
        return self._corpus.get(document_id)


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """A BEIR set of six documents (one blank, one with an odd id) and five questions, two that nothing answers."""
    folder = tmp_path / "tiny"
    texts = {
        "d1": "The bridge was opened in 1932 by the mayor.",
        "d2": "Copper melts at 1085 degrees.",
        "d3": "The ferry crosses the bay twice a day.",
        "a b/ü": "Tin melts at 232 degrees.",
        "d5": " ",
        "d6": "Nothing of note happened in the village.",
    }
    jsonl(folder / "corpus.jsonl.gz", [{"_id": name, "title": "", "text": text} for name, text in texts.items()])
    span = {"doc": "d1", "start": 25, "end": 29, "text": "1932"}
    turns = [{"role": "user", "text": "What of copper?"}, {"role": "assistant", "text": "It melts."}]
    rows = [
        ("q1", "When was the bridge opened?", {"answers": ["1932"], "answer_spans": [span], "answerable": True}),
        ("q2", "At how many degrees?", {"answers": ["1085"], "history": turns, "answerable": True, "type": "b"}),
        ("q3", "What melts at 232 degrees?", {"answers": ["Tin"], "answerable": True, "type": "a"}),
        ("q4", "Who painted the ferry?", {"answerable": False, "type": "b"}),
        ("q5", "What is on the blank page?", {"split": "dev"}),
    ]
    metadata = {"split": "test", "type": "a"}
    jsonl(folder / "queries.jsonl", [{"_id": q, "text": text, "metadata": metadata | own} for q, text, own in rows])
    qrels = ["query-id\tcorpus-id\tscore", "q1\td1\t2", "q1\td3\t1", "q2\td2\t1", "q3\ta b/ü\t1", "q5\td5\t1"]
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("\n".join([*qrels, "q4\td3\t0"]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def known() -> SimpleNamespace:
    """What tests build systems, passages and files with."""
    return SimpleNamespace(System=KnownSystem, passage=passage, answer=answer, jsonl=jsonl)
