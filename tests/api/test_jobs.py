"""Jobs: uploads, batches that nobody waits for, watching and cancelling."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.jobs import Jobs
from api.limits import Limits
from api.problems import Problem
from api.routes.jobs import job_events
from rag.ingest import Ingest
from rag.types import IngestResult

ENDED = {"done", "failed", "cancelled"}


def upload(client: TestClient, *files: tuple[str, bytes], **fields: str) -> Any:
    """Send files as multipart."""
    return client.post("/v1/documents", files=[("files", file) for file in files], data=fields)


def finished(client: TestClient, job_id: str) -> dict[str, Any]:
    """Wait until a job has ended, and return it."""
    for _ in range(2000):
        job = client.get(f"/v1/jobs/{job_id}").json()
        if job["status"] in ENDED:
            return job
        time.sleep(0.01)
    raise AssertionError(f"the job did not end: {job}")


def test_an_upload_is_a_job_with_a_result_for_each_file(empty: TestClient) -> None:
    """202 at once; then each file's documents, ids from the names, failures with their reason."""
    files = ("notes.md", b"# Head\n\nBody."), ("empty.txt", b""), ("photo.png", b"\x89PNG"), ("b c.txt", b"Text.")
    response = upload(empty, *files)
    assert response.status_code == 202
    accepted = response.json()["job"]
    assert response.headers["location"] == f"/v1/jobs/{accepted['id']}"
    assert (accepted["kind"], accepted["collection"]) == ("upload", "default")
    job = finished(empty, accepted["id"])
    assert job["status"] == "done"
    assert [(one["file"], one["status"]) for one in job["results"]] == [
        ("notes.md", "added"),
        ("empty.txt", "failed"),
        ("photo.png", "failed"),
        ("b c.txt", "added"),
    ]
    assert [one["id"] for one in job["results"]] == ["notes.md", None, None, "b~20c.txt"]
    assert all(one["problem"] for one in job["results"] if one["status"] == "failed")
    assert (job["progress"]["files"], job["progress"]["files_done"]) == (4, 4)
    assert (job["progress"]["documents"], job["progress"]["failed"], job["progress"]["passages"]) == (2, 2, 2)
    assert job["started"] <= job["finished"]
    assert empty.post("/v1/ask", json={"query": "Text", "at_least": job["snapshot"]["token"]}).status_code == 200


def test_the_name_of_a_file_is_only_data(empty: TestClient) -> None:
    """A name that climbs out of folders names a document, and opens nothing."""
    job = finished(empty, upload(empty, ("../../etc/passwd.txt", b"Words.")).json()["job"]["id"])
    assert job["results"][0]["id"] == "..~2F..~2Fetc~2Fpasswd.txt"
    assert empty.get("/v1/documents/..~2F..~2Fetc~2Fpasswd.txt/original").content == b"Words."


def test_an_upload_goes_to_its_collection(empty: TestClient) -> None:
    """The field `collection` decides, and an unknown one is 404."""
    empty.put("/v1/collections/notes")
    job = finished(empty, upload(empty, ("a.txt", b"Words."), collection="notes").json()["job"]["id"])
    assert job["collection"] == "notes"
    assert empty.get("/v1/documents/a.txt?collection=notes").status_code == 200
    assert upload(empty, ("a.txt", b"Words."), collection="nowhere").status_code == 404


@pytest.mark.parametrize(
    ("files", "data", "field"),
    [
        ([], {"collection": "default"}, "files"),
        ([("files", ("a.txt", b"a"))], {"collection": "a b"}, "collection"),
        ([("files", ("a.txt", b"a"))], {"wait": "true"}, "wait"),
        ([("file", ("a.txt", b"a"))], {}, "file"),
        ([("collection", ("a.txt", b"a"))], {}, "collection"),
    ],
)
def test_a_bad_upload_is_422(empty: TestClient, files: list[Any], data: dict[str, str], field: str) -> None:
    """No files, a bad name, unknown fields, a file where a name belongs."""
    multipart = files or [("collection", (None, "default"))]
    response = empty.post("/v1/documents", files=multipart, data=data if files else {})
    assert (response.status_code, response.json()["field"]) == (422, field)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"rubbish",
        b'--B\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhalf a fi',
        b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--\r\n",
        b'--B\r\nContent-Disposition: form-data; name="collection"\r\n\r\n' + b"x" * 5000 + b"\r\n--B--\r\n",
    ],
)
def test_a_malformed_upload_is_400_and_adds_nothing(empty: TestClient, body: bytes) -> None:
    """Not multipart, cut short, without a name, with an endless field."""
    response = empty.post("/v1/documents", content=body, headers={"Content-Type": "multipart/form-data; boundary=B"})
    assert response.status_code == 400
    assert empty.get("/v1/jobs").json() == {"jobs": []}


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=B; charset=nonsense"])
def test_strange_multipart_headers_are_no_500(empty: TestClient, kind: str) -> None:
    """No boundary, or a charset that does not exist."""
    body = b'--B\r\nContent-Disposition: form-data; name="f\xff"; filename="\xff.txt"\r\n\r\nx\r\n--B--\r\n'
    response = empty.post("/v1/documents", content=body, headers={"Content-Type": kind})
    assert response.status_code in {400, 422}


def test_more_files_than_the_limit_are_413(serve: Callable[..., TestClient]) -> None:
    """The limit is named."""
    response = upload(serve(upload_files=2), *[(f"{n}.txt", b"x") for n in range(3)])
    assert (response.status_code, response.json()["limit"]) == (413, 2)


def test_a_batch_that_nobody_waits_for_is_a_job(empty: TestClient) -> None:
    """`wait: false` answers 202, and ids that were sent are taken as they are."""
    body = {"documents": [{"id": "a~2Fb", "text": "one"}, {"id": "c", "text": " "}], "wait": False}
    response = empty.post("/v1/documents", json=body)
    assert response.status_code == 202
    job = finished(empty, response.json()["job"]["id"])
    assert (job["kind"], job["status"]) == ("documents", "done")
    assert [(one["file"], one["id"], one["status"]) for one in job["results"]] == [
        (None, "a~2Fb", "added"),
        (None, "c", "failed"),
    ]


def test_jobs_are_listed_the_newest_first(empty: TestClient) -> None:
    """The list leaves the results out."""
    ids = [upload(empty, (f"{n}.txt", b"x")).json()["job"]["id"] for n in range(2)]
    listed = empty.get("/v1/jobs").json()["jobs"]
    assert [job["id"] for job in listed] == ids[::-1]
    assert "results" not in listed[0]


def test_events_end_with_the_whole_job(empty: TestClient, events: Callable[[str], list[tuple[str, str]]]) -> None:
    """Following tells the progress, and `done` carries the job as it is in the end."""
    job_id = upload(empty, ("a.txt", b"Words.")).json()["job"]["id"]
    told = events(empty.get(f"/v1/jobs/{job_id}/events").text)
    assert {name for name, _ in told[:-1]} == {"progress"}
    assert told[-1][0] == "done"
    assert json.loads(told[-1][1]) == empty.get(f"/v1/jobs/{job_id}").json()


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_job_is_404(empty: TestClient, method: str) -> None:
    """A job that never was, in all its routes."""
    response = empty.request(method, "/v1/jobs/job_none")
    assert (response.status_code, response.json()["code"]) == (404, "job_missing")
    assert empty.get("/v1/jobs/job_none/events").status_code == 404


@pytest.mark.parametrize("value", ["False", "0", "no", ""])
def test_follow_is_true_or_false(empty: TestClient, value: str) -> None:
    """Nothing else is taken for one of them."""
    job_id = upload(empty, ("a.txt", b"Words.")).json()["job"]["id"]
    assert empty.get(f"/v1/jobs/{job_id}/events?follow={value}").status_code == 422


class SlowPart:
    """A part that waits to be let on between its two documents."""

    name = "slow.txt"

    def __init__(self) -> None:
        self.begun, self.go_on, self.closed = threading.Event(), threading.Event(), threading.Event()

    def results(self, ingest: Ingest) -> Iterator[IngestResult]:
        """Yield two documents, the second once it may."""
        self.begun.set()
        yield IngestResult("first", "added", 1, "0" * 64)
        self.go_on.wait(20)
        yield IngestResult("second", "added", 1, "0" * 64)

    def close(self) -> None:
        """Note that it was let go."""
        self.closed.set()


class BrokenPart(SlowPart):
    """A part that fails in a way that nobody foresaw."""

    def results(self, ingest: Ingest) -> Iterator[IngestResult]:
        """Fail."""
        raise RuntimeError("secret detail")


@pytest.fixture
def jobs(empty: TestClient) -> Jobs:
    """The jobs of a running service."""
    found: Jobs = empty.app.state.running.jobs  # type: ignore[attr-defined]
    return found


def test_a_running_job_is_cancelled_after_the_document_under_way(empty: TestClient, jobs: Jobs) -> None:
    """DELETE asks it to end; what it had added stays in its results."""
    part = SlowPart()
    job = jobs.submit("upload", "default", [part, SlowPart()])
    assert part.begun.wait(20)
    assert empty.get(f"/v1/jobs/{job.id}").json()["progress"]["current"] == "slow.txt"
    assert empty.delete(f"/v1/jobs/{job.id}").json()["status"] == "running"
    part.go_on.set()
    ended = finished(empty, job.id)
    assert ended["status"] == "cancelled"
    assert [one["id"] for one in ended["results"]] == ["first", "second"]
    assert part.closed.wait(20)


def test_a_waiting_job_is_cancelled_at_once(empty: TestClient, jobs: Jobs) -> None:
    """It never begins, and its files are let go."""
    first, second = SlowPart(), SlowPart()
    jobs.submit("upload", "default", [first])
    job = jobs.submit("upload", "default", [second])
    assert empty.delete(f"/v1/jobs/{job.id}").json()["status"] == "cancelled"
    assert second.closed.is_set()
    first.go_on.set()
    assert not second.begun.is_set()


def test_cancelling_what_has_ended_changes_nothing(empty: TestClient) -> None:
    """A job that is done stays done."""
    job_id = upload(empty, ("a.txt", b"Words.")).json()["job"]["id"]
    before = finished(empty, job_id)
    assert empty.delete(f"/v1/jobs/{job_id}").json() == before


def test_present_state_without_following(
    empty: TestClient, jobs: Jobs, events: Callable[[str], list[tuple[str, str]]]
) -> None:
    """`follow=false` tells where a running job is and ends."""
    part = SlowPart()
    job = jobs.submit("upload", "default", [part])
    assert part.begun.wait(20)
    ((name, data),) = events(empty.get(f"/v1/jobs/{job.id}/events?follow=false").text)
    assert (name, json.loads(data)["status"]) == ("progress", "running")
    part.go_on.set()


async def _first(jobs: Jobs, count: int, **options: Any) -> list[bytes]:
    job = jobs.submit("upload", "default", [SlowPart()])
    found: list[bytes] = []
    async for chunk in job_events(job, follow=True, **options):
        found.append(chunk)
        if len(found) == count:
            break
    jobs.cancel(job)
    return found


def test_a_quiet_job_sends_heartbeats(empty: TestClient, jobs: Jobs) -> None:
    """A comment keeps the connection open while nothing happens."""
    blocker = SlowPart()
    jobs.submit("upload", "default", [blocker])
    told = empty.portal.call(lambda: _first(jobs, 3, heartbeat=0.05))  # type: ignore[union-attr]
    blocker.go_on.set()
    assert told[1:] == [b": heartbeat\n\n"] * 2


def test_an_unforeseen_error_ends_the_job_and_tells_nothing_of_it(empty: TestClient, jobs: Jobs) -> None:
    """The job fails, its files are let go, and the next job is done."""
    part = BrokenPart()
    job = finished(empty, jobs.submit("upload", "default", [part]).id)
    assert job["status"] == "failed"
    assert "secret" not in job["problem"]
    assert part.closed.wait(20)
    assert finished(empty, upload(empty, ("a.txt", b"Words.")).json()["job"]["id"])["status"] == "done"


def test_a_collection_dropped_meanwhile_fails_the_job(empty: TestClient, jobs: Jobs) -> None:
    """The reason says so."""
    job = finished(empty, jobs.submit("upload", "nowhere", [SlowPart()]).id)
    assert (job["status"], job["results"]) == ("failed", [])
    assert "nowhere" in job["problem"]


def test_too_many_waiting_jobs_are_503(serve: Callable[..., TestClient]) -> None:
    """The queue is bounded, and a part that finds no place is let go."""
    client = serve(jobs_waiting=1)
    jobs: Jobs = client.app.state.running.jobs  # type: ignore[attr-defined]
    running, waiting, refused = SlowPart(), SlowPart(), SlowPart()
    jobs.submit("upload", "default", [running])
    assert running.begun.wait(20)
    jobs.submit("upload", "default", [waiting])
    with pytest.raises(Problem) as raised:
        jobs.submit("upload", "default", [refused])
    assert (raised.value.status_code, raised.value.limit) == (503, 1)
    assert refused.closed.is_set()
    response = upload(client, ("a.txt", b"Words."))
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    running.go_on.set()
    waiting.go_on.set()


def test_results_and_history_are_bounded(serve: Callable[..., TestClient]) -> None:
    """What is beyond the limit is counted, and the oldest jobs are let go."""
    client = serve(job_results=1, jobs_kept=1)
    first = upload(client, ("a.txt", b"a"), ("b.txt", b"b")).json()["job"]["id"]
    job = finished(client, first)
    assert (len(job["results"]), job["results_left_out"], job["progress"]["documents"]) == (1, 1, 2)
    second = upload(client, ("c.txt", b"c")).json()["job"]["id"]
    finished(client, second)
    for _ in range(500):
        if client.get(f"/v1/jobs/{first}").status_code == 404:
            break
        time.sleep(0.01)
    assert [one["id"] for one in client.get("/v1/jobs").json()["jobs"]] == [second]


def test_the_end_of_the_server_ends_its_jobs() -> None:
    """Stopping cancels what runs and what waits, and takes nothing more."""
    jobs = Jobs(lambda name: None, "sha256:", Limits())  # type: ignore[arg-type, return-value]
    part = SlowPart()
    waiting = jobs.submit("upload", "default", [part])
    jobs.stop()
    assert waiting.summary().status == "cancelled"
    assert part.closed.is_set()
    with pytest.raises(Problem):
        jobs.submit("upload", "default", [SlowPart()])
