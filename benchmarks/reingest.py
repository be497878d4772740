"""Shows what ingesting a folder again costs: unchanged, with three files changed, here and through a server.

Files of about a thousand characters are cut from a corpus (or from the documents of seeds/, which are repeated under
numbers where they do not suffice) and ingested by the command line, each time in a process of its own.

    python benchmarks/reingest.py --corpus CORPUS.jsonl.gz --json result.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reporting import Bound, finish, rows_of, say, table
from service import command, serving

from rag.errors import RagProblem
from rag.folders import find_files
from rag.loaders import load
from rag.types import LoadedDocument

SEEDS = Path(__file__).parent.parent / "seeds" / "documents"
CHARACTERS = 1_000
PER_FOLDER = 100
CHANGED = 3
SECONDS = 20.0  # that ingesting again may take
Row = dict[str, Any]


def main() -> None:
    """Write the files, ingest them, again, with changes, and the same through a server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="rows with a text, as JSON Lines, packed or not")
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data, folder = Path(scratch) / "data", Path(scratch) / "files"
        say(f"writing {options.files} files")
        files = written(folder, options.corpus, options.files)
        rows = [measured("first", data, folder), measured("again", data, folder)]
        change(files, "by hand")
        rows.append(measured(f"{CHANGED} changed", data, folder))
        with serving(data):
            rows.append(measured("again, through a server", data, folder))
            change(files, "through a server")
            rows.append(measured(f"{CHANGED} changed, through a server", data, folder))
    table([*rows[0]], [list(row.values()) for row in rows])
    bounds = [Bound(f"seconds, {row['run']}", row["seconds"], most=SECONDS) for row in rows[1:]]
    bounds += [
        Bound(f"documents encoded, {row['run']}", row["documents_encoded"], most=encoded(row)) for row in rows[1:]
    ]
    finish({"files": options.files, "runs": rows}, bounds, options.json)


def encoded(row: Row) -> int:
    """Return how many documents a run had to encode."""
    return CHANGED if "changed" in row["run"] else 0


def written(folder: Path, corpus: Path | None, count: int) -> list[Path]:
    """Write that many files into folders of a hundred, and return them."""
    paths = []
    for number, text in enumerate(itertools.islice(pieces(corpus), count)):
        path = folder / f"{number // PER_FOLDER:03}" / f"{number:05}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    if len(paths) < count:
        raise SystemExit(f"{corpus} has text for {len(paths)} files only: ask for no more with --files")
    return paths


def pieces(corpus: Path | None) -> Iterator[str]:
    """Yield pieces of the corpus, or of seeds/ without an end."""
    if corpus is not None:
        yield from (piece for row in rows_of(corpus) for piece in cut(row["text"]))
        return
    texts = [document.text for file in find_files(SEEDS) for document in documents(file.path)]
    for copy in itertools.count():
        yield from (f"# Copy {copy}\n\n{piece}" for text in texts for piece in cut(text))


def documents(path: Path) -> Iterator[LoadedDocument]:
    """Yield what can be read of a file."""
    try:
        yield from (one for one in load(path.read_bytes(), name=path.name) if isinstance(one, LoadedDocument))
    except RagProblem as problem:
        say(f"{path.name}: {problem}")


def cut(text: str) -> Iterator[str]:
    """Yield the text in pieces that hold words."""
    parts = (text[start : start + CHARACTERS] for start in range(0, len(text), CHARACTERS))
    yield from (part for part in parts if len(part.split()) > 20)


def change(files: list[Path], how: str) -> None:
    """Write something else into three files, spread over all of them."""
    for path in files[:: len(files) // CHANGED][:CHANGED]:
        path.write_text(f"{path.read_text(encoding='utf-8')}\nChanged {how}.\n", encoding="utf-8")


def measured(run: str, data: Path, folder: Path) -> Row:
    """Ingest the folder by the command line and return seconds of the whole process, and what was encoded."""
    say(f"ingesting: {run}")
    started = time.perf_counter()
    done = command(data, "ingest", str(folder), "--json")
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"pincite ingest ended with status {done.returncode}")
    results = json.loads(done.stdout)["results"]
    new = [result for result in results if result["status"] in {"added", "replaced"}]
    return {
        "run": run,
        "seconds": round(seconds, 2),
        "documents_encoded": len(new),
        "passages_encoded": sum(result["passages"] for result in new),
        "unchanged": sum(result["status"] == "unchanged" for result in results),
    }


if __name__ == "__main__":
    main()
