"""The plain recipe that ranking is measured against: what anyone puts together in an afternoon, with the same model.

langchain's RecursiveCharacterTextSplitter at 1,000 characters with 100 overlap, the title before each passage, unit
vectors by all-MiniLM-L6-v2 with FAISS' exact inner product, BM25 (k1 1.2, b 0.75) with English stems and stop words cut
over title and text, and the two fused by rank (Cormack et al., 2009) or by a convex sum with one fixed weight.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from langchain_text_splitters import RecursiveCharacterTextSplitter
from scipy.sparse import csr_array

from index.terms import analyze, question_terms
from index.types import DocumentInfo, Vectors, text_digest
from rag.evaluation.datasets import corpus_files, named_documents
from rag.evaluation.questions import DatasetQuestion
from rag.history import standalone
from rag.ids import document_id
from rag.types import Answer, AnswerPassage, Citation, LoadedDocument

SIZE, OVERLAP = 1_000, 100  # characters
POOL = 200  # passages taken from each leg
RANK = 60  # k of rank fusion
K1, B = 1.2, 0.75
DENSE_WEIGHT = 0.5  # of the convex sum; the best of 0.3 to 0.7 on the `dev` halves: quality.py --choose-weight
BLOCK = 2_000  # texts whose vectors are kept together

Encode = Callable[[Sequence[str]], Vectors]


def documents(corpus: Path) -> Iterator[tuple[str, LoadedDocument]]:
    """Yield the documents of a file or folder with the ids that ingestion gives them."""
    for file in corpus_files(corpus):
        yield from ((document_id(name), row) for _, name, row in named_documents(file))


class Passages:
    """Passages by place: as they are shown, with the texts of their documents, and as they are embedded."""

    def __init__(self, corpus: Path) -> None:
        self.texts: dict[str, str] = {}
        self.shown: list[AnswerPassage] = []
        self.embedded: list[str] = []
        splitter = RecursiveCharacterTextSplitter(chunk_size=SIZE, chunk_overlap=OVERLAP, add_start_index=True)
        self._digests: dict[str, str] = {}
        for name, loaded in documents(corpus):
            self.texts[name] = loaded.text
            first, last = (loaded.body.start, loaded.body.end) if loaded.body else (0, len(loaded.text))
            for part in splitter.create_documents([loaded.text[first:last]]):
                start = first + part.metadata["start_index"]
                self.shown.append(self.passage(name, start, part.page_content))
                self.embedded.append(f"{loaded.title or ''}\n{part.page_content}".lstrip("\n"))

    def passage(self, name: str, start: int, text: str) -> AnswerPassage:
        """Return a passage of a document as measures want it; its rank is its place in the list it is in."""
        digest = self._digests.setdefault(name, text_digest(self.texts[name]))
        about = DocumentInfo(name, digest, "text/plain", *[None] * 6, {}, "", len(self.texts[name]), 0, 0, "")
        place = Citation("", name, digest, start, start + len(text), 0, 0, text, None, None, ())
        return AnswerPassage(0, f"{name}/{start}", text, 0.0, None, None, about, place, ())


def kept_vectors(texts: Sequence[str], encode: Encode, name: str, folder: Path) -> tuple[Vectors, float]:
    """Return float32 vectors of `texts`, one a row, and the seconds that making them took, this time or earlier.

    They are kept in `folder` by the digest of `name`, which says what made them, and of a block of texts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Vectors] = [np.zeros((0, 384), np.float32)]
    seconds = 0.0
    for start in range(0, len(texts), BLOCK):
        block = list(texts[start : start + BLOCK])
        file = folder / (hashlib.sha256(json.dumps([name, block]).encode()).hexdigest()[:32] + ".npz")
        if not file.exists():
            began = time.perf_counter()
            made = encode(block)
            took = time.perf_counter() - began
            unfinished = file.with_suffix(".part.npz")
            np.savez(unfinished, vectors=made, seconds=took)
            unfinished.rename(file)
        with np.load(file) as held:
            rows.append(held["vectors"])
            seconds += float(held["seconds"])
    return np.concatenate(rows), seconds


class Words:
    """BM25 over passages: per term the passages that hold it, with what it adds to the score of each."""

    def __init__(self, texts: Sequence[str]) -> None:
        ids: dict[str, int] = {}
        terms, places, counts, lengths = [], [], [], np.zeros(len(texts))
        for place, text in enumerate(texts):
            counted = Counter(analyze(text, None))
            lengths[place] = counted.total()
            terms += [ids.setdefault(term, len(ids)) for term in counted]
            places += [place] * len(counted)
            counts += counted.values()
        self._ids, self._size = ids, len(texts)
        matrix = csr_array((np.array(counts, np.float64), (terms, places)), shape=(len(ids), len(texts)))
        norms = K1 * (1 - B + B * lengths / max(1.0, lengths.mean() if len(texts) else 1.0))
        held = np.diff(matrix.indptr)
        rarity = np.log(1 + (len(texts) - held + 0.5) / (held + 0.5))
        matrix.data *= np.repeat(rarity, held) * (K1 + 1) / (matrix.data + norms[matrix.indices])
        self._matrix = matrix

    def top(self, question: str, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of the `limit` best passages that hold any of the words, best first, and their scores."""
        scores = np.zeros(self._size)
        for term, count in Counter(question_terms(question, [None])).items():
            if (row := self._ids.get(term)) is not None:
                part = slice(*self._matrix.indptr[row : row + 2])
                scores[self._matrix.indices[part]] += count * self._matrix.data[part]
        places = np.argsort(-scores, kind="stable")[:limit] if self._size <= 4 * limit else _best(scores, limit)
        places = places[scores[places] > 0]
        return places, scores[places]


def _best(scores: np.ndarray, limit: int) -> np.ndarray:
    some = np.sort(np.argpartition(-scores, limit)[:limit])
    return some[np.argsort(-scores[some], kind="stable")]


@dataclass(frozen=True, slots=True)
class Pools:
    """What both legs found for one question: places, the scores of each leg, and ranks from 1 (0: not found)."""

    places: np.ndarray
    dense: np.ndarray
    lexical: np.ndarray
    dense_rank: np.ndarray
    lexical_rank: np.ndarray


class Legs:
    """Both legs over the same passages."""

    def __init__(self, passages: Passages, vectors: Vectors) -> None:
        self._vectors = vectors
        self._nearest = faiss.IndexFlatIP(vectors.shape[1])
        self._nearest.add(vectors)
        self._words = Words(passages.embedded)

    def pools(self, questions: Sequence[str], vectors: Vectors) -> list[Pools]:
        """Return the pools of each question, given its vector."""
        _, nearest = self._nearest.search(vectors, min(POOL, len(self._vectors)))
        return [self._joined(*one) for one in zip(questions, vectors, nearest, strict=True)]

    def _joined(self, question: str, vector: Vectors, near: np.ndarray) -> Pools:
        words, scores = self._words.top(question, POOL)
        places = np.union1d(near, words)
        lexical, dense_rank, lexical_rank = np.zeros(len(places)), *np.zeros((2, len(places)), int)
        dense_rank[np.searchsorted(places, near)] = np.arange(1, len(near) + 1)
        at = np.searchsorted(places, words)
        lexical[at], lexical_rank[at] = scores, np.arange(1, len(words) + 1)
        return Pools(places, self._vectors[places] @ vector, lexical, dense_rank, lexical_rank)


def dense(pools: Pools) -> np.ndarray:
    """Score by the vectors alone; −inf leaves a passage out."""
    return np.where(pools.dense_rank > 0, pools.dense, -math.inf)


def lexical(pools: Pools) -> np.ndarray:
    """Score by BM25 alone; −inf leaves a passage out."""
    return np.where(pools.lexical_rank > 0, pools.lexical, -math.inf)


def rank_fusion(pools: Pools) -> np.ndarray:
    """Score by the sum of 1 / (60 + rank) over the legs that found a passage."""
    ranks = np.stack([pools.dense_rank, pools.lexical_rank])
    return np.where(ranks > 0, 1 / (RANK + ranks), 0.0).sum(axis=0)


def convex(weight: float) -> Callable[[Pools], np.ndarray]:
    """Score by `weight` of the dense part, scaled from least to greatest, and the rest of BM25, scaled from 0."""

    def score(pools: Pools) -> np.ndarray:
        low, high = (pools.dense.min(), pools.dense.max()) if len(pools.dense) else (0.0, 0.0)
        near = (pools.dense - low) / (high - low) if high > low else np.zeros(len(pools.dense))
        most = pools.lexical.max(initial=0.0)
        return weight * near + (1 - weight) * (pools.lexical / most if most > 0 else 0.0)

    return score


PLAIN: Mapping[str, Callable[[Pools], np.ndarray]] = {
    "dense": dense,
    "BM25": lexical,
    "rank fusion": rank_fusion,
    "convex": convex(DENSE_WEIGHT),
}


class PlainSystem:
    """One way to score what both legs found, as a system that an evaluation asks."""

    def __init__(self, passages: Passages, pools: Mapping[str, Pools], score: Callable[[Pools], np.ndarray]) -> None:
        self.degraded: set[str] = set()
        self._passages, self._pools, self._score = passages, pools, score

    def search(self, questions: Sequence[DatasetQuestion], depth: int) -> Sequence[Sequence[AnswerPassage]]:
        """Return per question at most `depth` passages, best first; equal ones in the order of the corpus."""
        return [self._ordered(self._pools[question.id], depth) for question in questions]

    def _ordered(self, pools: Pools, depth: int) -> list[AnswerPassage]:
        scores = self._score(pools)
        order = [at for at in np.argsort(-scores, kind="stable")[:depth] if scores[at] > -math.inf]
        return [self._passages.shown[pools.places[at]] for at in order]

    def ask(self, question: DatasetQuestion) -> Answer:
        """Refuse: the plain recipe only searches."""
        raise NotImplementedError

    def text(self, document_id: str) -> str | None:
        """Return the text of a document, None where there is none."""
        return self._passages.texts.get(document_id)


def completed(question: DatasetQuestion) -> str:
    """Return the question as every system gets it: completed from the talk before, as ours completes it."""
    return standalone(question.text, question.history) or question.text
