"""Jobs and kept answers: on disk when they are taken, and nothing left over afterwards."""

from __future__ import annotations

import errno
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from index.catalog import Catalog
from index.errors import StorageFull, Unavailable
from index.ledger import KeptAnswer, KeptJob, Ledger


@pytest.fixture
def ledger(catalog: Catalog) -> Ledger:
    """The ledger of an empty data folder."""
    return catalog.ledger


def added(ledger: Ledger, job_id: str = "job_1") -> KeptJob:
    """Keep a job of two files and some JSON."""
    parts = [("a.txt", io.BytesIO(b"first")), ("b.txt", io.BytesIO(b"")), (None, io.BytesIO(b"[]"))]
    return ledger.add_job(job_id, '{"n": 1}', parts)


def test_a_job_is_there_with_all_that_it_was_given(ledger: Ledger) -> None:
    """State, names and bytes come back, the oldest job first."""
    first, second = added(ledger), added(ledger, "job_2")
    assert list(ledger.jobs()) == [first, second]
    assert [part.name for part in first.parts] == ["a.txt", "b.txt", None]
    assert [ledger.part("job_1", part) for part in first.parts] == [b"first", b"", b"[]"]


def test_what_a_job_was_given_is_private(ledger: Ledger, folder: Path) -> None:
    """Only the owner may read it."""
    added(ledger)
    assert (folder / "jobs").stat().st_mode & 0o777 == 0o700
    assert (folder / "jobs" / "job_1").stat().st_mode & 0o777 == 0o600


def test_progress_and_results_are_added_to(ledger: Ledger) -> None:
    """Each save appends; results are read on from any place."""
    job = added(ledger)
    job = replace(job, state='{"n": 2}', parts_done=1, told=2, results=2)
    ledger.save_job(job, ['"r0"', '"r1"'])
    job = replace(job, results=3)
    ledger.save_job(job, ['"r2"'])
    assert list(ledger.jobs()) == [job]
    assert ledger.job_results("job_1", 0, 10) == ['"r0"', '"r1"', '"r2"']
    assert ledger.job_results("job_1", 1, 1) == ['"r1"']
    assert ledger.job_results("job_1", 3, 10) == []


def test_an_ended_job_keeps_its_results_and_nothing_that_it_was_given(ledger: Ledger, folder: Path) -> None:
    """Neither the bytes nor the names of the parts stay; forgotten, nothing does."""
    job = added(ledger)
    ledger.save_job(replace(job, ended=True, results=1), ['"r0"'])
    (ended,) = ledger.jobs()
    assert (ended.ended, ended.results, ended.parts) == (True, 1, [])
    assert list((folder / "jobs").iterdir()) == []
    with pytest.raises(Unavailable):
        ledger.part("job_1", job.parts[0])
    ledger.forget_jobs(["job_1", "job_never"])
    assert ledger.jobs() == []
    assert ledger.job_results("job_1", 0, 10) == []


class Full(io.BytesIO):
    """Bytes whose copy meets a full disk half-way."""

    def read(self, size: int | None = -1) -> bytes:
        """Give the first bytes, then fail."""
        if self.tell():
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().read(4)


def test_a_full_disk_keeps_no_half_of_a_job(ledger: Ledger, folder: Path) -> None:
    """It is said, and neither file nor job is there."""
    with pytest.raises(StorageFull):
        ledger.add_job("job_1", "{}", [("a.txt", io.BytesIO(b"first")), ("b.txt", Full(b"half and half"))])
    assert list((folder / "jobs").iterdir()) == []
    assert ledger.jobs() == []


def test_files_that_no_job_needs_are_erased(ledger: Ledger, folder: Path) -> None:
    """A crash may leave a file without a job, or one of a job that has ended."""
    job = added(ledger)
    (folder / "jobs" / "job_lost").write_bytes(b"words")
    assert list(ledger.jobs()) == [job]
    assert [file.name for file in (folder / "jobs").iterdir()] == ["job_1"]


def test_answers_are_kept_for_their_time_and_their_number(ledger: Ledger) -> None:
    """The newest `most` stay, and only those since `not_before`; a key that comes again takes the new answer."""
    answer = KeptAnswer("digest", 200, {"content-type": "application/json"}, json.dumps({"a": 1}).encode())
    for at, key in enumerate("abc"):
        ledger.keep_answer(key, answer, at=at, not_before=0, most=2)
    assert [ledger.answer(key, 0) for key in "abc"] == [None, answer, answer]
    assert ledger.answer("b", 2) is None
    other = replace(answer, status=201)
    ledger.keep_answer("c", other, at=9, not_before=5, most=2)
    assert [ledger.answer(key, 0) for key in "bc"] == [None, other]


def test_a_deleted_document_goes_from_the_results_of_jobs(ledger: Ledger, catalog: Catalog, maker) -> None:
    """Its id and its file's name do, and other results stay as they are; with a collection those of all go."""
    catalog.create("other")
    for number, name in enumerate(("default", "other")):
        job = ledger.add_job(f"job_{number}", json.dumps({"collection": name}), [])
        results = [json.dumps({"id": one, "file": f"{one}.txt", "status": "added"}) for one in "ab"]
        ledger.save_job(replace(job, results=2), results)
    collection = catalog.collection("default")
    collection.add([maker.document("a", "words")])
    collection.delete(["a", "never there"])
    kept = [[json.loads(one) for one in ledger.job_results(f"job_{number}", 0, 10)] for number in range(2)]
    assert [[(one["id"], one["file"]) for one in of_job] for of_job in kept] == [
        [(None, None), ("b", "b.txt")],
        [("a", "a.txt"), ("b", "b.txt")],
    ]
    assert {one["status"] for of_job in kept for one in of_job} == {"added"}
    catalog.drop("other")
    assert {json.loads(one)["id"] for one in ledger.job_results("job_1", 0, 10)} == {None}
