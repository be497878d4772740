"""`pincite tune` in this process, through a server of it that has a small encoder."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli.commands import app
from api.cli.remote import Remote
from api.cli.service import Service
from rag.folders import Sent
from rag.rankings import understood
from rag.retrieval import Ranking

WORDS = [
    f"{start}{end}" for start in ("ba", "ke", "lo", "mi", "su") for end in ("dor", "lin", "mas", "nek", "pot", "ra")
]
Command = Callable[..., Result]


@pytest.fixture
def remote(services: dict[str, Service]) -> Iterator[Remote]:
    """A server whose collection `work` holds eighty documents of random words, the same in every run."""
    found, maker = services["by a server"], random.Random(1)
    assert isinstance(found, Remote)
    found.create("work")
    texts = (" ".join(maker.choices(WORDS, k=maker.randint(8, 40))).capitalize() + "." for _ in range(80))
    files = [Sent(f"d{place}.txt", text.encode()) for place, text in enumerate(texts)]
    assert all(result["status"] == "added" for _, result in found.ingest("work", files, lambda done: None))
    yield found
    found.drop("work")


@pytest.fixture
def run(remote: Remote) -> Command:
    """A function that runs `pincite tune` on that collection."""

    def command(*arguments: object) -> Result:
        words = ["--data", remote._settings.data, "tune", *arguments, "-c", "work"]
        return CliRunner().invoke(app, [str(word) for word in words])

    return command


def asked(count: int) -> Iterator[str]:
    """Yield questions of a few of the words."""
    maker = random.Random(2)
    yield from (" ".join(maker.sample(WORDS, 4)) for _ in range(count))


def nearest(remote: Remote, query: str) -> str:
    """Return the document that is nearest by vector."""
    body = {"query": query, "collection": "work", "top_k": 1, "mode": "dense", "filter": None, "read": False}
    name: str = remote.search(body)["results"][0]["passages"][0]["document"]["id"]
    return name


def write(path: Path, rows: list[Mapping[str, Any]]) -> Path:
    """Write a JSONL file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_tuning_is_kept_listed_and_undone(run: Command, remote: Remote, tmp_path: Path) -> None:
    """From a file of questions to a version in use, and back."""
    rows = [{"text": query, "relevant": [nearest(remote, query)]} for query in asked(40)]
    questions = write(tmp_path / "questions.jsonl", [*rows, {"text": "unlabelled"}])
    dry = run(questions, "--dry-run")
    assert (dry.exit_code, run("--history", "--json").stdout.count('"version"')) == (0, 0)
    assert "40 questions, left out: 1 unlabelled" in dry.stdout
    assert "nothing was kept, as asked" in dry.stdout
    done = run(questions, "--output", tmp_path / "tuned.json")
    told = json.loads((tmp_path / "tuned.json").read_text())
    assert (done.exit_code, told["better"], told["version"]) == (0, True, 1)
    assert understood(told["settings"]) not in (None, Ranking())
    shown = run(questions)
    assert "kept and used as version 2" in shown.stdout
    assert f"gain {told['figures']['gain']['mean']:+.3f} [" in shown.stdout
    assert run("--use", "1").stdout == "work: ranked by version 1\n"
    kept = json.loads(run("--history", "--json").stdout)["rankings"]
    assert [(one["version"], one["in_use"]) for one in kept] == [(1, True), (2, False)]
    assert kept[0]["figures"] == told["figures"]
    assert run("--use", "default").stdout == "work: ranked by Pincite's own ranking\n"
    history = run("--history").stdout.splitlines()
    assert [line.split()[:2] for line in history[1:2]] == [["default", "yes"]]
    assert len(history) >= 4


def test_what_is_not_better_is_not_kept(run: Command, tmp_path: Path) -> None:
    """Status 1, and a sentence."""
    maker = random.Random(3)
    rows = [{"text": query, "relevant": [f"d{maker.randrange(80)}.txt"]} for query in asked(12)]
    done = run(write(tmp_path / "q.jsonl", rows))
    assert (done.exit_code, "nothing was kept" in done.stdout) == (1, True)
    assert run("--history", "--json").stdout.count('"version"') == 0


def test_only_the_dev_questions_of_a_dataset_are_used(run: Command, remote: Remote, tmp_path: Path) -> None:
    """In BEIR's layout with grades, and in a folder with places; those of `test` never reach the server."""
    (tmp_path / "beir" / "qrels").mkdir(parents=True)
    (tmp_path / "folder" / "documents").mkdir(parents=True)
    text = remote.document("work", "d1.txt")["text"]
    (tmp_path / "folder" / "documents" / "d1.txt").write_text(text)
    write(tmp_path / "beir" / "corpus.jsonl", [{"_id": "d1.txt", "text": text}])
    span = {"doc": "d1.txt", "start": 0, "end": 5, "text": text[:5]}
    halves = [{"split": "dev"}, {"split": "test"}]
    queries = list(asked(24))
    rows = [{"_id": f"q{at}", "text": query, "metadata": dict(halves[at % 2])} for at, query in enumerate(queries)]
    write(tmp_path / "beir" / "queries.jsonl", rows)
    grades = "".join(f"q{at}\td1.txt\t{at % 3}\n" for at in range(24))
    (tmp_path / "beir" / "qrels" / "all.tsv").write_text(f"query-id\tcorpus-id\tscore\n{grades}")
    write(
        tmp_path / "folder" / "questions.jsonl",
        [{**row, "metadata": {**row["metadata"], "answer_spans": [span]}} for row in rows],
    )
    told = json.loads(run(tmp_path / "folder", "--json", "--dry-run").stdout)
    assert told["figures"]["questions"] == 12
    refused = run(tmp_path / "beir", "--dry-run")  # of the 12 that are `dev` 4 have the grade 0
    assert refused.exit_code == 3
    assert "8 of 12 questions name something relevant" in " ".join(refused.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "give one of three"),
        (["--history", "--use", "1"], 2, "give one of three"),
        (["--history", "--dry-run"], 2, "--dry-run"),
        (["--use", "0"], 2, "--use takes a version"),
        (["--use", "one"], 2, "--use takes a version"),
        (["--use", "7"], 3, "no ranking 7"),
        (["never.jsonl"], 3, "cannot be read"),
    ],
)
def test_what_is_wrong_is_one_line(run: Command, arguments: list[str], status: int, said: str) -> None:
    """Statuses are those of the contract."""
    done = run(*arguments)
    assert (done.exit_code, said in " ".join(done.stderr.split())) == (status, True), done.stderr


def test_a_file_without_dev_questions_is_refused(run: Command, tmp_path: Path) -> None:
    """Nobody tunes on what is for reporting."""
    rows = [{"text": query, "split": "test", "relevant": ["d1.txt"]} for query in asked(12)]
    done = run(write(tmp_path / "q.jsonl", rows))
    assert (done.exit_code, "'dev'" in done.stderr) == (3, True)
