"""Makes what the reader learns from: questions with passages that answer them and passages that only resemble.

    python benchmarks/reader/examples.py ../shared/data --work FOLDER

Every set is cut into passages as ingestion cuts it. For each question both legs are asked over the whole set; of what
they find, the passages that do not answer become hard negatives: of other documents, and, where the answer's place is
known, other passages of the same document. Claims get the passage that their verdict was given for.

Only sets whose licence allows what is trained on them to be shipped are read, and of a set that is reported only two
thirds of the `dev` half, by source: the rest is kept to fit what comes after the reader.

Writes FOLDER/examples/SET.jsonl.gz and the digests of all that was read, FOLDER/examples/digests.json.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from plain import Legs, completed, documents, kept_vectors
from reporting import say

from api.settings import load_settings
from index.types import Vectors
from rag.encoding import ModelEncoder, load_encoder
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.questions import DatasetQuestion
from rag.splitting import Packing, split

SEED = 11
NEAR, HARD = 24, 6  # so many that a leg found may become negatives; half of them are taken from the first of both
VERDICTS = {
    "SUPPORTS": 0, "SUPPORT": 0, "SUPPORTED": 0, "supported": 0,
    "REFUTES": 1, "REFUTE": 1, "CONTRADICT": 1,
    "NOT ENOUGH INFO": 2, "NOT SUPPORTED": 2, "not_supported": 2,
}  # fmt: skip
ELSEWHERE = 0.15  # the share of claims that are also given a passage about something else


@dataclass(frozen=True, slots=True)
class Source:
    """One set: what its questions teach, how many are drawn, and how many negatives each gets.

    "answer": the relevant passage and the words that answer; "passage": the relevant passage alone; "claim": a verdict.
    """

    folder: str
    teaches: Literal["answer", "passage", "claim"]
    questions: int
    negatives: int = 3


SOURCES = (
    Source("train/squad11_train_part", "answer", 15_200, 2),
    Source("train/squad11", "answer", 4_600, 2),
    Source("train/squadshifts_new_wiki", "answer", 6_000, 2),
    Source("eval/squad2", "answer", 3_400, 2),
    Source("train/qed", "answer", 1_400, 2),
    Source("train/nq_oracle", "answer", 2_600, 2),
    Source("train/fairytaleqa", "answer", 6_000, 3),
    Source("train/afriqa_en", "answer", 3_200, 2),
    Source("train/timeqa", "answer", 1_200, 3),
    Source("train/tatqa_text", "answer", 800, 3),
    Source("train/musique", "passage", 300, 3),
    Source("train/hotpot", "passage", 800, 3),
    Source("eval/covidqa", "answer", 700, 5),
    Source("eval/doqa", "answer", 1_200, 4),
    Source("eval/docs_faq", "passage", 1_500, 4),
    Source("train/qasper_pairs", "passage", 2_000, 3),
    Source("train/evidence_inference", "passage", 1_200, 3),
    Source("train/selqa", "passage", 1_800, 3),
    Source("train/onestopqa", "passage", 1_000, 3),
    Source("train/pubmedqa", "passage", 800, 3),
    Source("train/boolq_pairs", "passage", 1_500, 3),
    Source("eval/wice", "claim", 200),
    Source("train/vitaminc_real", "claim", 18_000),
    Source("train/vitaminc_synthetic", "claim", 5_000),
    Source("train/fever_dev_claims", "claim", 8_000),
    Source("train/fever_symmetric", "claim", 1_500),
    Source("train/fm2_claims", "claim", 2_500),
    Source("train/scifact_pairs", "claim", 800),
    Source("train/check_covid", "claim", 1_500),
    Source("train/begin_attribution", "claim", 2_500),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage: its document, its place there in code points, and what is read."""

    document: str
    start: int
    end: int
    header: str
    text: str


class Cut:
    """A set cut into passages, with both legs over them."""

    def __init__(self, dataset: Dataset, encoder: ModelEncoder, work: Path) -> None:
        self.pieces = [
            Piece(name, one.start, one.end, one.header, loaded.text[one.start : one.end])
            for name, loaded in documents(dataset.corpus)
            for one in split(loaded, encoder.token_offsets, encoder.window, Packing())
        ]
        self.embedded = [f"{one.header}\n{one.text}".lstrip("\n") for one in self.pieces]
        vectors, _ = kept_vectors(self.embedded, encoder.encode, encoder.fingerprint, work / "vectors")
        self.vectors: Vectors = vectors
        self.legs = Legs(self, vectors)
        self.of: dict[str, list[int]] = defaultdict(list)
        for place, one in enumerate(self.pieces):
            self.of[one.document].append(place)


def main() -> None:
    """Write the examples of every set that has none yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder with train/ and eval/")
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    encoder = load_encoder(None, load_settings({}).cache)
    assert isinstance(encoder, ModelEncoder)
    target = options.work / "examples"
    target.mkdir(parents=True, exist_ok=True)
    digests = {}
    for source in SOURCES:
        dataset = read_dataset(options.data / source.folder)
        file = target / f"{dataset.name}.jsonl.gz"
        digests[dataset.name] = {"corpus": dataset.corpus_sha256, "questions": dataset.questions_sha256}
        if not file.exists():
            made = list(examples(source, dataset, Cut(dataset, encoder, options.work), encoder))
            unfinished = file.with_suffix(".part")
            with gzip.open(unfinished, "wt", encoding="utf-8") as lines:
                lines.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in made)
            unfinished.rename(file)
            say(f"{dataset.name}: {len(made)} examples")
        digests[dataset.name]["examples"] = hashlib.sha256(gzip.decompress(file.read_bytes())).hexdigest()
    (target / "digests.json").write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")


def examples(source: Source, dataset: Dataset, cut: Cut, encoder: ModelEncoder) -> Iterator[dict[str, Any]]:
    """Yield the examples of one set, drawn by a fixed seed."""
    chance = random.Random(f"{SEED} {dataset.name}")
    allowed = [one for one in dataset.questions if not source.folder.startswith("eval/") or taught(one)]
    drawn = chance.sample(allowed, min(source.questions, len(allowed)))
    asked = [completed(one) for one in drawn]
    vectors = encoder.encode(asked)
    make = claim if source.teaches == "claim" else question
    for one, text, vector, pools in zip(drawn, asked, vectors, cut.legs.pools(asked, vectors), strict=True):
        ranks = np.stack([pools.dense_rank, pools.lexical_rank])
        best = np.where(ranks > 0, ranks, NEAR + 1).min(axis=0)
        near = [int(at) for at in np.argsort(best, kind="stable") if best[at] <= NEAR]
        found = make(source, dataset, cut, Asked(one, text, vector, pools.places[near].tolist()), chance)
        if found is not None:
            yield {"set": dataset.name, "text": text, **found}


def taught(one: DatasetQuestion) -> bool:
    """Say whether a question of a reported set is learned from: of the `dev` half, two thirds of the sources.

    What comes after the reader, its blend with the first stage and its confidence, is fitted on the other third.
    """
    about = str(one.metadata.get("article") or one.metadata.get("page") or one.metadata.get("context_doc"))
    return one.split == "dev" and hashlib.sha256(about.encode()).digest()[0] % 3 > 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is searched, its vector, and the places of the passages that either leg found."""

    question: DatasetQuestion
    text: str
    vector: Vectors
    found: list[int]  # best first

    def nearest(self, places: Sequence[int], cut: Cut) -> int:
        """Return the place whose vector is most like the question's."""
        return max(places, key=lambda place: float(cut.vectors[place] @ self.vector))


def question(source: Source, dataset: Dataset, cut: Cut, asked: Asked, chance: random.Random) -> dict[str, Any] | None:
    """Return a question with its relevant passage first, or with none where nothing answers it, then negatives."""
    one = asked.question
    relevant = {name for name, grade in dataset.judgements.get(one.id, {}).items() if grade > 0}
    holding = [
        (place, span.start - piece.start, span.end - piece.start)
        for span in one.spans
        for place in cut.of.get(span.document_id, ())
        if (piece := cut.pieces[place]).start <= span.start and span.end <= piece.end
    ]
    answering = {place for place, _, _ in holding} or {place for name in relevant for place in cut.of.get(name, ())}
    passages = []
    if one.answerable is not False and answering:
        best = asked.nearest(sorted(answering), cut)
        spans = [[start, end] for place, start, end in holding if place == best] if source.teaches == "answer" else []
        passages.append(shown(cut.pieces[best], spans))
    elif one.answerable is not False:
        return None
    words = [text.casefold() for text in one.answers if len(text) > 2 and source.teaches == "answer"]
    same = cut.of.get(str(one.metadata.get("context_doc")), []) if one.answerable is False else []
    others = [
        place
        for place in asked.found
        if place not in answering
        and (cut.pieces[place].document not in relevant or holding)
        and not any(word in cut.pieces[place].text.casefold() for word in words)
        and place not in same
    ]
    hard = others[:HARD]
    chosen = chance.sample(hard, min(len(hard), -(-source.negatives // 2)))
    rest = [place for place in others if place not in chosen]
    negatives = same[:1] + chosen + chance.sample(rest, min(source.negatives - len(chosen), len(rest)))
    passages += [shown(cut.pieces[place]) for place in negatives]
    kind = source.teaches if passages and (passages[0]["spans"] or one.answerable is False) else "passage"
    return {"kind": kind, "answered": bool(one.answerable is not False), "passages": passages}


def claim(source: Source, dataset: Dataset, cut: Cut, asked: Asked, chance: random.Random) -> dict[str, Any] | None:
    """Return a claim with the passage that its verdict was given for; now and then with one about something else."""
    one = asked.question
    verdict = VERDICTS.get(str(one.metadata.get("label")))
    about = str(one.metadata.get("context_doc"))
    places = cut.of.get(about, [])
    if verdict is None or not places:
        return None
    holding = [
        place
        for place in places
        for span in one.spans
        if cut.pieces[place].start < span.end and span.start < cut.pieces[place].end
    ]
    if verdict == 2 or not holding:
        holding = places
    passages = [shown(cut.pieces[asked.nearest(holding, cut)])]
    elsewhere = [place for place in asked.found if cut.pieces[place].document != about]
    if elsewhere and chance.random() < ELSEWHERE:
        passages.append(shown(cut.pieces[chance.choice(elsewhere)]))
    return {"kind": "claim", "verdict": verdict, "passages": passages}


def shown(piece: Piece, spans: Sequence[Sequence[int]] = ()) -> dict[str, Any]:
    """Return a passage as it is written; `spans` are code points of its text, the end exclusive."""
    return {"header": piece.header, "text": piece.text, "spans": list(spans)}


if __name__ == "__main__":
    main()
