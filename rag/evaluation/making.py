"""A corpus makes its own evaluation set, without a language model: questions are sentences that are held out.

A sentence is taken out of its document, and becomes a question for what is left of it: the inverse cloze task (Lee et
al., "Latent Retrieval for Weakly Supervised Open Domain Question Answering", ACL 2019). So its words are those of
somebody who wrote about the subject, and no copy of what is searched.

Every question is checked, and dropped for the first of `DROPPED` that holds.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from index.stop_words import ENGLISH
from index.terms import analyze, question_terms
from index.types import Json
from rag.errors import DatasetInvalid
from rag.evaluation.datasets import corpus_files, named_documents
from rag.splitting import sentences
from rag.types import LoadedDocument, Span

RUN = 4  # words in a row that a question may have in common with the corpus
SHARED = 2  # terms of a question that its document must hold without the sentence
RARE = 10  # documents that may hold the rarest of them; one in a hundred where those are more
WORDS = (6, 40)  # of a sentence, stop words left out
_EVERY = 5  # one sentence of so many is taken out at most
_NEAR = 2  # sentences on either side are the neighbourhood, which is left alone
_TRIED = 4  # candidates for a question that is wanted

DROPPED: Mapping[str, str] = {
    "repeated": f"more than {RUN} of its words stand in a row elsewhere, in its document or another",
    "in the title": "most of its terms are in the title, which alone would find the document",
    "unbound": f"what is left of its document holds fewer than {SHARED} of its terms",
    "ambiguous": f"each of those is in more than {RARE} documents and in more than one of a hundred",
}
"""Per reason to drop a question what it means."""

_DESCRIBED = ("source", "published", "uri", "language")  # what else a row of a corpus says of its document
_WORD = re.compile(r"\w+")
_MARKS = re.compile(r"^[\s\-*•>#|+]+|[\s|]+$")


@dataclass(frozen=True, slots=True)
class Source:
    """A document that questions are made of, as a row of a corpus has it."""

    id: str
    title: str
    text: str
    language: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)

    def row(self) -> Json:
        """Return its row of `corpus.jsonl`."""
        return {"_id": self.id, "title": self.title, "text": self.text, "metadata": dict(self.metadata)}


@dataclass(frozen=True, slots=True)
class MadeQuestion:
    """A question, its document, and where its sentence was: a neighbour of it in what is left of the text."""

    id: str
    text: str
    document: str
    beside: Span  # code points of the text that is left
    quote: str
    split: str

    def row(self) -> Json:
        """Return its row of `queries.jsonl`."""
        span = {"doc": self.document, "start": self.beside.start, "end": self.beside.end, "text": self.quote}
        return {
            "_id": self.id,
            "text": self.text,
            "metadata": {"type": "held out", "split": self.split, "answer_spans": [span]},
        }


@dataclass(frozen=True, slots=True)
class Made:
    """A corpus without the sentences that became `questions`, and how many candidates were dropped for what."""

    documents: Sequence[Source]
    questions: Sequence[MadeQuestion]
    dropped: Mapping[str, int]


def read_documents(path: Path) -> Iterator[Source]:
    """Yield the documents of an evaluation set, of a folder in any format, or of one file, named as ingestion does.

    What cannot be read is left out. Raises DatasetInvalid where nothing is left, FileNotFoundError.
    """
    within = [path / name for name in ("corpus.jsonl", "corpus.jsonl.gz", "documents")]
    empty = True
    for file in corpus_files(next((one for one in within if one.exists()), path)):
        for _, name, row in named_documents(file):
            empty = False
            yield _source(row, name)
    if empty:
        raise DatasetInvalid(f"{path}: no document with text; give a folder of documents or an evaluation set")


def source_of(
    name: str, title: str | None, text: str, told: Mapping[str, Json], metadata: Mapping[str, Json]
) -> Source:
    """Return a document as a row of a corpus; of `told` the fields that a row has for them go into its metadata."""
    described = {key: told[key] for key in _DESCRIBED if told[key] is not None}
    return Source(name, title or "", text, told["language"], {**metadata, **described})


def _source(loaded: LoadedDocument, name: str) -> Source:
    text = loaded.text[loaded.body.start : loaded.body.end] if loaded.body else loaded.text
    return source_of(name, loaded.title, text, {key: getattr(loaded, key) for key in _DESCRIBED}, loaded.metadata)


def make(documents: Iterable[Source], *, limit: int, seed: int) -> Made:
    """Make at most `limit` questions, drawn by `seed`, the same for the same documents in whatever order.

    One sentence in five is taken out of a document at most, and one at least where it has two. Documents are halved
    into the splits `dev` and `test`.
    """
    sources = {one.id: one for one in sorted(documents, key=lambda one: one.id)}
    drawn = random.Random(seed)
    candidates = list(_drawn(sources, limit * _TRIED, drawn))
    counted = _Counted(candidates, sources)
    taken: list[_Candidate] = []
    dropped = Counter(dict.fromkeys(DROPPED, 0))
    for one in candidates:
        if len(taken) == limit:
            break
        reason = counted.reason(one, sources[one.document])
        if reason is None:
            taken.append(one)
        else:
            dropped[reason] += 1
    return _without(taken, sources, drawn, dropped)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A sentence of a document: where it stands, and where its neighbours stand, the one before it first."""

    document: str
    span: Span
    near: Sequence[Span]
    sentence: str


def _drawn(sources: Mapping[str, Source], most: int, drawn: random.Random) -> Iterator[_Candidate]:
    """Yield candidates, first one of every document, then a second of those that are long, and so on."""
    order = drawn.sample(sorted(sources), len(sources))
    waiting: list[Iterator[_Candidate]] = [_of_document(sources[name], random.Random(drawn.random())) for name in order]
    given = 0
    while waiting and given < most:
        further = []
        for one in waiting:
            if (candidate := next(one, None)) is not None and given < most:
                given += 1
                further.append(one)
                yield candidate
        waiting = further


def _of_document(source: Source, drawn: random.Random) -> Iterator[_Candidate]:
    """Yield sentences that do not lie in each other's neighbourhood, in a random order."""
    spans = sentences(source.text)
    left = max(1, len(spans) // _EVERY) if len(spans) > 1 else 0
    used: set[int] = set()
    for place in drawn.sample(range(len(spans)), len(spans)):
        if not left:
            return
        near = [at for at in _around(place) if 0 <= at < len(spans)]
        span = _trimmed(source.text, spans[place])
        sentence = " ".join(_MARKS.sub("", source.text[span.start : span.end]).split())
        if used.isdisjoint(near) and place not in used and _is_prose(sentence) and 2 * len(sentence) < len(source.text):
            left -= 1
            used.update((place, *near))
            neighbours = (_trimmed(source.text, spans[at]) for at in near)
            kept = [one for one in neighbours if _WORD.search(source.text, one.start, one.end)]
            if kept:
                yield _Candidate(source.id, span, kept, sentence)


def _around(place: int) -> Sequence[int]:
    """Return the places of the neighbourhood, the nearest first and of two as near the one before."""
    return [place + sign * distance for distance in range(1, _NEAR + 1) for sign in (-1, 1)]


def _trimmed(text: str, span: Span) -> Span:
    """Move the end inward over white space, so that paragraphs stay apart when a sentence goes."""
    start = span.start + len(text[span.start : span.end]) - len(text[span.start : span.end].lstrip())
    return Span(start, max(start, span.start + len(text[span.start : span.end].rstrip())))


def _is_prose(sentence: str) -> bool:
    """Say whether it has enough words that mean something, and is mostly letters: no table, code or list of names."""
    words = [word for word in _WORD.findall(sentence) if word.lower() not in ENGLISH]
    letters = sum(map(str.isalpha, sentence)) + sentence.count(" ")
    return WORDS[0] <= len(words) <= WORDS[1] and letters > 0.8 * len(sentence)


class _Counted:
    """How often the runs of words and the terms of all candidates stand in the corpus, counted in one pass over it."""

    def __init__(self, candidates: Sequence[_Candidate], sources: Mapping[str, Source]) -> None:
        wanted = {run for one in candidates for run in _runs(one.sentence)}
        terms = {term for one in candidates for term in _terms(one.sentence, sources[one.document].language)}
        self._most = max(RARE, len(sources) // 100)
        self._runs: Counter[tuple[str, ...]] = Counter()
        self._documents: Counter[str] = Counter()
        for source in sources.values():
            self._runs.update(run for run in _runs(f"{source.title}\n{source.text}") if run in wanted)
            self._documents.update(terms.intersection(_all_terms(source)))

    def reason(self, one: _Candidate, source: Source) -> str | None:
        """Return why the candidate makes no question, one of `DROPPED`, or None where it does."""
        own = Counter(_runs(one.sentence))
        if any(self._runs[run] > count for run, count in own.items()):
            return "repeated"
        terms = set(_terms(one.sentence, source.language))
        if 2 * len(terms.intersection(analyze(source.title, source.language))) > len(terms):
            return "in the title"
        rest = source.text[: one.span.start] + source.text[one.span.end :]
        shared = terms.intersection(_all_terms(replace(source, text=rest)))
        if len(shared) < SHARED:
            return "unbound"
        return None if min(self._documents[term] for term in shared) <= self._most else "ambiguous"


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    """Yield every run of one word more than may be in common; case and what is between words do not count."""
    words = _WORD.findall(text.casefold())
    return zip(*(words[place:] for place in range(RUN + 1)), strict=False)


def _terms(text: str, language: str | None) -> Sequence[str]:
    return question_terms(text, [language])


def _all_terms(source: Source) -> frozenset[str]:
    return frozenset(analyze(f"{source.title}\n{source.text}", source.language))


def _without(
    taken: Sequence[_Candidate], sources: Mapping[str, Source], drawn: random.Random, dropped: Mapping[str, int]
) -> Made:
    """Take the sentences out, and make their questions."""
    cuts: dict[str, list[Span]] = {}
    for one in taken:
        cuts.setdefault(one.document, []).append(one.span)
    left = {
        name: _cut(source, sorted(cuts.get(name, ()), key=lambda cut: cut.start)) for name, source in sources.items()
    }
    halves = _halves(cuts, drawn)
    questions = []
    for number, one in enumerate(taken, start=1):
        source = left[one.document]
        beside = _moved(one.near[0], cuts[one.document])
        quote = source.text[beside.start : beside.end]
        questions.append(
            MadeQuestion(f"made-{number}", one.sentence, one.document, beside, quote, halves[one.document])
        )
    return Made(list(left.values()), questions, dropped)


def _halves(documents: Iterable[str], drawn: random.Random) -> Mapping[str, str]:
    """Return a split for every document: half of them `dev`, so that both halves have documents of their own."""
    names = sorted(documents)
    dev = set(drawn.sample(names, len(names) // 2))
    return {name: "dev" if name in dev else "test" for name in names}


def _cut(source: Source, cuts: Sequence[Span]) -> Source:
    starts = [0, *(cut.end for cut in cuts)]
    ends = [*(cut.start for cut in cuts), len(source.text)]
    return replace(source, text="".join(source.text[a:b] for a, b in zip(starts, ends, strict=True)))


def _moved(span: Span, cuts: Sequence[Span]) -> Span:
    """Return where a span that no cut touches stands after the cuts."""
    gone = sum(cut.end - cut.start for cut in cuts if cut.end <= span.start)
    return Span(span.start - gone, span.end - gone)


def write_set(made: Made, folder: Path) -> None:
    """Write `made` in BEIR layout into `folder`, which must be new or empty; raises FileExistsError, OSError."""
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: name a folder that is new.")
    (folder / "qrels").mkdir(parents=True)
    _write_rows(folder / "corpus.jsonl", (one.row() for one in made.documents))
    _write_rows(folder / "queries.jsonl", (one.row() for one in made.questions))
    judged = "".join(f"{one.id}\t{one.document}\t1\n" for one in made.questions)
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}", encoding="utf-8")


def _write_rows(path: Path, rows: Iterable[Json]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
