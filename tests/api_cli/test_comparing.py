"""`pincite compare` as a gate: its exit status says what came out, its words and its JSON say why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

GOOD = [1.0, 0.5] * 50
WORSE = [0.5, 0.5] * 25 + [1.0, 0.5] * 25
UNLIKE = [0.9, 0.6] * 50  # as often better as worse, by 0.1


def result(
    systems: Mapping[str, Sequence[float]], *, name: str = "tiny", corpus: str = "0", **made_by: str
) -> tuple[str, str]:
    """Return what `pincite eval --output` writes of such values by system: the result and the values per question."""
    values = {
        system: {"nDCG@10": {f"q{at}": value for at, value in enumerate(row)}, "P@1": {"q0": row[0]}}
        for system, row in systems.items()
    }
    manifest = {"dataset": name, "corpus_sha256": corpus, "questions_sha256": "0", "commit": None}
    manifest |= made_by
    return json.dumps({"systems": dict.fromkeys(systems), "manifest": manifest}), json.dumps(values)


@pytest.fixture
def results(pincite: Any) -> Any:
    """The command line beside some results."""
    made = {
        "good": result({"hybrid": GOOD, "dense": WORSE}),
        "worse": result({"mine": WORSE}),
        "read": result({"hybrid": GOOD, "reader": GOOD}, reader="one"),
        "reread": result({"reader": GOOD}, reader="other"),
        "unlike": result({"mine": UNLIKE}),
        "elsewhere": result({"mine": GOOD}, corpus="1"),
        "before/one": result({"mine": GOOD}, name="one"),
        "before/two": result({"mine": GOOD}, name="two"),
        "after/1": result({"mine": WORSE}, name="one"),
        "after/2": result({"mine": GOOD}, name="two"),
    }
    pincite.write({f"{name}.json": whole for name, (whole, _) in made.items()})
    pincite.write({f"{name}.per_query.json": values for name, (_, values) in made.items()})
    return pincite


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["good.json", "good.json"], 0, "No regression"),
        (["worse.json", "good.json"], 0, "+0.1250"),
        (["good.json", "worse.json"], 1, "Regression"),
        (["good.json", "worse.json", "--margin", "0.3"], 0, "a loss of more than 0.3 is ruled out; it is worse"),
        (["good.json", "unlike.json"], 4, "Inconclusive"),
        (["good.json", "--candidate-system", "dense"], 1, "-0.1250"),
        (["before", "after"], 1, "two: nDCG@10"),
        (["before", "after", "--measure-for", "one=P@1"], 4, "one by P@1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_the_status_says_what_came_out(results: Any, arguments: list[str], status: int, words: str) -> None:
    """Worded for people, with the effect, its interval and the queries that moved."""
    ran = results("compare", *arguments)
    assert (ran.returncode, ran.stderr) == (status, "")
    assert words in " ".join(ran.stdout.split())
    assert "95 % interval" in ran.stdout
    assert not results.data.exists()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["good.json", "elsewhere.json"], 5, "not comparable: tiny: base and candidate had another corpus"),
        (["before", "good.json"], 5, "not comparable: only one side was asked the questions of one, tiny, two"),
        (["good.json", "nothing.json"], 3, "nothing.json: cannot be read"),
        (["good.json", "worse.json", "--measure", "nDCG@3"], 3, "no 'nDCG@3'; it has nDCG@10, P@1"),
        (["good.json"], 2, "give a CANDIDATE"),
        (["good.json", "worse.json", "--measure-for", "tiny"], 2, "takes SET=MEASURE"),
        (["good.json", "worse.json", "--measure-for", "other=P@1"], 2, "no set of good.json: other"),
        (["good.json", "worse.json", "--margin", "-1"], 2, "--margin"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_compared_says_why(results: Any, arguments: list[str], status: int, words: str) -> None:
    """On stderr, with a status of its own for results that are not comparable."""
    ran = results("compare", *arguments)
    assert (ran.returncode, ran.stdout) == (status, "")
    assert words in " ".join(ran.stderr.split())
    assert "Traceback" not in ran.stderr


def test_another_system_or_reader_is_told(results: Any) -> None:
    """Figures of two readers are compared, and it says that they are two; the same on both sides is not told."""
    told = {
        tuple(files): [line for line in results("compare", *files).stdout.splitlines() if line.startswith("Another")]
        for files in (["good.json", "read.json"], ["read.json", "reread.json"], ["read.json", "read.json"])
    }
    assert list(told.values()) == [
        ["Another system: hybrid → reader.", "Another reader: none → one."],
        ["Another reader: one → other."],
        [],
    ]


def test_too_few_questions_are_called_so(results: Any) -> None:
    """Of five that all lose alike the spread is none, and chance does as much in 2 of 32 ways to flip them."""
    whole, values = result({"mine": [1.0] * 5})
    lost = result({"mine": [0.5] * 5})[1]
    results.write({"five.json": whole, "lost.json": whole, "five.per_query.json": values, "lost.per_query.json": lost})
    ran = results("compare", "five.json", "lost.json", "--alpha", "0.001")
    assert ran.returncode == 4
    assert "5 of which differ: too few to tell any difference from chance" in ran.stdout
    assert "99.9 % interval" in ran.stdout


def test_the_json_has_what_a_report_needs(results: Any) -> None:
    """The declared test, the effect, the sets, every question's gain, those that moved most; the same in the file."""
    ran = results("compare", "good.json", "worse.json", "--json", "--output", "compared.json")
    assert (ran.returncode, ran.stderr) == (1, "")
    made = json.loads(ran.stdout)
    assert json.loads((results.folder / "compared.json").read_text("utf-8")) == made
    assert made["declared"] == {"measure": "nDCG@10", "margin": 0.01, "alpha": 0.05, "seed": 0, "measure_for": {}}
    assert (made["outcome"], made["effect"]["effect"], made["effect"]["losses"]) == ("regression", -0.125, 25)
    assert (len(made["gains"]["tiny"]), len(made["lost"]), made["gained"]) == (100, 10, [])
    assert made["measures"]["P@1"]["n"] == 1
    assert (made["base"]["tiny"]["system"], made["candidate"]["tiny"]["system"]) == ("hybrid", "mine")


def test_what_was_answered_is_compared_where_both_answered(results: Any) -> None:
    """The candidate answers fewer, and quotes them worse: its right quotes are held against those of the same ones."""
    for name, answered, right in (("base", 60, 60), ("candidate", 50, 20)):
        whole, _ = result({"reader": GOOD})
        values = {
            "Quote right": {f"q{at}": float(at < right) for at in range(answered)},
            "Declined, answerable": {f"q{at}": float(at >= answered) for at in range(60)},
        }
        results.write({f"{name}.json": whole, f"{name}.per_query.json": json.dumps({"reader": values})})
    ran = results("compare", "base.json", "candidate.json", "--measure", "Quote right", "--json")
    made = json.loads(ran.stdout)
    assert (ran.returncode, made["effect"]["n"], made["effect"]["losses"]) == (1, 50, 30)
    assert made["measures"]["Declined, answerable"]["effect"] == pytest.approx(-10 / 60, abs=1e-6)


def test_nothing_that_both_answered_cannot_be_compared(results: Any) -> None:
    """Nor can sides that were asked other questions, whatever they answered."""
    for name, quotes, declined in (("one", "ab", "abc"), ("two", "c", "abc"), ("three", "a", "a")):
        whole, _ = result({"reader": GOOD})
        values = {"Quote right": dict.fromkeys(quotes, 1.0), "Declined, answerable": dict.fromkeys(declined, 0.0)}
        results.write({f"{name}.json": whole, f"{name}.per_query.json": json.dumps({"reader": values})})
    for other, words in (("two", "no question has a 'Quote right' on both sides"), ("three", "asked on one side only")):
        ran = results("compare", "one.json", f"{other}.json", "--measure", "Quote right")
        assert ran.returncode == 5
        assert words in " ".join(ran.stderr.split())
