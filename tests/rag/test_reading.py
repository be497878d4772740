"""Pairs as the reader reads them, its logits made words, and the trained reader on this machine."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from rag import pairs
from rag.reading import _BATCH, WEIGHTS, ModelReader, _batches, best_spans, load_reader
from rag.runtimes.choose import default_model
from rag.types import Ranked

LONG = "The ferry was late again. " * 60 + "Captain Ilse Marten rang the brass bell at noon. " + "Nobody minded. " * 60


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """The default model's tokenizer, which cuts nothing."""
    made = Tokenizer.from_file(str(default_model() / "tokenizer.json"))
    made.no_truncation()
    made.no_padding()
    return made


@pytest.fixture(scope="module")
def reader(cache: Path) -> ModelReader:
    """The reader that is shipped."""
    return load_reader(cache)


def paired(tokenizer: Tokenizer, question: str, text: str, window: int = pairs.WINDOW) -> pairs.Pair:
    """Return a question and a passage without a header."""
    asked, header, passage = pairs.tokenize(tokenizer, [question, "", text])
    return pairs.pair(asked, header, passage, window)


def test_a_pair_is_question_header_passage(tokenizer: Tokenizer) -> None:
    """Special tokens stand between them, and only the question is in the first segment."""
    asked, header, passage = pairs.tokenize(tokenizer, ["Who rang?", "Ferries", "Ilse rang the bell."])
    one = pairs.pair(asked, header, passage)
    words = [tokenizer.id_to_token(token) for token in one.ids]
    expected = "[CLS] who rang ? [SEP] ferries [SEP] il ##se rang the bell . [SEP]"
    assert words == expected.split()
    assert one.segments == [0] * 5 + [1] * 9
    assert one.first == 7


def test_of_a_long_question_the_end_is_read(tokenizer: Tokenizer) -> None:
    """A completed follow-up begins with what was asked before it."""
    asked, header, passage = pairs.tokenize(tokenizer, ["before " * 200 + "after all", "", "Some words."])
    one = pairs.pair(asked, header, passage)
    assert list(one.ids[1 : one.ids.index(102)]) == list(asked.ids[-pairs.QUESTION :])


def test_offsets_quote_the_window(tokenizer: Tokenizer) -> None:
    """Every token of the window lies where its offsets say, in code points; the seed is printed."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(20):
        text = " ".join(chance.choice(["Straße", "naïve", "𝒳", "bell", "1,800", "éclair", "—"]) for _ in range(400))
        one = paired(tokenizer, "Where is the bell?", text, chance.choice([32, 96, 160]))
        for token, (start, end) in zip(one.ids[one.first :], one.offsets, strict=False):
            piece = tokenizer.id_to_token(token).removeprefix("##")
            assert piece in {tokenizer.normalizer.normalize_str(text[start:end]).strip(), "[UNK]"}


def test_the_window_holds_the_rare_words(tokenizer: Tokenizer) -> None:
    """Of a long passage the part is read that the question's rare words are in."""
    one = paired(tokenizer, "Who rang the brass bell?", LONG, 64)
    read = LONG[one.offsets[0][0] : one.offsets[-1][1]]
    assert len(one.offsets) == 64
    assert "Ilse Marten rang the brass bell" in read


def test_a_short_passage_is_read_whole(tokenizer: Tokenizer) -> None:
    """Nothing is cut from a passage that fits."""
    assert pairs.best_start([2054], list(range(2000, 2050)), 64) == 0


def test_spans_are_whole_words_without_edges(tokenizer: Tokenizer) -> None:
    """Likeliest first, none overlapping another, as log-odds against no answer."""
    text = "It was built by Marten & Sons, shipwrights."
    one = paired(tokenizer, "Who built it?", text)
    tokens = [text[start:end] for start, end in one.offsets]
    logits = np.full((len(one.ids), 2), -5.0, np.float32)
    logits[0] = (1.0, 0.5)
    logits[one.first + tokens.index("Mart"), 0] = 4.0
    logits[one.first + tokens.index(","), 1] = 3.0
    logits[one.first + tokens.index("was"), 0] = 0.0
    logits[one.first + tokens.index("built"), 1] = 0.0
    found = best_spans(logits, one, text)
    assert [text[span.start : span.end] for span in found[:2]] == ["Marten & Sons", "was built"]
    assert found[0].score == pytest.approx(5.5)
    places = sorted((span.start, span.end) for span in found)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(places))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [("120", "ft", "120 m (390 ft)"), ("390", "ft", "390 ft"), ("Kromme", "Rhine", "Kromme Rijn (“Bent Rhine”)")],
)
def test_an_open_bracket_is_closed(tokenizer: Tokenizer, first: str, last: str, expected: str) -> None:
    """Where the bracket's end follows the words; one that opens before them is none of theirs."""
    text = "The sea fell by 120 m (390 ft), and the Kromme Rijn (“Bent Rhine”) dried up."
    one = paired(tokenizer, "How far?", text)
    words = [text[start:end] for start, end in one.offsets]
    logits = np.full((len(one.ids), 2), -5.0, np.float32)
    start = next(at for at, word in enumerate(words) if first.startswith(word))
    logits[one.first + start, 0] = 4.0
    logits[one.first + words.index(last), 1] = 4.0
    best = best_spans(logits, one, text)[0]
    assert text[best.start : best.end] == expected


def test_batches_keep_every_core_as_busy() -> None:
    """Every pair is read once, in order, and no batch has more than its share and one pair; the seed is printed."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(200):
        read = [pairs.Pair(range(chance.randrange(30, 200)), (), 0, ()) for _ in range(chance.randrange(17))]
        order, cores = sorted(range(len(read)), key=lambda at: len(read[at].ids)), chance.randrange(1, 5)
        lengths = [len(one.ids) for one in read]
        batches = _batches(order, read, cores)
        assert [at for batch in batches for at in batch] == order
        share = sum(lengths) / cores if len(batches) <= cores else _BATCH
        assert all(0 < sum(lengths[at] for at in batch) <= share + max(lengths) for batch in batches)


def test_the_weights_are_small_enough() -> None:
    """At most 50 MB are shipped."""
    assert WEIGHTS.stat().st_size <= 50_000_000


def test_the_reader_knows_what_answers(reader: ModelReader, ranked: Callable[..., Ranked]) -> None:
    """The passage that answers is more relevant than one about the same things, and its words are the answer."""
    texts = [
        "The Lantern Bridge is lit by 240 lamps, which the town switches on at dusk.",
        "The Lantern Bridge was designed by the engineer Oona Hartley and opened in 2019.",
    ]
    passages = [ranked(text).stored for text in texts]
    unlike, like = reader.read("Who designed the Lantern Bridge?", passages)
    assert like.relevance > unlike.relevance
    best = like.spans[0]
    assert "Oona Hartley" in texts[1][best.start : best.end]
    assert best.score > unlike.spans[0].score


def test_the_same_passages_give_the_same_readings(reader: ModelReader, ranked: Callable[..., Ranked]) -> None:
    """To the last bit, whatever was read before."""
    passages = [ranked(LONG[start : start + 300]).stored for start in range(0, 1500, 250)]
    first = reader.read("Who rang the bell?", passages)
    reader.read("Something else?", passages[:1])
    assert reader.read("Who rang the bell?", passages) == first


def test_the_chosen_runtime_equals_torch(reader: ModelReader, ranked: Callable[..., Ranked]) -> None:
    """Relevance and spans agree with the plain network's within what bf16 leaves, and so does their order."""
    from rag.runtimes.reader import PlainReader, restore

    plain = ModelReader(reader._prepared, reader.fingerprint)
    runtime = PlainReader(restore(default_model(), WEIGHTS))
    plain._opened = runtime, reader._open()[1]
    passages = [ranked(LONG[start : start + 700]).stored for start in range(0, 2100, 100)]
    question = "When did the captain ring the brass bell?"
    ours, theirs = reader.read(question, passages), plain.read(question, passages)
    apart = [abs(one.relevance - other.relevance) for one, other in zip(ours, theirs, strict=True)]
    assert max(apart) < 0.5
    order = np.argsort([-one.relevance for one in theirs])[:3]
    assert np.argmax([one.relevance for one in ours]) in order


def test_what_is_affordable_grows_with_time(reader: ModelReader, ranked: Callable[..., Ranked]) -> None:
    """No time reads one passage, a minute reads all, and more time never reads less."""
    passages = [ranked(LONG[:800]).stored] * 12
    counts = [len(reader.read("Who rang the bell?", passages, seconds)) for seconds in (-1, 0.02, 0.05, 0.1, 60)]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (1, 12)


def test_a_reading_belongs_to_its_passage(reader: ModelReader, ranked: Callable[..., Ranked]) -> None:
    """Passages of different lengths come back in the order that they were given in."""
    passages = [ranked(LONG[:size]).stored for size in (900, 60, 400, 30, 1600, 200)]
    together = reader.read("Who rang the bell?", passages)
    alone = [reader.read("Who rang the bell?", [one])[0] for one in passages]
    for one, other in zip(together, alone, strict=True):
        assert one.relevance == pytest.approx(other.relevance, abs=0.3)
