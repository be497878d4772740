"""Fills the disk that the views lie on, makes it larger, and says OK: `unshare -rm python full_views.py FOLDER`.

Mounts a small file system over the folder of the views, which needs the namespaces that `unshare` makes.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import pytest
from workload import document, opened

from index.collection import Collection
from index.errors import StorageFull

KIB = 100


def fill(collection: Collection, maker: random.Random, names: list[str]) -> None:
    """Add documents until that fails, noting their names."""
    while True:
        names.append(f"d{len(names)}")
        collection.add([document(names[-1], maker)])


def main(folder: Path) -> None:
    """Add until the views have no room, and go on when they have."""
    views, maker, names = folder / "views", random.Random(1), []
    views.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={KIB}k", "views", views], check=True)
    with opened(folder) as catalog:
        collection = catalog.collection("default")
        with pytest.raises(StorageFull, match="Free some space"):
            fill(collection, maker, names)
        assert collection.text(names[-1])  # the truth has it
        assert collection.search(None, names[0], limit=3).hits  # the views are those from before
        subprocess.run(["mount", "-o", "remount,size=64m", views], check=True)
        collection.add([document("later", maker)])
        for name in (*names, "later"):
            assert [hit.ref.document_id for hit in collection.search(None, name, limit=1).hits] == [name]
        assert catalog.verify() == []
    with opened(folder) as catalog:
        assert catalog.verify() == []
    print("OK")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
