"""A real collection is ingested once into a cache and asked in every mode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from index.types import Vectors
from rag import judging
from rag.encoding import HashingEncoder
from rag.errors import ReaderOff
from rag.evaluation.cache import cache_key, cached_collection
from rag.evaluation.datasets import read_dataset
from rag.evaluation.result import result_json
from rag.evaluation.run import Plan, evaluate
from rag.reading import WordReader


class CountingEncoder(HashingEncoder):
    """A hashing encoder that knows how many texts it was given."""

    def __init__(self, dimension: int = 64) -> None:
        super().__init__(dimension)
        self.texts = 0

    def encode(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Encode and count."""
        self.texts += len(texts)
        return super().encode(texts, urgent=urgent)


def test_every_mode_is_evaluated_over_a_real_collection(beir: Path, tmp_path: Path) -> None:
    """Words that occur find their documents; the blank one is never found; every citation is exact."""
    dataset, encoder = read_dataset(beir), HashingEncoder()
    with cached_collection(dataset, tmp_path / "cache", encoder) as collection:
        evaluation = evaluate(dataset, collection, encoder, Plan("all", answers=True))
    assert list(evaluation.systems) == ["dense", "lexical", "hybrid"]
    for system in evaluation.systems.values():
        assert system.measures["Citations exact"].mean == 1
        assert system.values["nDCG@10"]["q5"] == 0
    lexical = evaluation.systems["lexical"].values
    assert (lexical["RR@10"]["q1"], lexical["RR@10"]["q3"], lexical["Answer@1"]["q1"]) == (1, 1, 1)
    assert (evaluation.manifest["not_found"], evaluation.manifest["model"]) == (["d5"], encoder.fingerprint)


def test_a_reader_is_a_system_of_its_own(beir: Path, tmp_path: Path) -> None:
    """It is there where one is loaded, and the first stage is what it is without; the manifest names it."""
    dataset, encoder = read_dataset(beir), HashingEncoder()
    with cached_collection(dataset, tmp_path / "cache", encoder) as collection:
        plain = evaluate(dataset, collection, encoder, Plan("all", answers=True))
        read = evaluate(dataset, collection, encoder, Plan("all", answers=True), reader=WordReader())
        some = evaluate(dataset, collection, encoder, Plan("all"), reader=WordReader(), systems=["dense"])
        with pytest.raises(ReaderOff, match="PINCITE_READER"):
            evaluate(dataset, collection, encoder, Plan("all"), systems=["reader"])
    assert list(read.systems) == [*plain.systems, "reader"]
    assert result_json(read)["systems"] | result_json(plain)["systems"] == result_json(read)["systems"]
    assert [one.manifest["reader"] for one in (plain, read, some)] == [None, WordReader.fingerprint, None]
    assert [one.manifest["settings"]["read"] for one in (plain, read, some)] == [0, judging.DEPTH, 0]
    answered = {"Exact match", "Token F1", "Answerability AUROC", "Answerability ECE"}
    assert answered <= set(read.systems["reader"].measures)
    assert not answered & set(read.systems["hybrid"].measures)
    assert read.systems["reader"].calibration


def test_the_least_confidence_decides_what_is_declined(beir: Path, tmp_path: Path) -> None:
    """By 0 nothing is, by 1 everything; the order and the first stage do not change, the manifest has it."""
    dataset, encoder, found = read_dataset(beir), HashingEncoder(), {}
    with cached_collection(dataset, tmp_path / "cache", encoder) as collection:
        for least in (0.0, 1.0):
            plan = Plan("all", answers=True, min_confidence=least)
            found[least] = evaluate(
                dataset, collection, encoder, plan, systems=["hybrid", "reader"], reader=WordReader()
            )
            assert found[least].manifest["settings"]["min_confidence"] == least
    for name in ("Declined, answerable", "Declined, unanswerable"):
        assert [one.systems["reader"].measures[name].mean for one in found.values()] == [0, 1]
    assert (
        found[1.0].systems["reader"].measures["Token F1"].mean < found[0.0].systems["reader"].measures["Token F1"].mean
    )
    assert found[0.0].systems["hybrid"].values == found[1.0].systems["hybrid"].values
    assert found[0.0].systems["reader"].run == found[1.0].systems["reader"].run


def test_the_history_completes_a_question(beir: Path, tmp_path: Path) -> None:
    """ "At how many degrees?" finds copper only with the talk before."""
    dataset, encoder = read_dataset(beir), HashingEncoder()
    with cached_collection(dataset, tmp_path / "cache", encoder) as collection:
        evaluation = evaluate(dataset, collection, encoder, Plan("test"), systems=["lexical"])
    assert evaluation.systems["lexical"].values["RR@10"]["q2"] == 1


def test_an_evaluation_repeats_itself(beir: Path, tmp_path: Path) -> None:
    """A cache made anew and a cache found give the same result."""
    dataset, encoder = read_dataset(beir), HashingEncoder()
    results = []
    for cache in ("one", "one", "two"):
        with cached_collection(dataset, tmp_path / cache, encoder) as collection:
            results.append(result_json(evaluate(dataset, collection, encoder, Plan("all", answers=True))))
    assert results[0] == results[1] == results[2]


def test_a_corpus_is_ingested_once(beir: Path, tmp_path: Path) -> None:
    """Opening it again encodes nothing and holds the same documents."""
    dataset = read_dataset(beir)
    counts, texts = [], []
    for _ in range(2):
        encoder = CountingEncoder()
        with cached_collection(dataset, tmp_path, encoder) as collection:
            counts.append(collection.info().documents)
        texts.append(encoder.texts)
    assert (counts, texts[1]) == ([5, 5], 0)
    assert texts[0] >= 5


def test_a_broken_ingestion_is_taken_up_again(tmp_path: Path, known: SimpleNamespace) -> None:
    """What was added before the break is not encoded again, and nothing is missing after."""
    rows = [{"_id": f"d{n}", "text": f"Page {n} is about the number {n}."} for n in range(150)]
    known.jsonl(tmp_path / "set" / "corpus.jsonl", rows)
    known.jsonl(tmp_path / "set" / "queries.jsonl", [{"_id": "q", "text": "Which page?"}])
    (tmp_path / "set" / "qrels").mkdir()
    (tmp_path / "set" / "qrels" / "test.tsv").write_text("q\td7\t1\n")
    dataset, first, second = read_dataset(tmp_path / "set"), CountingEncoder(), CountingEncoder()

    def stop(done: int, total: int) -> None:
        if done == 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), cached_collection(dataset, tmp_path / "cache", first, on_progress=stop):
        pass
    with cached_collection(dataset, tmp_path / "cache", second) as collection:
        assert collection.info().documents == 150
    assert 0 < second.texts < 150


def test_another_encoder_or_corpus_has_a_cache_of_its_own(beir: Path, known: SimpleNamespace) -> None:
    """The key names the set and changes with what decides the passages and their vectors."""
    dataset = read_dataset(beir)
    keys = {cache_key(dataset, HashingEncoder()), cache_key(dataset, HashingEncoder(32))}
    (beir / "corpus.jsonl.gz").unlink()
    known.jsonl(beir / "corpus.jsonl", [{"_id": name, "text": "x"} for name in ("d1", "d2", "d3", "a b/ü", "d5")])
    known.jsonl(beir / "queries.jsonl", [{"_id": f"q{n}", "text": "What?"} for n in range(1, 6)])
    keys.add(cache_key(read_dataset(beir), HashingEncoder()))
    assert len(keys) == 3
    assert all(key.startswith("tiny-") for key in keys)


def test_a_folder_of_documents_is_evaluated(tmp_path: Path, known: SimpleNamespace) -> None:
    """Ten files and a few questions are enough: documents are found under the ids that judgements use."""
    documents = tmp_path / "set" / "documents"
    (documents / "in").mkdir(parents=True)
    names = ("iron", "tin", "lead", "zinc")
    for name in names:
        (documents / "in" / f"{name}.md").write_text(f"# {name.title()}\n\nThe metal {name} is grey.\n")
    known.jsonl(
        tmp_path / "set" / "questions.jsonl",
        [
            {"_id": name, "text": f"What of {name}?", "metadata": {"answer_spans": [spot(documents, name)]}}
            for name in names
        ],
    )
    dataset, encoder = read_dataset(tmp_path / "set"), HashingEncoder()
    with cached_collection(dataset, tmp_path / "cache", encoder) as collection:
        evaluation = evaluate(dataset, collection, encoder, Plan("all"), systems=["lexical"])
    measures = evaluation.systems["lexical"].measures
    assert (measures["P@1"].mean, measures["Answer@1"].mean, measures["P@1"].n) == (1, 1, 4)


def spot(documents: Path, name: str) -> dict[str, object]:
    """The answer span of a metal's document."""
    text = (documents / "in" / f"{name}.md").read_text()
    start = text.index(f"The metal {name}")
    return {"doc": f"in/{name}.md", "start": start, "end": len(text) - 1, "text": text[start:-1]}
