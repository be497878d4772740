"""Commands in processes of their own over a folder that a server process holds, and that server killed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

HEAVY = ("torch", "numpy", "faiss", "tantivy", "apsw", "fastapi", "rag.ingest")
TINY = Path(__file__).parents[1] / "api" / "tiny_server.py"
SCRIPT = Path(sys.executable).parent / "pincite"


class Server:
    """A server process over a data folder; the encoder is one without a model."""

    def __init__(self, data: Path) -> None:
        self.process = subprocess.Popen([sys.executable, TINY, data, "httptools"], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def get(self, path: str) -> Any:
        """Return the JSON of an answer."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=20) as answered:
            return json.loads(answered.read())

    def end(self, how: int = signal.SIGTERM) -> None:
        """End the process and wait for it."""
        self.process.send_signal(how)
        self.process.communicate(timeout=20)


@pytest.fixture
def server(pincite: Any) -> Iterator[Server]:
    """A server over the folder of the command line."""
    started = Server(pincite.data)
    yield started
    started.end()


def test_everything_goes_through_the_server(pincite: Any, server: Server) -> None:
    """Files, folders, rows, standard input, `--sync`, questions and deletion, with the exit statuses of always."""
    pincite.write(
        {"f/a.txt": "The bridge carries trams.", "f/sub/b.md": "# Honey\n\nHarvested in July.", "f/c.pdf": "no"}
    )
    ran = pincite("ingest", "f", "--json")
    assert ran.returncode == 3, ran.stderr
    results = json.loads(ran.stdout)["results"]
    assert [(one["id"], one["status"]) for one in results] == [
        ("a.txt", "added"),
        ("c.pdf", "failed"),
        ("sub~2Fb.md", "added"),
    ]
    assert re.search(r"2 added, 1 failed; 2 passages encoded", ran.stderr)
    (pincite.folder / "f" / "c.pdf").unlink()
    assert pincite("ingest", "-", "--name", "r.jsonl", given='{"_id": "r", "text": "Copper melts."}\n').returncode == 0
    ran = pincite("ingest", "f", "--sync", "--json")
    assert (ran.returncode, json.loads(ran.stdout)["removed"]) == (0, ["r"])
    assert [one["status"] for one in json.loads(ran.stdout)["results"]] == ["unchanged", "unchanged"]

    ran = pincite("ask", "What does the bridge carry?", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["passages"][0]["citation"]["document_id"] == "a.txt"
    assert pincite("ask", " ").returncode == 2
    assert pincite("search", "bridge", "--filter", '{"field": "colour"}').returncode == 2
    assert pincite("documents", "show", "never").returncode == 3
    assert pincite("verify").stderr == "clean\n"
    ran = pincite("verify", "--repair")
    assert (ran.returncode, server.url in ran.stderr) == (3, True)

    ran = pincite("documents", "delete", "--filter", '{"field": "document_id", "eq": "a.txt"}', "--dry-run")
    assert (ran.returncode, ran.stdout) == (0, "a.txt: matches\n1 documents match\n")
    assert pincite("documents", "delete", "a.txt", "never").stdout == "a.txt: deleted\nnever: absent\n"
    assert server.get("/v1/info")["counts"]["documents"] == 1


def test_a_question_through_a_server_loads_nothing_heavy(pincite: Any, server: Server) -> None:
    """Neither the model nor the index is imported, so the answer is there at once."""
    code = (
        "import sys\nfrom api.cli import main\nsys.argv = ['pincite', 'ask', 'x']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env=pincite.environment, cwd=pincite.folder, capture_output=True, text=True
    )
    assert "no documents here yet" in ran.stdout, ran.stderr
    assert ran.stdout.splitlines()[-1] == "[]"


def test_watching_through_a_server_ends_cleanly(pincite: Any, server: Server) -> None:
    """A line for each change, and Ctrl-C is a good end."""
    pincite.write({"f/a.txt": "The bridge carries trams."})
    command = [SCRIPT, "ingest", "f", "--watch"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with (
        subprocess.Popen(command, cwd=pincite.folder, env=pincite.environment, text=True, **streams) as watching,
        ExitStack() as stack,
    ):
        stack.callback(watching.kill)  # or a failure would wait for it for ever
        lines: Queue[str] = Queue()
        threading.Thread(target=lambda: [lines.put(line) for line in watching.stdout or ()], daemon=True).start()
        assert watching.stderr is not None
        while not watching.stderr.readline().startswith("watching f"):
            assert watching.poll() is None
        pincite.write({"f/b.txt": "The ferry carries cars."})
        assert lines.get(timeout=30) == "added: b.txt (1 passages)\n"
        (pincite.folder / "f" / "a.txt").unlink()
        assert lines.get(timeout=30) == "removed: a.txt\n"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 0
    assert [one["id"] for one in server.get("/v1/documents")["documents"]] == ["b.txt"]


@pytest.mark.parametrize("arguments", [["f", "--json"], ["-"], ["a.txt"], ["f", "--output", "x.json"]], ids=" ".join)
def test_what_cannot_be_watched_is_said_at_once(pincite: Any, arguments: list[str]) -> None:
    """Standard input, files, and results as JSON: status 2, and no data folder is made."""
    pincite.write({"f/a.txt": "a", "a.txt": "a"})
    ran = pincite("ingest", *arguments, "--watch")
    assert (ran.returncode, "--watch" in ran.stderr, pincite.data.exists()) == (2, True, False)


def test_a_job_goes_on_after_the_server_was_killed(pincite: Any) -> None:
    """SIGKILL in the middle: the next server ends the job with every file once, and nothing of it is left over."""
    files = {f"{number:03}.txt": f"Text number {number} of the job. " * 20 for number in range(700)}
    first = Server(pincite.data)
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename='
    body = "".join(f'{head}"{name}"\r\n\r\n{text}\r\n' for name, text in files.items()) + f"--{boundary}--\r\n"
    request = urllib.request.Request(f"{first.url}/v1/documents", body.encode())
    request.add_header("Content-Type", f"multipart/form-data; boundary={boundary}")
    with urllib.request.urlopen(request, timeout=60) as answered:
        job_id = json.loads(answered.read())["job"]["id"]
    while first.get(f"/v1/jobs/{job_id}")["progress"]["documents"] < 100:
        time.sleep(0.01)
    first.end(signal.SIGKILL)

    second = Server(pincite.data)
    try:
        taken_up = second.get(f"/v1/jobs/{job_id}")
        assert taken_up["status"] in {"queued", "running"}, "the job was over before the kill: make it longer"
        while (job := second.get(f"/v1/jobs/{job_id}"))["status"] in {"queued", "running"}:
            time.sleep(0.05)
        assert (job["status"], job["progress"]["files_done"]) == ("done", len(files))
        assert [one["file"] for one in job["results"]] == list(files)
        assert [one["id"] for one in second.get("/v1/documents?limit=1000")["documents"]] == sorted(files)
        assert list((pincite.data / "jobs").iterdir()) == []
    finally:
        second.end()
