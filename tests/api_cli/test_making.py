"""`pincite questions make`: from a folder, from a collection, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SEEDS = Path(__file__).parents[2] / "seeds"


def rows(path: Path) -> list[Any]:
    """The rows of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_set_is_made_of_a_folder_or_of_a_collection(pincite: Any) -> None:
    """Both give as many documents as there are; a folder that holds something is not written to."""
    texts = {f"notes/{path.name}": path.read_text("utf-8") for path in sorted((SEEDS / "documents").glob("*.md"))[:6]}
    assert len(texts) == 6
    pincite.write(texts)
    ran = pincite("questions", "make", "notes", "--output", "made", "--limit", "8", "--json")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["documents"], told["questions"]) == (6, len(rows(pincite.folder / "made" / "queries.jsonl")))
    assert told["questions"] > 2
    assert pincite("ingest", "notes").returncode == 0
    ran = pincite("questions", "make", "--collection", "default", "--output", "other", "--limit", "8")
    assert ran.returncode == 0, ran.stderr
    assert "pincite eval other" in ran.stdout
    assert len(rows(pincite.folder / "other" / "corpus.jsonl")) == 6
    ran = pincite("questions", "make", "notes", "--output", "made")
    assert ran.returncode == 3
    assert "not empty" in ran.stderr


def test_documents_or_a_collection_are_named(pincite: Any) -> None:
    """Neither and both are refused, and so is what has no documents; too few words make no question."""
    pincite.write({"notes/short.txt": "Tin."})
    assert pincite("questions", "make", "--output", "made").returncode == 2
    assert pincite("questions", "make", "notes", "-c", "talk", "--output", "made").returncode == 2
    assert pincite("questions", "make", "nowhere", "--output", "made").returncode == 3
    assert not (pincite.folder / "made").exists()
    ran = pincite("questions", "make", "notes", "--output", "made")
    assert ran.returncode == 1
    assert "0 questions about 1 documents" in ran.stdout
    assert "nothing was written" in ran.stdout
    assert not (pincite.folder / "made").exists()


def test_questions_beside_the_documents_are_no_document(pincite: Any) -> None:
    """As for `eval`, which reads such a folder too."""
    pincite.write({"notes/tin.md": "Tin melts early.", "notes/questions.jsonl": '{"text": "When does tin melt?"}\n'})
    ran = pincite("questions", "make", "notes", "--output", "made")
    assert "0 questions about 1 documents" in ran.stdout
