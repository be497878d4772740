"""Asking, searching, and holding citations against what is stored."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Iterator

from fastapi import APIRouter, Request, Response

from api.answers import AnswerOut, SearchOut, VerdictOut, VerifyOut
from api.dependencies import Running, RunningParts
from api.events import event, event_response, with_heartbeat
from api.openapi import EVENT_STREAM, problems
from api.problems import Problem, problem_body, translate
from api.schemas import AskRequest, CitationIn, SearchRequest, VerifyRequest
from api.strict import StrictRoute
from api.translations import answer_out, as_json, candidates_out, search_out
from index.errors import CollectionMissing, IndexProblem
from rag.ask import Candidates, ask, search, verify_citation
from rag.errors import RagProblem
from rag.types import Answer

_log = logging.getLogger("pincite")
router = APIRouter(route_class=StrictRoute, tags=["ask"])


@router.post(
    "/v1/ask",
    response_model=AnswerOut,
    responses={200: {"content": EVENT_STREAM}, **problems(404, 409, 415)},
)
def ask_question(body: AskRequest, request: Request, running: RunningParts) -> AnswerOut | Response:
    """Answer a question with cited passages, as JSON or as server-sent events: `candidates`, `answer`, `done`.

    The stream is chosen by `"stream": true` or by an `Accept` that takes event streams and no JSON. `answer` carries
    the JSON answer and replaces everything before it; `error` carries a problem and ends the stream.
    """
    request.state.question = body.query
    streamed = body.stream or _wants_events(request)
    steps = _steps(body, running, streamed)
    if streamed:
        events = answer_events(steps, running.pincite.config_digest, request.state.request_id)
        return event_response(with_heartbeat(next(events), events))
    (answer,) = (step for step in steps if isinstance(step, Answer))
    return _written(answer_out(answer, running.pincite.config_digest))


def _written(shown: AnswerOut | SearchOut) -> Response:
    """Write it here and now: FastAPI would check what was built checked, and on another thread."""
    return Response(shown.model_dump_json(exclude_unset=True), media_type="application/json")


def _steps(body: AskRequest, running: Running, streamed: bool) -> Iterator[Candidates | Answer]:
    """Yield the steps of the journey; a place among the questions is held until the last of them is worked out."""
    with running.metrics.asking("ask"):
        answer = yield from _worked_out(body, running, streamed)
    running.metrics.asked("ask", answer.outcome, answer.timing_ms)
    yield answer


def _worked_out(body: AskRequest, running: Running, streamed: bool) -> Generator[Candidates, None, Answer]:
    with running.questions.place():
        collection, parts = running.collection(body.collection), running.pincite
        for step in ask(body.question, collection, parts.encoder, reader=parts.reader, candidates=streamed):
            if isinstance(step, Answer):
                return step
            yield step
    raise AssertionError("a journey ends with an answer")


def answer_events(steps: Iterator[Candidates | Answer], config: str, request_id: str) -> Generator[bytes, None, None]:
    """Yield the events of an answer.

    An error of the first step is raised, because then a status can still be told; a later one becomes an `error`
    event, which ends the stream.
    """
    first = next(steps)
    yield _event_of(first, config)
    try:
        for step in steps:
            yield _event_of(step, config)
        yield event("done", "{}")
    except Exception as error:
        yield event("error", problem_body(_told(error, request_id), request_id).decode("ascii"))


def _event_of(step: Candidates | Answer, config: str) -> bytes:
    if isinstance(step, Candidates):
        return event("candidates", json.dumps(as_json(candidates_out(step.passages))))
    return event("answer", json.dumps(as_json(answer_out(step, config))))


def _told(error: Exception, request_id: str) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, IndexProblem | RagProblem):
        return translate(error)
    _log.error("unforeseen error", extra={"fields": {"request_id": request_id}}, exc_info=error)
    return Problem(500, "internal", "The server met an error that it did not expect; see its log.")


def _wants_events(request: Request) -> bool:
    """Say whether `Accept` takes event streams and no JSON; clients that take both get what the body says."""
    accepted = {one.partition(";")[0].strip().lower() for one in ",".join(request.headers.getlist("accept")).split(",")}
    return "text/event-stream" in accepted and "application/json" not in accepted


@router.post(
    "/v1/search",
    response_model=SearchOut,
    responses=problems(404, 409, 415),
)
def search_passages(body: SearchRequest, request: Request, running: RunningParts) -> SearchOut | Response:
    """Find the best passages for one question or several, however weak, nothing collapsed or joined."""
    questions = body.questions
    request.state.question = [one.query for one in questions]
    with running.metrics.asking("search"), running.questions.place():
        parts = running.pincite
        found = search(questions, running.collection(body.collection), parts.encoder, reader=parts.reader)
    for one in found:
        running.metrics.asked("search", "answered" if one.passages else "declined", one.timing_ms)
    return _written(search_out(found, running.pincite.config_digest))


@router.post("/v1/citations/verify", responses=problems(415))
def verify_citations(body: VerifyRequest, running: RunningParts) -> VerifyOut:
    """Say of each citation whether its quote still stands where it says."""
    return VerifyOut(results=[_verdict(citation, running) for citation in body.citations])


def _verdict(citation: CitationIn, running: Running) -> VerdictOut:
    try:
        collection = running.collection(citation.collection)
    except CollectionMissing:
        collection = None
    status = verify_citation(
        collection,
        citation.document_id,
        citation.document_sha256,
        citation.start_char,
        citation.end_char,
        citation.quote,
    )
    if status == "exact" and not citation.utf16_agrees:
        status = "text_differs"
    return VerdictOut(status=status)
