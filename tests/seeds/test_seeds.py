"""The articles and questions of seeds/ are what seeds/README.md says: every label is checked against the texts."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from rag.evaluation.questions import read_questions
from rag.ids import document_id
from rag.loaders import load
from rag.types import FailedRow, LoadedDocument

SEEDS = Path(__file__).parents[2] / "seeds"
FILES = sorted((SEEDS / "documents").iterdir())
QUESTIONS = [json.loads(line) for line in (SEEDS / "questions.jsonl").read_text("utf-8").splitlines()]
ANSWERABLE = [question for question in QUESTIONS if question["metadata"]["answerable"]]
UNANSWERABLE = [question for question in QUESTIONS if not question["metadata"]["answerable"]]
AT_LEAST = {
    "fact": 30,
    "two_documents": 12,
    "dated": 12,
    "follow_up": 12,
    "conflict": 8,
    "paraphrase": 20,
    "other_language": 4,
    "near_miss": 20,
    "off_topic": 20,
}
OWNERS_ARTICLE = "bd4f16f9dd33c762fcdabca4d660d082a1324f741dcb59ada98a0b4b3d1d7b81"


def _of_type(kind: str) -> list[dict]:
    return [question for question in QUESTIONS if question["metadata"]["type"] == kind]


def _documents_of(question: dict) -> set[str]:
    named = {span["doc"] for span in question["metadata"]["answer_spans"]}
    context = question["metadata"].get("context_doc")
    return named | {context} if context else named


@pytest.fixture(scope="module")
def documents() -> dict[str, LoadedDocument]:
    """Every document of seeds/documents by the id that ingestion gives it."""
    loaded: dict[str, LoadedDocument] = {}
    for path in FILES:
        for document in load(path.read_bytes(), name=path.name):
            assert not isinstance(document, FailedRow), (path.name, document)
            key = document_id(document.id or path.name)
            assert key not in loaded, f"{key} is the id of two documents"
            loaded[key] = document
    return loaded


def test_there_are_enough_articles_in_every_format(documents: dict[str, LoadedDocument]) -> None:
    """The owner's article and at least 45 others, in all six formats."""
    assert len(documents) >= 46
    assert {path.suffix for path in FILES} == {".txt", ".md", ".html", ".pdf", ".json", ".jsonl"}


def test_the_owners_article_is_kept_byte_for_byte() -> None:
    """Nobody has touched the article that was given."""
    assert hashlib.sha256((SEEDS / "documents" / "seed_article.txt").read_bytes()).hexdigest() == OWNERS_ARTICLE


def test_articles_are_short(documents: dict[str, LoadedDocument]) -> None:
    """Each article has 120 to 450 words, front matter not counted."""
    lengths = {
        key: len(found.text[found.body.start if found.body else 0 :].split()) for key, found in documents.items()
    }
    assert {key: words for key, words in lengths.items() if not 120 <= words <= 450} == {}


def test_file_names_need_no_escaping() -> None:
    """A file's name is its document id as it stands."""
    assert [path.name for path in FILES if document_id(path.name) != path.name or path.name != path.name.lower()] == []


@pytest.mark.parametrize(
    ("key", "title", "published", "language", "source"),
    [
        ("seed_article.txt", None, "2025-08-26", None, None),
        ("county-wire-by-election.txt", None, "2024-10-11", None, None),
        (
            "forth-bridge.md",
            "The Forth Bridge, built to be doubted by nobody",
            "2023-03-04",
            "en",
            "Sample Engineering Review",
        ),
        ("wuppertaler-schwebebahn.md", "Die Schwebebahn von Wuppertal", "2021-03-01", "de", "Sample Gazette"),
        ("viaduc-de-millau.html", "Le viaduc de Millau, vingt ans après", "2024-12-16", "fr", "Revue d’exemples"),
        ("tambora.html", "Tambora and the year without a summer", "2015-04-10", "en", "Sample Gazette"),
        ("surtsey.json", "Surtsey, an island with a birthday", "2018-11-14", "en", "Sample Gazette"),
        ("everest-2020", "Nepal and China agree on the height of Everest", "2020-12-09", "en", "Sample Gazette"),
        ("cassini.pdf", "Cassini at Saturn, from arrival to the last dive", "2017-09-20", "en", None),
        ("lake-baikal.txt", None, None, None, None),
        ("tidewater-faq.html", "Tidewater: frequently asked questions", None, "en", "Tidewater project (fictional)"),
        (
            "market-stall-rules.md",
            "Rules for stallholders at Marrowby market",
            None,
            "en",
            "Marrowby Borough Council (fictional)",
        ),
    ],
)
def test_each_format_gives_its_metadata(
    documents: dict[str, LoadedDocument],
    key: str,
    title: str | None,
    published: str | None,
    language: str | None,
    source: str | None,
) -> None:
    """Title, date, language and source are read where the format has them and left open where it has not."""
    found = documents[key]
    assert (found.title, found.published, found.language, found.source) == (title, published, language, source)


def test_the_wire_head_gives_the_place(documents: dict[str, LoadedDocument]) -> None:
    """A wire report says where it was filed."""
    assert documents["seed_article.txt"].metadata["place"] == "New Delhi [India]"


def test_pdfs_have_two_pages(documents: dict[str, LoadedDocument]) -> None:
    """Every PDF has two pages of text and is small."""
    names = [path.name for path in FILES if path.suffix == ".pdf"]
    assert len(names) >= 3
    assert {len(documents[name].pages) for name in names} == {2}
    assert max(path.stat().st_size for path in FILES if path.suffix == ".pdf") < 60_000


def test_dates_and_languages_vary(documents: dict[str, LoadedDocument]) -> None:
    """Some articles are undated, and not all are in English."""
    assert sum(found.published is None for found in documents.values()) >= 4
    assert {"en", "de", "fr"} <= {found.language for found in documents.values()}


def test_invented_towns_and_programs_say_so(documents: dict[str, LoadedDocument]) -> None:
    """Every article about Marrowby or Tidewater says in its text that it is fictional."""
    invented = [
        key for key, found in documents.items() if re.search("Marrowby|Tidewater|Saltey|River Senn", found.text)
    ]
    assert len(invented) >= 15
    assert [key for key in invented if "fictional" not in documents[key].text] == []


def test_website_furniture_is_not_part_of_the_articles(documents: dict[str, LoadedDocument]) -> None:
    """Menus and footers of the HTML pages do not come into the stored text."""
    pages = [found.text for key, found in documents.items() if key.endswith(".html")]
    assert [text for text in pages if "Small ads" in text or "sample publication" in text] == []


def test_questions_follow_the_evaluation_layout() -> None:
    """The reader of evaluation sets reads every row, each with an id of its own."""
    assert [found.id for found in read_questions(SEEDS / "questions.jsonl")] == [row["_id"] for row in QUESTIONS]


def test_there_are_enough_questions_of_every_type() -> None:
    """At least 150 questions, enough of every type, and none of another type."""
    counts = Counter(question["metadata"]["type"] for question in QUESTIONS)
    assert len(QUESTIONS) >= 150
    assert set(counts) == set(AT_LEAST)
    assert {kind: counts[kind] for kind, least in AT_LEAST.items() if counts[kind] < least} == {}


def test_the_readme_states_the_true_counts() -> None:
    """The table of seeds/README.md counts the questions by type and split."""
    counts = Counter((row["metadata"]["type"], row["metadata"]["split"]) for row in QUESTIONS)
    readme = (SEEDS / "README.md").read_text("utf-8")
    for kind in AT_LEAST:
        dev, test = counts[kind, "dev"], counts[kind, "test"]
        assert f"| {kind} | {dev} | {test} | {dev + test} |" in readme


def test_no_question_is_asked_twice() -> None:
    """Two questions differ in their words or in the talk before them."""
    asked = [(row["text"].casefold(), json.dumps(row["metadata"].get("history"))) for row in QUESTIONS]
    assert [key for key, times in Counter(asked).items() if times > 1] == []


def test_every_answer_stands_where_its_span_says(documents: dict[str, LoadedDocument]) -> None:
    """A span's text is the stored text at its offsets, inside what becomes passages."""
    for question in QUESTIONS:
        for span in question["metadata"]["answer_spans"]:
            found = documents[span["doc"]]
            assert found.text[span["start"] : span["end"]] == span["text"], question["_id"]
            assert span["start"] >= (found.body.start if found.body else 0), question["_id"]


def test_every_answer_lies_within_one_paragraph() -> None:
    """An answer is a short quote that no blank line divides."""
    spans = [span["text"] for question in QUESTIONS for span in question["metadata"]["answer_spans"]]
    assert [text for text in spans if re.search(r"\n\s*\n", text) or len(text) > 120 or text != text.strip()] == []


def test_answers_are_the_quotes_of_the_spans() -> None:
    """The list of answers holds the texts of the spans, each once and in their order."""
    for question in QUESTIONS:
        texts = [span["text"] for span in question["metadata"]["answer_spans"]]
        assert question["metadata"]["answers"] == list(dict.fromkeys(texts)), question["_id"]


def test_answerable_questions_have_spans_and_others_none() -> None:
    """A question has answer spans exactly when it is labelled answerable."""
    assert [row["_id"] for row in ANSWERABLE if not row["metadata"]["answer_spans"]] == []
    assert [row["_id"] for row in UNANSWERABLE if row["metadata"]["answer_spans"]] == []


def test_unanswerable_questions_are_the_near_misses_and_the_off_topic_ones() -> None:
    """At least 40 questions have no answer, and half of them or more are near misses."""
    near, off = _of_type("near_miss"), _of_type("off_topic")
    assert len(UNANSWERABLE) >= 40
    assert {row["_id"] for row in near + off} == {row["_id"] for row in UNANSWERABLE}
    assert len(near) * 2 >= len(UNANSWERABLE)


def test_the_split_cuts_by_document(documents: dict[str, LoadedDocument]) -> None:
    """All questions about one document lie in one half, and every document has a question."""
    halves: dict[str, set[str]] = {}
    for question in QUESTIONS:
        for key in _documents_of(question):
            halves.setdefault(key, set()).add(question["metadata"]["split"])
    assert {key: sides for key, sides in halves.items() if len(sides) > 1} == {}
    assert set(halves) == set(documents)


def test_the_halves_are_of_one_size() -> None:
    """Dev and test each hold 45 to 55 in a hundred of all questions and of the unanswerable ones."""
    for rows in (QUESTIONS, UNANSWERABLE):
        share = sum(row["metadata"]["split"] == "dev" for row in rows) / len(rows)
        assert 0.45 <= share <= 0.55
    assert {row["metadata"]["split"] for row in QUESTIONS} == {"dev", "test"}


def test_follow_ups_and_only_they_have_a_history() -> None:
    """A follow-up has one to three earlier questions, each answered; no other question has any."""
    follow_ups = _of_type("follow_up")
    assert [row for row in QUESTIONS if "history" in row["metadata"]] == follow_ups
    for question in follow_ups:
        roles = [turn["role"] for turn in question["metadata"]["history"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert 1 <= len(roles) // 2 <= 3


def test_two_document_questions_need_two_documents() -> None:
    """The answer of a two-document question is spread over at least two documents, all of them needed."""
    for question in _of_type("two_documents"):
        assert len(_documents_of(question)) >= 2, question["_id"]
        assert question["metadata"]["all_required"] is True


def test_conflicts_name_documents_that_hold_the_values(documents: dict[str, LoadedDocument]) -> None:
    """A conflict has two or more different values in different documents, each at its offsets."""
    conflicts = _of_type("conflict")
    assert [row for row in QUESTIONS if "conflict" in row["metadata"]] == conflicts
    for question in conflicts:
        values = question["metadata"]["conflict"]["values"]
        assert len({value["text"] for value in values}) >= 2, question["_id"]
        assert len({value["doc"] for value in values}) == len(values), question["_id"]
        assert [documents[v["doc"]].text[v["start"] : v["end"]] for v in values] == [v["text"] for v in values]


def test_conflicts_are_about_numbers_dates_and_names() -> None:
    """All three kinds of disagreement occur, in at least six pairs of documents."""
    conflicts = [row["metadata"]["conflict"] for row in _of_type("conflict")]
    assert {conflict["kind"] for conflict in conflicts} == {"number", "date", "name"}
    assert len({frozenset(value["doc"] for value in conflict["values"]) for conflict in conflicts}) >= 6


def test_near_misses_name_the_document_that_they_miss(documents: dict[str, LoadedDocument]) -> None:
    """A near miss says whose subject it asks about."""
    assert [row["_id"] for row in _of_type("near_miss") if row["metadata"].get("context_doc") not in documents] == []


def test_the_words_of_off_topic_questions_occur_nowhere(documents: dict[str, LoadedDocument]) -> None:
    """What an off-topic question is about is named in it and in no document."""
    everything = "\n".join(f"{found.title}\n{found.text}" for found in documents.values()).casefold()
    for question in _of_type("off_topic"):
        assert question["metadata"]["absent"]
        for word in question["metadata"]["absent"]:
            assert word in question["text"].casefold()
            assert not re.search(rf"\b{re.escape(word)}", everything), word


def test_the_owners_article_is_asked_about() -> None:
    """At least ten answerable questions are about the owner's article."""
    assert sum("seed_article.txt" in _documents_of(row) for row in ANSWERABLE) >= 10
