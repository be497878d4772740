"""Jobs: uploads, batches that nobody waits for, watching and cancelling."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.jobs import Jobs
from api.problems import Problem
from api.routes.jobs import job_events
from api.settings import Settings
from api.wiring import Pincite
from index.catalog import Catalog
from index.types import Vectors
from rag.encoding import HashingEncoder

ENDED = {"done", "failed", "cancelled"}


class GatedEncoder(HashingEncoder):
    """Stops before a text with the word "slow" until it is let on, and breaks at one with the word "broken"."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def encode(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Encode as usual, in the end."""
        if any("slow" in text for text in texts):
            self.begun.set()
            assert self.go_on.wait(20)
        if any("broken" in text for text in texts):
            raise RuntimeError("secret detail")
        return super().encode(texts, urgent=urgent)


@pytest.fixture
def gate() -> GatedEncoder:
    """The encoder of the service."""
    return GatedEncoder()


@pytest.fixture(autouse=True)
def everything_goes_on(gate: GatedEncoder, serve: Callable[..., TestClient]) -> Iterator[None]:
    """In the end nothing is held back, before the services stop."""
    yield
    gate.go_on.set()


@pytest.fixture
def pincite(tmp_path: Path, gate: GatedEncoder) -> Iterator[Pincite]:
    """The parts of a service over an empty data folder."""
    with Catalog(tmp_path / "data", encoder=gate.fingerprint, dimension=gate.dimension) as catalog:
        yield Pincite(Settings(data=tmp_path / "data"), catalog, gate)


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


@pytest.fixture
def jobs(empty: TestClient) -> Jobs:
    """The jobs of a running service."""
    found: Jobs = empty.app.state.running.jobs  # type: ignore[attr-defined]
    return found


@pytest.fixture
def spool(tmp_path: Path) -> Callable[[], list[str]]:
    """A function that names the files in which jobs keep what they were given."""
    return lambda: sorted(file.name for file in (tmp_path / "data" / "jobs").glob("*"))


def started(client: TestClient, *files: tuple[str, bytes]) -> str:
    """Send files and return the id of their job."""
    response = upload(client, *files)
    assert response.status_code == 202, response.text
    found: str = response.json()["job"]["id"]
    return found


def test_a_running_job_is_cancelled_after_the_documents_under_way(
    empty: TestClient, gate: GatedEncoder, spool: Callable[[], list[str]]
) -> None:
    """DELETE asks it to end; what it had added stays in its results, and what it was given is erased."""
    job_id = started(
        empty, ("slow.txt", b"slow words"), ("b.txt", b"slow too, and " + b"long " * 60_000), ("c.txt", b"c")
    )
    assert gate.begun.wait(20)
    assert empty.get(f"/v1/jobs/{job_id}").json()["progress"]["current"]
    assert empty.delete(f"/v1/jobs/{job_id}").json()["status"] == "running"
    assert spool() == [job_id]
    gate.go_on.set()
    ended = finished(empty, job_id)
    assert ended["status"] == "cancelled"
    assert [one["id"] for one in ended["results"]] == ["slow.txt"]
    assert spool() == []


def test_a_waiting_job_is_cancelled_at_once(
    empty: TestClient, gate: GatedEncoder, spool: Callable[[], list[str]]
) -> None:
    """It never begins, and what it was given is erased."""
    first = started(empty, ("a.txt", b"slow words"))
    second = started(empty, ("b.txt", b"words"))
    assert gate.begun.wait(20)
    assert empty.delete(f"/v1/jobs/{second}").json()["status"] == "cancelled"
    assert spool() == [first]
    gate.go_on.set()
    assert finished(empty, first)["status"] == "done"
    assert empty.get("/v1/documents/b.txt").status_code == 404


def test_cancelling_what_has_ended_changes_nothing(empty: TestClient) -> None:
    """A job that is done stays done."""
    job_id = started(empty, ("a.txt", b"Words."))
    before = finished(empty, job_id)
    assert empty.delete(f"/v1/jobs/{job_id}").json() == before


def test_present_state_without_following(
    empty: TestClient, gate: GatedEncoder, events: Callable[[str], list[tuple[str, str]]]
) -> None:
    """`follow=false` tells where a running job is and ends."""
    job_id = started(empty, ("a.txt", b"slow words"))
    assert gate.begun.wait(20)
    ((name, data),) = events(empty.get(f"/v1/jobs/{job_id}/events?follow=false").text)
    assert (name, json.loads(data)["status"]) == ("progress", "running")


async def _first(jobs: Jobs, job_id: str, count: int, **options: Any) -> list[bytes]:
    found: list[bytes] = []
    async for chunk in job_events(jobs.get(job_id), follow=True, **options):
        found.append(chunk)
        if len(found) == count:
            break
    return found


def test_a_quiet_job_sends_heartbeats(empty: TestClient, jobs: Jobs, gate: GatedEncoder) -> None:
    """A comment keeps the connection open while nothing happens."""
    started(empty, ("a.txt", b"slow words"))
    waiting = started(empty, ("b.txt", b"words"))
    told = empty.portal.call(lambda: _first(jobs, waiting, 3, heartbeat=0.05))  # type: ignore[union-attr]
    assert told[1:] == [b": heartbeat\n\n"] * 2


def test_an_unforeseen_error_ends_the_job_and_tells_nothing_of_it(
    empty: TestClient, spool: Callable[[], list[str]]
) -> None:
    """The job fails, what it was given is erased, and the next job is done."""
    job = finished(empty, started(empty, ("a.txt", b"broken words")))
    assert job["status"] == "failed"
    assert "secret" not in job["problem"]
    assert spool() == []
    assert finished(empty, started(empty, ("a.txt", b"Words.")))["status"] == "done"


def test_a_collection_dropped_meanwhile_fails_the_job(empty: TestClient, jobs: Jobs) -> None:
    """The reason says so."""
    job = finished(empty, jobs.submit("upload", "nowhere", [("a.txt", io.BytesIO(b"Words."))]).id)
    assert (job["status"], job["results"]) == ("failed", [])
    assert "nowhere" in job["problem"]


def test_too_many_waiting_jobs_are_503(serve: Callable[..., TestClient], gate: GatedEncoder) -> None:
    """The queue is bounded, and there is room again when a job has ended."""
    client = serve(jobs_waiting=1)
    running = started(client, ("a.txt", b"slow words"))
    assert gate.begun.wait(20)
    waiting = started(client, ("b.txt", b"words"))
    response = upload(client, ("c.txt", b"c"))
    assert (response.status_code, response.json()["limit"]) == (503, 1)
    assert int(response.headers["retry-after"]) > 0
    gate.go_on.set()
    assert {finished(client, job_id)["status"] for job_id in (running, waiting)} == {"done"}
    started(client, ("c.txt", b"c"))


def test_results_and_history_are_bounded(serve: Callable[..., TestClient]) -> None:
    """What is beyond the limit is counted, and the oldest jobs are let go."""
    client = serve(job_results=1, jobs_kept=1)
    first = started(client, ("a.txt", b"a"), ("b.txt", b"b"))
    job = finished(client, first)
    assert (len(job["results"]), job["results_left_out"], job["progress"]["documents"]) == (1, 1, 2)
    second = started(client, ("c.txt", b"c"))
    finished(client, second)
    for _ in range(500):
        if client.get(f"/v1/jobs/{first}").status_code == 404:
            break
        time.sleep(0.01)
    assert [one["id"] for one in client.get("/v1/jobs").json()["jobs"]] == [second]


def test_results_can_be_read_on_from_a_place(empty: TestClient) -> None:
    """`after` leaves out what was told before; beyond the end there is nothing."""
    job_id = started(empty, ("a.txt", b"a"), ("b.txt", b"b"), ("c.txt", b"c"))
    whole = finished(empty, job_id)
    rest = empty.get(f"/v1/jobs/{job_id}?after=2").json()
    assert (rest["results"], rest["results_left_out"]) == (whole["results"][2:], 0)
    assert empty.get(f"/v1/jobs/{job_id}?after=9").json()["results"] == []
    assert empty.get(f"/v1/jobs/{job_id}?after=-1").status_code == 422


# Jobs and the end of the server


def test_jobs_go_on_after_a_restart(pincite: Pincite, serve: Callable[..., TestClient], gate: GatedEncoder) -> None:
    """The end of the server leaves what is not done; the next one does it, once, and tells the whole job."""
    first = serve()
    files = [(f"{n}.txt", f"text {n}".encode()) for n in range(134)] + [("slow.txt", b"slow words"), ("z.txt", b"z")]
    running = started(first, *files)
    assert gate.begun.wait(20)
    waiting = first.post("/v1/documents", json={"documents": [{"id": "d", "text": "one"}], "wait": False}).json()["job"]
    jobs: Jobs = first.app.state.running.jobs  # type: ignore[attr-defined]
    jobs.stop(0)
    with pytest.raises(Problem):
        jobs.submit("upload", "default", [("a.txt", io.BytesIO(b"Words."))])
    before = first.get(f"/v1/jobs/{running}").json()
    assert (before["status"], [one["status"] for one in before["results"]]) == ("running", ["added"] * 64)
    gate.go_on.set()
    jobs.stop(20)

    second = serve()
    job = finished(second, running)
    assert (job["status"], job["started"], job["progress"]["files_done"]) == ("done", before["started"], 136)
    assert [one["file"] for one in job["results"]] == [name for name, _ in files]
    statuses = [one["status"] for one in job["results"]]
    assert set(statuses[:64] + statuses[128:]) == {"added"}
    assert set(statuses) <= {"added", "unchanged"}  # what was added but not told before the end
    assert finished(second, waiting["id"])["results"][0]["id"] == "d"
    assert [one["id"] for one in second.get("/v1/jobs").json()["jobs"]] == [waiting["id"], running]
    assert pincite.catalog.collection("default").info().documents == 137


def test_what_has_ended_is_remembered_after_a_restart(serve: Callable[..., TestClient]) -> None:
    """State and results are as they were."""
    first = serve()
    job = finished(first, started(first, ("a.txt", b"Words."), ("bad.pdf", b"no pdf")))
    assert serve().get(f"/v1/jobs/{job['id']}").json() == job


def test_a_job_that_was_being_cancelled_is_not_taken_up_again(
    serve: Callable[..., TestClient], gate: GatedEncoder, spool: Callable[[], list[str]]
) -> None:
    """The wish to cancel is stored too."""
    first = serve()
    job_id = started(first, ("slow.txt", b"slow words"), ("b.txt", b"long " * 60_000))
    assert gate.begun.wait(20)
    assert first.delete(f"/v1/jobs/{job_id}").json()["status"] == "running"
    assert serve().get(f"/v1/jobs/{job_id}").json()["status"] == "cancelled"
    assert spool() == []


def test_spool_files_without_a_job_are_erased_at_the_start(
    tmp_path: Path, serve: Callable[..., TestClient], spool: Callable[[], list[str]]
) -> None:
    """A crash between the file and its job leaves nothing for ever."""
    (tmp_path / "data" / "jobs").mkdir()
    (tmp_path / "data" / "jobs" / "job_lost").write_bytes(b"words")
    serve()
    assert spool() == []
