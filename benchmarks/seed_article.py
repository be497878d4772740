"""Shows that the seed article answers questions about itself, in `default` as `make run` leaves it.

Eight questions must have their answer inside a `sentence` highlight of the article within the first three passages,
and two that no seed document answers must be declined.

    pincite --data .pincite ingest seeds/documents       # or `make run`, then stop it
    python benchmarks/seed_article.py --data .pincite
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reporting import Bound, finish, say, table
from service import serving

ARTICLE = "seed_article.txt"
PASSAGES = 3
ANSWERED: Sequence[tuple[str, Sequence[str]]] = (  # a question, and every text that its answer must hold
    ("Who co-chaired the dialogue for India?", ("Nagaraj Naidu Kakanur", "Vishwesh Negi")),
    ("Who co-chaired the dialogue for the United States?", ("Bethany P Morrison", "Jedidiah P Royal")),
    ("How was the India-US 2+2 Intersessional Dialogue held?", ("held virtually on Monday",)),
    (
        "What framework was agreed between India and the US?",
        ("a new ten-year Framework for the India-US Major Defence Partnership",),
    ),
    (
        "What does COMPACT stand for?",
        ("Catalysing Opportunities for Military Partnership, Accelerated Commerce & Technology",),
    ),
    ("Which countries make the Quad?", ("India, the US, Japan, and Australia",)),
    ("When was the release about the dialogue issued?", ("issued on Tuesday",)),
    (
        "What does the ten-year framework aim to bolster?",
        (
            "defence industrial, scientific, and technological cooperation, operational coordination, "
            "regional collaboration, and information-sharing",
        ),
    ),
)
DECLINED = (
    "Which hotel hosted the Indian delegation?",  # close to the article, yet nowhere
    "What is the capital of Mongolia?",
)


def main() -> None:
    """Ask all ten questions and print what became of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".pincite"), help="a folder with seeds/documents ingested")
    parser.add_argument("--output", type=Path, help="write the result here as JSON")
    options = parser.parse_args()
    with serving(options.data) as service:
        if ARTICLE not in {document["id"] for document in service.documents()}:
            parser.error(f"{options.data} does not hold {ARTICLE}: run `make run` once, or ingest seeds/documents")
        say(f"asking {service.address}")
        answered = [judged(service.ask(query), texts) for query, texts in ANSWERED]
        declined = [judged(service.ask(query), ()) for query in DECLINED]
    rows = answered + declined
    table(("question", "answered", "passage", "highlight"), [list(row.values())[:4] for row in rows])
    bounds = [
        Bound("answers highlighted", sum(row["passage"] is not None for row in answered), least=len(ANSWERED)),
        Bound("of them answered", sum(row["answered"] for row in answered), least=len(ANSWERED)),
        Bound("declined that nothing answers", sum(not row["answered"] for row in declined), least=len(DECLINED)),
        Bound("sentence highlights of a passage", max(row["sentences"] for row in rows), most=3),
    ]
    finish({"questions": rows}, bounds, options.output)


def judged(answer: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """Return the question, whether it was answered, and the first highlight with all of `texts`, by its passage."""
    shown = answer["passages"] or answer["nearest"]
    held = [(rank, words) for rank, words in sentences(shown) if texts and all(text in words for text in texts)]
    rank, words = held[0] if held and answer["answerable"] else (None, "")
    counts = [sum(mark["kind"] == "sentence" for mark in passage["highlights"]) for passage in shown]
    return {
        "question": answer["query"],
        "answered": answer["answerable"],
        "passage": rank,
        "highlight": words if len(words) < 80 else f"{words[:60]}… ({len(words)})",
        "reason": answer["reason"],
        "sentences": max(counts, default=0),
    }


def sentences(passages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    """Yield rank and words of the article's sentence highlights in the first passages."""
    for passage in passages[:PASSAGES]:
        first = passage["citation"]["start_char"]
        for mark in passage["highlights"]:
            if mark["kind"] == "sentence" and passage["document"]["id"] == ARTICLE:
                yield passage["rank"], passage["text"][mark["start_char"] - first : mark["end_char"] - first]


if __name__ == "__main__":
    main()
