"""Runs go to TREC's files and back without losing their order, and are read as trec_eval reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DatasetInvalid
from rag.evaluation.trec import read_run, write_run

IDS = st.lists(st.text("abcXYZ019._~-", min_size=1, max_size=8), unique=True, max_size=300)


@given(run=st.dictionaries(st.sampled_from(["q1", "q2", "q3"]), IDS.filter(bool)))
def test_a_run_comes_back_in_its_order(tmp_path_factory: pytest.TempPathFactory, run: dict[str, list[str]]) -> None:
    """Whatever the ids, no tie is left for a reader to break."""
    path = tmp_path_factory.mktemp("runs") / "one.run"
    write_run(path, run, tag="ours")
    assert read_run(path) == run


def test_lines_have_the_six_fields(tmp_path: Path) -> None:
    """Query, Q0, document, rank from 1, a score that falls, and who made it."""
    write_run(tmp_path / "one.run", {"q1": ["b", "a"]}, tag="dense")
    assert (tmp_path / "one.run").read_text() == "q1 Q0 b 1 2 dense\nq1 Q0 a 2 1 dense\n"


def test_ties_are_read_by_descending_id_and_ranks_are_ignored(tmp_path: Path) -> None:
    """As trec_eval does; scores that only double precision tells apart are ties to it."""
    lines = ["q1 Q0 a 1 0.50000000001 x", "q1 Q0 c 2 0.5 x", "q1 Q0 b 3 0.5 x", "q1 Q0 d 9 0.7 x"]
    (tmp_path / "one.run").write_text("\n".join(lines) + "\n")
    assert read_run(tmp_path / "one.run") == {"q1": ["d", "c", "b", "a"]}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("q1 Q0 a 1 x", "5 fields where six are due"),
        ("q1 Q0 a 1 much x", "'much' is not a number"),
        ("q1 Q0 a 1 nan x", "the score is not a number"),
        ("q1 Q0 d 1 0.1 x", "'d' stands twice"),
    ],
)
def test_a_bad_line_is_refused(tmp_path: Path, line: str, said: str) -> None:
    """File and line are named."""
    (tmp_path / "one.run").write_text(f"q1 Q0 d 1 0.7 x\n{line}\n")
    with pytest.raises(DatasetInvalid, match=rf"one\.run:2: .*{said}"):
        read_run(tmp_path / "one.run")
