"""`pincite check`: what it prints and how it leaves, through a server whose reader can contradict."""

from __future__ import annotations

import json
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest

from api.cli.service import Service
from rag.folders import Sent
from rag.reading import Reader

Run = Callable[..., "CompletedProcess[str]"]
TRUE, FALSE, UNKNOWN = "Honey is harvested in July.", "The bridge opened in 1066.", "Nobody collects stamps."


@pytest.fixture(scope="module")
def reader(number_reader: Reader) -> Reader:
    """A reader that supports and contradicts."""
    return number_reader


@pytest.fixture(scope="module")
def folder(services: dict[str, Service]) -> str:
    """The data folder that the server holds, with two documents in it."""
    files = [Sent("bridge.txt", b"The bridge opened in 2024."), Sent("honey.txt", b"Honey is harvested in July.")]
    assert len(list(services["here"].ingest("default", files, lambda done: None))) == 2
    return str(services["here"].info()["data"])


@pytest.fixture
def run(pincite: Any, folder: str) -> Run:
    """Runs `pincite check` on that folder."""
    return lambda *arguments, **more: pincite("--data", folder, "check", *arguments, **more)


def test_a_contradiction_is_quoted_and_leaves_with_1(run: Run, pincite: Any) -> None:
    """Every sentence with its verdict and the place that bears on it, and how many there are of each."""
    pincite.write({"draft.txt": f"{TRUE} {FALSE}\n\nReally? {UNKNOWN}"})
    ran = run("draft.txt")
    assert ran.returncode == 1, ran.stderr
    lines = ran.stdout.splitlines()
    assert [line.partition(" (")[0] for line in lines if ")" in line] == ["supported", "contradicted", "not found"]
    assert "  “The bridge opened in 2024.”  bridge.txt 0–26" in lines
    assert any(line.startswith("  nearest: “") for line in lines)
    assert "Really?" in lines
    assert lines[-1] == "1 supported, 1 contradicted, 1 not found"


def test_verdicts_have_colours_on_a_terminal(run: Run) -> None:
    """Green, red and dim."""
    shown = run("-", given=f"{TRUE} {FALSE} {UNKNOWN}", FORCE_COLOR="1", TERM="xterm").stdout
    for code, verdict in ((32, "supported"), (31, "contradicted"), (2, "not found")):
        assert f"\x1b[{code}m{verdict} (" in shown


def test_standard_input_and_json(run: Run, pincite: Any) -> None:
    """Nothing contradicted is status 0; the JSON is that of the server, printed and written."""
    ran = run("-", "--json", "--output", "checked.json", given=f"{TRUE} {UNKNOWN}")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert [claim["verdict"] for claim in found["claims"]] == ["supported", "not_found"]
    assert json.loads((pincite.folder / "checked.json").read_text("utf-8")) == found


def test_filter_and_collection_decide_what_is_read(run: Run, services: dict[str, Service]) -> None:
    """What only another document contradicts is not found."""
    elsewhere = json.dumps({"field": "document_id", "eq": "honey.txt"})
    assert run("-", "--filter", elsewhere, given=FALSE).returncode == 0
    services["here"].create("void")
    assert "not found (1.00)" in run("-", "-c", "void", given=FALSE).stdout


@pytest.mark.parametrize(
    ("arguments", "given", "status", "said"),
    [
        (["missing.txt"], None, 3, "missing.txt"),
        (["."], None, 3, "directory"),
        (["latin.txt"], None, 3, "UTF-8"),
        (["-"], "  \n", 3, "blank"),
        (["-"], "It is so. " * 501, 3, "500 sentences"),
        (["-", "--filter", "{"], TRUE, 2, "--filter is not JSON"),
        (["-", "--filter", '{"field": "colour", "eq": 1}'], TRUE, 2, '"field" names one of'),
        (["-", "-c", "never"], TRUE, 3, "never"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    run: Run, pincite: Any, arguments: list[str], given: str | None, status: int, said: str
) -> None:
    """On standard error, with the exit status of the contract."""
    (pincite.folder / "latin.txt").write_bytes("Käse ist reif.".encode("latin-1"))
    ran = run(*arguments, given=given)
    assert (ran.returncode, ran.stdout) == (status, "")
    assert len(ran.stderr.splitlines()) == 1
    assert said in ran.stderr
