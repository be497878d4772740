"""Whether the confidence stays what it is in a larger collection: the same questions asked of several data folders.

    python benchmarks/reader/sizes.py seeds SMALL LARGE          # in both, `default` holds seeds/documents

Asked are the questions of the `test` half that need no history and no filter, one server after the other. Prints for
each folder what its confidences are worth, and by how much they differ from the first one's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from reporting import table
from service import serving

from rag.deciding import shipped
from rag.evaluation.calibration import auroc
from rag.evaluation.datasets import read_dataset


def main() -> None:
    """Ask in every folder every question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    options = parser.parse_args()
    kept = [one for one in read_dataset(options.seeds).questions if one.split == "test"]
    asked = [one for one in kept if one.answerable is not None and not one.history and not one.filter]
    labels = np.array([one.answerable is True for one in asked])
    told = {folder: confidences(folder, [one.text for one in asked]) for folder in options.folders}
    first = told[options.folders[0]]
    rows = []
    for folder, found in told.items():
        declined, apart = found < shipped().least_answered, np.abs(found - first)
        shares = (auroc(found, labels), declined[labels].mean(), declined[~labels].mean())
        rows.append([folder, len(asked), *(f"{one:.3f}" for one in (*shares, *np.quantile(apart, (0.5, 0.9))))])
    table(["folder", "n", "AUROC", "declined, answerable", "unanswerable", "apart, median", "p90"], rows)


def confidences(folder: Path, queries: Sequence[str]) -> np.ndarray:
    """Return the confidence of every answer, where nothing is declined, shape (len(queries),)."""
    with serving(folder) as service:
        return np.array([service.ask(query, min_confidence=0)["confidence"] for query in queries])


if __name__ == "__main__":
    main()
