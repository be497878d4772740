"""Problems: every error of the lower folders has one, and each has the members of the contract."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.logs import Lines
from api.problems import KINDS, Problem, problem_body, translate
from index.errors import DataFolderLocked, FilterInvalid, IndexProblem
from rag.errors import RagProblem


def tree(base: type[Exception]) -> Iterator[type[Exception]]:
    """Yield an exception and everything public below it; a private one never leaves its file."""
    yield base
    for below in base.__subclasses__():
        if not below.__name__.startswith("_"):
            yield from tree(below)


ERRORS = [*tree(IndexProblem), *tree(RagProblem)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_has_its_own_problem(error: type[Exception]) -> None:
    """Each class of the trees is in the table, under a code of its own."""
    kind = KINDS[error]
    assert [other for other in ERRORS if KINDS[other].code == kind.code] == [error]
    assert kind.status in {404, 409, 422, 500, 503, 507}
    assert (kind.status == 503) == (kind.retry_after is not None)


def test_only_the_bases_are_500() -> None:
    """What has a class of its own is foreseen, so it is no server error of the unknown kind."""
    assert {error for error, kind in KINDS.items() if kind.status == 500} == {IndexProblem, RagProblem}


def test_a_class_that_is_not_in_the_table_has_its_base_problem() -> None:
    """The nearest base decides."""

    class Newer(DataFolderLocked):
        """Below a known one."""

    try:
        assert translate(Newer("held")).code == "data_folder_locked"
    finally:
        del Newer


def test_a_problem_has_the_members_of_rfc_9457() -> None:
    """Type, title, status and detail beside our own, which are left out where there is nothing to say."""
    problem = translate(FilterInvalid("A date is written 2025-08-26.", "filter.gte"))
    assert json.loads(problem_body(problem, "req_1")) == {
        "type": "urn:pincite:problem:filter_invalid",
        "title": "Filter invalid",
        "status": 422,
        "detail": "A date is written 2025-08-26.",
        "code": "filter_invalid",
        "request_id": "req_1",
        "field": "filter.gte",
    }


def test_a_detail_is_bounded_and_may_hold_anything() -> None:
    """A long text is cut, a lone surrogate is escaped."""
    body = problem_body(Problem(422, "x", "\ud800" + "y" * 10_000), "req_1")
    assert len(json.loads(body)["detail"]) == 500


def test_several_faults_are_listed(empty: TestClient) -> None:
    """The first decides, the others are told with it, up to twenty."""
    body = {"query": "", "top_k": 0, **{f"unknown{n}": 1 for n in range(30)}}
    problem = empty.post("/v1/ask", json=body).json()
    assert (problem["field"], problem["errors"][0]["field"]) == ("query", "query")
    assert len(problem["errors"]) == 20


def test_a_request_has_an_id_in_head_and_problem(empty: TestClient) -> None:
    """The id of the problem is the one of the header, and another one for each request."""
    responses = [empty.get("/v1/documents/never") for _ in range(2)]
    ids = [response.json()["request_id"] for response in responses]
    assert ids == [response.headers["x-request-id"] for response in responses]
    assert ids[0] != ids[1]


def test_an_error_that_nobody_foresaw_is_a_500_that_tells_nothing(
    empty: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets the request's id, the log gets one line with the trace."""

    @empty.app.get("/broken")  # type: ignore[attr-defined]
    def broken() -> None:
        raise KeyError("secret\ndetail")

    response = empty.get("/broken")
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert "secret" not in response.text
    assert response.headers["content-security-policy"]
    (record,) = [one for one in caplog.records if one.name == "pincite"]
    for form in ("text", "json"):
        line = Lines(form).format(record)
        assert response.json()["request_id"] in line
        assert "secret" in line
        assert "\n" not in line


def test_who_is_told_to_wait_is_told_how_long() -> None:
    """Every 429 and 503, of the table and of the code, has a Retry-After."""
    assert [kind for kind in KINDS.values() if kind.status in {429, 503} and not kind.retry_after] == []
    calls = 0
    for file in (Path(__file__).parents[2] / "api").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node).startswith(("Problem(429,", "Problem(503,")):
                calls += 1
                assert "retry_after" in {keyword.arg for keyword in node.keywords}, f"{file}:{node.lineno}"
    assert calls
