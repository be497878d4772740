"""Questions that what follows the reader is fitted to, asked and read once, and kept; decision.py tells how to.

Asked are the questions of the `dev` halves of SETS, those of TAUGHT, and of each real set some about other folders.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from reporting import say

from api.settings import load_settings
from rag import assembly, evidence, judging
from rag.encoding import Encoder, load_encoder
from rag.evaluation.cache import cached_collection
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.questions import AnswerSpan, DatasetQuestion
from rag.evaluation.replies import OFF_TOPIC
from rag.reading import Reader, load_reader
from rag.retrieval import Ranking, retrieve
from rag.types import Question, Ranked

REAL = ("real_adminguide", "real_law", "real_textbook", "real_support", "real_papers", "real_history")
SETS = (*REAL, "clapnq", "seeds")
TAUGHT = (
    *("real_policy", "real_terms", "real_ops", "real_dev", "real_guidance", "real_science", "real_tables"),
    *("real_events", "real_reports", "real_rules"),
)
POOL = 30  # passages found, of which the near ones are read
SHOWN = 10  # passages that are left of them without near-copies
STRANGER, STRANGERS = "stranger", 25  # questions about other folders that are asked of each


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its passages as they were read, and what is right."""

    name: str  # of the set
    type: str
    words: evidence.Words
    ranked: Sequence[Ranked]
    answerable: bool
    short: bool
    answers: Sequence[str]
    support: Sequence[AnswerSpan]


def collect(folders: Sequence[Path], work: Path, most: int) -> None:
    """Ask and keep, set by set; what is kept already is not asked again."""
    cache = load_settings({}).cache
    encoder, reader = load_encoder(None, cache), load_reader(cache)
    (work / "decision").mkdir(parents=True, exist_ok=True)
    below = {one for given in folders for one in (given, *given.iterdir()) if one.name in {*SETS, *TAUGHT}}
    sets = [read_dataset(folder) for folder in sorted(below)]
    drawn = {one.name: draw(one, most) for one in sets}
    for dataset in sets:
        kept = work / "decision" / f"{dataset.name}.pickle"
        if not kept.exists():
            place = Place(dataset, work, encoder, reader)
            kept.write_bytes(pickle.dumps(list(asked(place, [*drawn[dataset.name], *strangers(dataset.name, drawn)]))))
            say(f"{dataset.name}: kept")


def draw(dataset: Dataset, most: int) -> list[DatasetQuestion]:
    """Return questions that may be fitted to: those of the `dev` half, of a set to learn from all."""
    known = [
        one
        for one in dataset.questions
        if one.answerable is not None and (dataset.name in TAUGHT or one.split in (None, "dev"))
    ]
    return random.Random(f"decision {dataset.name}").sample(known, min(most, len(known)))


def strangers(name: str, drawn: Mapping[str, Sequence[DatasetQuestion]]) -> list[DatasetQuestion]:
    """Return questions about other folders, whose subject the documents of a real set lack."""
    others = [
        replace(one, answerable=False, type=STRANGER, short=False, answers=(), support=())
        for other, questions in sorted(drawn.items())
        if other != name and other.startswith("real") and name.startswith("real")
        for one in questions
        if not one.history and one.type not in (OFF_TOPIC, "vague")
    ]
    return random.Random(f"strangers {name}").sample(others, min(STRANGERS, len(others)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where questions are asked."""

    dataset: Dataset
    work: Path
    encoder: Encoder
    reader: Reader


def asked(place: Place, questions: Sequence[DatasetQuestion]) -> Iterator[Asked]:
    """Yield the questions with their passages as a user's question would have them read."""
    with cached_collection(place.dataset, place.work / "ours", place.encoder) as collection:
        for one in questions:
            question = Question(one.text, history=one.history, filter=one.filter)
            found = retrieve(question, collection, place.encoder, Ranking(), POOL)
            query = found.standalone_query or one.text
            words = evidence.weigh(query, one.text, found.found.frequencies, found.found.total)
            passages = list(islice(found.passages, POOL))
            near = judging.near(passages, judging.depth(place.reader.runtime))
            readings = place.reader.read(query, [passage.stored for passage in near])
            ranked = assembly.collapse(judging.ordered(near, readings), SHOWN)
            kind, able = one.type or "", bool(one.answerable)
            yield Asked(place.dataset.name, kind, words, ranked, able, one.short, one.answers, one.support)


def load(work: Path) -> list[Asked]:
    """Return all that was collected."""
    files = sorted((work / "decision").glob("*.pickle"))
    return [one for file in files for one in pickle.loads(file.read_bytes())]
