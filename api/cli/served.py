"""`pincite eval --server`: the same questions and the same measures, asked of a running server over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from api.cli.remote import Remote
from api.cli.service import Refused
from index.types import DocumentInfo
from rag.evaluation.datasets import Dataset
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.result import Evaluation
from rag.evaluation.run import Plan, Progress, chosen, evaluate_systems, no_progress
from rag.evaluation.systems import Name, System, mode_of
from rag.types import Answer, AnswerPassage, Citation, Conflict, Highlight, Quote, Reason, ShortAnswer

Found = Mapping[str, Any]  # a passage, a citation, an answer as the HTTP contract has them


def evaluate_served(
    dataset: Dataset,
    server: Remote,
    collection: str,
    systems: Sequence[Name] | None,
    plan: Plan,
    *,
    on_progress: Progress = no_progress,
) -> Evaluation:
    """Ask a collection of `server`, which holds the corpus of `dataset`, by every system of `systems`: all that it has.

    Raises Refused where it cannot be asked, or holds no judged document at all; those that it lacks are told. Raises
    ReaderOff for `reader` where it has none.
    """
    stored = {one["id"] for one in server.documents(collection)}
    missing = [document for document in dataset.judged if document not in stored]
    if missing and len(missing) == len(dataset.judged):
        raise Refused(
            f"The collection {collection!r} holds no document that is judged: `pincite ingest` the corpus first."
        )
    (about,) = [one for one in server.collections() if one["name"] == collection]
    running = server.info()
    names = chosen(systems, running["reader"] is not None)
    named: dict[str, System] = {
        name: ServedSystem(server, collection, name, plan.min_confidence if name == "reader" else None)
        for name in names
    }
    return evaluate_systems(
        dataset,
        named,
        plan,
        model=running["encoder"]["fingerprint"],
        reader=running["reader"]["fingerprint"] if "reader" in names else None,
        settings={
            "collection": collection,
            "config": about["snapshot"]["config"],
            "ranking": about["ranking"],
            "passages": about["passages"],
        },
        missing=missing,
        on_progress=on_progress,
    )


class ServedSystem:
    """A collection of a server, asked by one system through `/v1/search` and `/v1/ask`; as CollectionSystem has it."""

    def __init__(self, server: Remote, collection: str, name: Name, min_confidence: float | None = None) -> None:
        self.degraded: set[str] = set()
        self._server, self._collection = server, collection
        self._how = {"mode": mode_of(name), "read": name == "reader"}
        self._least = {} if min_confidence is None else {"min_confidence": min_confidence}

    def search(self, questions: Sequence[DatasetQuestion], depth: int) -> Sequence[Sequence[AnswerPassage]]:
        """Return per question at most `depth` passages; those without history and filter are sent together."""
        alone = [question for question in questions if talk_and_filter(question)]
        together = [question for question in questions if not talk_and_filter(question)]
        found = {one.id: self._searched({"query": one.text, **talk_and_filter(one)}, depth)[0] for one in alone}
        if together:
            results = self._searched({"queries": [question.text for question in together]}, depth)
            found |= {question.id: one for question, one in zip(together, results, strict=True)}
        return [found[question.id] for question in questions]

    def ask(self, question: DatasetQuestion) -> Answer:
        """Return the answer, with as many passages as the server gives unless told otherwise."""
        answer = self._server.ask(self._body({"query": question.text, **talk_and_filter(question), **self._least}))
        self.degraded.update(answer["degraded"])
        reason, short = answer["reason"], answer["answer"]
        return Answer(
            query=answer["query"],
            standalone_query=answer["standalone_query"],
            outcome=answer["outcome"],
            reason=Reason(reason["code"], reason["text"]) if reason else None,
            passages=[_passage(one) for one in answer["passages"]],
            nearest=[_passage(one) for one in answer["nearest"]],
            token=answer["snapshot"]["token"],
            degraded=tuple(answer["degraded"]),
            timing_ms=answer["timing_ms"],
            warnings=answer["warnings"],
            confidence=answer["confidence"],
            threshold=answer["threshold"],
            quote=_quote(answer["quote"]) if answer["quote"] else None,
            answer=_said(short) if short else None,
            alternatives=[_said(one) for one in short["alternatives"]] if short else (),
            conflicts=[Conflict(one["kind"], [_said(value) for value in one["values"]]) for one in answer["conflicts"]],
            ranking=answer["ranking"],
        )

    def text(self, document_id: str) -> str | None:
        """Return the stored text of a document, None where it is gone."""
        try:
            return self._server.text(self._collection, document_id)
        except Refused as problem:
            if problem.code == "document_missing":
                return None
            raise

    def _searched(self, asked: Found, depth: int) -> Sequence[Sequence[AnswerPassage]]:
        results = self._server.search(self._body({**asked, "top_k": depth}))["results"]
        for result in results:
            self.degraded.update(result["degraded"])
        return [[_passage(one) for one in result["passages"]] for result in results]

    def _body(self, asked: Found) -> dict[str, Any]:
        return {"collection": self._collection, **self._how, **asked}


def talk_and_filter(question: DatasetQuestion) -> Found:
    """Return what makes a question more than its words, as a request has it; nothing where it is no more."""
    turns = [{"role": turn.role, "content": turn.content} for turn in question.history]
    more = {"history": turns, "filter": question.filter}
    return {name: value for name, value in more.items() if value}


def _passage(found: Found) -> AnswerPassage:
    scores = found["scores"]
    return AnswerPassage(
        rank=found["rank"],
        id=found["id"],
        text=found["text"],
        score=found["score"],
        dense=scores["dense"],
        lexical=scores["lexical"],
        fused=scores["fused"],
        reader=scores["reader"],
        document=_document(found["document"], found["citation"]["document_sha256"]),
        citation=_citation(found["citation"]),
        highlights=[
            Highlight(one["kind"], one["start_char"], one["end_char"], one["start_utf16"], one["end_utf16"])
            for one in found["highlights"]
        ],
    )


def _citation(found: Found) -> Citation:
    pages = found["page"] or {"first": None, "last": None}
    return Citation(
        collection=found["collection"],
        document_id=found["document_id"],
        document_sha256=found["document_sha256"],
        start=found["start_char"],
        end=found["end_char"],
        start_utf16=found["start_utf16"],
        end_utf16=found["end_utf16"],
        quote=found["quote"],
        first_page=pages["first"],
        last_page=pages["last"],
        heading_path=tuple(found["heading_path"]),
    )


def _said(found: Found) -> ShortAnswer:
    citation = _citation(found["citation"])
    document = _document(found["document"], citation.document_sha256)
    return ShortAnswer(found["text"], citation, document, found.get("confidence"))


def _quote(found: Found) -> Quote:
    said = _said(found)
    columns = tuple(found["columns"])
    return Quote(said.text, found["kind"], said.citation, said.document, said.confidence, columns)


def _document(found: Found, sha256: str) -> DocumentInfo:
    """Return what is said of a document beside a quote; what is not is None, empty or 0."""
    told: dict[str, Any] = {name: found.get(name) for name in ("id", "title", "uri", "source", "published", "language")}
    unsaid: dict[str, Any] = {"media_type": "", "encoding": None, "added": "", "fingerprint": ""}
    sizes: dict[str, Any] = dict.fromkeys(("characters", "bytes", "passages"), 0)
    return DocumentInfo(sha256=sha256, metadata=found.get("metadata", {}), **told, **unsaid, **sizes)
