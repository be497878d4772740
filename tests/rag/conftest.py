"""Collections filled and asked as the journeys do, with an encoder that needs no model; passages made by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from index.catalog import Catalog
from index.collection import Collection
from index.types import DocumentInfo, Passage, PassageRef, StoredPassage, text_digest, utf16_length
from rag import ask as asking
from rag.encoding import Encoder, HashingEncoder
from rag.ingest import Ingest
from rag.splitting import Packing
from rag.types import Answer, AnswerPassage, IngestResult, LoadedDocument, Question, Ranked


class Shelf:
    """One collection with its encoder; `packing` decides how long its passages are."""

    def __init__(self, collection: Collection, encoder: Encoder) -> None:
        self.collection = collection
        self.encoder = encoder

    def add(self, *texts: str, packing: Packing | None = None, **named: str) -> list[IngestResult]:
        """Add plain documents: those of `named` under their names, the others as `d0`, `d1` and so on."""
        given = {**{f"d{place}": text for place, text in enumerate(texts)}, **named}
        return self.put([self.document(name, text) for name, text in given.items()], packing)

    def put(self, loaded: Sequence[LoadedDocument], packing: Packing | None = None) -> list[IngestResult]:
        """Add loaded documents."""
        return list(Ingest(self.collection, self.encoder, packing).documents(loaded))

    def document(self, name: str, text: str, **more: Any) -> LoadedDocument:
        """Return a loaded document."""
        return LoadedDocument(text, "text/plain", text.encode("utf-8", "surrogatepass"), id=name, **more)

    def candidates(self, query: str, **more: Any) -> asking.Candidates:
        """Return the first step of asking."""
        first = next(iter(asking.ask(Question(query, **more), self.collection, self.encoder)))
        assert isinstance(first, asking.Candidates)
        return first

    def ask(self, query: str, **more: Any) -> Answer:
        """Return the answer."""
        *_, answer = asking.ask(Question(query, **more), self.collection, self.encoder)
        assert isinstance(answer, Answer)
        return answer

    def search(self, query: str, **more: Any) -> asking.SearchResult:
        """Return what one search finds."""
        return asking.search([Question(query, **more)], self.collection, self.encoder)[0]

    def require_exact(self, passages: Sequence[AnswerPassage]) -> None:
        """Fail unless every citation and highlight lies where it says, in code points and in UTF-16 code units."""
        for passage in passages:
            cited = passage.citation
            text = self.collection.text(cited.document_id)
            assert text[cited.start : cited.end] == cited.quote == passage.text != ""
            assert cited.document_sha256 == passage.document.sha256 == text_digest(text)
            for place in (cited, *passage.highlights):
                in_utf16 = text.encode("utf-16-le")[2 * place.start_utf16 : 2 * place.end_utf16]
                assert in_utf16.decode("utf-16-le") == text[place.start : place.end]
                assert cited.start <= place.start < place.end <= cited.end


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """An open data folder for all tests of a file."""
    encoder = HashingEncoder()
    folder = tmp_path_factory.mktemp("data")
    with Catalog(folder, encoder=encoder.fingerprint, dimension=encoder.dimension) as opened:
        yield opened


@pytest.fixture(scope="module")
def new_shelf(catalog: Catalog) -> Callable[..., Shelf]:
    """A function that returns an empty shelf, each with a collection of its own."""
    numbers = itertools.count()

    def make(encoder: Encoder | None = None) -> Shelf:
        name = f"shelf{next(numbers)}"
        catalog.create(name)
        return Shelf(catalog.collection(name), encoder or HashingEncoder())

    return make


@pytest.fixture
def shelf(new_shelf: Callable[..., Shelf]) -> Shelf:
    """An empty shelf."""
    return new_shelf()


@pytest.fixture(scope="session")
def ranked() -> Callable[..., Ranked]:
    """A function that makes a passage in its place of a ranking, without any collection."""

    def make(
        text: str,
        *,
        document: str = "d",
        whole: str | None = None,
        start: int = 0,
        ordinal: int = 0,
        score: float = 0.5,
        dense: float | None = 0.5,
        header: str = "",
        language: str | None = None,
        pages: tuple[int, int] | tuple[None, None] = (None, None),
    ) -> Ranked:
        whole = text if whole is None else whole
        info = DocumentInfo(
            id=document, sha256=text_digest(whole), media_type="text/plain", title=None, uri=None, source=None,
            published=None, language=language, encoding=None, metadata={}, added="2025-01-01T00:00:00.000Z",
            characters=len(whole), bytes=len(whole.encode()), passages=1, fingerprint="",
        )  # fmt: skip
        before = utf16_length(whole[:start])
        passage = Passage(ordinal, start, start + len(text), before, header, (), *pages)
        stored = StoredPassage(PassageRef(document, ordinal, info.sha256), passage, text, info)
        return Ranked(stored, score, dense, None)

    return make
