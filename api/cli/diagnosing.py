"""What `pincite eval --diagnose` shows: how many relevant documents were lost at each stage, and which."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from api.cli.output import out

_RANKS = ("dense_rank", "lexical_rank", "fused_rank")


def show_diagnosis(diagnosis: dict[str, Any]) -> None:
    """Print the counts, then a line for each document that was missed, with its rank in each leg and in both."""
    out.print(f"\n{diagnosis['missed']} of {diagnosis['relevant']} relevant documents are missed by hybrid")
    counts = Table(box=None, pad_edge=False)
    counts.add_column("stage")
    counts.add_column("missed", justify="right")
    for stage, count in diagnosis["stages"].items():
        counts.add_row(stage, str(count))
    out.print(counts)
    for one in diagnosis["documents"]:
        ranks = ", ".join(f"{name.removesuffix('_rank')} {one[name] or '–'}" for name in _RANKS)
        out.print(f"{one['query']}  {one['document']}  {one['stage']} ({ranks})", soft_wrap=True, markup=False)
