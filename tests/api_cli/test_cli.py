"""The command line as a person meets it: the console script, its output, its exit status."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from rag.ask import UNREAD

HEAVY = (
    "torch",
    "sentence_transformers",
    "transformers",
    "faiss",
    "tantivy",
    "apsw",
    "trafilatura",
    "fastapi",
    "scipy",
)
SCRIPT = Path(sys.executable).parent / "pincite"
QUESTION = "When did the new bridge over the Vistula open?"


def one_line(ran: subprocess.CompletedProcess[str]) -> str:
    """Return the only line of stderr, which is the program's own; nothing was printed as a result."""
    lines = ran.stderr.splitlines()
    assert len(lines) == 1, ran.stderr
    assert lines[0].startswith("pincite: ")
    assert ran.stdout == ""
    return lines[0]


# Without the model


def test_help_imports_nothing_heavy() -> None:
    """Help is there at once because the libraries that take seconds are not loaded; every command is in it."""
    code = (
        "import sys\nfrom api.cli import main\nsys.argv = ['pincite', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "LOADED []"
    for command in ("ingest", "ask", "search", "serve", "documents", "collections", "verify", "eval", "info"):
        assert re.search(rf"^ *{command} ", ran.stdout, re.MULTILINE)


def test_the_console_script_answers(pincite: Any) -> None:
    """It is installed beside the interpreter, and every command has help."""
    for command in ([], ["ingest"], ["documents", "list"], ["eval"]):
        ran = pincite(*command, "--help")
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "Usage: pincite" in ran.stdout


def test_another_package_of_the_same_name_is_told(tmp_path: Path) -> None:
    """Where `index` comes from elsewhere the script says so instead of failing somewhere inside."""
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "__init__.py").write_text("")
    code = f"import sys\nfrom api.cli import main\nsys.path.insert(0, {str(tmp_path)!r})\nmain()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert "another package takes the name" in ran.stderr
    assert str(tmp_path) in ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask"],
        ["ask", "x", "--top-k", "0"],
        ["ask", "x", "--colour", "red"],
        ["sing"],
        ["ask", "x", "--mode", "psychic"],
        ["search", "x", "--filter", "{"],
        ["ask", "x", "--top-k", "51"],
        ["ask", "x", "--min-confidence", "1.5"],
        ["search", "x", "--budget-ms", "0"],
        ["documents", "delete"],
        ["documents", "delete", "a", "--dry-run"],
        ["documents", "delete", "a", "--filter", "{}"],
        ["eval", ".", "--system", "psychic"],
    ],
    ids=" ".join,
)
def test_a_command_written_wrongly_leaves_with_2(pincite: Any, arguments: list[str]) -> None:
    """Status 2, words on stderr, nothing on stdout, and no data folder is made."""
    ran = pincite(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.strip()
    assert "Traceback" not in ran.stderr
    assert not pincite.data.exists()


def test_settings_show_where_each_value_came_from(pincite: Any) -> None:
    """The file, then the environment, then options; the rest is a default."""
    pincite.write({"pincite.toml": 'questions_at_once = 3\nport = 9001\nhost = "::1"\n'})
    environment = {"PINCITE_PORT": "9002", "PINCITE_CORS_ORIGINS": "http://a.example,http://b.example"}
    ran = pincite("--data", "elsewhere", "info", "--settings", "--json", **environment)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == {
        "data": {"value": "elsewhere", "origin": "option"},
        "cache": {"value": pincite.environment["PINCITE_CACHE"], "origin": "PINCITE_CACHE"},
        "model": {"value": "None", "origin": "default"},
        "reader": {"value": "off", "origin": "PINCITE_READER"},
        "host": {"value": "::1", "origin": "pincite.toml"},
        "port": {"value": "9002", "origin": "PINCITE_PORT"},
        "questions_at_once": {"value": "3", "origin": "pincite.toml"},
        "cors_origins": {"value": "http://a.example, http://b.example", "origin": "PINCITE_CORS_ORIGINS"},
        "log_format": {"value": "text", "origin": "default"},
        "log_level": {"value": "info", "origin": "default"},
        "log_questions": {"value": "False", "origin": "default"},
    }
    said = pincite("info", "--settings", PORT="9003").stdout.splitlines()
    assert f"data = {pincite.data}  (PINCITE_DATA)" in said
    assert "port = 9003  (PORT)" in said
    assert "model = None  (default)" in said


@pytest.mark.parametrize(
    ("file", "environment", "named"),
    [
        ("port = 70000\n", {}, "port"),
        ("colour = 'red'\n", {}, "colour"),
        ("port = [\n", {}, "pincite.toml cannot be read"),
        ("", {"PINCITE_PORT": "eighty"}, "eighty"),
        ("", {"PINCITE_QUESTIONS_AT_ONCE": "0"}, "PINCITE_QUESTIONS_AT_ONCE"),
    ],
)
def test_a_bad_setting_is_one_clear_line(pincite: Any, file: str, environment: dict[str, str], named: str) -> None:
    """It names the setting and what to change, before anything slow happens and whichever command was meant."""
    pincite.write({"pincite.toml": file})
    for command in (["info", "--settings"], ["ask", "x"]):
        ran = pincite(*command, **environment)
        assert ran.returncode == 3
        assert named in one_line(ran)


def test_serving_on_a_taken_port_is_one_clear_line(pincite: Any) -> None:
    """It says which port, and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = pincite("serve", "--port", port)
    assert ran.returncode == 3
    assert str(port) in (said := one_line(ran))
    assert "--port" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_serving_to_other_machines_is_refused(pincite: Any, host: str) -> None:
    """Without keys only loopback addresses are served; no name is looked up to find out."""
    ran = pincite("serve", "--host", host, guarded=True)
    assert ran.returncode == 3
    assert "127.0.0.1" in one_line(ran)


def test_dropping_a_collection_asks_first(pincite: Any) -> None:
    """Unless it is confirmed nothing happens, and the status says no."""
    ran = pincite("collections", "drop", "default", given="n\n")
    assert ran.returncode == 1
    assert "Drop the collection default" in ran.stdout + ran.stderr
    assert not pincite.data.exists()


# A first start, and questions to what it stored


def test_a_first_start_adds_what_can_be_read_and_touches_no_network(first: Any) -> None:
    """The bad file is told with its reason and fails alone: status 3, the others are there."""
    _, ran = first
    assert ran.returncode == 3, ran.stderr
    summary = json.loads(ran.stdout)
    assert {result["id"]: result["status"] for result in summary["results"]} == {
        "bridge.md": "added",
        "deep~2Fer~2Fhoney.txt": "added",
        "scan.pdf": "failed",
        "row~20one": "added",
        "rows.jsonl~232": "added",
    }
    assert (summary["removed"], bool(summary["snapshot"])) == ([], True)
    assert re.search(r"^failed: scan\.pdf: \S", ran.stderr, re.MULTILINE)
    assert re.search(r"4 added, 1 failed; 4 passages encoded in", ran.stderr)


def test_ask_prints_the_answer_as_json_and_writes_it(stocked: Any) -> None:
    """Status 0; stdout is JSON and nothing else, the same as in the file; no network there either."""
    ran = stocked("ask", QUESTION, "--json", "--output", "answer.json", guarded=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    answer = json.loads(ran.stdout)
    assert json.loads((stocked.folder / "answer.json").read_text("utf-8")) == answer
    assert answer["answerable"] is True
    cited = answer["passages"][0]["citation"]
    assert cited["document_id"] == "bridge.md"
    stored = (stocked.folder / "notes" / "bridge.md").read_text("utf-8")
    assert stored[cited["start_char"] : cited["end_char"]] == cited["quote"]
    assert answer["passages"][0]["document"]["published"] == "2024-05-09"


def test_ask_says_no_in_words(stocked: Any) -> None:
    """Status 1; the reason and what came nearest are printed for a person, and an output that fails is one line."""
    ran = stocked("ask", "Who was the first emperor of the Ming dynasty?")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert "What came nearest (not an answer):" in ran.stdout
    warned, _, reason, *_ = ran.stdout.splitlines()
    assert (warned, "“emperor”" in reason) == (UNREAD, True)


def test_search_prints_passages_for_a_person(stocked: Any) -> None:
    """Each with its rank, title, source, date and exact place; `--top-k` and `--filter` are heeded."""
    ran = stocked("search", "trams", "-k", 2, "--filter", '{"field": "source", "eq": "Courier"}')
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[0] == "1. The Vistula bridge · Courier · 2024-05-09"
    assert "2. " not in ran.stdout
    assert re.search(r"^bridge\.md \d+–\d+  sha256 [0-9a-f]{12}…$", ran.stdout, re.MULTILINE)


# Looking after documents


def test_documents_from_ingestion_to_deletion(pincite: Any) -> None:
    """Standard input is read as the named format; `--sync` removes what vanished; all commands see the same."""
    rows = '{"_id": "a", "text": "First text."}\n{"_id": "b", "text": "Second text."}\n'
    ran = pincite("ingest", "-", "--name", "rows.jsonl", given=rows)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert re.search(r"2 added; 2 passages encoded", ran.stderr)

    pincite.write({"docs/c.md": "# Third\n\nThird text.\n", "docs/d.txt": "Fourth text."})
    ran = pincite("ingest", "docs", "--sync", "--json")
    assert ran.returncode == 0
    summary = json.loads(ran.stdout)
    assert summary["removed"] == ["a", "b"]
    assert [result["status"] for result in summary["results"]] == ["added", "added"]

    (pincite.folder / "docs" / "c.md").unlink()
    pincite.write({"docs/bad.pdf": "no pdf"})
    ran = pincite("ingest", "docs", "--sync", "--json")
    assert ran.returncode == 3
    assert json.loads(ran.stdout)["removed"] == []
    assert "removed nothing, because some files failed" in ran.stderr

    ran = pincite("documents", "list", "--json")
    assert [one["id"] for one in json.loads(ran.stdout)["documents"]] == ["c.md", "d.txt"]
    ran = pincite("documents", "show", "c.md")
    assert ran.returncode == 0
    assert ran.stdout.endswith("\n\n# Third\n\nThird text.\n\n")
    assert "media_type: text/markdown" in ran.stdout

    ran = pincite("documents", "delete", "c.md", "never")
    assert (ran.returncode, ran.stdout) == (1, "c.md: deleted\nnever: absent\n")


def test_collections_from_creation_to_drop(pincite: Any) -> None:
    """A new one is listed and can be asked, where it is said to be empty; dropped, it is gone."""
    assert pincite("collections", "create", "mine").stdout == "mine: created\n"
    ran = pincite("ask", QUESTION, "-c", "mine")
    assert ran.returncode == 1
    assert "no documents here yet" in ran.stdout
    assert pincite("collections", "list").stdout.splitlines() == [
        "default: 0 documents, 0 passages",
        "mine: 0 documents, 0 passages",
    ]
    assert pincite("collections", "drop", "mine", "--yes").stdout == "mine: dropped\n"
    ran = pincite("documents", "list", "-c", "mine")
    assert ran.returncode == 3
    assert "mine" in one_line(ran)


def test_verify_finds_damage_and_repair_makes_views_anew(stocked: Any, pincite: Any) -> None:
    """Clean is 0; views that are gone are made again; a flipped byte of the truth is 1 and named."""
    shutil.copytree(stocked.data, pincite.data)
    shutil.rmtree(pincite.data / "views")
    ran = pincite("verify", "--repair", "--json")
    assert (ran.returncode, json.loads(ran.stdout), ran.stderr) == (0, {"problems": []}, "clean\n")

    truth = pincite.data / "pincite.db"
    content = bytearray(truth.read_bytes())
    place = content.rindex(b"Honey is harvested")
    content[place] ^= 1
    truth.write_bytes(content)
    ran = pincite("verify", "--json")
    assert ran.returncode == 1, ran.stderr
    problems = json.loads(ran.stdout)["problems"]
    assert any("'deep~2Fer~2Fhoney.txt'" in problem for problem in problems)
    assert ran.stderr.splitlines()[-1] == f"{len(problems)} problems found"


# Evaluation


def test_eval_measures_a_beir_folder(pincite: Any) -> None:
    """All three systems are measured and the result is written, with values and runs; no collection is touched."""
    pincite.write(
        {
            "tiny/corpus.jsonl": '{"_id": "d1", "title": "", "text": "The bridge was opened in 1932 by the mayor."}\n'
            '{"_id": "d2", "title": "", "text": "Copper melts at 1085 degrees."}\n',
            "tiny/queries.jsonl": '{"_id": "q1", "text": "When was the bridge opened?", '
            '"metadata": {"answers": ["1932"]}}\n',
            "tiny/qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\n",
        }
    )
    ran = pincite("eval", "tiny", "--json", "--output", "result.json", "--runs", "--answers")
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert set(result["systems"]) == {"dense", "lexical", "hybrid"}
    for system in result["systems"].values():
        assert system["measures"]["nDCG@10"]["mean"] == 1
        assert system["measures"]["Citations exact"]["mean"] == 1
    assert json.loads((pincite.folder / "result.json").read_text("utf-8")) == result
    assert (pincite.folder / "result.hybrid.run").read_text("utf-8").startswith("q1 Q0 d1 1 ")
    assert "q1" in (pincite.folder / "result.per_query.json").read_text("utf-8")
    assert [path.name for path in pincite.data.iterdir()] == ["evaluation"]
    ran = pincite("eval", pincite.folder / "nothing")
    assert ran.returncode == 3
    assert "corpus.jsonl" in one_line(ran)


def test_a_folder_of_notes_with_questions_becomes_a_report(pincite: Any) -> None:
    """Ten files and five questions of a stranger: one command, and a page that names what was missed."""
    metals = ["iron", "tin", "lead", "zinc", "copper", "silver", "gold", "nickel", "cobalt", "mercury"]
    for name in metals:
        pincite.write({f"notes/{name}.md": f"# {name.title()}\n\nThe metal {name} is kept in vault {len(name)}.\n"})
    questions = [{"text": f"Where is {name} kept?", "relevant": [f"{name}.md"]} for name in metals[:4]]
    questions.append({"text": "Which animal lives in the old mill?", "relevant": ["gold.md"], "answers": ["an owl"]})
    pincite.write({"notes/questions.jsonl": "\n".join(map(json.dumps, questions))})
    ran = pincite("eval", "notes", "--report", "report.html")
    assert ran.returncode == 0, ran.stderr
    assert "written: report.html" in ran.stderr
    page = (pincite.folder / "report.html").read_text("utf-8")
    assert "hybrid: a relevant document is first for 4 of 5" in page
    assert "Right would be: an owl" in page
    assert sorted(path.name for path in (pincite.folder / "notes").iterdir()) == sorted(
        [f"{name}.md" for name in metals] + ["questions.jsonl"]
    )


def test_eval_measures_runs_without_a_model(pincite: Any) -> None:
    """Two files by their names; a bad line is named; nothing is made in the data folder."""
    pincite.write(
        {
            "set/notes/one.md": "One.",
            "set/two.md": "Two.",
            "set/questions.jsonl": '{"text": "What?", "relevant": ["two.md"]}\n',
            "best.run": "1 Q0 two.md 1 2.5 x\n1 Q0 notes/one.md 2 1.5 x\n",
            "tied.run": "1 Q0 notes/one.md 1 1 x\n1 Q0 two.md 2 1 x\n",
            "bad.run": "1 Q0 three.md 1 1 x\n",
        }
    )
    ran = pincite("--model", "nowhere", "eval", "set", "--run", "best.run", "--run", "tied.run", "--json")
    assert ran.returncode == 0, ran.stderr
    systems = json.loads(ran.stdout)["systems"]
    assert {name: one["measures"]["P@1"]["mean"] for name, one in systems.items()} == {"best": 1, "tied": 1}
    assert not pincite.data.exists()
    ran = pincite("eval", "set", "--run", "bad.run")
    assert ran.returncode == 3
    assert "bad.run:1: no document of the corpus has the id 'three.md'" in one_line(ran)


def test_eval_refuses_places_and_options_that_cannot_be(pincite: Any) -> None:
    """A report among the documents would be one the next time; all of it is said before anything is asked."""
    pincite.write(
        {"set/two.md": "Two.", "set/questions.jsonl": '{"text": "What?", "relevant": ["two.md"]}\n', "a.run": ""}
    )
    for options, told in (
        (["--report", "set/report.html"], "would become a document"),
        (["--output", "nowhere/result.json"], "there is no folder nowhere"),
        (["--output", "."], "it is a folder"),
        (["--runs"], "give --output too"),
        (["--collection", "mine"], "give --server too"),
        (["--run", "a.run", "--answers"], "leave --server, --system, --answers and --diagnose out"),
        (["--server", "http://127.0.0.1:1", "--diagnose"], "leave --server out"),
        (["--server", "127.0.0.1:8000"], "--server takes a URL"),
        (["--min-confidence", "0.5"], "give --answers too"),
        (["--min-confidence", "0.5", "--answers", "--system", "hybrid"], "no --system or reader"),
    ):
        ran = pincite("eval", "set", *options)
        assert ran.returncode == 2, options
        assert told in one_line(ran)
    ran = pincite("eval", "set", "--server", "http://127.0.0.1:1")
    assert ran.returncode == 3
    assert "Nothing answers at http://127.0.0.1:1" in one_line(ran)


# Serving


def test_a_served_folder_is_asked_through_its_server(stocked: Any, pincite: Any) -> None:
    """The server prints its page and answers, other commands too; a second server is refused; an interrupt ends it."""
    shutil.copytree(stocked.data, pincite.data)
    command = [SCRIPT, "serve", "--port", "0"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=pincite.folder, env=pincite.environment, text=True, **streams) as server:
        assert server.stdout is not None
        try:
            page = re.fullmatch(r"Page: +(http://127\.0\.0\.1:\d+)/\n", server.stdout.readline())
            assert page
            assert "/v1/ask" in server.stdout.readline()
            with urllib.request.urlopen(f"{page[1]}/", timeout=30) as answered:
                assert b"<title>" in answered.read()
            ran = pincite("ask", QUESTION, "--json")
            assert (ran.returncode, ran.stderr) == (0, "")
            assert json.loads(ran.stdout)["passages"][0]["document"]["id"] == "bridge.md"
            ran = pincite("serve", "--port", "0")
            assert ran.returncode == 3
            assert page[1] in one_line(ran)
        finally:
            server.send_signal(signal.SIGINT)
            _, told = server.communicate(timeout=30)
    assert "4 documents, 4 passages" in told
    assert "Traceback" not in told
