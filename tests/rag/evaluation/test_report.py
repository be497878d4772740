"""The report says what the result says, shows texts as texts, and needs nothing but itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lxml.html
import numpy as np
import pytest

from api.routes.page import read_assets
from rag.evaluation.calibration import calibration
from rag.evaluation.datasets import Dataset, read_dataset
from rag.evaluation.definitions import DEFINITIONS
from rag.evaluation.markup import document, tag
from rag.evaluation.measures import CONFIDENCE, OWN, RANKING
from rag.evaluation.outcomes import QuoteLength
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.report import report
from rag.evaluation.result import Evaluation, result_json
from rag.evaluation.run import Plan, evaluate_runs, evaluate_systems

ROOT = Path(__file__).parents[3]
ORDER = ("d3", "d1", "d2", "d6")  # of the texts below; q1 wants d1 and d3, q2 wants d2, q3 another
TEXTS = {
    "d1": "The bridge was opened in 1932 by the mayor.",
    "d2": "Copper melts at 1085 degrees.",
    "d3": "The ferry crosses the bay twice a day.",
    "d6": "Nothing of note happened in the village.",
}


@pytest.fixture
def dataset(beir: Path) -> Dataset:
    """The small set, read."""
    return read_dataset(beir)


@pytest.fixture
def evaluation(dataset: Dataset, known: SimpleNamespace) -> Evaluation:
    """Two systems that differ, asked all questions, sliced by type."""
    systems = {
        "forth": known.System(TEXTS, lambda question: ORDER),
        "back": known.System(TEXTS, lambda question: ORDER[::-1]),
    }
    return evaluate_systems(dataset, systems, Plan("all", answers=True, slice_by=("type",)), model="none", settings={})


def parsed(text: str) -> Any:
    """The report as a tree."""
    return lxml.html.document_fromstring(text)


def rows(tree: Any, place: str) -> Sequence[Sequence[Any]]:
    """The cells of every row of the first table below the element with the id `place`."""
    return [list(row) for row in tree.get_element_by_id(place).xpath("(.//table)[1]/tbody/tr")]


def said(cell: Any) -> Mapping[str, float] | None:
    """Mean, low, high and n as a cell has them, after seeing that what is shown is that, rounded."""
    data = cell.xpath(".//data")
    if not data:
        return None
    shown = [float(one.text) for one in data]
    values = [float(one.get("value")) for one in data]
    assert shown == pytest.approx(values, abs=0.0005)
    return dict(zip(("mean", "low", "high", "n"), values, strict=True))


def test_the_measures_are_those_of_the_result(evaluation: Evaluation, dataset: Dataset) -> None:
    """Every system, every measure, mean and interval and count, to the last digit of the JSON."""
    tree, systems = parsed(report(evaluation, dataset)), result_json(evaluation)["systems"]
    found: dict[str, dict[str, object]] = {name: {} for name in systems}
    for heading, *cells in rows(tree, "measures"):
        for name, cell in zip(systems, cells, strict=True):
            found[name][heading.text] = said(cell)
    assert found == {name: one["measures"] for name, one in systems.items()}


def test_the_outcomes_are_those_of_the_result(evaluation: Evaluation, dataset: Dataset) -> None:
    """A table for each system, the last one open: counts and means of every row, and how long quotes are."""
    forth = replace(evaluation.systems["forth"], quote_length=QuoteLength(96, 7))
    evaluation = replace(evaluation, systems={**evaluation.systems, "forth": forth})
    tree, systems = parsed(report(evaluation, dataset)), result_json(evaluation)["systems"]
    section = tree.get_element_by_id("outcomes")
    tables = dict(zip(section.xpath("./details/summary/text()"), section.xpath(".//table"), strict=True))
    assert section.xpath("./details[@open]/summary/text()") == ["back"]
    assert "Half of the 7 quotes are longer than 96 code points" in section.text_content()
    for name, one in systems.items():
        _, *heads = tables[name].xpath("./thead//th/text()")
        for row, wanted in zip(tables[name].xpath("./tbody/tr"), one["outcomes"], strict=True):
            heading, *cells = [cell.xpath("string(.//data/@value)") or cell.text_content() for cell in row]
            assert (wanted["type"] or "all") in heading
            assert ("unanswerable" in heading) is not wanted["answerable"]
            told = {head: None if cell == "–" else float(cell) for head, cell in zip(heads, cells, strict=True)}
            measures = {head: wanted["measures"].get(head) for head in heads[4:]}
            counts = {head: wanted[head.lower()] for head in heads[:4]}
            assert told == {**counts, **measures}


def test_the_slices_are_those_of_the_result(evaluation: Evaluation, dataset: Dataset) -> None:
    """A row for each value and measure."""
    tree, systems = parsed(report(evaluation, dataset)), result_json(evaluation)["systems"]
    found: dict[str, dict[str, dict[str, object]]] = {name: {} for name in systems}
    for value, measure, *cells in rows(tree, "slices"):
        for name, cell in zip(systems, cells, strict=True):
            if (told := said(cell)) is not None:
                found[name].setdefault(value.text, {})[measure.text] = told
    wanted = {
        name: {value: measures["measures"] for value, measures in one["slices"]["type"].items()}
        for name, one in systems.items()
    }
    assert found == wanted


def test_questions_latency_and_manifest_are_told(evaluation: Evaluation, dataset: Dataset) -> None:
    """The values of single questions, the waiting times, and every leaf of the manifest."""
    tree = parsed(report(evaluation, dataset))
    found = {
        row[0].text: [float(cell.xpath("string(.//data/@value)")) for cell in row[2:]]
        for row in rows(tree, "questions")
    }
    values = [result.values["nDCG@10"] for result in evaluation.systems.values()]
    assert found == {query: [round(by_query[query], 6) for by_query in values] for query in values[0]}
    waits = {
        row[0].text: [float(one) for one in row[0].getparent().xpath(".//data/@value")] for row in rows(tree, "latency")
    }
    timings = json.loads(json.dumps(evaluation.timings))
    assert waits == {
        f"{name}, {kind.removesuffix('_ms')}": [by[key] for key in ("p50", "p95", "p99", "n")]
        for name, kinds in timings.items()
        for kind, by in kinds.items()
    }
    listed = tree.get_element_by_id("manifest").xpath("./dl/*/text()")
    told = dict(zip(listed[::2], listed[1::2], strict=True))
    assert told["corpus_sha256"] == dataset.corpus_sha256
    assert told["settings slice_by"] == '["type"]'
    assert json.loads(told["questions"]) == 5


def test_the_worst_questions_show_what_was_found_and_what_was_missed(evaluation: Evaluation, dataset: Dataset) -> None:
    """Rank, title or id, text, whether it is relevant and holds an answer; and the missed document with its text."""
    tree = parsed(report(evaluation, dataset))
    worst = {one.xpath("string(summary)"): one for one in tree.get_element_by_id("worst").xpath("./details")[:4]}
    (lost,) = [one for summary, one in worst.items() if "q3, 0.000" in summary]
    entries = [" ".join(entry.text_content().split()) for entry in lost.xpath("./ol/li")]
    assert entries[0] == f"1, not relevant as far as is known d3{TEXTS['d3']}"
    assert entries[-1] == "missed, not found at all a~20b~2F~C3~BCTin melts at 232 degrees."
    assert lost.xpath("string(./p)") == "Right would be: Tin"
    (copper,) = [one for summary, one in worst.items() if "q2, " in summary]
    kinds = {entry.xpath("string(.//span)"): entry.get("class") for entry in copper.xpath("./ol/li")}
    assert kinds["3, relevant, grade 1, holds an answer"] == "good"
    assert "q5, 0.000" in " ".join(worst)  # its document is blank, so it has no text to show
    assert "cannot be found, because they are not there or have no text: d5" in tree.xpath("string(//header)")


def test_a_report_of_runs_takes_its_texts_from_the_corpus(dataset: Dataset) -> None:
    """A run file brings ids alone."""
    evaluation = evaluate_runs(dataset, {"lexical": {"q2": ["d3", "d2"]}}, Plan("all"))
    text = parsed(report(evaluation, dataset)).get_element_by_id("worst").text_content()
    assert TEXTS["d3"] in text
    assert TEXTS["d2"] in text


HOSTILE = '<img src=x onerror="alert(1)"></script><script>alert(2)</script>&amp; <b>\x00\ud800'


def test_texts_are_texts_whatever_they_hold(known: SimpleNamespace, tmp_path: Path) -> None:
    """Markup of a document, a question, an id, a system's name is shown; the only script is ours."""
    corpus = [{"_id": "d1", "title": HOSTILE, "text": f"{HOSTILE} and more"}, {"_id": "d2", "text": HOSTILE}]
    asked = {"_id": "<q>", "text": HOSTILE, "metadata": {"kind": HOSTILE, "answers": [HOSTILE]}}
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)))
    (tmp_path / "queries.jsonl").write_text(json.dumps(asked))
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("<q>\td1\t1\n")
    dataset = read_dataset(tmp_path)
    systems = {"<i>": known.System({"d2": HOSTILE.replace("\ud800", "")}, lambda question: ["d2"])}
    evaluation = evaluate_systems(dataset, systems, Plan("test", slice_by=("kind",)), model="<u>", settings={})
    text = report(evaluation, dataset)
    tree = parsed(text)
    assert text.encode("utf-8")
    assert (len(tree.xpath("//script")), tree.xpath("//img | //b | //i | //u | //q")) == (1, [])
    assert not [name for one in tree.iter(lxml.html.etree.Element) for name in one.attrib if name.startswith("on")]
    shown = '<img src=x onerror="alert(1)"></script><script>alert(2)</script>&amp; <b>\ufffd\ufffd'
    worst = tree.get_element_by_id("worst").text_content()
    assert worst.count(shown) >= 4  # the question, the answer, the passage found and the title missed


def test_a_report_needs_nothing_but_itself(evaluation: Evaluation, dataset: Dataset) -> None:
    """No address, no link and no import; a browser is told to fetch nothing and to run just our script."""
    text = report(evaluation, dataset)
    assert not re.search(r"(src|href|action|xlink)\s*=|url\(|@import|https?://", text)
    assert "default-src 'none'" in text


def test_a_confidence_is_drawn_where_there_is_one(evaluation: Evaluation, dataset: Dataset) -> None:
    """A dot a bin, what chance leaves, a curve, where to decline; a system without one has no such section."""
    assert 'id="confidence"' not in report(evaluation, dataset)
    scores, labels = np.linspace(0, 1, 50), np.arange(50) % 3 > 0
    sure = replace(evaluation.systems["forth"], calibration=calibration(scores, labels))
    both = replace(evaluation, systems={**evaluation.systems, "forth": sure})
    section = parsed(report(both, dataset)).get_element_by_id("confidence")
    assert len(section.xpath(".//circle")) == 10
    assert len(section.xpath("string(.//polyline/@points)").split()) == 50
    assert "Declining at or below" in section.text_content()
    low, high = sure.calibration.ece_by_chance
    assert f"would lie from {low:.3f} to {high:.3f}" in section.text_content()


def test_the_first_sentences_count_questions(evaluation: Evaluation, dataset: Dataset) -> None:
    """A person reads how many questions went well, and that so few say little."""
    header = " ".join(parsed(report(evaluation, dataset)).xpath("string(//header)").split())
    assert "forth: a relevant document is first for 1 of 4, among the first five for 2 of 4" in header
    assert "So few questions say little" in header


def test_a_set_without_judgements_can_be_reported(known: SimpleNamespace) -> None:
    """Nothing is relevant, no answer is known: nothing could be measured, and it says so."""
    dataset = Dataset("none", Path("nothing"), [DatasetQuestion("q", "?")], {}, 1, "")
    evaluation = evaluate_systems(dataset, {"one": known.System({}, lambda q: [])}, Plan("all"), model="", settings={})
    assert "one: nothing could be measured" in report(evaluation, dataset)


def test_every_measure_is_defined_as_in_the_documentation() -> None:
    """The table of docs/evaluation.md and the report's words are the same."""
    page = (ROOT / "docs" / "evaluation.md").read_text("utf-8").partition("\n## Measures\n")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| `(.+)` \| (.+) \|$", page, re.MULTILINE)) == DEFINITIONS
    assert set(DEFINITIONS) == {*map(str, RANKING), *OWN, *CONFIDENCE}


def test_the_report_looks_like_the_page() -> None:
    """Both are drawn with the same colours and fonts, and define none of these themselves."""
    palette = (ROOT / "rag" / "evaluation" / "palette.css").read_text("utf-8")
    named = set(re.findall(r"(--[a-z-]+): ", palette))
    assert {"--paper", "--ink", "--accent", "--serif"} <= named
    assert read_assets()["style.css"].data.decode().startswith(palette)
    for path in ("api/page/style.css", "rag/evaluation/report.css"):
        style = (ROOT / path).read_text("utf-8")
        its_own = set(re.findall(r"(--[a-z-]+): (?!var)", style))
        assert its_own.isdisjoint(named)
        assert set(re.findall(r"var\((--[a-z-]+)", style)) <= named | its_own


def test_markup_is_written_as_html() -> None:
    """Empty elements are closed, attributes lose their mark, numbers are short, nothing is nothing."""
    tree = tag("html", tag("meta", charset="utf-8"), None, "a < b", tag("p", class_="x"), " & c", data_value=1 / 3)
    wanted = (
        '<!doctype html>\n<html data-value="0.333333"><meta charset="utf-8">a &lt; b<p class="x"></p> &amp; c</html>\n'
    )
    assert document(tree) == wanted
