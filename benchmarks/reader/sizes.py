"""Whether the confidence stays what it is in a larger collection: the same questions asked of several servers.

    pincite --data SMALL serve --port 8125; pincite --data LARGE serve --port 8124     # both hold seeds/documents
    python benchmarks/reader/sizes.py seeds http://127.0.0.1:8125 http://127.0.0.1:8124

Asked are the questions of the `test` half that need no history and no filter. Prints for each server what its
confidences are worth, and by how much they differ from the first one's.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from reporting import table

from rag.evaluation.calibration import auroc
from rag.evaluation.datasets import read_dataset
from rag.judging import THRESHOLD


def main() -> None:
    """Ask every server every question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", type=Path)
    parser.add_argument("servers", nargs="+")
    options = parser.parse_args()
    kept = [one for one in read_dataset(options.seeds).questions if one.split == "test"]
    asked = [one for one in kept if one.answerable is not None and not one.history and not one.filter]
    labels = np.array([one.answerable is True for one in asked])
    told = {server: np.array([confidence(server, one.text) for one in asked]) for server in options.servers}
    first = told[options.servers[0]]
    rows = []
    for server, found in told.items():
        declined, apart = found < THRESHOLD, np.abs(found - first)
        shares = (auroc(found, labels), declined[labels].mean(), declined[~labels].mean())
        rows.append([server, len(asked), *(f"{one:.3f}" for one in (*shares, *np.quantile(apart, (0.5, 0.9))))])
    table(["server", "n", "AUROC", "declined, answerable", "unanswerable", "apart, median", "p90"], rows)


def confidence(server: str, query: str) -> float:
    """Return the confidence of an answer that nothing declines."""
    body = json.dumps({"query": query, "min_confidence": 0}).encode()
    request = urllib.request.Request(f"{server}/v1/ask", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return float(json.load(answer)["confidence"])


if __name__ == "__main__":
    main()
