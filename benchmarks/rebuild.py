"""Shows that views are only views: thrown away and made anew from the truth, they give the same answers.

Some documents of an evaluation set are ingested; over HTTP a third of them is replaced or deleted. When the views are
caught up and compacted, questions are asked, the server is stopped, every view is removed from the data folder, and
after a restart the same questions must have the same answers, but for id, time and timings.

    python benchmarks/rebuild.py EVAL_DIR/squad2 --documents 300 --questions 100
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reporting import Bound, finish, say
from service import Service, command, comparable, serving, verified

from rag.evaluation.questions import DatasetQuestion, read_questions
from rag.ids import document_id

PATIENCE_SECONDS = 120.0
DEPTH = 100  # passages compared in a search
TOP_K = 10
Row = dict[str, Any]


def main() -> None:
    """Ingest, change a third, ask, remove the views, ask again, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="a set with corpus.jsonl and queries.jsonl, packed or not")
    parser.add_argument("--documents", type=int, default=300, help="how many documents to ingest")
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="what draws documents, changes and questions")
    parser.add_argument("--output", type=Path, help="write the result here as JSON")
    options = parser.parse_args()
    maker = random.Random(options.seed)
    rows = drawn_rows(options.dataset, options.documents, maker)
    packed = (options.dataset / "queries.jsonl.gz").exists()
    queries = read_questions(options.dataset / ("queries.jsonl.gz" if packed else "queries.jsonl"))
    questions = maker.sample(queries, min(options.questions, len(queries)))
    with tempfile.TemporaryDirectory() as scratch:
        result, bounds = compared(Path(scratch), rows, questions, maker)
    finish({"seed": options.seed, **result}, bounds, options.output)


def drawn_rows(dataset: Path, count: int, maker: random.Random) -> list[Row]:
    """Return that many rows of the corpus, with half as many again whose texts will replace others."""
    packed = dataset / "corpus.jsonl.gz"
    with gzip.open(packed, "rt") if packed.exists() else (dataset / "corpus.jsonl").open() as stream:
        rows = [row for row in map(json.loads, stream) if row["text"].strip()]
    if len(rows) < count + count // 6:
        raise SystemExit(f"{dataset} has {len(rows)} documents with text: ask for {len(rows) * 6 // 7} at most")
    return maker.sample(rows, count + count // 6)


def compared(
    scratch: Path, rows: Sequence[Row], questions: Sequence[DatasetQuestion], maker: random.Random
) -> tuple[dict[str, Any], list[Bound]]:
    """Return what differed between the answers before and after the views were removed, and the bounds."""
    count = len(rows) * 6 // 7
    kept, spare = rows[:count], rows[count:]
    data, corpus = scratch / "data", scratch / "corpus.jsonl"
    corpus.write_text("".join(f"{json.dumps(row)}\n" for row in kept), encoding="utf-8")
    say(f"ingesting {count} documents")
    if command(data, "ingest", str(corpus)).returncode:
        raise SystemExit("pincite ingest failed")
    with serving(data) as service:
        replaced, deleted = change(service, kept, spare, maker)
        waited = settled(service)
        before = everything(service, questions)
    removed = remove_views(data)
    with serving(data) as service:
        after = everything(service, questions)
    differing = [str(question.id) for question, old, new in zip(questions, before, after, strict=True) if old != new]
    problems = verified(data)
    cited = {one["citation"]["document_id"] for old in before for one in shown(old)}
    result = {
        "documents": count,
        "replaced": len(replaced),
        "deleted": len(deleted),
        "view files removed": removed,
        "seconds until compacted": round(waited, 1),
        "questions": len(questions),
        "answered": sum(old["ask"]["answerable"] for old in before),
        "passages compared": sum(len(shown(old)) for old in before),
        "replaced documents among them": len(cited & replaced),
        "questions that differ": differing,
        "problems": problems,
    }
    print(*(f"{name}: {value}" for name, value in result.items()), sep="\n")
    bounds = [
        Bound("questions asked", len(questions), least=100),
        Bound("share of documents changed", round((len(replaced) + len(deleted)) / count, 3), least=0.33),
        Bound("view files removed", removed, least=1),
        Bound("questions that differ", len(differing), most=0),
        Bound("deleted documents cited", len(cited & deleted), most=0),
        Bound("problems found by verify", len(problems), most=0),
    ]
    return result, bounds


def change(
    service: Service, kept: Sequence[Row], spare: Sequence[Row], maker: random.Random
) -> tuple[set[str], set[str]]:
    """Replace a sixth of the documents by texts of others and delete another sixth, mixed; return their ids."""
    chosen = maker.sample(kept, 2 * len(spare))
    replaced = {document_id(row["_id"]): new for row, new in zip(chosen, spare, strict=False)}
    deleted = {document_id(row["_id"]) for row in chosen[len(spare) :]}
    say(f"replacing {len(replaced)} and deleting {len(deleted)}")
    for name in maker.sample(sorted([*replaced, *deleted]), len(chosen)):
        if name in deleted:
            service.call("DELETE", f"/v1/documents/{name}")
        else:
            new = replaced[name]
            service.call("PUT", f"/v1/documents/{name}", {"text": new["text"], "title": new.get("title") or None})
    return set(replaced), deleted


def settled(service: Service) -> float:
    """Wait until nothing is behind; return how many seconds that took."""
    started = time.monotonic()
    while service.ask("Is it settled?")["degraded"]:
        if time.monotonic() - started > PATIENCE_SECONDS:
            raise SystemExit(f"the views were still behind after {PATIENCE_SECONDS:.0f} s")
        time.sleep(0.2)
    return time.monotonic() - started


def everything(service: Service, questions: Sequence[DatasetQuestion]) -> list[dict[str, Any]]:
    """Return per question its answer and a deep search, both explained, without what may differ."""
    say(f"asking {len(questions)} questions")
    return [
        {
            "ask": comparable(service.ask(question.text, top_k=TOP_K, explain=True)),
            "search": comparable(service.search(question.text, top_k=DEPTH, explain=True)),
        }
        for question in questions
    ]


def shown(both: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all passages of an answer and of a search."""
    found: list[dict[str, Any]] = both["ask"]["passages"] + both["ask"]["nearest"]
    return found + both["search"]["results"][0]["passages"]


def remove_views(data: Path) -> int:
    """Remove every view of a data folder and return how many files they were."""
    views = data / "views"
    files = sum(path.is_file() for path in views.rglob("*"))
    shutil.rmtree(views)
    return files


if __name__ == "__main__":
    main()
