"""What a result was made from: with the same manifest, the same bytes come out."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from index.types import Json
from rag.evaluation.datasets import Dataset

_ROOT = Path(__file__).resolve().parents[2]
# What decides a figure. What runs the models changes it below rounding, but for how much is read: `settings` have that.
_PACKAGES = (
    "pincite",
    "faiss-cpu",
    "ir-measures",
    "langchain-text-splitters",
    "numpy",
    "pytrec-eval-terrier",
    "tantivy",
)


def manifest(
    dataset: Dataset,
    *,
    model: str,
    settings: Mapping[str, Json],
    notes: Mapping[str, Json],
    reader: str | None = None,
) -> Json:
    """Return the manifest of a result: `settings` decided it, `notes` are counts and warnings about it.

    `model` and `reader` are fingerprints, the latter None where nothing was read.
    """
    return {
        "commit": commit(_ROOT),
        "dataset": dataset.name,
        "corpus_sha256": dataset.corpus_sha256,
        "questions_sha256": dataset.questions_sha256,
        "model": model,
        "reader": reader,
        "settings": dict(settings),
        "settings_sha256": digest(settings),
        "seed": settings["seed"],
        "versions": {"python": platform.python_version(), **_versions(_PACKAGES)},
        **notes,
    }


def made_by() -> Mapping[str, Json]:
    """Return the commit and the version of what is running, as `manifest` has them."""
    return {"commit": commit(_ROOT), "pincite": _version("pincite")}


def digest(value: Json) -> str:
    """Return the SHA-256 of `value` as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def commit(root: Path) -> str | None:
    """Return the commit that `root` is a checkout of, `+` behind it where its files differ, None where it is none."""
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return None
    head = _output(git, root, "rev-parse", "HEAD")
    # Results that lie about in the checkout are no change of it.
    changed = _output(git, root, "status", "--porcelain", "--untracked-files=no")
    return f"{head}+" if head and changed else head or None


def _output(git: str, root: Path, *words: str) -> str:
    done = subprocess.run([git, "-C", str(root), *words], capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() if done.returncode == 0 else ""


def _versions(packages: Sequence[str]) -> Mapping[str, str | None]:
    return {name: _version(name) for name in packages}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
