"""Shows that every citation can be checked to the character, and that a check notices what happens to a document.

The corpora of several evaluation sets are ingested into one collection and some of their questions asked by /v1/ask
and /v1/search. For every citation that comes back, `GET …/text?start&end` must equal its quote, the UTF-16 offsets must
cut the same words out of the whole text, and /v1/citations/verify must say `exact`. Then one cited document is
replaced, one is deleted and one quote falsified: verify must say so, and neither document may be cited as it was.

    python benchmarks/citations.py EVAL_DIR --sets squad2 multihoprag realtimeqa_2025h2 --questions 300 --data FOLDER

What `--data` holds already is not encoded again, and what an earlier run replaced or deleted is put back.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from reporting import Bound, finish, say, table
from service import Refused, Service, command, serving

from rag.evaluation.questions import DatasetQuestion, read_questions

BATCH = 500  # citations verified in one call
TOP_K = 5
Citation = Mapping[str, Any]


def main() -> None:
    """Ingest, ask, check every citation, then change what was cited and check again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder that holds the evaluation sets")
    parser.add_argument("--sets", nargs="+", required=True, help="names of sets in it, in BEIR layout")
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="what draws the questions")
    parser.add_argument("--data", type=Path, help="the data folder to use and keep (default: throw it away)")
    parser.add_argument("--output", type=Path, help="write the result here as JSON")
    options = parser.parse_args()
    sets = [options.folder / name for name in options.sets]
    with tempfile.TemporaryDirectory() as scratch:
        data = options.data or Path(scratch) / "data"
        ingested(data, [existing(folder, "corpus.jsonl") for folder in sets])
        asked = drawn([existing(folder, "queries.jsonl") for folder in sets], options.questions, options.seed)
        with serving(data) as service:
            result, bounds = checked(service, asked)
    finish({"seed": options.seed, **result}, bounds, options.output)


def existing(folder: Path, name: str) -> Path:
    """Return the file of that name in `folder`, packed or not."""
    packed = folder / f"{name}.gz"
    return packed if packed.exists() else folder / name


def ingested(data: Path, corpora: Sequence[Path]) -> None:
    """Ingest the corpora into `default` with the command."""
    say(f"ingesting {', '.join(map(str, corpora))}")
    done = command(data, "ingest", *map(str, corpora))
    if done.returncode:
        raise SystemExit(f"pincite ingest ended with status {done.returncode}")


def drawn(files: Sequence[Path], count: int, seed: int) -> list[DatasetQuestion]:
    """Return that many questions, as many from each file as from the others."""
    maker = random.Random(seed)
    shares = [count // len(files) + (place < count % len(files)) for place in range(len(files))]
    return [one for file, share in zip(files, shares, strict=True) for one in maker.sample(read_questions(file), share)]


def checked(service: Service, questions: Sequence[DatasetQuestion]) -> tuple[dict[str, Any], list[Bound]]:
    """Ask, check, change, check again; return the result and its bounds."""
    say(f"asking {len(questions)} questions")
    passages = [found for question in questions for found in answers(service, question)]
    found = [passage["citation"] for _, passage in passages]
    say(f"checking {len(found)} citations")
    whole = lru_cache(maxsize=512)(lambda document: service.text(document)["text"])
    failures = [failure for _, passage in passages for failure in faults(service, whole, passage)]
    statuses = Counter(verified(service, found))
    changes = changed(service, found, questions)
    table(("citations", "from ask", "from search", "different", "documents"), [counts(passages)])
    table(("verify says", "citations"), statuses.items())
    table(("change", "expected", "citations", "as expected"), [list(change.values()) for change in changes])
    print(*failures[:20], sep="\n")
    bounds = [
        Bound("citations", len(found), least=1000),
        Bound("faults of citations", len(failures), most=0),
        Bound("citations not exact", len(found) - statuses["exact"], most=0),
        Bound("changes that were not noticed", sum(row["as expected"] < row["citations"] for row in changes), most=0),
    ]
    return {"counts": counts(passages), "statuses": statuses, "changes": changes, "failures": failures}, bounds


def answers(service: Service, question: DatasetQuestion) -> Iterator[tuple[str, Any]]:
    """Yield all that both calls show for a question, and which call it was."""
    history = [{"role": turn.role, "content": turn.content} for turn in question.history]
    answer = service.ask(question.text, history=history, top_k=TOP_K)
    yield from (("ask", passage) for passage in answer["passages"] + answer["nearest"])
    (result,) = service.search(question.text, history=history, top_k=TOP_K)["results"]
    yield from (("search", passage) for passage in result["passages"])


def faults(service: Service, whole: Any, passage: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with one passage's citation and highlights."""
    citation = passage["citation"]
    start, end = citation["start_char"], citation["end_char"]
    name = f"{citation['document_id']} {start}-{end}"
    part = service.text(citation["document_id"], start, end)
    if not part["text"] == citation["quote"] == passage["text"] or not citation["quote"]:
        yield f"{name}: the text there is not the quote"
    if part["document_sha256"] != citation["document_sha256"]:
        yield f"{name}: another digest"
    if any(part[key] != citation[key] for key in ("start_char", "end_char", "start_utf16", "end_utf16")):
        yield f"{name}: other offsets"
    text = whole(citation["document_id"])
    if utf16(text, citation) != citation["quote"]:
        yield f"{name}: the UTF-16 offsets cut out other words"
    for mark in passage["highlights"]:
        if not start <= mark["start_char"] < mark["end_char"] <= end:
            yield f"{name}: a highlight lies outside"
        if utf16(text, mark) != text[mark["start_char"] : mark["end_char"]]:
            yield f"{name}: the UTF-16 offsets of a highlight cut out other words"


def utf16(text: str, offsets: Mapping[str, Any]) -> str:
    """Return what the UTF-16 offsets cut out of `text`, as JavaScript would."""
    return text.encode("utf-16-le")[2 * offsets["start_utf16"] : 2 * offsets["end_utf16"]].decode("utf-16-le")


def verified(service: Service, citations: Sequence[Citation]) -> list[str]:
    """Return what the service says of each citation."""
    statuses = []
    for first in range(0, len(citations), BATCH):
        batch = {"citations": citations[first : first + BATCH]}
        statuses += [row["status"] for row in service.call("POST", "/v1/citations/verify", batch)["results"]]
    return statuses


def changed(
    service: Service, citations: Sequence[Citation], questions: Iterable[DatasetQuestion]
) -> list[dict[str, Any]]:
    """Falsify a quote, replace a document and delete another; return per change what was expected and what came."""
    often = [document for document, _ in Counter(one["document_id"] for one in citations).most_common(2)]
    replaced, deleted = ([one for one in citations if one["document_id"] == document] for document in often)
    falsified = [{**one, "quote": one["quote"][:-1] + "§"} for one in citations]
    rows = [row("a character of the quote falsified", "text_differs", verified(service, falsified))]
    text = service.text(often[0])["text"]
    service.call("PUT", f"/v1/documents/{often[0]}", {"text": f"{text}\n\nA later remark."})
    rows.append(row(f"{often[0]} replaced", "document_changed", verified(service, replaced)))
    service.call("DELETE", f"/v1/documents/{often[1]}")
    rows.append(row(f"{often[1]} deleted", "document_gone", verified(service, deleted)))
    rows.append(row("text of the deleted document", "404", [status_of_text(service, often[1])]))
    gone = {one["document_sha256"] for one in [*replaced, *deleted]}
    again = [shown["citation"] for question in questions for _, shown in answers(service, question)]
    cited = ["cited" if one["document_sha256"] in gone else "not cited" for one in again]
    rows.append(row("all asked again: the old versions", "not cited", cited))
    rows.append(row("all asked again", "exact", verified(service, again)))
    return rows


def row(change: str, expected: str, statuses: Sequence[str]) -> dict[str, Any]:
    """Return one line of the table of changes."""
    return {
        "change": change,
        "expected": expected,
        "citations": len(statuses),
        "as expected": statuses.count(expected),
    }


def status_of_text(service: Service, document: str) -> str:
    """Return the status of the answer to a request for a document's text."""
    try:
        service.text(document)
    except Refused as refused:
        return str(refused.status)
    return "200"


def counts(passages: Sequence[tuple[str, Mapping[str, Any]]]) -> list[int]:
    """Return how many citations there are: all, by either call, different ones, and how many documents they cite."""
    calls = Counter(call for call, _ in passages)
    places = {
        (p["citation"]["document_id"], p["citation"]["start_char"], p["citation"]["end_char"]) for _, p in passages
    }
    return [len(passages), calls["ask"], calls["search"], len(places), len({place[0] for place in places})]


if __name__ == "__main__":
    main()
