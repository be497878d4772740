"""Fits the order of what was read: how the reader is blended with the first stage.

    python benchmarks/reader/fit.py ../shared/data/eval seeds --work FOLDER [--questions 150] [--json OUT]

Asked are questions of the `dev` halves that the reader was not trained on (examples.py keeps a third of each set's
sources back), with --taught the others too. What is printed last goes into rag/judging.py; what follows the order is
fitted by decision.py.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parent.parent))

from examples import SOURCES, taught
from reporting import finish, say, table
from tables import LONG

from api.settings import load_settings
from index.collection import Collection
from index.types import Json
from rag import evidence, judging
from rag.encoding import Encoder, load_encoder
from rag.evaluation.cache import cached_collection
from rag.evaluation.containment import token_f1
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.questions import DatasetQuestion
from rag.reading import Reader, load_reader
from rag.retrieval import Ranking, retrieve
from rag.types import Question, Ranked

LEARNED = {Path(one.folder).name for one in SOURCES}  # sets of which a part was learned from
TRIED = (0.0, 3.0, 6.0, 10.0, 14.0, 20.0, 30.0, 60.0)  # points of the logit for the first stage
NEAR_BEST = 0.001  # of the prices whose mean is so near the best one's, the dearest is taken: it moves the least

Floats = np.ndarray


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: its passages as they were read, which of them are relevant, and whether there is an answer."""

    name: str
    group: str  # what is held out together
    passages: Sequence[Ranked]
    relevant: Sequence[bool]
    documents: Sequence[str]
    words: evidence.Words
    query: str  # as it was read
    follows: bool  # whether the query was completed by what was asked before it
    answerable: bool | None
    right: Sequence[str] = ()

    def scores(self, blend: judging.Blend) -> list[float]:
        """Return what orders the passages by a blend."""
        return [blend.sum(one.reading.relevance, one.fused) for one in self.passages if one.reading]


def main() -> None:
    """Collect, fit, and print."""
    parser = asking(__doc__)
    parser.add_argument("--blend", type=Path, help="--json of an earlier run, whose blend is kept")
    parser.add_argument("--taught", action="store_true", help="ask of what the reader learned from too")
    options = parser.parse_args()
    cache = load_settings({}).cache
    reader, asked = load_reader(cache), []
    for place in places(options, load_encoder(None, cache)):
        found = list(collect(place, reader, options.questions, taught_too=options.taught))
        say(f"{place.dataset.name}: {len(found)} questions")
        asked += found
    kept = json.loads(options.blend.read_text(encoding="utf-8"))["blend"] if options.blend else None
    blend = judging.Blend(**kept) if kept else fitted_blend(asked)
    words_by_price([rescored(one, blend) for one in asked])
    result = {"blend": asdict(blend)}
    print(json.dumps(result))
    finish(result, [], options.json)


def asking(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser of what a run over questions of the `dev` halves is told."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, help="the folder of evaluation sets")
    parser.add_argument("seeds", type=Path)
    parser.add_argument("--names", nargs="*", help="of sets; all without it")
    parser.add_argument("--work", type=Path, required=True, help="the folder that keeps ingested documents")
    parser.add_argument("--questions", type=int, default=150, help="drawn of each set and kind")
    parser.add_argument("--json", type=Path)
    return parser


@dataclass(frozen=True, slots=True)
class Place:
    """Where questions are asked."""

    dataset: Dataset
    collection: Collection
    encoder: Encoder


def places(options: argparse.Namespace, encoder: Encoder) -> Iterator[Place]:
    """Yield the chosen sets by turns, each with its documents ingested."""
    for folder in [*sorted(options.sets.iterdir()), options.seeds]:
        if folder.is_dir() and (not options.names or folder.name in options.names):
            dataset = read_dataset(folder)
            with cached_collection(dataset, options.work / "ours", encoder) as collection:
                yield Place(dataset, collection, encoder)


def collect(
    place: Place, reader: Reader | None, most: int, depth: int = judging.DEPTH, *, taught_too: bool = False
) -> Iterator[Asked]:
    """Ask the drawn questions of a set, those with a relevant document and those without; unread without `reader`."""
    dataset = place.dataset
    chance = random.Random(f"fit {dataset.name}")
    kept = [
        one
        for one in dataset.questions
        if one.split == "dev" and (taught_too or dataset.name not in LEARNED or not taught(one))
    ]
    judged = {one.id for one in kept if any(grade > 0 for grade in dataset.judgements.get(one.id, {}).values())}
    for of in ([one for one in kept if one.id in judged], [one for one in kept if one.id not in judged]):
        for one in chance.sample(of, min(most, len(of))):
            found = first(place, one, one.filter, one.answerable, depth)
            yield read(found, reader)


def read(found: Asked, reader: Reader | None) -> Asked:
    """Return the question with its near passages, read, and no others."""
    if reader is None:
        return found
    near = judging.near(found.passages, judging.depth(reader.runtime))
    readings = reader.read(found.query, [passage.stored for passage in near])
    return replace(
        found,
        passages=[replace(passage, reading=said) for passage, said in zip(near, readings, strict=True)],
        relevant=found.relevant[: len(near)],
        documents=found.documents[: len(near)],
    )


def first(place: Place, one: DatasetQuestion, condition: Json, answerable: bool | None, depth: int) -> Asked:
    """Find the first passages of one question."""
    dataset = place.dataset
    question = Question(one.text, history=one.history, filter=condition)
    found = retrieve(question, place.collection, place.encoder, Ranking(), depth)
    query = found.standalone_query or question.query
    words = evidence.weigh(query, question.query, found.found.frequencies, found.found.total)
    passages = list(islice(found.passages, depth))
    grades = dataset.judgements.get(one.id, {})
    spans = [span for span in one.spans if dataset.name in LONG]

    def relevant(passage: Ranked) -> bool:
        ref, part = passage.stored.ref, passage.stored.passage
        if spans:
            return any(
                span.document_id == ref.document_id and part.start < span.end and span.start < part.end
                for span in spans
            )
        return answerable is not False and grades.get(ref.document_id, 0) > 0

    return Asked(
        dataset.name,
        str(one.metadata.get("article") or one.metadata.get("context_doc") or one.id),
        passages,
        [relevant(passage) for passage in passages],
        [passage.stored.ref.id if dataset.name in LONG else passage.stored.ref.document_id for passage in passages],
        words,
        query,
        found.standalone_query is not None,
        answerable,
        one.answers if answerable else (),
    )


def fitted_blend(asked: Sequence[Asked]) -> judging.Blend:
    """Return the blend with the best mean over sets, and say what each does to every set, and to follow-ups apart."""
    able = [one for one in asked if any(one.relevant)]
    tried = [judging.Blend(fused) for fused in TRIED]
    names = sorted({one.name for one in able})
    after = tables(able, names, tried)
    say("follow-ups, as they were completed")
    follow = [one for one in able if one.follows]
    tables(follow, sorted({one.name for one in follow}), tried)
    means = {blend: mean(values) for blend, values in after.items()}
    best = max((one for one in tried if means[one] >= max(means.values()) - NEAR_BEST), key=lambda one: one.fused)
    x = np.array([score for one in able for score in one.scores(best)])
    y = np.array([float(yes) for one in able for yes in one.relevant])
    count = {name: sum(len(one.passages) for one in able if one.name == name) for name in names}
    weights = np.array([1 / count[one.name] for one in able for _ in one.passages])
    slope, offset = logistic(x[:, None], y, weights, 0.0)
    return replace(best, slope=round(float(slope), 4), offset=round(float(offset), 4))


def tables(
    able: Sequence[Asked], names: Sequence[str], tried: Sequence[judging.Blend]
) -> dict[judging.Blend, list[float]]:
    """Return nDCG@10 by set of every blend's order; print them and the first stage's."""

    def by_set(scores: Callable[[Asked], Sequence[float]]) -> list[float]:
        return [mean([ndcg(one, scores(one)) for one in able if one.name == name]) for name in names]

    before = by_set(lambda one: [passage.fused for passage in one.passages])
    after = {blend: by_set(lambda one, blend=blend: one.scores(blend)) for blend in tried}  # type: ignore[misc]
    named = {"first stage": before, **{f"{one.fused:g}": values for one, values in after.items()}}
    rows = [[name, *(f"{one:.3f}" for one in values), f"{mean(values):.4f}"] for name, values in named.items()]
    table(["price", *names, "mean"], rows)
    return after


def ndcg(one: Asked, scores: Sequence[float]) -> float:
    """Return nDCG@10 of the passages read, best passage a document, the ideal being what they hold."""
    seen, gained = set(), []
    for place in sorted(range(len(scores)), key=lambda place: -scores[place]):
        if one.documents[place] not in seen:
            seen.add(one.documents[place])
            gained.append(one.relevant[place])
    held = len({name for name, yes in zip(one.documents, one.relevant, strict=True) if yes})
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(held, 10)))
    return sum(1 / math.log2(rank + 2) for rank, yes in enumerate(gained[:10]) if yes) / ideal


def rescored(one: Asked, blend: judging.Blend) -> Asked:
    """Return the question with its passages in the order and with the scores of a blend."""
    readings = [passage.reading for passage in one.passages if passage.reading]
    ranked = judging.ordered(one.passages, readings, blend)
    by = {id(passage.stored): yes for passage, yes in zip(one.passages, one.relevant, strict=True)}
    return replace(one, passages=ranked, relevant=[by[id(passage.stored)] for passage in ranked])


def words_by_price(asked: Sequence[Asked]) -> None:
    """Print token F1 of the first words of squad2, for what a point of a passage's logit may count for its words."""
    exact = [one for one in asked if one.right and one.name == "squad2"]
    for pull in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0) if exact else ():
        f1 = mean([first_f1(one, pull) for one in exact])
        say(f"a point of a passage's logit counts {pull} for its words: token F1 {f1:.4f}")


def first_f1(one: Asked, pull: float) -> float:
    """Return token F1 of the best words where a point of relevance counts `pull`."""
    found = [
        (span.score + pull * judging.logit(passage.score), passage.stored.text[span.start : span.end])
        for passage in one.passages
        if passage.reading
        for span in passage.reading.spans
    ]
    return token_f1(max(found)[1] if found else "", one.right)


def logistic(rows: Floats, labels: Floats, weights: Floats, pull: float) -> Floats:
    """Return weights of the columns and a bias, by weighted maximum likelihood with a penalty on their squares."""
    scaled = weights / weights.sum()
    width = rows.std(axis=0) + 1e-9

    def loss(beta: Floats) -> float:
        z = rows @ beta[:-1] + beta[-1]
        return float((scaled * (np.logaddexp(0, z) - labels * z)).sum() + pull * ((beta[:-1] * width) ** 2).sum() / 10)

    found: Floats = minimize(loss, np.zeros(rows.shape[1] + 1), method="L-BFGS-B").x
    return found


def mean(values: Sequence[float]) -> float:
    """Return the mean, 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


if __name__ == "__main__":
    main()
