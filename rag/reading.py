"""Question and passage read together: how well it answers, the exact words, and what it says of a claim.

The reader was trained by benchmarks/reader/ and lies beside this file; docs/reader.md is its card.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import numpy as np
from tokenizers import Tokenizer

from index.types import StoredPassage, Vectors, text_digest
from rag.deciding import FILE as DECISIONS
from rag.deciding import Decisions, shipped
from rag.pairs import WINDOW, Pair, pair, tokenize
from rag.runtimes.choose import Prepared, default_model, prepared_reader
from rag.runtimes.kept import Outputs, ReaderRuntime, file_digest
from rag.types import Reading, ScoredSpan, TokenScores

WEIGHTS = Path(__file__).parent / "reader.safetensors"
SPANS = 3  # kept of a passage
_LONGEST = 30  # tokens of an answer
_LIKELY = 12  # starts and ends that are tried, each with each
_BATCH = 640  # tokens that are read at once, as a rule: it bounds the memory, and 1,280 were no faster
_CLOSING = re.compile(r"[\"”»]?[)\]]")
_EDGES = re.compile(r"^[\s,.;:!?\"“”„«»()\[\]–—-]+|[\s,.;:!?\"“”„«»()\[\]–—-]+$")


class Reader(Protocol):
    """Reads passages for a question; `fingerprint` names everything that decides what it says."""

    fingerprint: str
    runtime: str  # what runs the model
    decisions: Decisions  # fitted to what it says

    def read(self, question: str, passages: Sequence[StoredPassage], seconds: float | None = None) -> list[Reading]:
        """Return one reading a passage, in their order; the same passages always give the same readings.

        With `seconds` only so many of the first passages are read as that time is likely to do for, at least one.
        """
        ...

    def warm_up(self) -> None:
        """Load what reading needs, so that the first question need not wait for it."""
        ...


class WordReader:
    """A reader without a model: the share of the question's words that a passage holds, and its names and numbers.

    It knows no meaning; it serves tests, as HashingEncoder does.
    """

    fingerprint = "words"
    runtime = "words"
    decisions = Decisions(
        quote={"peak": 1.0, "context": 4.0, "long": -2.0},
        words={"score": 1.0},
        answered={"relevance": 1.0, "bias": 0.5},
        subject={"relevance": 1.0, "bias": 2.0},
        quoted={"relevance": 0.5, "bias": 0.0},
        pointed={"score": 0.5, "bias": 2.0},
        least_answered=0.15,
        least_subject=0.2,
        least_words=0.2,
    )

    def __init__(self, per_second: float = 1e6) -> None:
        self._per_second = per_second  # passages

    def read(self, question: str, passages: Sequence[StoredPassage], seconds: float | None = None) -> list[Reading]:
        """Compare the words, counting on a fixed speed."""
        most = len(passages) if seconds is None else max(1, int(seconds * self._per_second))
        return [_by_words(question, one.text, one.passage.header) for one in passages[:most]]

    def warm_up(self) -> None:
        """Need nothing."""


def _by_words(question: str, text: str, header: str) -> Reading:
    asked = set(re.findall(r"\w{4,}|\d+", question.lower()))
    held = asked & set(re.findall(r"\w{4,}|\d+", f"{header} {text}".lower()))
    share = len(held) / max(1, len(asked))
    named = [one for one in re.finditer(r"\d[\d.,:]*\d|\d|[A-Z]\w+(?: [A-Z]\w+)*", text) if one[0].lower() not in asked]
    spans = tuple(ScoredSpan(*one.span(), 8 * share - 4 - place) for place, one in enumerate(named[:SPANS]))
    differs = any(word.isdigit() for word in asked - held) and any(one[0][0].isdigit() for one in named)
    said = (share * 0.1, share * 0.9, 1 - share) if differs else (share * 0.9, 0.05, 0.95 - share * 0.9)
    return Reading(8 * share - 4, spans, said, _tokens_of(text, spans))


def _tokens_of(text: str, spans: Sequence[ScoredSpan]) -> TokenScores:
    """Return the words as tokens: those that open and close a span have half of its score each."""
    offsets = [one.span() for one in re.finditer(r"\w+|[^\w\s]", text)]
    starts, ends = np.full((2, len(offsets)), -8.0, dtype=np.float32)
    for place, (start, end) in enumerate(offsets):
        for one in spans:
            if start == one.start:
                starts[place] = one.score / 2
            if end == one.end:
                ends[place] = one.score / 2
    return TokenScores(offsets, starts, ends)


class ModelReader:
    """The trained reader, as it was prepared for this machine; loaded when first needed."""

    def __init__(self, prepared: Prepared, fingerprint: str, window: int = WINDOW) -> None:
        self.fingerprint = fingerprint
        self.decisions = shipped()
        self._window = window
        self.runtime = prepared.facts.runtime
        self._prepared = prepared
        self._tokenizer = Tokenizer.from_str(prepared.tokenizer())
        self._tokenizer.no_truncation()
        self._lock = threading.Lock()
        self._opened: tuple[ReaderRuntime, ThreadPoolExecutor] | None = None
        measured = {one.runtime: one.tokens_per_second for one in prepared.facts.measured}
        self._per_second = measured[self.runtime]  # tokens

    def read(self, question: str, passages: Sequence[StoredPassage], seconds: float | None = None) -> list[Reading]:
        """Read the passages in batches of like lengths, as many at a time as there are cores.

        `seconds` is held against the tokens, at the speed that was measured when the model was prepared.
        """
        pairs = self._pairs(question, passages)
        if seconds is not None:
            tokens = accumulate(len(one.ids) for one in pairs)
            pairs = pairs[: max(1, sum(spent <= seconds * self._per_second for spent in tokens))]
        order = sorted(range(len(pairs)), key=lambda at: len(pairs[at].ids))
        runtime, pool = self._open()

        def run(batch: Sequence[int]) -> Outputs:
            return runtime.read([pairs[at].ids for at in batch], [pairs[at].segments for at in batch])

        batches = _batches(order, pairs, runtime.places)
        readings: list[Reading | None] = [None] * len(pairs)
        for batch, found in zip(batches, pool.map(run, batches), strict=True):
            for row, at in enumerate(batch):
                readings[at] = _reading(pairs[at], passages[at].text, found, row)
        return [one for one in readings if one is not None]

    def warm_up(self) -> None:
        """Load the model."""
        self._open()

    def _pairs(self, question: str, passages: Sequence[StoredPassage]) -> list[Pair]:
        headers, texts = [one.passage.header for one in passages], [one.text for one in passages]
        asked, *read = tokenize(self._tokenizer, [question, *headers, *texts])
        return [
            pair(asked, *both, self._window) for both in zip(read[: len(headers)], read[len(headers) :], strict=True)
        ]

    def _open(self) -> tuple[ReaderRuntime, ThreadPoolExecutor]:
        with self._lock:
            if self._opened is None:
                runtime = self._prepared.open_reader(WEIGHTS)
                self._opened = runtime, ThreadPoolExecutor(runtime.places, thread_name_prefix="reader")
            return self._opened


def load_reader(cache: Path | None = None, window: int = WINDOW) -> ModelReader:
    """Return the reader that comes with Pincite, prepared once for each machine and kept in `cache`.

    `window` is how many tokens of a passage it reads, at most.
    Raises ModelUnavailable where its weights, or those of the default model that it is built on, are not there.
    """
    folder = default_model()
    weights = file_digest(WEIGHTS)
    prepared = prepared_reader(folder, WEIGHTS, weights, cache)
    return ModelReader(prepared, text_digest(f"{weights} {file_digest(DECISIONS)}"), window)


def _batches(order: Sequence[int], pairs: Sequence[Pair], places: int) -> list[list[int]]:
    """Cut the order into batches of about as many tokens each, as many batches for every core."""
    tokens = sum(len(pairs[at].ids) for at in order)
    count = -(-tokens // (_BATCH * places)) * places
    batches: list[list[int]] = [[] for _ in range(count)]
    before = 0
    for at in order:
        batches[before * count // tokens].append(at)
        before += len(pairs[at].ids)
    return [batch for batch in batches if batch]


def _reading(one: Pair, text: str, found: Outputs, row: int) -> Reading:
    said = np.exp(found.verdict[row] - found.verdict[row].max())
    supported, contradicted, nothing = (float(share) for share in said / said.sum())
    logits = found.span[row]
    inside = (logits[one.first : one.first + len(one.offsets)] - logits[0]).astype(np.float32)
    tokens = TokenScores(one.offsets, inside[:, 0], inside[:, 1])
    spans = best_spans(logits, one, text)
    return Reading(float(found.relevance[row]), spans, (supported, contradicted, nothing), tokens)


def best_spans(logits: Vectors, one: Pair, text: str) -> tuple[ScoredSpan, ...]:
    """Return the likeliest spans of a passage, best first, none overlapping another, as whole words without edges.

    `logits` are those of start and end, shape (length, 2); the first token's say that there is no answer.
    """
    if not one.offsets:
        return ()
    inside = logits[one.first : one.first + len(one.offsets)].astype(np.float64)
    starts, ends = (np.argsort(-inside[:, side], kind="stable")[:_LIKELY] for side in (0, 1))
    tried = [
        (float(inside[start, 0] + inside[end, 1]), int(start), int(end))
        for start in starts
        for end in ends
        if start <= end < start + _LONGEST
    ]
    nothing = float(logits[0].astype(np.float64).sum())
    kept: list[ScoredSpan] = []
    for score, start, end in sorted(tried, key=lambda found: (-found[0], found[1], found[2])):
        first, last = _whole(text, one.offsets[start][0], one.offsets[end][1])
        if first < last and not any(first < other.end and other.start < last for other in kept):
            kept.append(ScoredSpan(first, last, score - nothing))
        if len(kept) == SPANS:
            break
    return tuple(kept)


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen to whole words, leave out white space and punctuation at both ends, and close a bracket that is open."""
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
        end += 1
    part = text[start:end]
    closing = len(part.rstrip()) and _EDGES.sub("", part)
    if not closing:
        return start, start
    begin = start + part.index(closing)
    end = begin + len(closing)
    left_open = sum(closing.count(sign) for sign in "([") > sum(closing.count(sign) for sign in ")]")
    closed = _CLOSING.match(text, end) if left_open else None
    return begin, closed.end() if closed else end
