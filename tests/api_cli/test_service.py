"""The two ways in which a command is done, held against each other over one data folder: here, and by a server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.cli.remote import Remote
from api.cli.service import Refused, Service
from api.cli.watching import Watch
from api.settings import Settings
from index.errors import IndexProblem
from rag.errors import RagProblem
from rag.folders import File, Sent
from rag.ids import document_id

VARYING = {"created", "timing_ms", "added", "updated", "token"}
NOTHING = lambda done: None  # noqa: E731  nobody listens to the progress


@pytest.fixture(params=["here", "by a server"])
def service(request: pytest.FixtureRequest, services: dict[str, Service]) -> Iterator[Service]:
    """Each of the two, with an empty collection `work`."""
    found = services[request.param]
    found.create("work")
    yield found
    found.drop("work")


def ingested(service: Service, *files: Any) -> list[tuple[int, dict[str, Any]]]:
    """Add files to `work`."""
    return list(service.ingest("work", files, NOTHING))


def comparable(value: Any) -> Any:
    """Return JSON without times, tokens and the ids of answers, which differ from one run to the next."""
    if isinstance(value, list | tuple):
        return [comparable(one) for one in value]
    if isinstance(value, dict):
        return {name: comparable(one) for name, one in value.items() if name not in VARYING}
    return None if str(value).startswith("ask_") else value


ROWS = b'{"_id": "r1", "text": "Copper melts."}\nno row\n{"_id": "r2", "text": "Tin melts.", "title": "Tin"}\n'
FILES = (Sent("a b.md", b"# Head\n\nThe bridge carries trams."), Sent("rows.jsonl", ROWS), Sent("bad.pdf", b"no pdf"))


def test_both_do_everything_alike(services: dict[str, Service]) -> None:
    """Every answer of the one is that of the other, but for times and ids of answers."""
    told = []
    for service in services.values():
        service.create("work")
        answers: list[Any] = [ingested(service, *FILES), ingested(service, *FILES)]
        body = {"query": "What does the bridge carry?", "collection": "work", "top_k": 3, "mode": "hybrid"}
        body |= {"filter": None, "read": True, "budget_ms": None}
        answers += [service.ask({**body, "min_confidence": 0.0}), service.search(body)]
        answers += [service.ask({**body, "read": False}), service.search({**body, "budget_ms": 60_000})]
        text = "The bridge carries trams. Why? Tin melts, or so they say."
        answers += [service.check({"text": text, "collection": "work", "filter": None})]
        answers += [list(service.documents("work")), service.document("work", "r2"), service.info()]
        condition = {"field": "document_id", "in": ["r1", "never"]}
        answers += [service.delete("work", condition, dry_run=True), service.delete("work", condition)]
        answers += [service.remove_others("work", {"r2"}), service.collections(), service.create("work")]
        labelled = [{"query": f"Which tin melts {number}?", "relevant": {"r2": 1}} for number in range(10)]
        answers += [service.tune("work", {"questions": labelled}), service.use_ranking("work", None)]
        answers += [service.rankings("work")]
        service.drop("work")
        told.append(comparable(answers))
    here, there = told
    assert here == there


def test_info_says_how_the_nearest_are_found(service: Service) -> None:
    """With the counts of each collection, what waits to be tidied, which ranking it uses, and what runs the models."""
    ingested(service, FILES[0])
    told = service.info()
    assert (told["encoder"]["runtime"], told["reader"]["runtime"]) == ("hashing", "words")
    counts = {"documents": 1, "passages": 1, "dense": "exact", "pending": 0}
    assert told["collections"]["work"] == {**counts, "ranking": None}


def test_results_have_the_place_of_their_file(service: Service) -> None:
    """Rows and failures too, and a file that comes twice."""
    told = ingested(service, *FILES, Sent("a b.md", b"# Head\n\nOther words."))
    assert [(place, result["id"], result["status"]) for place, result in told] == [
        (0, "a~20b.md", "added"),
        (1, "r1", "added"),
        (1, "rows.jsonl", "failed"),
        (1, "r2", "added"),
        (2, "bad.pdf", "failed"),
        (3, "a~20b.md", "replaced"),
    ]


def test_what_cannot_be_read_fails_alone(service: Service, tmp_path: Path) -> None:
    """A file that vanished between finding and reading."""
    told = ingested(service, Sent("a.txt", b"a"), File(tmp_path / "gone.txt", "gone.txt"))
    assert {result["id"]: result["status"] for _, result in told} == {"a.txt": "added", "gone.txt": "failed"}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda service: service.ask({"query": " ", "collection": "work", "top_k": 5, "mode": "hybrid", "filter": None}),
        lambda service: service.search(
            {"query": "x", "collection": "work", "top_k": 5, "mode": "hybrid", "filter": {"field": "colour", "eq": 1}}
        ),
        lambda service: service.check({"text": " ", "collection": "work", "filter": None}),
        lambda service: service.check({"text": "It is so.", "collection": "work", "filter": {"field": "colour"}}),
        lambda service: service.delete("work", {}),
        lambda service: service.create("a b"),
        lambda service: service.document("work", "never"),
        lambda service: service.drop("never"),
        lambda service: service.token("never"),
        lambda service: list(service.ingest("never", [Sent("a.txt", b"a")], NOTHING)),
        lambda service: list(service.documents("never")),
        lambda service: service.rankings("never"),
        lambda service: service.use_ranking("work", 7),
        lambda service: service.tune("work", {"questions": [{"query": "x", "relevant": {"r1": 1}}]}),
        lambda service: service.tune("work", {"questions": [{"query": " "}]}),
    ],
)
def test_what_is_wrong_is_an_error_that_commands_tell(service: Service, wrong: Any) -> None:
    """Nothing else comes out than what `plain_errors` makes one line of."""
    with pytest.raises((IndexProblem, RagProblem, Refused), match=r"\w"):
        wrong(service)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12))
def test_any_name_is_the_same_name_behind_a_server(services: dict[str, Service], name: str) -> None:
    """The id is that of the name, or the file fails with a reason; never another id."""
    remote = services["by a server"]
    ((_, result),) = remote.ingest("default", [Sent(f"{name}.txt", b"words")], NOTHING)
    if result["status"] == "failed":
        assert "name" in result["problem"]
    else:
        assert result["id"] == document_id(f"{name}.txt")


@pytest.mark.parametrize(
    "name", ['say "hi".txt', "back\\slash.txt", 'both\\".txt', "semi;colon=x.txt", "%22.txt", "é😀"]
)
def test_names_that_headers_make_much_of(services: dict[str, Service], name: str) -> None:
    """Quotes, backslashes, semicolons and what is no ASCII pass unchanged."""
    ((_, result),) = services["by a server"].ingest("default", [Sent(f"{name}.txt", b"words")], NOTHING)
    assert result["id"] == document_id(f"{name}.txt")


def test_results_beyond_those_that_a_server_keeps_are_missed(services: dict[str, Service]) -> None:
    """So that `--sync` does not take their documents for others."""
    rows = b"".join(b'{"text": "row %d"}\n' % number for number in range(301))
    with pytest.raises(Refused, match="last 1 results"):
        list(services["by a server"].ingest("default", [Sent("many.jsonl", rows)], NOTHING))


def test_a_run_that_is_broken_off_cancels_its_job(services: dict[str, Service]) -> None:
    """Ctrl-C ends what the server does, not only the waiting; what was added stays."""
    remote = services["by a server"]
    assert isinstance(remote, Remote)
    remote.create("many")
    rows = b"".join(b'{"text": "row %d"}\n' % number for number in range(5_000))
    results = remote.ingest("many", [Sent("many.jsonl", rows)], NOTHING)
    next(results)
    results.close()  # type: ignore[attr-defined]
    while (job := remote._call("GET", "/v1/jobs")["jobs"][0])["finished"] is None:
        time.sleep(0.02)
    assert job["status"] == "cancelled"
    assert 0 < len(list(remote.documents("many"))) < 5_000
    remote.drop("many")


# A server that is busy, moved or gone


@pytest.fixture
def closed() -> str:
    """The address of a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_a_server_that_moved_is_found_again(services: dict[str, Service], closed: str) -> None:
    """The lock file says where it is now."""
    remote = services["by a server"]
    assert isinstance(remote, Remote)
    assert Remote(closed, remote._settings).collections() == remote.collections()


def test_a_server_that_ended_is_told(closed: str, tmp_path: Path) -> None:
    """Nobody holds the folder any more: the command can be run again."""
    with pytest.raises(Refused, match="has ended"):
        Remote(closed, Settings(data=tmp_path)).collections()


class Busy(BaseHTTPRequestHandler):
    """Finds no place for the first request and answers the second."""

    asked = 0

    def do_GET(self) -> None:
        """Answer."""
        Busy.asked += 1
        body = b'{"code": "busy", "detail": "no place"}' if Busy.asked == 1 else b'{"collections": []}'
        self.send_response(503 if Busy.asked == 1 else 200)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *ignored: Any) -> None:
        """Say nothing."""


def test_a_busy_server_is_asked_again(tmp_path: Path) -> None:
    """After the time that it names."""
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        assert Remote(url, Settings(data=tmp_path)).collections() == []
        server.shutdown()
    assert Busy.asked == 2


# Watching


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three files."""
    (tmp_path / "f" / "sub").mkdir(parents=True)
    (tmp_path / "f" / "a.txt").write_text("The bridge carries trams.")
    (tmp_path / "f" / "rows.jsonl").write_bytes(ROWS.replace(b"no row\n", b""))
    (tmp_path / "f" / "sub" / "b.txt").write_text("Honey is harvested in July.")
    return tmp_path / "f"


@pytest.fixture
def watched(service: Service, folder: Path) -> Watch:
    """The folder when it was ingested, beside a document that came from elsewhere."""
    ingested(service, Sent("elsewhere.txt", b"words"))
    made = Watch(service, "work", [folder])
    made.note(made.files(), service.ingest("work", made.files(), NOTHING))
    return made


def ids(service: Service) -> set[str]:
    """Return the documents of `work`."""
    return {one["id"] for one in service.documents("work")}


def test_watching_adds_replaces_and_removes(
    service: Service, watched: Watch, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for each change; documents that came from elsewhere stay."""
    assert ids(service) == {"elsewhere.txt", "a.txt", "r1", "r2", "sub~2Fb.txt"}
    watched.catch_up()
    assert capsys.readouterr().out == ""
    (folder / "new.txt").write_text("The ferry carries cars.")
    (folder / "a.txt").write_text("The bridge carries nothing any more.")
    (folder / "sub").rename(folder / "moved")
    watched.catch_up()
    assert capsys.readouterr().out.splitlines() == [
        "replaced: a.txt (1 passages)",
        "added: moved~2Fb.txt (1 passages)",
        "added: new.txt (1 passages)",
        "removed: sub~2Fb.txt",
    ]
    assert ids(service) == {"elsewhere.txt", "a.txt", "r1", "r2", "moved~2Fb.txt", "new.txt"}


def test_watching_removes_rows_that_a_file_gives_no_more(service: Service, watched: Watch, folder: Path) -> None:
    """A row that went goes, unless the file cannot be read as a whole."""
    (folder / "rows.jsonl").write_bytes(b'{"_id": "r1", "text": "Copper melts."}\n{"_id": "r3", "text": "Iron."}\n')
    watched.catch_up()
    assert ids(service) >= {"r1", "r3"}
    assert "r2" not in ids(service)
    (folder / "rows.jsonl").write_bytes(b'{"_id": "r1", "text": "Copper melts."}\nno row\n')
    watched.catch_up()
    assert ids(service) >= {"r1", "r3"}
    (folder / "rows.jsonl").unlink()
    watched.catch_up()
    assert ids(service) == {"elsewhere.txt", "a.txt", "sub~2Fb.txt"}


def test_watching_keeps_what_another_file_gives_too(service: Service, watched: Watch, folder: Path) -> None:
    """Two files with one row: the document goes with the second."""
    (folder / "copy.jsonl").write_bytes(b'{"_id": "r1", "text": "Copper melts."}\n')
    watched.catch_up()
    (folder / "rows.jsonl").unlink()
    watched.catch_up()
    assert ids(service) == {"elsewhere.txt", "a.txt", "sub~2Fb.txt", "r1"}
    (folder / "copy.jsonl").unlink()
    watched.catch_up()
    assert "r1" not in ids(service)


def test_watching_survives_bad_files_and_a_folder_that_went(
    service: Service, watched: Watch, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is told once, nothing is deleted, and what was missed is done when it can be."""
    (folder / "bad.pdf").write_text("no pdf")
    watched.catch_up()
    assert capsys.readouterr().out.startswith("failed: bad.pdf: ")
    folder.rename(folder.parent / "away")
    watched.catch_up()
    watched.catch_up()
    said = capsys.readouterr()
    assert (said.out, said.err.count("does not exist")) == ("", 1)
    assert len(ids(service)) == 5
    (folder.parent / "away").rename(folder)
    (folder / "a.txt").write_text("Other words.")
    watched.catch_up()
    assert capsys.readouterr().out == "replaced: a.txt (1 passages)\n"
