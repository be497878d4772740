"""How the words of a question stand in a passage: how many of them, how close together, in which order. Pure.

That words which stand together in a question stand together in what answers it, is from D. Metzler and W. B. Croft, "A
Markov Random Field Model for Term Dependencies", SIGIR 2005; that a narrow span which holds many of them tells more
than the same words far apart, from T. Tao and C. Zhai, "An Exploration of Proximity Measures in Information
Retrieval", SIGIR 2007.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from index.terms import analyze, question_terms

WORD = re.compile(r"\w+(?:['’]\w+)?")
_SPAN = 24  # terms: about a sentence
_NEAR = 3  # terms from one to the next, so that stop words may lie between them


class Wording(NamedTuple):
    """What a passage holds of a question, each 0 to 1, terms being weighed by their inverse document frequency."""

    coverage: float = 0.0  # share of the terms that occur
    window: float = 0.0  # the same within the best stretch of 24 terms
    pairs: float = 0.0  # share of the neighbours in the question that follow each other, at most two terms between


class Asked:
    """A question, and what is needed to look for its terms in passages of any language."""

    def __init__(self, query: str, idf: Mapping[str, float]) -> None:
        """`idf` has the inverse document frequency, above 0, of each term that `query` has in any language."""
        self._query, self._idf = query, idf
        self._by_language: dict[str | None, _Terms] = {}

    def wording(self, text: str, language: str | None) -> Wording:
        """Measure a passage, given with all the words that it is found by, in its language."""
        terms = self._by_language.get(language)
        if terms is None:
            known = [term for term in asked_terms(self._query, language) if term in self._idf]
            terms = self._by_language[language] = _Terms({term: self._idf[term] for term in known}, language)
        return terms.wording(text)


class _Terms:
    """The terms of a question in one language, in their order."""

    def __init__(self, idf: Mapping[str, float], language: str | None) -> None:
        self._language = language
        self._places = {term: place for place, term in enumerate(idf)}
        self._weights = [*idf.values()]
        self._whole = math.fsum(self._weights) or 1.0
        self._pairs = [min(first, second) for first, second in pairwise(self._weights)]
        self._all_pairs = math.fsum(self._pairs) or 1.0
        self._words: dict[str, int | list[int]] = {}

    def wording(self, text: str) -> Wording:
        """Measure a passage."""
        found = self._found(text)
        if not found:
            return Wording()
        return Wording(
            self._share({place for _, place in found}, self._weights, self._whole),
            self._window(found),
            self._share(self._followed(found), self._pairs, self._all_pairs),
        )

    def _found(self, text: str) -> list[tuple[int, int]]:
        """Return (position in the text, place in the question) of every term that the question has, in order."""
        found: list[tuple[int, int]] = []
        position = 0
        known = self._words
        for word in WORD.findall(text):
            places = known.get(word)
            if places is None:
                places = known[word] = self._looked_up(word)
            if isinstance(places, int):  # by far the most
                position += places
            else:
                found += [(position + at, place) for at, place in enumerate(places) if place >= 0]
                position += len(places)
        return found

    def _looked_up(self, word: str) -> int | list[int]:
        """Return the place in the question of each term of a word, −1 for none; only how many there are if all are."""
        terms = terms_of(word, self._language)
        if self._places.keys().isdisjoint(terms):
            return len(terms)
        return [self._places.get(term, -1) for term in terms]

    def _window(self, found: Sequence[tuple[int, int]]) -> float:
        """Return the greatest share of the terms within a stretch."""
        counts = [0] * len(self._weights)
        held = most = 0.0
        first = 0
        for position, place in found:
            held += self._weights[place] if not counts[place] else 0.0
            counts[place] += 1
            while found[first][0] <= position - _SPAN:
                left = found[first][1]
                counts[left] -= 1
                held -= self._weights[left] if not counts[left] else 0.0
                first += 1
            most = max(most, held)
        return most / self._whole

    def _followed(self, found: Sequence[tuple[int, int]]) -> set[int]:
        """Return which neighbours of the question, named by the first one's place, follow each other nearly."""
        near = set()
        for number, (position, place) in enumerate(found):
            for later, other in found[number + 1 : number + 6]:
                if later - position > _NEAR:
                    break
                if other == place + 1:
                    near.add(place)
        return near

    @staticmethod
    def _share(places: set[int], weights: Sequence[float], whole: float) -> float:
        return math.fsum(weights[place] for place in places) / whole


def inverse_frequencies(document_frequencies: Mapping[str, int], passages: int) -> dict[str, float]:
    """Return BM25's inverse document frequency of each term, above 0, over `passages` passages."""
    return {
        term: math.log(1 + (passages - min(count, passages) + 0.5) / (count + 0.5))
        for term, count in document_frequencies.items()
    }


@lru_cache(maxsize=1_024)
def asked_terms(query: str, language: str | None) -> tuple[str, ...]:
    """Return the terms of a question to look for in texts of `language`, each once, in the order of the question."""
    return tuple(dict.fromkeys(question_terms(query, [language])))


@lru_cache(maxsize=65_536)
def terms_of(word: str, language: str | None) -> tuple[str, ...]:
    """Return the terms of one word of a text in `language`."""
    return tuple(analyze(word, language))
