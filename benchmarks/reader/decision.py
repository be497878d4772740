"""Fits what follows the reader to it: which part is quoted, which words of it, and four confidences.

    python benchmarks/reader/decision.py collect ../shared/data/eval ../shared/data/train seeds --work FOLDER
    python benchmarks/reader/decision.py fit --work FOLDER [--output rag/decision.json]

`collect` asks questions and keeps what was read in FOLDER/decision (collected.py). `fit` fits to all of it, says how it
does on sets that it was not fitted to, by turns (held.py), and writes the weights and thresholds. Run both after a new
reader; `collect` takes half a second a question, more where only full precision is multiplied, and `fit` some minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parent.parent))

from collected import REAL, SETS, STRANGER, Asked, collect, load
from held import Held, report
from reporting import say

from rag import deciding, evidence, pointing, quoting
from rag.evaluation.containment import token_f1
from rag.evaluation.questions import AnswerSpan
from rag.evaluation.replies import OFF_TOPIC, SAME_WORDS, covers
from rag.quoting import Measured

PULL = {"quote": 0.003, "words": 0.01, "answered": 0.01, "subject": 0.01, "quoted": 0.01, "pointed": 0.02}
COUNTS = {"clapnq": 0.25, STRANGER: 0.15}  # what such questions count beside others: there are more than people ask
EVEN = 0.5  # answered is what is likelier than not, and absent what likelier lacks its subject
SHOWN_RIGHT = 0.80  # of the words shown, on questions that nothing was fitted to

Floats = np.ndarray


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


def is_right(part: quoting.Part, support: Sequence[AnswerSpan]) -> bool:
    """Say whether a part would be a right quote."""
    stored = part.passage.stored
    start = stored.passage.start
    return covers(part.kind, stored.ref.document_id, start + part.start, start + part.end, support)


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
    right = np.array([token_f1(each, one.asked.answers) >= SAME_WORDS for each in said], dtype=bool)
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


def judged(one: Known, weights: Mapping[str, deciding.Weights]) -> Held:
    """Decide a question by weights that were not fitted to it."""
    by = deciding.Decisions(**weights, **dict.fromkeys(("least_answered", "least_subject", "least_words"), 0.0))
    found = deciding.decided(one.asked.words, one.asked.ranked, one.signals, one.found, by)
    assert found is not None, "a question that is known has parts"
    text, choice = found.part.passage.stored.text, found.choice
    said = text[choice.start : choice.end] if choice else ""
    right = token_f1(said, one.asked.answers) >= SAME_WORDS
    return Held(one.asked, found, is_right(found.part, one.asked.support), right)


def fit(asked: Sequence[Asked], output: Path) -> None:
    """Fit, say how it does on sets that it was not fitted to, choose the thresholds there, and write all."""
    questions = [one for each in asked if (one := known(each)).found]
    say(f"{len(questions)} questions; a right part among the first passages for {reachable(questions):.3f}")
    held: list[Held] = []
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


def chosen_thresholds(held: Sequence[Held]) -> dict[str, float]:
    """Return the thresholds: for both outcomes what is likelier than not, for words what held-out questions say.

    Of the words shown, SHOWN_RIGHT are to be right; a little more than what is promised of other questions.
    """
    said = [one for one in held if one.asked.answerable and one.asked.short and one.decided.choice]
    said = sorted((one for one in said if one.decided.confidence >= EVEN), key=lambda one: -one.decided.pointed)
    right = np.cumsum([one.right_words for one in said]) / np.arange(1, len(said) + 1)
    enough = np.nonzero(right >= SHOWN_RIGHT)[0]
    words = said[int(enough[-1])].decided.pointed if len(enough) else 1.0
    return {"least_answered": EVEN, "least_subject": EVEN, "least_words": round(words, 3)}


def mean(values: Sequence[float]) -> float:
    """Return the mean of some values."""
    return sum(values) / len(values) if values else 0.0


if __name__ == "__main__":
    main()
