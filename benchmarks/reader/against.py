"""How long a question, and the reading in it, takes against a plain cross-encoder over the same passages."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from sentence_transformers import CrossEncoder
from tokenizers import Tokenizer

from api.settings import load_settings
from api.wiring import open_pincite
from index.types import StoredPassage
from rag.ask import ask
from rag.pairs import HEADER, pair, tokenize
from rag.reading import Reader
from rag.runtimes.choose import default_model
from rag.types import Answer, Question, Reading

ROUNDS = 3  # in which the questions are parted, to see how far a ratio spreads


class Noting:
    """A reader that notes what it was given to read, and how long it took."""

    def __init__(self, reader: Reader) -> None:
        self.fingerprint, self.runtime = reader.fingerprint, reader.runtime
        self._reader = reader
        self.clear()

    def clear(self) -> None:
        """Forget what was read."""
        self.read_pairs: list[tuple[str, StoredPassage]] = []
        self.seconds = 0.0

    def read(self, question: str, passages: Sequence[StoredPassage], seconds: float | None = None) -> list[Reading]:
        """Read, and note it."""
        started = time.perf_counter()
        found = self._reader.read(question, passages, seconds)
        self.seconds += time.perf_counter() - started
        self.read_pairs += [(question, one) for one in passages]
        return found


def against(data: Path, asked: Sequence[str]) -> dict[str, Any]:
    """Ask in process and let the cross-encoder score what was read, by turns."""
    model = CrossEncoder(str(default_model()), num_labels=1, max_length=512, device="cpu", local_files_only=True)
    window = Window()
    waits: dict[str, list[float]] = {}
    with open_pincite(load_settings({"data": data, "reader": "on"})) as pincite:
        assert pincite.reader is not None
        reader, collection = Noting(pincite.reader), pincite.catalog.collection("default")

        def asking(query: str) -> float:
            reader.clear()
            started = time.perf_counter()
            *_, answer = ask(Question(query), collection, pincite.encoder, reader=reader)
            assert isinstance(answer, Answer)
            return time.perf_counter() - started

        def scoring(pairs: Sequence[tuple[str, str]]) -> float:
            started = time.perf_counter()
            model.predict(list(pairs), show_progress_bar=False)
            return time.perf_counter() - started

        numbers = []
        for query in (*asked[:3], *asked):  # the first ones warm all of it up
            whole_question = asking(query)
            if not reader.read_pairs:
                continue
            passages = [(question, f"{one.passage.header}\n{one.text}") for question, one in reader.read_pairs]
            windows = [(question, window.of(question, one)) for question, one in reader.read_pairs]
            took = {
                "the whole question": whole_question,
                "reading": reader.seconds,
                "cross-encoder, the same windows": scoring(windows),
                "cross-encoder, whole passages": scoring(passages),
            }
            for name, seconds in took.items():
                waits.setdefault(name, []).append(seconds * 1000)
            numbers.append(len(passages))
        runtime = reader.runtime
    return {
        "questions": len(numbers[3:]),
        "passages read, median": median(numbers[3:]),
        "runtime": runtime,
        "figures": figured({name: some[3:] for name, some in waits.items()}),
    }


class Window:
    """Cuts a passage to what the reader reads of it."""

    def __init__(self) -> None:
        self._tokenizer = Tokenizer.from_file(str(default_model() / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def of(self, question: str, passage: StoredPassage) -> str:
        """Return header and window as text."""
        asked, header, text = tokenize(self._tokenizer, [question, passage.passage.header, passage.text])
        places = pair(asked, header, text).offsets
        kept = header.offsets[:HEADER]
        head = passage.passage.header[: kept[-1][1]] if kept else ""
        return f"{head}\n{passage.text[places[0][0] : places[-1][1]]}" if places else head


def figured(waits: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return of each its percentiles and, against both ways of the cross-encoder, the ratio of p50 in all and by round.

    Rounds are parts of the questions, drawn evenly, so that a machine that slows down slows every side.
    """
    figures: dict[str, Any] = {}
    for name, some in waits.items():
        figures[name] = {f"p{p}": float(np.percentile(some, p)) for p in (50, 95)}
        for rival in (other for other in waits if other.startswith("cross-encoder") and not name.startswith("cross")):
            parts = [median(some[n::ROUNDS]) / median(waits[rival][n::ROUNDS]) for n in range(ROUNDS)]
            figures[name][rival] = {"ratio": median(some) / median(waits[rival]), "rounds": parts}
    return figures
