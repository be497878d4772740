"""Every document that is missed is attributed to one stage: one constructed case each, asked of a real collection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from index.types import Json
from rag.encoding import HashingEncoder
from rag.evaluation.cache import cached_collection
from rag.evaluation.datasets import read_dataset
from rag.evaluation.diagnosis import STAGES, Diagnosis, diagnose
from rag.evaluation.run import Plan, evaluate
from rag.retrieval import Ranking

SEEDS = Path(__file__).parents[3] / "seeds"
CROWD = {f"c{n:02}": f"The copper kettle of page{n} sings in the kitchen." for n in range(30)}
FAR = "Nothing but herring swims under the northern ice."


@pytest.fixture
def diagnosed(tmp_path: Path, known: SimpleNamespace) -> Any:
    """A function that asks one question of a crowd of pages about kettles and some documents more."""

    def run(
        query: str,
        texts: dict[str, str],
        wanted: Sequence[str],
        metadata: Json = None,
        ranking: Ranking | None = None,
        depth: int = 200,
    ) -> Diagnosis:
        folder = tmp_path / "set"
        rows = [{"_id": name, "text": text, "metadata": {"source": name}} for name, text in {**CROWD, **texts}.items()]
        known.jsonl(folder / "corpus.jsonl", rows)
        known.jsonl(folder / "queries.jsonl", [{"_id": "q", "text": query, "metadata": metadata or {}}])
        (folder / "qrels").mkdir(parents=True, exist_ok=True)
        (folder / "qrels" / "test.tsv").write_text("".join(f"q\t{document}\t1\n" for document in wanted))
        dataset, encoder = read_dataset(folder), HashingEncoder(1024)
        with cached_collection(dataset, tmp_path / "cache", encoder) as collection:
            return diagnose(dataset, collection, encoder, Plan("all", depth=depth), ranking=ranking)

    return run


def stages(diagnosis: Diagnosis) -> dict[str, int]:
    """The stages that lost something, after a look that the counts add up."""
    assert sum(diagnosis.stages.values()) == len(diagnosis.missed) == diagnosis.json()["missed"]
    assert list(diagnosis.stages) == list(STAGES)
    return {stage: count for stage, count in diagnosis.stages.items() if count}


def test_what_is_found_is_not_missed(diagnosed: Any) -> None:
    """The one page with the word is first, and nothing is attributed."""
    found = diagnosed("Where does herring swim?", {"far": FAR}, ["far"])
    assert (found.questions, found.relevant, stages(found)) == (1, 1, {})


def test_a_document_without_text_was_not_ingested(diagnosed: Any) -> None:
    """A blank row is judged, and never can be found; it has no rank anywhere."""
    found = diagnosed("Where does herring swim?", {"blank": " "}, ["blank"])
    assert stages(found) == {"not ingested": 1}
    assert (found.missed[0].dense_rank, found.missed[0].lexical_rank, found.missed[0].fused_rank) == (None,) * 3


def test_an_answer_that_no_passage_holds_was_split_apart(diagnosed: Any) -> None:
    """The span runs over more words than a passage has; that goes before where the ranking lost it."""
    text = " ".join(f"Herring number{n} swims under the ice." for n in range(100))
    span = {"doc": "far", "start": 0, "end": len(text), "text": text}
    assert stages(diagnosed("copper kettle", {"far": text}, ["far"], {"answer_spans": [span]})) == {"split apart": 1}
    whole = {**span, "end": 38, "text": text[:38]}
    assert "split apart" not in stages(
        diagnosed("copper kettle", {"far": text}, ["far"], {"answer_spans": [span, whole]})
    )


def test_a_filter_that_leaves_it_out_is_named(diagnosed: Any) -> None:
    """The document would have been first."""
    filter_ = {"field": "source", "ne": "far"}
    found = diagnosed("Where does herring swim?", {"far": FAR}, ["far"], {"filter": filter_})
    assert stages(found) == {"filtered": 1}


def test_what_is_in_neither_pool_was_not_retrieved(diagnosed: Any) -> None:
    """Pools of twelve hold pages about kettles only."""
    found = diagnosed("copper kettle sings", {"far": FAR}, ["far"], ranking=Ranking(pool=12), depth=12)
    assert stages(found) == {"not retrieved": 1}


def test_what_one_leg_had_and_both_have_not_was_lost_in_fusion(diagnosed: Any) -> None:
    """Only vectors count in this ranking; the term leg has the one page that holds the rare word first."""
    rare = "Herring " + " ".join(f"word{n}" for n in range(60))
    found = diagnosed("herring kettle copper", {"far": rare}, ["far"], ranking=Ranking(fusion="convex", dense_weight=1))
    assert stages(found) == {"lost in fusion": 1}
    missed = found.missed[0]
    assert missed.lexical_rank == 1
    assert missed.dense_rank is not None
    assert missed.dense_rank > 10


def test_what_no_leg_had_high_enough_was_lost_in_ranking(diagnosed: Any) -> None:
    """It holds one of the two words, the crowd holds both."""
    found = diagnosed("copper kettle", {"far": "The kettle " + "hisses and boils over. " * 20}, ["far"])
    assert stages(found) == {"lost in ranking": 1}
    assert found.missed[0].fused_rank is not None
    assert found.missed[0].fused_rank > 10


def test_what_says_the_same_as_a_better_one_was_collapsed(diagnosed: Any) -> None:
    """Both copies rank at the top, the second one is not shown."""
    found = diagnosed("Where does herring swim?", {"far": FAR, "farther": FAR}, ["far", "farther"])
    assert stages(found) == {"collapsed": 1}
    assert (found.missed[0].document, found.missed[0].fused_rank) == ("farther", 2)


def test_the_counts_of_a_real_set_add_up(tmp_path: Path) -> None:
    """On the seed questions: what is missed is what recall lacks, but for what collapsing hides or uncovers."""
    dataset, encoder = read_dataset(SEEDS), HashingEncoder(16)
    with cached_collection(dataset, tmp_path, encoder) as collection:
        found = diagnose(dataset, collection, encoder, Plan("dev"))
        evaluation = evaluate(dataset, collection, encoder, Plan("dev"), systems=["hybrid"])
    counted = stages(found)
    assert counted
    assert len({(one.query, one.document) for one in found.missed}) == len(found.missed)
    assert all(one.fused_rank is None or one.fused_rank > 10 for one in found.missed if one.stage != "collapsed")
    run = evaluation.systems["hybrid"].run
    beyond = {
        (query, document)
        for query, grades in dataset.judgements.items()
        for document in grades
        if query in run and document not in run[query][:10]
    }
    assert {(one.query, one.document) for one in found.missed if one.stage != "collapsed"} <= beyond
    assert found.relevant >= len(found.missed)
