"""Is the answer in there? Folding, finding and counting of words, for answers and spans of text."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.evaluation.questions import AnswerSpan, DatasetQuestion

_WORD = re.compile(r"\w+")
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
# Scripts written without spaces (Thai to Khmer, kana, Han): in them a word may stand right beside an answer.
_LETTER = r"[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]"
# Answers that say nothing about where they stand: every second paragraph holds a "no".
_VERDICTS = frozenset({"yes", "no", "true", "false"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a document that was shown, from code point `start` of its stored text on."""

    document_id: str
    start: int
    text: str

    @property
    def end(self) -> int:
        """The code point after the last."""
        return self.start + len(self.text)


def fold(text: str) -> str:
    """Return `text` case-folded, with every run of white space as one blank and none at the ends."""
    return " ".join(text.casefold().split())


def holds_answer(piece: Piece, question: DatasetQuestion) -> bool:
    """Whether `piece` holds an answer of `question` as whole words, or overlaps an answer span of its document."""
    if any(_overlap(piece, span) for span in question.spans):
        return True
    text = fold(piece.text)
    return any(_holds_words(text, answer) for answer in findable(question))


def findable(question: DatasetQuestion) -> Sequence[str]:
    """Return the answers, folded, that can be looked for in text; a bare yes or no cannot."""
    folded = (fold(answer) for answer in question.answers)
    return [answer for answer in folded if answer and answer not in _VERDICTS]


def _overlap(piece: Piece, span: AnswerSpan) -> bool:
    return piece.document_id == span.document_id and max(piece.start, span.start) < min(piece.end, span.end)


def _holds_words(text: str, answer: str) -> bool:
    if answer not in text:
        return False
    before = rf"(?<!{_LETTER})" if re.match(_LETTER, answer[0]) else ""
    after = rf"(?!{_LETTER})" if re.match(_LETTER, answer[-1]) else ""
    return re.search(before + re.escape(answer) + after, text) is not None


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many words were shown, how many were wanted, and how many were both."""

    shown: int
    wanted: int
    both: int

    @property
    def iou(self) -> float:
        """Both over either, 0 to 1."""
        return self.both / (self.shown + self.wanted - self.both) if self.wanted else 0.0

    @property
    def precision(self) -> float:
        """How much of what was shown was wanted, 0 to 1, and 0 where nothing was shown."""
        return self.both / self.shown if self.shown else 0.0

    @property
    def recall(self) -> float:
        """How much of what was wanted was shown, 0 to 1."""
        return self.both / self.wanted if self.wanted else 0.0


def token_overlap(shown: Iterable[Piece], wanted: Iterable[Piece]) -> Overlap:
    """Count the words shown and wanted; a word is where it starts in its document, and counts once.

    B. Smith and A. Troynikov, "Evaluating Chunking Strategies for Retrieval", 2024, but with words for tokens.
    """
    left, right = _words(shown), _words(wanted)
    return Overlap(len(left), len(right), len(left & right))


def _words(pieces: Iterable[Piece]) -> set[tuple[str, int]]:
    return {(piece.document_id, piece.start + word.start()) for piece in pieces for word in _WORD.finditer(piece.text)}


def normalized_answer(text: str) -> str:
    """Return `text` in lower case without punctuation, articles and spare blanks.

    P. Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP 2016: its evaluation.
    """
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(predicted: str, answers: Sequence[str]) -> float:
    """Return 1 if `predicted` is one of `answers` after SQuAD's normalisation, else 0; no answers means "" is right."""
    return float(any(normalized_answer(predicted) == normalized_answer(answer) for answer in answers or [""]))


def token_f1(predicted: str, answers: Sequence[str]) -> float:
    """Return the best F1 of the words of `predicted` against one of `answers`, 0 to 1, as SQuAD's evaluation does."""
    return max(_f1(normalized_answer(predicted).split(), normalized_answer(a).split()) for a in answers or [""])


def _f1(predicted: Sequence[str], answer: Sequence[str]) -> float:
    if not predicted or not answer:
        return float(predicted == answer)
    common = sum((Counter(predicted) & Counter(answer)).values())
    return 2 * common / (len(predicted) + len(answer))
