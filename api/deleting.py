"""Deleting the documents that a filter matches, or saying which those would be."""

from __future__ import annotations

from api.answers import SnapshotOut
from api.inventory import DocumentsDeleted
from api.limits import LIST_PAGE
from index.collection import Collection
from index.types import Json

_TOGETHER = 1_000  # documents after which other writes get their turn


def delete_matching(
    collection: Collection, condition: Json, dry_run: bool, config: str, most: int = LIST_PAGE
) -> DocumentsDeleted:
    """Delete what the filter `condition` matches, unless `dry_run`; up to `most` ids are told.

    `config` is the digest that snapshots carry. Raises `FilterInvalid`.
    """
    ids = collection.document_ids(condition)
    token = collection.token
    if ids and not dry_run:
        for start in range(0, len(ids), _TOGETHER):
            token = collection.delete(ids[start : start + _TOGETHER]).token
    return DocumentsDeleted(
        dry_run=dry_run,
        count=len(ids),
        ids=list(ids[:most]),
        ids_left_out=max(0, len(ids) - most),
        snapshot=SnapshotOut(token=token, config=config),
    )
