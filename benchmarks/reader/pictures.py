"""Draws the pictures of docs/reader.md from what tradeoff.py and quality.py wrote.

pip install -r benchmarks/reader/requirements.txt
python benchmarks/reader/pictures.py --tradeoff tradeoff.json --answerable answerable.json --into docs
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot

COLOURS = ("#0b6e99", "#c2571a", "#4c8c2b", "#8a4fa3", "#666666")
APART = 9.0  # ms between two dots of a line that are both labelled
mpl.rcParams.update({"svg.hashsalt": "pincite", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})


def main() -> None:
    """Draw what there is a file for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tradeoff", type=Path, help="--json of tradeoff.py")
    parser.add_argument("--answerable", type=Path, help="--json of quality.py answerable")
    parser.add_argument("--into", type=Path, required=True)
    options = parser.parse_args()
    if options.tradeoff:
        found = json.loads(options.tradeoff.read_text(encoding="utf-8"))
        tradeoff(found, options.into / "reader-tradeoff.svg")
    if options.answerable:
        found = json.loads(options.answerable.read_text(encoding="utf-8"))
        confidence(found["answerable"], options.into / "reader-confidence.svg")


def tradeoff(found: dict[str, Any], file: Path) -> None:
    """Draw nDCG@10 over the time of reading: a line for each window by its depths, and one for those within reach."""
    figure, axes = pyplot.subplots(figsize=(7, 4.2))
    lines: dict[str, list[tuple[float, float, str]]] = {}
    for row in found["rows"]:
        name = f"{row['window']} tokens of the first passages"
        if row["reach"]:
            name = f"{row['window']} tokens of those of {row['depth']} within reach"
        dot = (row["mean_milliseconds"], row["ndcg"], f"{row['reach'] or row['depth']:g}")
        lines.setdefault(name, []).append(dot)
    for colour, (name, dots) in zip(COLOURS, lines.items(), strict=False):
        spent, gained, said = zip(*dots, strict=True)
        style = "s--" if "reach" in name else "o-"
        axes.plot(spent, gained, style, color=colour, label=name, markersize=4, linewidth=1.2)
        labelled = -APART
        for each, at in zip(said, zip(spent, gained, strict=True), strict=True):
            if at[0] >= labelled + APART:
                labelled = at[0]
                off = (-3, 6) if "reach" in name else (3, -9)
                axes.annotate(each, at, off, textcoords="offset points", fontsize=7, color=colour)
    axes.set_xlabel(f"mean ms of reading ({found['machine']})")
    axes.set_ylabel("nDCG@10, mean over the sets (dev)")
    axes.set_title("What is read (beside the dots: passages, or reach) and what it brings", fontsize=10)
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right", frameon=False)
    write(figure, file)


def confidence(found: dict[str, Any], file: Path) -> None:
    """Draw for each set how true the confidence is, and what answering only the surest questions would risk."""
    figure, both = pyplot.subplots(1, 2, figsize=(9, 4.4))
    reliable, risky = both
    reliable.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    for colour, (name, one) in zip(COLOURS, found.items(), strict=False):
        bins = one["calibration"]["bins"]
        told, true = [each["confidence"] for each in bins], [each["answerable"] for each in bins]
        reliable.plot(told, true, "o-", color=colour, markersize=4, linewidth=0.8, label=f"{name} ({one['n']})")
        risky.plot(*zip(*one["calibration"]["risk_coverage"], strict=True), color=colour, linewidth=1.2)
    reliable.set(xlabel="confidence, mean of a tenth of the questions", ylabel="of these, answerable")
    risky.set(xlabel="coverage: questions answered, surest first", ylabel="risk: of these, unanswerable", ylim=(0, 1))
    reliable.set_title("Reliability", fontsize=10)
    risky.set_title("Risk and coverage", fontsize=10)
    for axes in both:
        axes.grid(alpha=0.25)
    figure.legend(loc="lower center", ncols=len(found), frameon=False)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    write(figure, file)


def write(figure: Any, file: Path) -> None:
    """Write a drawing on white, the same bytes for the same figures."""
    figure.savefig(file, facecolor="white", metadata={"Date": None})
    print(f"written: {file}")


if __name__ == "__main__":
    main()
