"""What is deleted is gone from every file of the data folder, while the server runs."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from workload import document, opened

from index.store import ERASE_SECONDS
from index.terms import TermView

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds until it counts as never; it takes about three where nothing else runs
PARTS = ("id", "text", "heading", "title", "uri", "source", "metadata", "name", "original", "old")
CANARIES = [f"kanari{part}qx" for part in PARTS]
HTML = (
    "<html><head><title>{title}</title><!-- {original} --></head><body><h1>{heading}</h1><p>The {text} sings, and it "
    "sings in the morning, long before anybody in the house is awake.</p></body></html>"
)


@contextmanager
def served(folder: Path) -> Iterator[httpx.Client]:
    """Run a server over the folder and yield a client of it."""
    command = [sys.executable, ROOT / "tests/api/tiny_server.py", folder, "httptools"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{int(process.stdout.readline())}", timeout=60) as client:
                yield client
        finally:
            process.kill()


def found(folder: Path) -> set[str]:
    """Return the canaries that are left: in bytes and names of files as UTF-8 or UTF-16, or as terms of an index."""
    left = set()
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        try:
            data = file.read_bytes() + str(file.relative_to(folder)).encode()
        except FileNotFoundError:
            continue  # it has gone meanwhile
        left |= {one for one in CANARIES for code in ("utf-8", "utf-16-le", "utf-16-be") if one.encode(code) in data}
    for view in folder.glob("views/*/terms-*"):
        try:
            left |= {term for term, number in TermView.open(view, 0).frequencies(CANARIES).items() if number}
        except Exception:
            assert not view.exists(), "an index that stays can be opened"
    return left


def await_erased(folder: Path) -> None:
    """Wait until no canary is left."""
    began = time.monotonic()
    while left := found(folder):
        assert time.monotonic() - began < PATIENCE, f"still there: {left}"
        time.sleep(0.2)
    print(f"erased after {time.monotonic() - began:.1f} s")


def stock(client: httpx.Client) -> list[str]:
    """Add documents that hold every canary, and some that hold none; returns the ids of the former."""
    words = dict(zip(PARTS, CANARIES, strict=True))
    given = {
        "id": words["id"],
        "text": f"# {words['heading']}\n\nA {words['text']} sings. " * 500,
        "media_type": "text/markdown",
        "title": words["title"],
        "uri": f"https://example.org/{words['uri']}",
        "source": words["source"],
        "metadata": {"bird": words["metadata"], words["metadata"]: 1},
    }
    others = [{"id": f"other{n}", "text": f"Sparrows number {n} live here. " * 50} for n in range(30)]
    changing = {"id": "other0", "text": f"It said {words['old']} once."}
    for documents in ([*others[1:], given], [changing], [others[0]]):
        assert client.post("/v1/documents", json={"documents": documents}).status_code == 200
    file = (f"birds/{words['name']}.html", HTML.format(**words).encode("utf-16"))
    job = client.post("/v1/documents", files=[("files", file)]).json()["job"]
    return [words["id"], uploaded(client, job)]


def uploaded(client: httpx.Client, job: dict[str, Any]) -> str:
    """Wait for a job and return the id of its one document."""
    while job["status"] in ("queued", "running"):
        time.sleep(0.1)
        job = client.get(f"/v1/jobs/{job['id']}").json()
    (result,) = job["results"]
    assert result["status"] == "added", result
    return str(result["id"])


def test_deleted_documents_leave_no_trace_in_the_folder(tmp_path: Path) -> None:
    """Text, headings, title, address, source, metadata, id, file name, original bytes and earlier versions are gone."""
    folder = tmp_path / "data"
    with served(folder) as client:
        ids = stock(client)
        assert found(folder) >= set(CANARIES) - {"kanarioldqx"}
        for document_id in ids:
            assert client.delete(f"/v1/documents/{document_id}").status_code == 200
        await_erased(folder)
        assert client.get("/v1/documents?limit=1000").json()["documents"][0]["id"] == "other0"
        assert client.get("/readyz").status_code == 200


def test_what_a_killed_server_had_deleted_is_erased_at_the_next_start(tmp_path: Path) -> None:
    """The end of a process does not end the erasing: the truth goes on at the start, views when they are opened."""
    folder = tmp_path / "data"
    with served(folder) as client:
        for document_id in stock(client):
            client.delete(f"/v1/documents/{document_id}")
    with served(folder) as client:
        assert client.get("/readyz").status_code == 200  # opens every collection
        await_erased(folder)


def test_erasing_waits_for_readers_and_no_longer(tmp_path: Path) -> None:
    """A reader sees its state to the end; as soon as it ends, the WAL is emptied, and writers never waited."""
    wal = tmp_path / "data" / "pincite.db-wal"
    with opened(tmp_path / "data") as catalog:
        collection = catalog.collection("default")
        collection.add([document(f"{CANARIES[0]}{n}", random.Random(n)) for n in range(3)])
        with catalog._store.reading() as reader:
            assert reader.counts(1)[0] == 3
            with ThreadPoolExecutor(1) as writer:  # a thread reads and writes by connections of its own
                writer.submit(collection.delete, [f"{CANARIES[0]}0"]).result()
                attempts = catalog._store._eraser
                assert attempts is not None
                attempts.join(3 * ERASE_SECONDS)
                assert attempts.is_alive()
                writer.submit(collection.delete, [f"{CANARIES[0]}1"]).result()
            assert reader.counts(1)[0] == 3
            assert wal.stat().st_size > 0
        attempts.join(PATIENCE)
        assert not attempts.is_alive()
        assert wal.stat().st_size == 0
        assert {info.id for info in collection.documents()} == {f"{CANARIES[0]}2"}
