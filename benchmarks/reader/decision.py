"""Fits what follows the reader to it: which part is quoted, which words of it, and three confidences.

    python benchmarks/reader/decision.py collect ../shared/data/eval ../shared/data/train seeds --work FOLDER
    python benchmarks/reader/decision.py fit --work FOLDER [--output rag/decision.json]

`collect` asks the questions of the `dev` halves of SETS, and of the sets to learn from in TAUGHT, and keeps what was
read in FOLDER/decision. `fit` fits to all of it, says how it does on sets that it was not fitted to, by turns, and
writes the weights and thresholds. Run both after a new reader; `collect` takes half a second a question, or two where
only full precision is multiplied.
"""

from __future__ import annotations

import argparse
import json
import pickle
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parent.parent))

from reporting import say, table

from api.settings import load_settings
from rag import assembly, deciding, evidence, judging, pointing, quoting
from rag.encoding import Encoder, load_encoder
from rag.evaluation.cache import cached_collection
from rag.evaluation.calibration import auroc, ece
from rag.evaluation.containment import token_f1
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.replies import ALLOWED, COVERED, LONGEST, OFF_TOPIC
from rag.quoting import Measured
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
RIGHT = 0.5  # the least token F1 of words that answer
PULL = {"quote": 0.003, "words": 0.01, "answered": 0.01, "subject": 0.01, "quoted": 0.01, "pointed": 0.02}
COUNTS = {"clapnq": 0.25, STRANGER: 0.15}  # what such questions count beside others: there are more than people ask
EVEN = 0.5  # answered is what is likelier than not, and absent what likelier lacks its subject
SHOWN_RIGHT = 0.80  # of the words shown, on questions that nothing was fitted to

Floats = np.ndarray
Span = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its passages as they were read, and what is right."""

    name: str  # of the set
    id: str
    type: str
    words: evidence.Words
    ranked: Sequence[Ranked]
    answerable: bool
    short: bool | None  # None where nobody says
    answers: Sequence[str]
    support: Sequence[Span]


def main() -> None:
    """Collect or fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    collecting, fitting = commands.add_parser("collect"), commands.add_parser("fit")
    collecting.add_argument("folders", nargs="+", type=Path, help="of sets, or one set")
    collecting.add_argument("--most", type=int, default=400, help="questions drawn of each set")
    for one in (collecting, fitting):
        one.add_argument("--work", type=Path, required=True)
    fitting.add_argument("--output", type=Path, default=deciding.FILE)
    options = parser.parse_args()
    if options.command == "collect":
        collect(options.folders, options.work, options.most)
    else:
        fit(load(options.work), options.output)


# Collecting


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
    free = {one.split for one in dataset.questions} if dataset.name in TAUGHT else {None, "dev"}
    known = [one for one in dataset.questions if one.answerable is not None and one.split in free]
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
            yield labelled(place.dataset.name, one, words, ranked)


def labelled(name: str, one: DatasetQuestion, words: evidence.Words, ranked: Sequence[Ranked]) -> Asked:
    """Return a question with what is right about it."""
    support = [(span.document_id, span.start, span.end) for span in one.support]
    return Asked(name, one.id, one.type or "", words, ranked, bool(one.answerable), one.short, one.answers, support)


def load(work: Path) -> list[Asked]:
    """Return all that was collected."""
    files = sorted((work / "decision").glob("*.pickle"))
    return [one for file in files for one in pickle.loads(file.read_bytes())]


# Fitting


@dataclass(frozen=True, slots=True)
class Known:
    """A question with what was measured of its parts, and which of them are right quotes."""

    asked: Asked
    signals: evidence.Signals
    found: Sequence[Measured]
    right: Floats  # bool (parts,)


def known(one: Asked) -> Known:
    """Measure a question's parts."""
    found = quoting.measured(one.words, one.ranked)
    right = np.array([is_right(each.part, one.support) for each in found], dtype=bool)
    return Known(one, evidence.signals(one.words, one.ranked), found, right)


def is_right(part: quoting.Part, support: Sequence[Span]) -> bool:
    """Say whether a part is a right quote, by the rule of rag/evaluation/replies.py."""
    stored = part.passage.stored
    start, end = stored.passage.start + part.start, stored.passage.start + part.end
    spans = [(first, last) for name, first, last in support if name == stored.ref.document_id]
    held = [max(0, min(end, last) - max(start, first)) for first, last in spans]
    lengths = [last - first for first, last in spans]

    def short(length: int) -> bool:
        return end - start <= max(ALLOWED, LONGEST * length)

    if part.kind == "list" and len(spans) > 1:
        stretch = max(last for _, last in spans) - min(first for first, _ in spans)
        if sum(held) >= COVERED * sum(lengths) and short(stretch):
            return True
    return any(own >= COVERED * length and short(length) for own, length in zip(held, lengths, strict=True))


@dataclass(frozen=True, slots=True)
class Chosen:
    """A question with its best part, and the choices of words in it."""

    known: Known
    seen: deciding.Seen
    choices: Sequence[pointing.Choice]
    right_quote: bool
    right_words: Floats  # bool (choices,)


def chosen(one: Known, quote: deciding.Weights, words: deciding.Weights) -> Chosen:
    """Choose the best part by the weights of `quote`."""
    by = deciding.Decisions(quote, words, {}, {}, {}, {}, 0.0, 0.0, 0.0)
    seen = deciding.Seen.of(one.asked.words, one.asked.ranked, one.signals, one.found, by)
    choices = pointing.choices(one.asked.words, seen.best.part)
    text = seen.best.part.passage.stored.text
    said = [text[each.start : each.end] for each in choices]
    right = np.array([token_f1(each, one.asked.answers) >= RIGHT for each in said], dtype=bool)
    place = next(at for at, each in enumerate(one.found) if each is seen.best)
    return Chosen(one, seen, choices, bool(one.right[place]), right)


Rows = Sequence[Mapping[str, float]]


def choice_weights(groups: Sequence[tuple[Rows, Floats]], pull: float) -> dict[str, float]:
    """Fit a conditional logit: of each group's rows those that are right should have the share of exp(worth)."""
    able = [(rows, right) for rows, right in groups if right.any() and not right.all()]
    names = sorted({name for rows, _ in able for row in rows for name in row})
    x = np.array([[row.get(name, 0.0) for name in names] for rows, _ in able for row in rows])
    right = np.concatenate([each for _, each in able]).astype(float)
    sizes = [len(each) for _, each in able]
    starts, owner = np.concatenate([[0], np.cumsum(sizes)[:-1]]), np.repeat(np.arange(len(able)), sizes)
    mean, spread = x.mean(0), x.std(0) + 1e-6
    z = (x - mean) / spread

    def loss(weights: Floats) -> tuple[float, Floats]:
        worth = z @ weights
        exp = np.exp(worth - np.maximum.reduceat(worth, starts)[owner])
        whole, good = np.add.reduceat(exp, starts), np.add.reduceat(exp * right, starts)
        slope = z.T @ (exp / whole[owner] - exp * right / good[owner]) / len(able)
        return float(-np.log(good / whole).mean() + pull * weights @ weights), slope + 2 * pull * weights

    fit = minimize(loss, np.zeros(len(names)), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return dict(zip(names, (fit / spread).tolist(), strict=True))


def logistic_weights(rows: Rows, labels: Floats, shares: Floats, pull: float) -> dict[str, float]:
    """Fit a logistic regression; `shares` say what each row counts."""
    names = sorted({name for row in rows for name in row})
    x = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    mean, spread = x.mean(0), x.std(0) + 1e-6
    z = np.hstack([(x - mean) / spread, np.ones((len(rows), 1))])
    shares = shares / shares.sum()

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = z @ weights
        value = (shares * (np.logaddexp(0, logits) - labels * logits)).sum() + pull * weights[:-1] @ weights[:-1]
        slope = z.T @ (shares * (1 / (1 + np.exp(-logits)) - labels))
        return float(value), slope + 2 * pull * np.append(weights[:-1], 0.0)

    fit = minimize(loss, np.zeros(z.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    weights = fit[:-1] / spread
    return {**dict(zip(names, weights.tolist(), strict=True)), "bias": float(fit[-1] - weights @ mean)}


@dataclass(frozen=True, slots=True)
class Judged:
    """What fitted weights make of a question that they were or were not fitted to."""

    asked: Asked
    confidence: float
    subject: float
    quoted: float
    right_quote: bool
    length: int  # of the quote, in code points
    points: bool  # whether words are shown where they are sure enough
    pointed: float
    right_words: bool


def fitted(questions: Sequence[Known]) -> dict[str, deciding.Weights]:
    """Fit everything to the questions; what comes later in the chain is fitted by turns to choices not fitted to it."""
    quote = quote_weights(questions)
    words = word_weights([chosen(one, quote, {}) for one in questions if one.asked.short and one.asked.answerable])
    # The best part of a question is better known to weights that were fitted to it, so each third is chosen by others.
    parts = [[one for at, one in enumerate(questions) if at % 3 == turn] for turn in range(3)]
    picked: list[Chosen] = []
    for turn, part in enumerate(parts):
        others = [one for at, each in enumerate(parts) if at != turn for one in each]
        by_others = quote_weights(others)
        picked += [chosen(one, by_others, words) for one in part]
    return {"quote": quote, "words": words, **confidence_weights(picked, words)}


def quote_weights(questions: Sequence[Known]) -> dict[str, float]:
    """Fit which part is quoted."""
    return choice_weights([([each.values for each in one.found], one.right) for one in questions], PULL["quote"])


def word_weights(picked: Sequence[Chosen]) -> dict[str, float]:
    """Fit which words are chosen."""
    return choice_weights([([each.values for each in one.choices], one.right_words) for one in picked], PULL["words"])


def confidence_weights(picked: Sequence[Chosen], words: deciding.Weights) -> dict[str, dict[str, float]]:
    """Fit the confidences to questions whose parts were chosen by weights that were not fitted to them."""
    rows = [one.seen.values for one in picked]
    asked = [one.known.asked for one in picked]
    shares = np.array([COUNTS.get(one.type, COUNTS.get(one.name, 1.0)) for one in asked])
    able = np.array([one.answerable for one in asked], dtype=float)
    off = np.array([one.type in (OFF_TOPIC, STRANGER) for one in asked], dtype=float)
    supported = np.array([bool(one.support) for one in asked])
    quotes = [at for at, one in enumerate(picked) if supported[at]]
    right = np.array([picked[at].right_quote for at in quotes], dtype=float)
    pointed = [(one, *best) for one in picked if one.known.asked.short and (best := pointing.best(one.choices, words))]
    told = [deciding.chosen_values(one.seen, choice, share) for one, choice, share in pointed]
    hits = np.array([bool(one.right_words[list(one.choices).index(choice)]) for one, choice, _ in pointed], dtype=float)
    known_subject = np.array([one.name.startswith("real") or one.answerable for one in asked])
    subject = [row for row, yes in zip(rows, known_subject, strict=True) if yes]
    return {
        "answered": logistic_weights(rows, able, shares, PULL["answered"]),
        "subject": logistic_weights(subject, 1 - off[known_subject], shares[known_subject], PULL["subject"]),
        "quoted": logistic_weights([rows[at] for at in quotes], right, np.ones(len(quotes)), PULL["quoted"]),
        "pointed": logistic_weights(told, hits, np.ones(len(told)), PULL["pointed"]),
    }


def judged(one: Known, weights: Mapping[str, deciding.Weights]) -> Judged:
    """Decide a question by weights."""
    by = deciding.Decisions(**weights, least_answered=0.0, least_subject=0.0, least_words=0.0)
    found = chosen(one, by.quote, by.words)
    best = pointing.best(found.choices, by.words)
    values = found.seen.values
    subject = deciding.sigmoid(values, by.subject)
    pointed = deciding.sigmoid(deciding.chosen_values(found.seen, *best), by.pointed) if best else 0.0
    return Judged(
        one.asked,
        min(deciding.sigmoid(values, by.answered), subject, *deciding.unheard(one.asked.words, one.asked.ranked)),
        subject,
        deciding.sigmoid(values, by.quoted),
        found.right_quote,
        found.seen.best.part.end - found.seen.best.part.start,
        best is not None
        and deciding.pointable(one.asked.words.question, deciding.found_in(found.seen.best.part, best[0])),
        pointed,
        bool(best and found.right_words[list(found.choices).index(best[0])]),
    )


def fit(asked: Sequence[Asked], output: Path) -> None:
    """Fit, say how it does on sets that it was not fitted to, choose the thresholds there, and write all."""
    questions = [one for each in asked if (one := known(each)).found]
    say(f"{len(questions)} questions; a right part among the first passages for {reachable(questions):.3f}")
    held: list[Judged] = []
    shown = sorted({one.asked.name for one in questions} & set(SETS))
    for name in shown:
        weights = fitted([one for one in questions if one.asked.name != name])
        own = [one for one in questions if one.asked.name == name and one.asked.type != STRANGER]
        held += [judged(one, weights) for one in own]
        say(f"held out {name}")
    thresholds = chosen_thresholds([one for one in held if one.asked.name in REAL])
    report(held, thresholds)
    weights = {name: rounded(each) for name, each in fitted(questions).items()}
    output.write_text(json.dumps({**weights, **thresholds}, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def reachable(questions: Sequence[Known]) -> float:
    """Return the share of questions with support of which a part is a right quote."""
    return mean([one.right.any() for one in questions if one.asked.support])


def rounded(weights: deciding.Weights) -> dict[str, float]:
    """Return the weights to four significant digits, without those that count nothing."""
    return {name: float(f"{value:.4g}") for name, value in weights.items() if abs(value) > 1e-6 or name == "bias"}


def chosen_thresholds(held: Sequence[Judged]) -> dict[str, float]:
    """Return the thresholds: for both outcomes what is likelier than not, for words what held-out questions say.

    Of the words shown, SHOWN_RIGHT are to be right; a little more than what is promised of other questions.
    """
    able = [one for one in held if one.asked.answerable]
    said = sorted(
        (one for one in able if one.confidence >= EVEN and one.asked.short and one.points),
        key=lambda one: -one.pointed,
    )
    right = np.cumsum([one.right_words for one in said]) / np.arange(1, len(said) + 1)
    enough = np.nonzero(right >= SHOWN_RIGHT)[0]
    words = said[int(enough[-1])].pointed if len(enough) else 1.0
    return {"least_answered": EVEN, "least_subject": EVEN, "least_words": round(words, 3)}


def report(held: Sequence[Judged], least: Mapping[str, float]) -> None:
    """Print what the held-out questions of each set get."""
    names = sorted({one.asked.name for one in held})
    head = (
        *("held out", "n", "AUROC", "ECE", "answered", "absent", "near declined", "off answered", "off absent"),
        *("quote right", "length", "quote ECE", "words shown", "right", "words ECE"),
    )
    rows = [row(name, [one for one in held if one.asked.name == name], least) for name in names]
    table(head, [*rows, row("real together", [one for one in held if one.asked.name in REAL], least)])
    real = [one for one in held if one.asked.name in REAL]
    curve(real)


def row(name: str, held: Sequence[Judged], least: Mapping[str, float]) -> list[str]:
    """Return the cells of one row."""
    able, not_able = ([one for one in held if one.asked.answerable is yes] for yes in (True, False))

    def says(one: Judged) -> str:
        if one.confidence >= least["least_answered"]:
            return "answered"
        return "related" if one.subject >= least["least_subject"] else "absent"

    said = [one for one in able if says(one) == "answered"]
    supported = [one for one in said if one.asked.support]
    short = [one for one in able if one.asked.short]
    shown = [one for one in short if says(one) == "answered" and one.points and one.pointed >= least["least_words"]]
    near, off = ([one for one in not_able if (one.asked.type == OFF_TOPIC) is yes] for yes in (False, True))
    confidence, labels = np.array([one.confidence for one in held]), np.array([one.asked.answerable for one in held])
    pairs = [(one.quoted, one.right_quote) for one in supported]
    told = [(one.pointed, one.right_words) for one in shown]
    return [
        name,
        str(len(held)),
        f"{auroc(confidence, labels):.3f}" if labels.any() and not labels.all() else "",
        f"{ece(confidence, labels):.3f}",
        share(says(one) == "answered" for one in able),
        share(says(one) == "absent" for one in able),
        share(says(one) != "answered" for one in near),
        share(says(one) == "answered" for one in off),
        share(says(one) == "absent" for one in off),
        share(one.right_quote for one in supported),
        f"{np.median([one.length for one in supported]):.0f}" if supported else "",
        calibrated(pairs),
        f"{len(shown) / max(1, len(short)):.3f}",
        share(one.right_words for one in shown),
        calibrated(told),
    ]


def calibrated(pairs: Sequence[tuple[float, bool]]) -> str:
    """Return the calibration error of confidences."""
    return (
        f"{ece(np.array([one for one, _ in pairs]), np.array([yes for _, yes in pairs])):.3f}"
        if len(pairs) > 20
        else ""
    )


def curve(held: Sequence[Judged]) -> None:
    """Print what declining costs and gains, and how right words are where they are shown."""
    able, near = (
        [one.confidence for one in held if one.asked.answerable is yes and one.asked.type != OFF_TOPIC]
        for yes in (True, False)
    )
    rows = []
    for answered in (0.95, 0.92, 0.9, 0.88, 0.86, 0.85, 0.84, 0.8, 0.75, 0.7, 0.6):
        least = float(np.quantile(able, 1 - answered))
        rows.append([f"{answered:.2f}", f"{least:.3f}", share(one < least for one in near)])
    table(("answerable answered", "threshold", "near misses declined"), rows)
    short = [one for one in held if one.asked.answerable and one.asked.short]
    told = sorted((one for one in short if one.points), key=lambda one: -one.pointed)
    rows = [
        [f"{part:.2f}", f"{told[count - 1].pointed:.3f}", share(one.right_words for one in told[:count])]
        for part in (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
        if 0 < (count := round(part * len(short))) <= len(told)
    ]
    table(("short answers shown", "threshold", "right"), rows)


def share(values: Iterator[bool] | Sequence[bool]) -> str:
    """Return a share as a cell, empty where there is nothing to count."""
    counted = list(values)
    return f"{sum(counted) / len(counted):.3f}" if counted else ""


def mean(values: Sequence[float]) -> float:
    """Return the mean of some values."""
    return sum(values) / len(values) if values else 0.0


if __name__ == "__main__":
    main()
