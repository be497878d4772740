"""Digest manifests: what a view on disk must look like before any parser sees a byte of it.

A manifest names a folder beside it and holds the SHA-256 of each of the folder's files, with whatever facts its writer
adds, and a digest of itself. It is replaced atomically, so it is also the switch from one folder to the next.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from index.types import Json, text_digest

REWRITTEN = ("meta.json", ".managed.json")  # every other file of a term view is written once


def write(path: Path, folder: Path, facts: Mapping[str, Json]) -> None:
    """Make `folder` with its present files the one that the manifest at `path` names; a crash leaves old or new."""
    body = json.dumps({**facts, "folder": folder.name, "files": _digests(folder, _written_before(path, folder))})
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump({"body": body, "sha256": text_digest(body)}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def read(path: Path) -> dict[str, Json] | None:
    """Return the manifest at `path` if it and every file that it lists are as they were written, else None."""
    manifest = _unchecked(path)
    if manifest is None:
        return None
    try:
        matches = _digests(path.parent / manifest["folder"], {}) == manifest["files"]
    except OSError:
        return None
    return manifest if matches else None


def folder_of(path: Path) -> Path | None:
    """Return the folder that the manifest at `path` names, its files unchecked."""
    manifest = _unchecked(path)
    return path.parent / manifest["folder"] if manifest else None


def sync_folder(folder: Path) -> None:
    """Bring the names in `folder` to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unchecked(path: Path) -> dict[str, Json] | None:
    """Return the manifest itself if it is as it was written, its files unchecked."""
    try:
        sealed = json.loads(path.read_bytes())
        manifest: dict[str, Json] = json.loads(sealed["body"])
        return manifest if text_digest(sealed["body"]) == sealed["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _written_before(path: Path, folder: Path) -> dict[str, str]:
    """Return the digests that were taken when the files of `folder` were new."""
    manifest = _unchecked(path)
    return manifest["files"] if manifest and manifest["folder"] == folder.name else {}


def _digests(folder: Path, known: Mapping[str, str]) -> dict[str, str]:
    """Return the SHA-256 of every file in `folder` but locks; `known` ones are kept for files that never change."""
    names = sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")
    return {name: known[name] if name in known and name not in REWRITTEN else _digest(folder / name) for name in names}


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
