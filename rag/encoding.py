"""Texts to unit vectors: the encoder and its threads.

The encoder's threads own the model and callers wait for them, so that questions can go before documents: between two
micro-batches of documents (about 100 ms) every waiting question is encoded first. A question is always encoded
alone, because its neighbours in a batch change the last bits of a vector, and the same question must give the same
answer. What runs the model is chosen in `rag.runtimes`.
"""

from __future__ import annotations

import atexit
import hashlib
import re
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

import numpy as np
from tokenizers import Tokenizer

from index.types import Vectors
from rag.errors import ModelUnavailable
from rag.runtimes.choose import Prepared, default_model, prepared
from rag.runtimes.kept import Runtime, file_digest


class Encoder(Protocol):
    """Turns texts into unit vectors; `fingerprint` names everything that decides them."""

    fingerprint: str
    dimension: int
    window: int  # tokens that are read of a text, special tokens included
    runtime: str  # what runs the model

    @property
    def waiting(self) -> int:
        """How many requests are not wholly under way yet."""
        ...

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the (start, end) code points of every token of `text`, without special tokens and without limit."""
        ...

    def submit(self, texts: Sequence[str], *, urgent: bool = False) -> Future[Vectors]:
        """Queue texts for unit vectors, float32, shape (len(texts), dimension); `urgent` goes before all that is not.

        An urgent text is encoded alone, so that the same text always has the same bits.
        """
        ...

    def encode(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Submit the texts and wait for their vectors."""
        ...


class HashingEncoder:
    """A deterministic encoder without a model: hashed lower-case words, signed and counted (Weinberger et al. 2009).

    It knows no meaning, only words; it serves tests and places where no model can be had.
    """

    waiting = 0  # it answers at once

    def __init__(self, dimension: int = 64, window: int = 256) -> None:
        self.dimension = dimension
        self.window = window
        self.runtime = "hashing"
        self.fingerprint = f"hashing-{dimension}-{window}"

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Count words and single other characters as tokens."""
        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]

    def submit(self, texts: Sequence[str], *, urgent: bool = False) -> Future[Vectors]:
        """Return the vectors as a future that is done already."""
        future: Future[Vectors] = Future()
        future.set_result(self.encode(texts, urgent=urgent))
        return future

    def encode(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Return one unit row a text; a text without words points along the first axis."""
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
                row[int.from_bytes(digest[:4], "big") % self.dimension] += 1 if digest[4] & 1 else -1
            if not row.any():
                row[0] = 1
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows


class ModelEncoder:
    """A sentence-transformers model in a folder, as it was prepared for this machine; loaded when first needed."""

    def __init__(self, prepared: Prepared, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.dimension, self.window = prepared.facts.dimension, prepared.facts.window
        self.runtime = prepared.facts.runtime
        self._offsets = Tokenizer.from_str(prepared.tokenizer())
        self._offsets.no_truncation()
        self._tokenizer = Tokenizer.from_str(prepared.tokenizer())
        self._threads = _EncoderThreads(prepared.open, self.dimension, prepared.facts.batch_tokens)

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the tokenizer's own offsets, which count code points."""
        offsets: Sequence[tuple[int, int]] = self._offsets.encode(text, add_special_tokens=False).offsets
        return offsets

    def submit(self, texts: Sequence[str], *, urgent: bool = False) -> Future[Vectors]:
        """Queue the texts."""
        tokens = [found.ids for found in self._tokenizer.encode_batch_fast(list(texts))]
        return self._threads.submit(tokens, urgent=urgent)

    def encode(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Queue the texts and wait for their vectors."""
        return self.submit(texts, urgent=urgent).result()

    @property
    def waiting(self) -> int:
        """How many requests are not wholly under way yet."""
        return self._threads.waiting


class _Request:
    """Token ids that wait for their vectors, ordered by length so that a micro-batch pads little."""

    def __init__(self, tokens: Sequence[Sequence[int]], dimension: int, *, alone: bool) -> None:
        self.tokens = tokens
        self.rows: Vectors = np.zeros((len(tokens), dimension), dtype=np.float32)
        self.future: Future[Vectors] = Future()
        self._alone = alone
        self._order = list(range(len(tokens))) if alone else sorted(range(len(tokens)), key=lambda at: -len(tokens[at]))
        self._taken = 0
        self._left = len(tokens)

    @property
    def taken(self) -> bool:
        """Whether nothing of it waits any more."""
        return self._taken >= len(self._order)

    def take(self, budget: int) -> list[int]:
        """Return the places of the next micro-batch: one text, or as many as pad to `budget` tokens."""
        longest = max(1, len(self.tokens[self._order[self._taken]]))
        size = 1 if self._alone else max(1, budget // longest)
        places = self._order[self._taken : self._taken + size]
        self._taken += len(places)
        return places

    def give(self, places: Sequence[int], rows: Vectors) -> None:
        """Take the vectors of `places`; the last ones finish the request."""
        self.rows[list(places)] = rows
        self._left -= len(places)
        if not self._left and not self.future.done():
            self.future.set_result(self.rows)

    def fail(self, problem: Exception) -> None:
        """Finish with an error; what was not taken yet is given up."""
        self._taken = len(self._order)
        if not self.future.done():
            self.future.set_exception(problem)


class _EncoderThreads:
    """Runs a model over what waits, urgent requests first, one micro-batch at a time on each of its places.

    The model is loaded by `load` when the first request comes; one that cannot be loaded fails every request.
    """

    def __init__(self, load: Callable[[], Runtime], dimension: int, batch_tokens: int) -> None:
        self._load = load
        self._dimension = dimension
        self._batch_tokens = batch_tokens
        self._urgent: deque[_Request] = deque()
        self._patient: deque[_Request] = deque()
        self._wake = threading.Condition()
        self._started = False
        self._closing = False
        self._threads: list[threading.Thread] = []
        # A thread that is inside the model when the interpreter goes would take the process down with an abort.
        atexit.register(self.close)

    def close(self) -> None:
        """End the threads after the micro-batches under way; what still waits fails."""
        with self._wake:
            self._closing = True
            self._give_up(RuntimeError("The process is ending."))
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()

    def _give_up(self, problem: Exception) -> None:
        """Fail everything that waits."""
        for request in (*self._urgent, *self._patient):
            request.fail(problem)
        self._urgent.clear()
        self._patient.clear()

    @property
    def waiting(self) -> int:
        """How many requests are not wholly under way yet."""
        return len(self._urgent) + len(self._patient)

    def submit(self, tokens: Sequence[Sequence[int]], *, urgent: bool) -> Future[Vectors]:
        request = _Request(tokens, self._dimension, alone=urgent)
        if not tokens:
            request.give((), request.rows)
            return request.future
        with self._wake:
            if self._closing:
                raise RuntimeError("The process is ending, and nothing is encoded any more.")
            (self._urgent if urgent else self._patient).append(request)
            if not self._started:
                self._started = True
                self._begin(self._start)
            self._wake.notify()
        return request.future

    def _begin(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name=f"encoder-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _start(self) -> None:
        """Load the model and run it, on other threads too where it has more places."""
        try:
            runtime = self._load()
        except Exception as problem:
            with self._wake:
                self._started = False  # the next request tries again
                self._give_up(problem)
            return
        for _ in range(1, runtime.places):
            self._begin(self._run, runtime)
        self._run(runtime)

    def _run(self, runtime: Runtime) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._urgent or self._patient or self._closing)
                if self._closing:
                    return
                queue = self._urgent or self._patient
                request = queue[0]
                places = request.take(self._batch_tokens)
                if request.taken:
                    queue.popleft()
                if self._urgent or self._patient:
                    self._wake.notify()  # what is left of this request is work for another thread
            try:
                rows = runtime.forward([request.tokens[place] for place in places])
            except Exception as problem:
                with self._wake:
                    request.fail(problem)
                    if request in queue:
                        queue.remove(request)
            else:
                with self._wake:
                    request.give(places, rows)


def load_encoder(name: str | None, cache: Path | None = None) -> Encoder:
    """Return the default model (`name` None), a model folder, or a model of the local cache; never downloads.

    A model is prepared once for each machine and kept in the folder `cache`; without one it is prepared each time.
    Raises ModelUnavailable when it cannot be loaded, or when the default model's weights are not the expected ones.
    """
    folder = _local_folder(name) if name else default_model()
    fingerprint = model_fingerprint(folder)
    return ModelEncoder(prepared(folder, fingerprint, cache), fingerprint)


def warm_up(encoder: Encoder) -> None:
    """Begin to load the model and let it meet questions of the usual lengths, the first of which cost the most."""
    for length in (6, 14, 22, 30):
        encoder.submit(["word " * length] * 2, urgent=True)


def model_fingerprint(folder: Path) -> str:
    """Return a digest over every file of the model that can change a vector, as 64 hex digits."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix in {".json", ".txt", ".safetensors", ".bin", ".model"}:
            digest.update(f"{file.relative_to(folder).as_posix()}\0{file_digest(file)}\n".encode())
    return digest.hexdigest()


def _local_folder(name: str) -> Path:
    """Return the folder of a model that is a folder already or lies in the local Hugging Face cache."""
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    for repository in (name, f"sentence-transformers/{name}"):
        try:
            return Path(snapshot_download(repository, local_files_only=True))
        except (OSError, ValueError):
            continue
    raise ModelUnavailable(
        f"No model {name!r}: it is neither a folder nor in the local cache, and nothing is downloaded. "
        "Set PINCITE_MODEL to a sentence-transformers model folder, or unset it for the default model."
    )
