"""What a reply is worth to the one who asked: is the right place shown, is the quote right, are the words?

The right place is where a question's supporting spans lie. What is shown are the passages of an answer or, where there
is none, those that came nearest, since a person reads these too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.evaluation.containment import token_f1
from rag.evaluation.questions import AnswerSpan, DatasetQuestion
from rag.types import Answer, AnswerPassage, Citation, Quote, QuoteKind

Rule = Callable[[DatasetQuestion, Answer], float | None]
"""The value of a reply, 0 to 1, or None where it says nothing about the question."""

OFF_TOPIC = "off_topic"  # the type of questions whose subject no document has
COVERED = 0.9  # the least share of a supporting span that a right quote has
LONGEST, ALLOWED = 2, 120  # times as long as the support a right quote may be; code points that are always allowed
SAME_WORDS = 0.5  # the least token F1 of right words


def answerable(question: DatasetQuestion) -> bool:
    """Whether the documents hold an answer, as the set says."""
    return question.answerable is True


def unanswerable(question: DatasetQuestion) -> bool:
    """Whether they hold none, as the set says."""
    return question.answerable is False


def near_miss(question: DatasetQuestion) -> bool:
    """Whether they hold none but have the subject: unanswerable, of a known type other than `off_topic`."""
    return unanswerable(question) and question.type not in (None, OFF_TOPIC)


def off_topic(question: DatasetQuestion) -> bool:
    """Whether they lack the subject: unanswerable, of the type `off_topic`."""
    return unanswerable(question) and question.type == OFF_TOPIC


def declined(group: Callable[[DatasetQuestion], bool]) -> Rule:
    """Return whether a question of `group` was not answered."""
    return lambda question, reply: float(not reply.answerable) if group(question) else None


def absent(group: Callable[[DatasetQuestion], bool]) -> Rule:
    """Return whether of a question of `group` it was said that the documents lack its subject."""
    return lambda question, reply: float(reply.outcome == "absent") if group(question) else None


def right_passage(depth: int) -> Rule:
    """Return whether one of the first `depth` passages shown overlaps a supporting span."""

    def rule(question: DatasetQuestion, reply: Answer) -> float | None:
        cited = [passage.citation for passage in _shown(reply)[:depth]]
        return _supported(question, any(_meets(one, one.start, one.end, question.supporting) for one in cited))

    return rule


def right_mark(depth: int) -> Rule:
    """Return whether a sentence or an answer marked in the first `depth` passages shown overlaps a supporting span."""

    def rule(question: DatasetQuestion, reply: Answer) -> float | None:
        marks = [
            (passage.citation, mark.start, mark.end)
            for passage in _shown(reply)[:depth]
            for mark in passage.highlights
            if mark.kind != "term"
        ]
        return _supported(question, any(_meets(*mark, question.supporting) for mark in marks))

    return rule


def quote_right(question: DatasetQuestion, reply: Answer) -> float | None:
    """Return whether the quote of an answered question is the support, whole and not much longer; no quote is wrong."""
    if not reply.answerable:
        return None
    return _supported(question, reply.quote is not None and is_right(reply.quote, question.supporting))


def is_right(quote: Quote, support: Sequence[AnswerSpan]) -> bool:
    """Whether `quote` is a right one: see `covers`."""
    cited = quote.citation
    return covers(quote.kind, cited.document_id, cited.start, cited.end, support)


def covers(kind: QuoteKind, document_id: str, start: int, end: int, support: Sequence[AnswerSpan]) -> bool:
    """Whether a place has 90 % of a span of `support`, or as a list of all those in its document together.

    It may be twice as long as that (of several: as the stretch from the first to the last), or 120 code points.
    """
    spans = [span for span in support if span.document_id == document_id]
    held = [max(0, min(end, span.end) - max(start, span.start)) for span in spans]
    lengths = [span.end - span.start for span in spans]
    if kind == "list" and len(spans) > 1:
        stretch = max(span.end for span in spans) - min(span.start for span in spans)
        if sum(held) >= COVERED * sum(lengths) and _short_enough(end - start, stretch):
            return True
    return any(
        part >= COVERED * length and _short_enough(end - start, length)
        for part, length in zip(held, lengths, strict=True)
    )


def words_shown(question: DatasetQuestion, reply: Answer) -> float | None:
    """Return whether an answerable question that asks for a few words was answered with some."""
    return float(_said(reply) is not None) if answerable(question) and question.short else None


def words_right(question: DatasetQuestion, reply: Answer) -> float | None:
    """Return whether the words shown are right: a token F1 of 0.5 or more against one of the answers."""
    said = _said(reply)
    if said is None or not words_shown(question, reply):
        return None
    return float(token_f1(said, question.answers) >= SAME_WORDS)


def quote_length(question: DatasetQuestion, reply: Answer) -> int | None:
    """Return how long the quote of an answered, answerable question is, in code points."""
    if not (answerable(question) and reply.answerable and reply.quote):
        return None
    return reply.quote.citation.end - reply.quote.citation.start


def quote_confidence(reply: Answer) -> float | None:
    """Return the probability that the quote answers, None where it has none."""
    return reply.quote.confidence if reply.quote else None


def words_confidence(reply: Answer) -> float | None:
    """Return the probability that the words are right, None where they have none."""
    return reply.answer.confidence if reply.answer else None


def _shown(reply: Answer) -> Sequence[AnswerPassage]:
    return reply.passages or reply.nearest


def _said(reply: Answer) -> str | None:
    """Return the words of an answered question, None where there are none."""
    return (reply.answer.text or None) if reply.answerable and reply.answer else None


def _supported(question: DatasetQuestion, value: bool) -> float | None:
    """Return `value` where it is known what would be right."""
    return float(value) if answerable(question) and question.supporting else None


def _meets(cited: Citation, start: int, end: int, support: Sequence[AnswerSpan]) -> bool:
    return any(cited.document_id == span.document_id and start < span.end and span.start < end for span in support)


def _short_enough(own: int, length: int) -> bool:
    return own <= max(ALLOWED, LONGEST * length)
