"""Questions to cited passages: exact citations, what is collapsed and joined, and why there is no answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import Behind, EncoderMismatch, FilterInvalid
from index.types import PassageRef, StoredPassage
from rag import ask as asking
from rag.encoding import HashingEncoder
from rag.errors import QueryInvalid
from rag.retrieval import Ranking, retrieve
from rag.splitting import Packing, sentences
from rag.types import AnswerPassage, Question, Turn

SHORT = Packing(target=30, overlap=6, header=8)
DIALOGUE = (
    "India and the United States held the 2+2 intersessional dialogue virtually on Monday. The two sides agreed a "
    "ten-year framework for the major defence partnership."
)
BRIDGE = "The new bridge over the Vistula opened in May. It carries trams and bicycles. Its architect was Anna Berg."
HONEY = "Honey is harvested in July. The beekeepers are content with the weather."
REPORT = " ".join(
    f"On day {n} the engineers measured the northern dyke at gauge {n * 7} and wrote colour{n} in the book."
    for n in range(30)
)


@pytest.fixture
def filled(shelf: Any) -> Any:
    """A shelf with three short documents."""
    shelf.add(dialogue=DIALOGUE, bridge=BRIDGE, honey=HONEY)
    return shelf


def ids(passages: list[AnswerPassage]) -> list[str]:
    """Return the documents of passages in their order."""
    return [passage.document.id for passage in passages]


# Citations

LATIN = ["The dam broke. ", "In May the river rose", "e\u0301te\u0301", "¿Dónde? ", "- dam\n", "a" * 90, "1997. ", "ﬁ"]
OTHER = ["😀", "👩\u200d👩\u200d👧 ", "🇩🇪", "中文。", "дамба. ", "\u202e", "\x00"]
SPACE = ["\r\n", "\r\n\r\n", "\n", " ", "\u2028"]
PIECES = st.sampled_from([*LATIN, *OTHER, *SPACE])
TEXTS = st.lists(PIECES, min_size=1, max_size=60).map("".join).filter(str.strip)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(TEXTS, min_size=1, max_size=4),
    st.sampled_from(["Where did the dam break?", "When 中文 😀 e\u0301", "дамба"]),
)
def test_every_citation_is_exact(new_shelf: Callable[..., Any], texts: list[str], query: str) -> None:
    """Whatever the text, each quote is the text between its offsets in code points and in UTF-16, in ask and search."""
    shelf = new_shelf()
    shelf.add(*texts, packing=SHORT)
    answer = shelf.ask(query, top_k=8)
    shown = [*shelf.candidates(query, top_k=8).passages, *answer.passages, *answer.nearest]
    found = list(shelf.search(query, top_k=50).passages)
    assert shown
    assert len(found) >= len(answer.passages)
    shelf.require_exact([*shown, *found])
    for passage in [*shown, *found]:
        cited = passage.citation
        given_ = (cited.document_id, cited.document_sha256, cited.start, cited.end, cited.quote)
        assert asking.verify_citation(shelf.collection, *given_) == "exact"


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.sampled_from(["Where did the dam break?", "When did the river rise in May?", "中文"]))
def test_highlights_are_few_and_no_longer_than_a_sentence(new_shelf: Callable[..., Any], text: str, query: str) -> None:
    """A passage has at most three sentence highlights, none of which reaches over the end of a sentence."""
    shelf = new_shelf()
    shelf.add(text, packing=SHORT)
    answer = shelf.ask(query)
    for passage in [*answer.passages, *answer.nearest, *shelf.search(query).passages]:
        start = passage.citation.start
        told = [mark for mark in passage.highlights if mark.kind == "sentence"]
        whole = sentences(passage.text)
        assert len(told) <= 3
        for mark in told:
            assert any(s.start <= mark.start - start and mark.end - start <= s.end for s in whole)


def test_the_answer_is_highlighted(filled: Any) -> None:
    """The sentence that holds the question's words is marked in the passage, and the words in it."""
    (first, *_) = filled.ask("Which ten-year framework for the partnership was agreed?").passages
    text = filled.collection.text("dialogue")
    kinds = {(mark.kind, text[mark.start : mark.end]) for mark in first.highlights}
    assert ("sentence", "The two sides agreed a ten-year framework for the major defence partnership.") in kinds
    assert ("term", "agreed") in kinds


def test_search_without_highlights_has_none(filled: Any) -> None:
    """Marking can be left out of deep searches; the passages are the same."""
    asked = [Question("When did the bridge open?")]
    marked = asking.search(asked, filled.collection, filled.encoder)[0].passages
    bare = asking.search(asked, filled.collection, filled.encoder, highlight=False)[0].passages
    assert any(passage.highlights for passage in marked)
    assert bare == [replace(passage, highlights=[]) for passage in marked]


# Collapsed and joined in ask only


def test_near_copies_are_collapsed_in_ask_and_kept_in_search(shelf: Any) -> None:
    """The same report in three papers is one passage of an answer, and three of a search."""
    shelf.add(a=DIALOGUE, b=DIALOGUE.upper(), c=DIALOGUE + " End.", other=BRIDGE)
    query = "How was the 2+2 intersessional dialogue held?"
    assert sorted(ids(shelf.search(query).passages)) == ["a", "b", "c", "other"]
    asked = ids(shelf.ask(query).passages)
    assert len(set(asked) & {"a", "b", "c"}) == 1
    assert len(set(ids(shelf.candidates(query).passages)) & {"a", "b", "c"}) == 1


def test_neighbours_are_joined_in_ask_under_the_best_members_id(shelf: Any) -> None:
    """Two passages that follow one another become one quote with the better one's id and scores; search parts them."""
    shelf.add(report=REPORT, packing=SHORT)
    query = "What colour10 did the engineers write on day 10 at gauge 70, and colour11 on day 11 at gauge 77?"
    found = {passage.id: passage for passage in shelf.search(query, top_k=100).passages}
    best, *_ = shelf.ask(query, top_k=3).passages
    parts = [
        passage
        for passage in found.values()
        if best.citation.start <= passage.citation.start and passage.citation.end <= best.citation.end
    ]
    assert len(parts) == 2
    assert best.id in {part.id for part in parts}
    assert best.score == max(part.score for part in parts)
    assert (best.dense, best.lexical) == (found[best.id].dense, found[best.id].lexical)
    assert best.citation.start == min(part.citation.start for part in parts)
    assert best.citation.end == max(part.citation.end for part in parts)
    shelf.require_exact([best])


def test_search_returns_every_passage_once_best_first(shelf: Any) -> None:
    """All passages of a small collection come, ranked from 1, each once, with scores that never rise."""
    shelf.add(report=REPORT, packing=SHORT)
    passages = shelf.search("engineers", top_k=1_000).passages
    assert len({passage.id for passage in passages}) == len(passages) == shelf.collection.info().passages
    assert [passage.rank for passage in passages] == list(range(1, len(passages) + 1))
    assert all(better.score >= worse.score for better, worse in itertools.pairwise(passages))


@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_no_more_passages_than_asked_for(shelf: Any, top_k: int) -> None:
    """`top_k` bounds every list."""
    shelf.add(report=REPORT, dialogue=DIALOGUE, bridge=BRIDGE, packing=SHORT)
    query = "On which day did the engineers measure the northern dyke at the gauge?"
    answer = shelf.ask(query, top_k=top_k)
    assert len(answer.passages) == len(shelf.search(query, top_k=top_k).passages) == top_k
    assert len(shelf.candidates(query, top_k=top_k).passages) == top_k


# Answers, and reasons why there is none


def test_candidates_come_first_then_one_answer(filled: Any) -> None:
    """The two steps of asking, in their order; the candidates are what the first look found."""
    steps = list(asking.ask(Question("When did the bridge open?"), filled.collection, filled.encoder))
    assert [type(step) for step in steps] == [asking.Candidates, asking.Answer]
    assert steps[0].passages[0].document.id == steps[1].passages[0].document.id == "bridge"


def test_an_answer_says_all_that_the_contract_names(filled: Any) -> None:
    """An answerable question has passages, nothing nearest and no reason; the token is the collection's."""
    answer = filled.ask("When did the new bridge over the Vistula open?")
    assert (answer.answerable, answer.reason, list(answer.nearest), answer.degraded) == (True, None, [], ())
    assert (answer.outcome, answer.quote, list(answer.warnings)) == ("answered", None, [asking.UNREAD])
    assert answer.token == filled.collection.info().token
    assert set(answer.timing_ms) == {"encode", "retrieve", "read", "total"}


def test_an_empty_collection_says_so(shelf: Any) -> None:
    """Nothing was added yet, and the reason tells to add something."""
    answer = shelf.ask("When did the bridge open?")
    assert (answer.answerable, answer.reason.code) == (False, "empty_collection")
    assert (list(answer.passages), list(answer.nearest)) == ([], [])
    assert list(shelf.search("When did the bridge open?").passages) == []


def test_a_filter_that_matches_nothing_says_so(filled: Any) -> None:
    """The filter is at fault, not the documents."""
    answer = filled.ask("When did the bridge open?", filter={"field": "language", "eq": "fr"})
    assert (answer.answerable, answer.reason.code, list(answer.nearest)) == (False, "filter_matched_nothing", [])


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_what_nothing_answers_is_declined_with_what_came_nearest(filled: Any, mode: str) -> None:
    """A question about something else is declined; the reason names a word that is missing."""
    answer = filled.ask("Who won the copper price championship of Mongolia?", mode=mode)
    assert (answer.answerable, answer.reason.code, list(answer.passages)) == (False, "below_threshold", [])
    if mode != "lexical":
        assert "“copper”" in answer.reason.text
        assert answer.nearest
        filled.require_exact(answer.nearest)


def test_a_long_question_about_something_else_is_declined(filled: Any) -> None:
    """Many words that are nowhere do not add up to an answer."""
    query = (
        "Explain how chlorophyll molecules inside thylakoid membranes absorb sunlight photons, split water, pump "
        "protons, generate adenosine triphosphate and reduce carbon dioxide during photosynthesis"
    )
    assert filled.ask(query).reason.code == "below_threshold"


def test_a_filter_narrows_what_is_searched(shelf: Any) -> None:
    """Only documents that match are found, in ask and in search."""
    texts = {"old": ("2019-05", BRIDGE), "new": ("2025-05", BRIDGE.replace("May", "June"))}
    shelf.put([shelf.document(name, text, published=date) for name, (date, text) in texts.items()])
    newer = {"field": "published", "gte": "2025"}
    assert ids(shelf.ask("When did the bridge open?", filter=newer).passages) == ["new"]
    assert ids(shelf.search("When did the bridge open?", filter=newer).passages) == ["new"]


@pytest.mark.parametrize("query", ["", "  \n\t "])
def test_a_blank_question_is_refused(filled: Any, query: str) -> None:
    """There is nothing to look for, whether asked or searched."""
    with pytest.raises(QueryInvalid, match="blank"):
        filled.ask(query)
    with pytest.raises(QueryInvalid, match="blank"):
        filled.search(query)


def test_a_filter_that_is_none_is_refused(filled: Any) -> None:
    """The error of the filter language reaches the caller."""
    with pytest.raises(FilterInvalid):
        filled.ask("When?", filter={"field": "colour", "eq": "red"})


def test_a_question_that_is_ahead_of_the_collection_is_refused(filled: Any) -> None:
    """A token that the collection has not reached is not answered from an older state."""
    with pytest.raises(Behind):
        filled.ask("When did the bridge open?", at_least="999999")


def test_another_encoder_is_refused(filled: Any) -> None:
    """Vectors of another model cannot be compared; words still can."""
    with pytest.raises((EncoderMismatch, ValueError)):
        asking.search([Question("bridge")], filled.collection, HashingEncoder(dimension=32))


# Modes, history, sameness


def test_each_mode_ranks_by_its_own_score(filled: Any) -> None:
    """Lexical has no dense scores, dense no lexical ones, hybrid both; the score is that of the mode."""
    query = "When did the new bridge open?"
    lexical, dense, hybrid = (filled.search(query, mode=mode).passages for mode in ("lexical", "dense", "hybrid"))
    assert ids(lexical)[0] == ids(dense)[0] == ids(hybrid)[0] == "bridge"
    assert all(p.dense is None and p.score == p.lexical for p in lexical)
    assert all(p.lexical is None and p.score == pytest.approx(p.dense, abs=1e-6) for p in dense)
    assert (hybrid[0].dense, hybrid[0].lexical) == (dense[0].dense, lexical[0].lexical)
    assert all(0 <= p.score <= 1 for p in hybrid)


def test_lexical_finds_only_what_holds_a_word(filled: Any) -> None:
    """Dense and hybrid rank everything; lexical leaves out what shares no word."""
    assert ids(filled.search("beekeepers", mode="lexical").passages) == ["honey"]
    assert len(filled.search("beekeepers", mode="dense").passages) == 3


def test_rank_fusion_can_be_chosen(filled: Any) -> None:
    """Reciprocal rank fusion gives its own scores: two first places are 2 / 61."""
    ranking = Ranking(fusion="reciprocal_rank")
    found = asking.search([Question("bridge Vistula trams")], filled.collection, filled.encoder, ranking)
    assert found[0].passages[0].score == pytest.approx(2 / 61, abs=1e-6)


class _Losing:
    """A collection in which a document is deleted while a question is under way: found, and gone when it is read."""

    def __init__(self, collection: Any, gone: str) -> None:
        self._collection, self._gone = collection, gone

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    def passages(self, refs: Sequence[PassageRef]) -> Sequence[StoredPassage]:
        """Return the passages of the other documents."""
        return [one for one in self._collection.passages(refs) if one.ref.document_id != self._gone]


def test_a_document_that_went_meanwhile_is_left_out(filled: Any) -> None:
    """Whether its words were looked at or not; the others keep their order."""
    for ranking in (Ranking(), Ranking(read=1), Ranking(fusion="convex")):

        def found(collection: Any, used: Ranking = ranking) -> dict[str, float]:
            passages = retrieve(Question("bridge Vistula trams"), collection, filled.encoder, used, 50).passages
            return {one.stored.ref.document_id: one.score for one in passages}

        whole = found(filled.collection)
        gone = next(iter(whole))
        left = found(_Losing(filled.collection, gone))
        assert list(left) == [name for name in whole if name != gone]
        if ranking.fusion == "convex":
            assert left == {name: score for name, score in whole.items() if name != gone}


def test_explain_shows_how_a_passage_came_to_its_place(filled: Any) -> None:
    """Asked for, each passage says its rank in both legs; otherwise it says nothing."""
    assert filled.search("bridge Vistula", explain=False).passages[0].explain is None
    said = filled.search("bridge Vistula", explain=True).passages[0].explain
    assert (said["dense_rank"], said["lexical_rank"], said["fusion"]) == (1, 1, "linear")
    assert said["words"]["coverage"] == 1.0


def test_a_follow_up_is_completed_from_the_talk(filled: Any) -> None:
    """What is missing is carried over from the question before, shown, and searched for."""
    talk = [Turn("user", "When did the bridge over the Vistula open?"), Turn("assistant", "In May.")]
    answer = filled.ask("Who was its architect?", history=talk)
    assert answer.standalone_query == "When did the bridge over the Vistula open? Who was its architect?"
    assert answer.query == "Who was its architect?"
    assert answer.passages[0].document.id == "bridge"
    assert filled.search("Who was its architect?", history=talk).standalone_query == answer.standalone_query


def test_a_question_without_talk_has_no_standalone_form(filled: Any) -> None:
    """Without history the question is searched as it is."""
    assert filled.ask("Who was its architect?").standalone_query is None
    assert filled.search("Who was its architect?").standalone_query is None


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_the_same_question_has_the_same_answer(filled: Any, mode: str) -> None:
    """On one state of the collection two answers differ in their timings alone, and so do two searches."""
    for query in ("When did the new bridge open?", "What is the price of copper?"):
        first, second = (filled.ask(query, mode=mode, explain=True) for _ in range(2))
        assert replace(first, timing_ms={}) == replace(second, timing_ms={})
        first, second = (filled.search(query, mode=mode, explain=True) for _ in range(2))
        assert replace(first, timing_ms={}) == replace(second, timing_ms={})


def test_many_questions_are_answered_in_their_order(filled: Any) -> None:
    """A batch gives what its questions give one by one."""
    queries = ["When did the bridge open?", "How was the dialogue held?", "When is honey harvested?"]
    together = asking.search([Question(query) for query in queries], filled.collection, filled.encoder)
    assert [result.query for result in together] == queries
    assert [result.passages for result in together] == [filled.search(query).passages for query in queries]


# Examples and citations


def test_examples_are_questions_that_are_answered(shelf: Any) -> None:
    """They are made of titles, at most as many as asked for, and asking them gives an answer."""
    names = ["The Vistula bridge", "Beekeeping in July", "Dykes of the north", "Copper prices", "A ferry strike"]
    shelf.put([shelf.document(f"d{n}", f"{name}. That is told here.", title=name) for n, name in enumerate(names)])
    examples = asking.examples(shelf.collection, shelf.encoder, 3)
    assert len(examples) == 3
    assert all(shelf.ask(example).answerable for example in examples)
    assert len(asking.examples(shelf.collection, shelf.encoder, 1)) == 1


def test_without_titles_there_are_no_examples(filled: Any, new_shelf: Callable[..., Any]) -> None:
    """Nothing is made up."""
    assert list(asking.examples(filled.collection, filled.encoder)) == []
    empty = new_shelf()
    assert list(asking.examples(empty.collection, empty.encoder)) == []


def test_a_citation_is_checked_against_what_is_stored_now(filled: Any) -> None:
    """Exact while nothing changed; then changed, then gone; a wrong quote or place differs."""
    cited = filled.ask("When did the new bridge open?").passages[0].citation

    def status(**wrong: Any) -> str:
        given_ = replace(cited, **wrong)
        place = (given_.document_id, given_.document_sha256, given_.start, given_.end, given_.quote)
        return asking.verify_citation(filled.collection, *place)

    assert status() == "exact"
    assert status(quote=cited.quote + "!") == "text_differs"
    assert status(start=cited.start + 1) == "text_differs"
    assert status(start=cited.start - len(BRIDGE), end=cited.end - len(BRIDGE)) == "text_differs"
    assert status(end=cited.end + 10_000) == "text_differs"
    assert status(document_sha256="0" * 64) == "document_changed"
    filled.add(bridge=BRIDGE + " Later it closed.")
    assert status() == "document_changed"
    filled.collection.delete(["bridge"])
    assert status() == "document_gone"
    assert asking.verify_citation(None, "bridge", cited.document_sha256, 0, 1, "T") == "document_gone"


def test_a_deleted_document_is_not_found_again(filled: Any) -> None:
    """Once a delete was acknowledged no passage of the document is shown anywhere."""
    filled.collection.delete(["bridge"])
    query = "When did the new bridge over the Vistula open?"
    answer = filled.ask(query)
    assert "bridge" not in ids([*answer.passages, *answer.nearest, *filled.search(query).passages])
