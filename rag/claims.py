"""Do the documents say what a text says? Each of its sentences is looked up, read against passages, and judged.

A sentence is read against one passage at a time, and by itself: what follows only from several passages together, or
from the sentence before it, is not found.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from index.collection import Collection
from index.filters import parse
from index.types import Json, utf16_length
from rag import assembly, evidence
from rag.encoding import Encoder
from rag.errors import ReaderOff
from rag.rankings import retrieved_by
from rag.reading import Reader
from rag.retrieval import Ranking, retrieve
from rag.splitting import sentences
from rag.types import Citation, Question, Ranked, Span

Verdict = Literal["supported", "contradicted", "not_found"]
Said = tuple[float, float, float]
"""Probabilities, adding up to 1, that a passage supports a claim, contradicts it, or says nothing of it."""

READ = 5  # passages a claim is read against: what speaks of it is nearly always among the first, and each takes time
_POOL = 4 * READ  # found, so that so many are left without near-copies
_CITED = 3  # passages that are cited for one side, at most
_SILENT = 0.5  # probability from which a passage is taken to say nothing of a claim
_WORDS = 3  # fewer are a fragment
_LONGEST = 2_000  # code points: what goes on longer without an end is a table or a listing
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Rule:
    """How what passages say becomes a verdict; fitted by benchmarks/reader/claims.py to `dev` halves.

    `temperature` flattens (above 1) or sharpens the reader's probabilities, so that they can be taken at their word: C.
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. The others are the least probability at which
    one passage is believed.
    """

    supported: float = 0.3
    contradicted: float = 0.55
    temperature: float = 0.85


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence and what became of it; offsets count from the start of the text that was checked.

    `confidence` is the probability of the verdict, None for a sentence that claims nothing and was not looked up.
    `citations` are the sentences that the verdict rests on, the strongest first; `against` those that say the contrary;
    `nearest`, where nothing was found, what came nearest.
    """

    text: str
    start: int
    end: int
    start_utf16: int
    end_utf16: int
    verdict: Verdict = "not_found"
    confidence: float | None = None
    citations: Sequence[Citation] = ()
    against: Sequence[Citation] = ()
    nearest: Sequence[Citation] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """The sentences of a text, in order; `token` is the state that the first of them was checked against."""

    claims: Sequence[Claim]
    token: str
    degraded: tuple[str, ...]
    timing_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found for one claim: the passages that were read, best first, and what each says of it."""

    passages: Sequence[Ranked]
    said: Sequence[Said]
    words: evidence.Words
    token: str
    degraded: tuple[str, ...]
    timing_ms: dict[str, float]


def check(
    text: str,
    collection: Collection,
    encoder: Encoder,
    reader: Reader | None,
    *,
    filter: Json = None,  # noqa: A002  the contract's name
    ranking: Ranking | None = None,
    rule: Rule = Rule(),
) -> Checked:
    """Judge every sentence of `text` by the documents that match `filter`, None for all of them.

    Raises ReaderOff without a reader, and FilterInvalid.
    """
    if reader is None:
        raise ReaderOff("Claims are checked by the reader, which is off: set PINCITE_READER=on, then try again.")
    parse(filter)  # also where nothing is looked up
    started = time.perf_counter()
    claims: list[Claim] = []
    looked: list[Looked] = []
    for place in _places(text):
        if _claims(place.text):
            looked.append(look(place.text, collection, encoder, reader, filter=filter, ranking=ranking))
            place = _judged(place, looked[-1], collection.name, rule)
        claims.append(place)
    spent = Counter({"encode": 0.0, "retrieve": 0.0, "read": 0.0})
    for one in looked:
        spent.update(one.timing_ms)
    return Checked(
        claims,
        looked[0].token if looked else collection.token,
        tuple(dict.fromkeys(name for one in looked for name in one.degraded)),
        {**spent, "total": (time.perf_counter() - started) * 1000},
    )


def look(
    claim: str,
    collection: Collection,
    encoder: Encoder,
    reader: Reader,
    *,
    filter: Json = None,  # noqa: A002
    ranking: Ranking | None = None,
) -> Looked:
    """Find the passages for one claim and read them; raises FilterInvalid."""
    asked = Question(claim, filter=filter)
    found, used = retrieved_by(collection, ranking, lambda by: retrieve(asked, collection, encoder, by, _POOL))
    passages = assembly.collapse(found.passages, READ)
    started = time.perf_counter()
    readings = reader.read(claim, [one.stored for one in passages])
    return Looked(
        passages,
        [one.verdict for one in readings],
        evidence.weigh(claim, claim, found.found.frequencies, found.found.total),
        found.found.token,
        (*found.found.degraded, *used.degraded),
        {**found.timing_ms, "read": (time.perf_counter() - started) * 1000},
    )


def judge(said: Sequence[Said], rule: Rule) -> tuple[Verdict, float]:
    """Return the verdict of all passages together and its probability, 0 to 1.

    One passage is enough: each side has the probability of the passage that is surest of it, silence that of the
    passage which is least silent, and the three are scaled to 1; of one passage they are the reader's own, and where
    passages disagree neither side has all the confidence. The stronger side wins where its passage is as sure as `rule`
    asks. Without passages nothing is found for sure.
    """
    if not said:
        return "not_found", 1.0
    tempered = [_tempered(one, rule.temperature) for one in said]
    supported, contradicted = (max(one[side] for one in tempered) for side in (0, 1))
    silent = min(one[2] for one in tempered)
    sure = {"supported": supported >= rule.supported, "contradicted": contradicted >= rule.contradicted}
    verdict: Verdict = "not_found"
    if sure["supported"] and (supported >= contradicted or not sure["contradicted"]):
        verdict = "supported"
    elif sure["contradicted"]:
        verdict = "contradicted"
    share = {"supported": supported, "contradicted": contradicted, "not_found": silent}
    return verdict, round(share[verdict] / sum(share.values()), 6)


def _tempered(one: Said, temperature: float) -> Said:
    supported, contradicted, silent = (max(share, 1e-9) ** (1 / temperature) for share in one)
    whole = supported + contradicted + silent
    return supported / whole, contradicted / whole, silent / whole


def _places(text: str) -> Iterator[Claim]:
    """Yield the sentences of a text, without the white space around them, none of them judged yet."""
    seen = seen_utf16 = 0
    for span in sentences(text):
        part = text[span.start : span.end]
        start, end = span.start + len(part) - len(part.lstrip()), span.start + len(part.rstrip())
        if start < end:
            start_utf16 = seen_utf16 + utf16_length(text[seen:start])
            seen, seen_utf16 = end, start_utf16 + utf16_length(text[start:end])
            yield Claim(text[start:end], start, end, start_utf16, seen_utf16)


def _claims(sentence: str) -> bool:
    """Say whether a sentence can be true or false: no question, no heading, no fragment, no listing."""
    asks = sentence.rstrip("\"'”’»)]*_").endswith(("?", "？"))
    few = len(_WORD.findall(sentence)) < _WORDS
    return not (asks or few or sentence.startswith("#") or len(sentence) > _LONGEST)


def _judged(claim: Claim, looked: Looked, collection: str, rule: Rule) -> Claim:
    """Return the claim with its verdict, and quote what it rests on."""
    verdict, confidence = judge(looked.said, rule)
    said = [_tempered(one, rule.temperature) for one in looked.said]

    def quotes(side: int, least: float) -> list[Citation]:
        sure = [place for place, one in enumerate(said) if one[side] >= least]
        best = sorted(sure, key=lambda place: -said[place][side])[:_CITED]
        return [_quote(looked.passages[place], looked.words, collection) for place in best]

    if verdict == "not_found":
        # What says something of it after all, else what was found first: silence differs by chance.
        nearest = sorted(range(len(said)), key=lambda place: said[place][2] if said[place][2] < _SILENT else 1.0)[:1]
        quoted = [_quote(looked.passages[place], looked.words, collection) for place in nearest]
        return replace(claim, confidence=confidence, nearest=quoted)
    sides = quotes(0, rule.supported), quotes(1, rule.contradicted)
    citations, against = sides if verdict == "supported" else sides[::-1]
    return replace(claim, verdict=verdict, confidence=confidence, citations=citations, against=against)


def _quote(passage: Ranked, words: evidence.Words, collection: str) -> Citation:
    """Cite the sentence of a passage that holds most of the claim, or all of it where none holds a word."""
    block = assembly.block([passage], None)
    marks = evidence.highlights(block.text, sentences(block.text), words, passage.stored.document.language)
    best = next((span for kind, span in marks if kind == "sentence"), Span(0, len(block.text)))
    return assembly.quote(block, best, collection)
