"""What people try first is answered: every question that the docs, the page and the server's own words ask.

They are asked of the sample documents on every runtime that this machine has, and must be answered with a margin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from api.cli.serving import _curl
from index.collection import Collection
from rag.ask import ask, examples
from rag.encoding import Encoder
from rag.evaluation.cache import cached_collection
from rag.evaluation.datasets import read_dataset
from rag.reading import WEIGHTS, ModelReader, load_reader
from rag.runtimes.choose import default_model
from rag.runtimes.reader import PlainReader, restore
from rag.types import Answer, Question

ROOT = Path(__file__).parent.parent
MARGIN = 0.05  # of the confidence above the threshold: what another machine's rounding and a new document may take
ASKED = re.compile(r'(?:"query": |pincite ask )\\?"([^"\\]+)\\?"')
OF_OTHER_DOCUMENTS = {"What did the audit find?", "QUESTION"}  # README's and the page's, of the reader's own


class Right(NamedTuple):
    """What the quote must have and, where words are due, the words."""

    quote: str
    words: str | None = None


RIGHT: Mapping[str, Right] = {
    "Which countries make up the Quad?": Right("India, the US, Japan, and Australia"),
    "Who co-chaired the India-US 2+2 dialogue?": Right("co-chaired by"),
    "How was the India-US 2+2 intersessional dialogue held?": Right("held virtually on Monday"),
    "What does COMPACT stand for?": Right(
        "Catalysing Opportunities for Military Partnership, Accelerated Commerce & Technology"
    ),
    "What did they say about nuclear energy?": Right("civil-nuclear cooperation"),
}


def asked() -> Iterator[str]:
    """Yield every question that README, docs and the server's start ask of the sample documents."""
    texts = [file.read_text("utf-8") for file in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]
    for text in (*texts, _curl("http://127.0.0.1:8000")):
        yield from ASKED.findall(text)


@pytest.fixture(scope="module")
def seeds(model: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """The sample documents."""
    with cached_collection(read_dataset(ROOT / "seeds"), tmp_path_factory.mktemp("seeds"), model) as collection:
        yield collection


@pytest.fixture(scope="module", params=["as chosen", "plain"])
def reader(request: pytest.FixtureRequest, cache: Path) -> ModelReader:
    """The reader as it runs on this machine, and in plain torch."""
    found = load_reader(cache)
    if request.param == "plain":
        places = found._open()[1]
        found._opened = PlainReader(restore(default_model(), WEIGHTS)), places
    return found


def answered(question: str, collection: Collection, model: Encoder, reader: ModelReader) -> Answer:
    """Ask as a user does."""
    *_, answer = ask(Question(question), collection, model, reader=reader, candidates=False)
    assert isinstance(answer, Answer)
    return answer


def test_every_question_that_is_asked_has_its_answer_here() -> None:
    """None is asked in the docs without being held here."""
    assert set(asked()) - OF_OTHER_DOCUMENTS <= set(RIGHT)


@pytest.mark.parametrize("question", RIGHT)
def test_a_first_question_is_answered(question: str, seeds: Collection, model: Encoder, reader: ModelReader) -> None:
    """With the right quote, the right words where they are due, and more confidence than is needed."""
    answer, right = answered(question, seeds, model, reader), RIGHT[question]
    assert answer.outcome == "answered", answer.reason
    assert answer.quote is not None
    assert right.quote in answer.quote.text
    if right.words is not None:
        assert answer.answer is not None
        assert answer.answer.text == right.words
    assert answer.confidence is not None
    assert answer.threshold is not None
    assert answer.confidence >= answer.threshold + MARGIN


def test_the_examples_of_the_page_are_answered(seeds: Collection, model: Encoder, reader: ModelReader) -> None:
    """What the page offers before the first question is quoted from where its subject is the title or a heading."""
    offered = examples(seeds, model, reader=reader)
    assert len(offered) == 3
    for question in offered:
        quote = answered(question, seeds, model, reader).quote
        assert quote is not None
        subject = question.split("“")[1].split("”")[0].split(" / ")[-1]
        assert subject in (quote.document.title, *quote.citation.heading_path)
