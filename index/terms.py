"""The term view: words to passage keys by BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009;
k1 = 1.2, b = 0.75, with tantivy's one-byte document lengths), and the analysis of words into terms.

tantivy's float32 sums depend on the order in which it happens to add, by a few units of the last place. Scores are
therefore told to two decimals, and those that lie so near to the middle between two that the order would decide are
scored again, term by term, in float64. One set of passages thus gives the same scores in whatever segments it lies, as
long as nothing was deleted: tantivy keeps deleted passages in its statistics, so a view that has any says
`behind`, and only one built afresh is exact again.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tantivy
from tantivy import Filter, Occur, Query, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

from index.errors import IndexProblem, StorageFull, Unavailable
from index.keys import Keys, KeySet
from index.reading import Indexed
from index.stop_words import ENGLISH
from index.top import Scores, Top, best, cut

VERSION = f"2/{version('tantivy')}"  # of schema, analysis and engine: a view of another version is rebuilt

SNOWBALL = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nb": "norwegian",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
WITHOUT_STOP_WORDS = frozenset({"ar", "el", "ro", "ta", "tr"})
LONGEST_TERM = 80  # bytes
CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+")

DECIMALS = 2
STEP = 10.0**-DECIMALS
ROUNDING = 2.0**-24  # relative, the most that one float32 operation can be off
MARGIN = 16  # candidates beyond the limit, so that the first look is mostly the last
LOOSE = 1.2  # candidates beyond what a filter should leave
MAX_TERMS = 256  # different terms of one question
NARROW = 2_048  # keys up to which a filter is part of the query; wider ones are applied to more candidates
SMALL_HEAP, LARGE_HEAP = 15_000_000, 100_000_000  # bytes that tantivy may use for a change, and to build a view


def analyze(text: str, language: str | None) -> list[str]:
    """Return the terms of `text` in order: NFKC, letters and digits only, lower-cased, stemmed, without accents.

    Runs of Chinese, Japanese or Korean characters become overlapping pairs. `language` is an ISO 639-1 code, regions
    ignored; None is taken as English, and a language without a Snowball stemmer is not stemmed.
    """
    return _analyzer(_primary(language), cut=False).analyze(_prepared(text))


def question_terms(text: str, languages: Sequence[str | None]) -> list[str]:
    """Return the terms to look for in documents of `languages`, repeated as often as the question repeats them.

    Each language's own stop words are cut, unless nothing else is left in any language.
    """
    prepared = _prepared(text)
    primaries = sorted({_primary(language) for language in languages}) or ["en"]
    for cut_stop_words in (True, False):
        counts: Counter[str] = Counter()
        for primary in primaries:
            counts |= Counter(_analyzer(primary, cut=cut_stop_words).analyze(prepared))
        if counts:
            break
    return list(counts.elements())


def _prepared(text: str) -> str:
    """Return `text` in NFKC with CJK runs spread into overlapping pairs."""
    return CJK.sub(_pairs, unicodedata.normalize("NFKC", text))


def _pairs(run: re.Match[str]) -> str:
    """Return the overlapping pairs of a run, a single character as it is."""
    characters = run[0]
    pairs = [characters[place : place + 2] for place in range(len(characters) - 1)] or [characters]
    return f" {' '.join(pairs)} "


def _primary(language: str | None) -> str:
    """Return `en` for `en-GB` and for None."""
    return re.split("[-_]", language.lower())[0] if language else "en"


@cache
def _analyzer(primary: str, *, cut: bool) -> TextAnalyzer:
    """Return the analyzer of a language, with its stop words cut or not."""
    stemmer = SNOWBALL.get(primary)
    builder = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.lowercase())
    builder = builder.filter(Filter.remove_long(LONGEST_TERM))
    if cut and primary == "en":
        builder = builder.filter(Filter.custom_stopword(sorted(ENGLISH)))
    elif cut and stemmer and primary not in WITHOUT_STOP_WORDS:
        builder = builder.filter(Filter.stopword(stemmer))
    if stemmer:
        builder = builder.filter(Filter.stemmer(stemmer))
    return builder.filter(Filter.ascii_fold()).build()


def _schema() -> tantivy.Schema:
    """Return the schema: terms that were analysed here, and the passage's key."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
    builder.add_integer_field("key", indexed=True, fast=True)
    return builder.build()


@contextmanager
def _translating(folder: Path) -> Iterator[None]:
    """Translate what tantivy raises, which is mostly ValueError with a text."""
    try:
        yield
    except IndexProblem:
        raise
    except (ValueError, OSError, RuntimeError) as error:
        if "No space left" in str(error):
            raise StorageFull(f"The disk that holds {folder} is full. Free some space and try again.") from error
        raise Unavailable(f"The term view in {folder} failed ({error}). Try again.") from error


@dataclass(frozen=True, slots=True)
class TermView:
    """A state of the term view: its searcher never changes; `indexed` counts what was ever put in since it was built.

    On disk there is only the newest state, so `changed` is for the newest view, by one thread.
    """

    folder: Path
    index: tantivy.Index
    searcher: tantivy.Searcher
    indexed: int

    @classmethod
    def build(cls, folder: Path, rows: Iterable[Indexed]) -> TermView:
        """Return a view of `rows`, made in `folder`, which is empty or missing."""
        folder.mkdir(parents=True, exist_ok=True)
        with _translating(folder):
            return cls._of(folder, tantivy.Index(_schema(), path=str(folder)), 0)._written((), rows, LARGE_HEAP)

    @classmethod
    def open(cls, folder: Path, indexed: int) -> TermView:
        """Return the view that lies in `folder`, whose files were found to be as they were written."""
        with _translating(folder):
            return cls._of(folder, tantivy.Index.open(str(folder)), indexed)

    @classmethod
    def _of(cls, folder: Path, index: tantivy.Index, indexed: int) -> TermView:
        index.register_tokenizer("whitespace", TextAnalyzerBuilder(Tokenizer.whitespace()).build())
        index.config_reader("manual")
        index.reload()
        return cls(folder, index, index.searcher(), indexed)

    @property
    def count(self) -> int:
        """How many passages can be found."""
        return int(self.searcher.num_docs)

    @property
    def deleted(self) -> int:
        """How many passages were deleted since the view was built; scores are exact when there are none."""
        return self.indexed - self.count

    def changed(self, removed: Iterable[range], rows: Iterable[Indexed]) -> TermView:
        """Return the view after a change, committed to disk; the same change again changes nothing."""
        gone = [key for keys in removed for key in keys if self._holds(key)]
        fresh = [row for row in rows if not self._holds(row.key)]
        if not gone and not fresh:
            return self
        with _translating(self.folder):
            return self._written(gone, fresh, SMALL_HEAP)

    def _holds(self, key: int) -> bool:
        """Return whether a key is in the view or was."""
        return self.searcher.doc_freq("key", key) > 0

    def _written(self, gone: Iterable[int], rows: Iterable[Indexed], heap: int) -> TermView:
        """Write one commit and return the view of it; merging is done when this returns, so the files stay."""
        writer = self.index.writer(heap_size=heap, num_threads=1)
        added = 0
        try:
            for key in gone:
                writer.delete_documents_by_term("key", key)
            for row in rows:
                terms = " ".join(analyze(row.words, row.language))
                writer.add_document(tantivy.Document(key=row.key, terms=terms))
                added += 1
            writer.commit()
        finally:
            writer.wait_merging_threads()
        self.index.reload()
        return replace(self, searcher=self.index.searcher(), indexed=self.indexed + added)

    def frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        """Return how many passages hold each term; what was deleted counts until the view is built afresh."""
        return {term: self.searcher.doc_freq("terms", term) for term in terms}

    def top(self, terms: Sequence[str], limit: int, allowed: KeySet | None = None) -> Top:
        """Return the `limit` passages with the highest BM25, of those in `allowed` that hold any of `terms`.

        A repeated term counts as often as it is repeated. Every passage that ties with the last one is there too.
        """
        weights = self._weights(terms)
        if not weights or limit < 1:
            return Top(np.zeros(0, np.int64), np.zeros(0), complete=not weights)
        query, count = self._query(weights), limit + MARGIN
        wide: KeySet | None = None  # a filter that is applied to more candidates, instead of being in the query
        if allowed is not None and (left := len(allowed)) > NARROW:
            wide, count = allowed, int(count * max(1.0, LOOSE * self.count / left))
        elif allowed is not None:
            query = Query.boolean_query([(Occur.Must, query), (Occur.Must, self._among(allowed.to_array().tolist()))])
        while True:
            keys, raw = self._candidates(query, count)
            exhausted, last = len(keys) < count, float(raw[-1]) if len(raw) else 0.0
            if wide is not None:
                here = wide.contains(keys)
                keys, raw = keys[here], raw[here]
            if exhausted or len(keys) >= limit:
                scores = self._rounded(weights, keys, raw)
                if exhausted or cut(scores, limit) > last + STEP:
                    return best(keys, scores, limit, exhausted=exhausted)
            count *= 2

    def _weights(self, terms: Sequence[str]) -> dict[str, int]:
        """Return how often each term that occurs at all is asked for, ordered by term; of too many the rarest."""
        counts = Counter(terms)
        held = {term: number for term, number in self.frequencies(counts).items() if number}
        rarest = sorted(held, key=lambda term: (held[term], term))[:MAX_TERMS]
        return {term: counts[term] for term in sorted(rarest)}

    def _query(self, weights: Mapping[str, int]) -> Query:
        """Return the query for any of the terms, each weighted by its count."""
        return Query.boolean_query(
            [(Occur.Should, Query.boost_query(self._term(term), float(weight))) for term, weight in weights.items()]
        )

    def _term(self, term: str) -> Query:
        """Return the query for one term."""
        return Query.term_query(self.index.schema, "terms", term, "freq")

    def _among(self, keys: Sequence[int]) -> Query:
        """Return a query for keys that adds nothing to a score."""
        schema = self.index.schema
        listed = [(Occur.Should, Query.term_query(schema, "key", key)) for key in keys]
        return Query.const_score_query(Query.boolean_query(listed), 0.0)

    def _candidates(self, query: Query, count: int) -> tuple[Keys, Scores]:
        """Return the keys of the first `count` hits with tantivy's scores, best first."""
        hits = self.searcher.search(query, count, count=False).hits
        keys = np.array(self.searcher.fast_field_values("key", [address for _, address in hits]), dtype=np.int64)
        return keys, np.array([score for score, _ in hits], dtype=np.float64)

    def _rounded(self, weights: Mapping[str, int], keys: Keys, raw: Scores) -> Scores:
        """Return the BM25 of each of `keys` to two decimals, whatever order tantivy's scores `raw` were added in."""
        off = raw * (len(weights) + 1) * ROUNDING
        scores: Scores = np.round(raw, DECIMALS)
        doubtful = np.round(raw - off, DECIMALS) != np.round(raw + off, DECIMALS)
        if doubtful.any():
            scores[doubtful] = np.round(self._exact(weights, keys[doubtful]), DECIMALS)
        return scores

    def _exact(self, weights: Mapping[str, int], keys: Keys) -> Scores:
        """Return the BM25 of each of `keys`: float64, terms added in the order of `weights`."""
        scores = np.zeros(len(keys))
        places = {key: place for place, key in enumerate(keys.tolist())}
        among = self._among(list(places))
        for term, weight in weights.items() if places else ():
            query = Query.boolean_query([(Occur.Must, self._term(term)), (Occur.Must, among)])
            hits = self.searcher.search(query, len(keys), count=False).hits
            found = self.searcher.fast_field_values("key", [address for _, address in hits])
            for key, (score, _) in zip(found, hits, strict=True):
                scores[places[int(key or 0)]] += weight * score
        return scores
