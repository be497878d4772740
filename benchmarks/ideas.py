"""Asks of ideas that are not in the ranking what they would bring: each is a signal, fitted beside those that are.

    python benchmarks/ideas.py --work FOLDER SET [SET …] --hold-out SET [SET …]

Sets, questions and fit are those of fit_ranking.py, which says what decides the ranking now. An idea starts with no
weight and may get one of either sign; what it adds to the mean nDCG@10 of the sets held out says whether it would help.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from fit_ranking import PULL, even, mean, parsed, per_set
from reporting import finish, say, table

from index.collection import Collection
from rag import fusion
from rag.encoding import Encoder
from rag.evaluation.fitting import Floats, Form, Pool, fit
from rag.retrieval import Ranking, Retrieved, retrieve
from rag.tuning import Labelled, forms
from rag.wording import WORD, Asked, inverse_frequencies

Columns = Sequence[Sequence[float]]  # each a value for every hit that was read, in the order of hits
_NAME = re.compile(r"(?<=[^\s.!?\"“”] )[A-ZÀ-ÖØ-Þ]\w+")


class Look:
    """What one question found, as ideas look at it."""

    def __init__(self, found: Retrieved) -> None:
        self.query = found.standalone_query or found.query
        self.hits = found.found.hits
        self.read = sorted(found.looked.words)
        self.wording = [found.looked.words[place] for place in self.read]
        self.stored = [found.looked.passages[place] for place in self.read]
        self.dense, self.lexical = fusion.convex(self.hits, 1.0), fusion.convex(self.hits, 0.0)
        self.idf = inverse_frequencies(found.found.frequencies, found.found.total)
        self.passages = found.found.total
        self.asked = Asked(self.query, self.idf)

    def of_document(self, scores: Sequence[float], most: int) -> list[float]:
        """Return for each hit that was read the mean of the `most` best scores of its document, 0 for what it lacks."""
        by_document: dict[str, list[float]] = defaultdict(list)
        for hit, score in zip(self.hits, scores, strict=True):
            by_document[hit.ref.document_id].append(score)
        best = {name: sum(sorted(found)[-most:]) / most for name, found in by_document.items()}
        return [best[self.hits[place].ref.document_id] for place in self.read]

    def times(self, factor: float) -> Columns:
        """Return the signals of the ranking, each times a fact about the question."""
        rows = fusion.signals(self.hits, dict(zip(self.read, self.wording, strict=True)))
        return [[factor * value for value in column] for column in zip(*rows, strict=True)]

    def shared(self, words: Sequence[str]) -> Columns:
        """Return the share of `words` that each passage has."""
        wanted = {word.lower() for word in words}
        held = [{word.lower() for word in WORD.findall(one.words)} for one in self.stored]
        return [[len(wanted & one) / max(1, len(wanted)) for one in held]]


def reciprocal_ranks(look: Look) -> Columns:
    """Return 1 / (10 + rank) in each leg, 0 where it did not find the hit."""
    hits = [look.hits[place] for place in look.read]
    return [
        [1 / (10 + rank) if rank else 0.0 for rank in ranks]
        for ranks in ([hit.dense_rank for hit in hits], [hit.lexical_rank for hit in hits])
    ]


def document_evidence(look: Look) -> Columns:
    """Return the best and the mean of the three best of the document, in each leg."""
    return [look.of_document(scores, most) for scores in (look.dense, look.lexical) for most in (1, 3)]


def document_coverage(look: Look) -> Columns:
    """Return the coverage by all passages of the document that were read."""
    words: dict[str, list[str]] = defaultdict(list)
    for one in look.stored:
        words[one.ref.document_id].append(one.words)
    covered = {name: look.asked.wording("\n".join(parts), None).coverage for name, parts in words.items()}
    return [[covered[one.ref.document_id] for one in look.stored]]


def title_coverage(look: Look) -> Columns:
    """Return the coverage by title and headings alone."""
    return [[look.asked.wording(one.passage.header, one.document.language).coverage for one in look.stored]]


def neighbours(look: Look) -> Columns:
    """Return the better of the scaled cosines of the passages before and after, 0 where neither was found."""
    known = {(hit.ref.document_id, hit.ref.ordinal): score for hit, score in zip(look.hits, look.dense, strict=True)}
    refs = [one.ref for one in look.stored]
    return [[max(known.get((ref.document_id, ref.ordinal + step), 0.0) for step in (-1, 1)) for ref in refs]]


def agreement(look: Look) -> float:
    """Return the share of the first ten of either leg that is among the first ten of the other."""
    return sum(max(hit.dense_rank or 99, hit.lexical_rank or 99) <= 10 for hit in look.hits) / 10


IDEAS: Mapping[str, Callable[[Look], Columns]] = {
    "reciprocal ranks of both legs": reciprocal_ranks,
    "best and mean of three of the document": document_evidence,
    "coverage by the document": document_coverage,
    "coverage by the title": title_coverage,
    "neighbouring passages": neighbours,
    "length of the passage": lambda look: [[math.log1p(len(one.text)) for one in look.stored]],
    "numbers in common": lambda look: look.shared(re.findall(r"\b\d[\d.,]*\b", look.query)),
    "names in common": lambda look: look.shared(_NAME.findall(look.query)),
    "by the length of the question": lambda look: look.times(math.log((1 + len(look.idf)) / 7)),
    "by its mean idf": lambda look: look.times(sum(look.idf.values()) / max(1, len(look.idf)) - 4),
    "by its greatest cosine": lambda look: look.times(max((hit.dense or 0.0 for hit in look.hits), default=0.6) - 0.6),
    "by the agreement of the legs": lambda look: look.times(agreement(look) - 0.5),
    "by the size of the collection": lambda look: look.times(math.log(look.passages / 2000)),
}
"""Per idea its columns; those named `by …` let every weight follow a fact about the question."""


def main() -> None:
    """Collect candidates once, then fit the ranking with each idea beside it."""
    options = parsed(__doc__)
    found = per_set(options, pools)
    held = [folder.name for folder in options.hold_out]
    rows = [("nothing", *judged(found, None, held))]
    for name in IDEAS:
        rows.append((name, *judged(found, name, held)))
        say(f"{name}: {rows[-1][1] - rows[0][1]:+.4f}")
    shown = [
        [name, f"{100 * (out - rows[0][1]):+.1f}", f"{100 * (fitted - rows[0][2]):+.1f}"] for name, out, fitted in rows
    ]
    table(["beside the ranking", "sets held out, points", "sets fitted to, points"], shown)
    finish({"held_out": held, "means": {name: [out, fitted] for name, out, fitted in rows}}, [], options.json)


def pools(labelled: Sequence[Labelled], collection: Collection, encoder: Encoder) -> dict[str | None, list[Pool]]:
    """Ask every question; return its pool as it is under None, and with each idea's columns after the signals."""
    plain = forms(labelled, collection, encoder)[0].pools
    widened: dict[str | None, list[Pool]] = {None: plain, **{name: [] for name in IDEAS}}
    for pool, one in zip(plain, labelled, strict=True):
        look = Look(retrieve(one.question, collection, encoder, Ranking(), 1))
        for name, idea in IDEAS.items():
            columns = np.array(idea(look), dtype=np.float64).T
            widened[name].append(replace(pool, features=np.column_stack([pool.features, columns])))
    return widened


def judged(
    found: Mapping[str, Mapping[str | None, Sequence[Pool]]], idea: str | None, held: Sequence[str]
) -> tuple[float, float]:
    """Fit with an idea, and return the mean nDCG@10 of the sets held out and of those fitted to."""
    lesson = [pool for name, by_idea in found.items() if name not in held for pool in by_idea[idea]]
    weights = fitted_from_nothing(lesson)
    means = {name: mean(Form(weights, list(by_idea[idea])), weights) for name, by_idea in found.items()}
    inside = [value for name, value in means.items() if name not in held]
    return sum(means[name] for name in held) / max(1, len(held)), sum(inside) / len(inside)


def fitted_from_nothing(lesson: Sequence[Pool]) -> Floats:
    """Return weights fitted to the pools, the columns after the signals starting with none."""
    start = even([replace(pool, features=pool.features[:, : len(fusion.SIGNALS)]) for pool in lesson]).weights
    more = lesson[0].features.shape[1] - len(start)
    return fit(Form(np.concatenate([start, np.zeros(more)]), list(lesson)), np.arange(len(lesson)), PULL)


if __name__ == "__main__":
    main()
