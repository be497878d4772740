"""The report of an evaluation as a file in a browser: readable, sortable, and silent on the network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from rag.evaluation.calibration import calibration
from rag.evaluation.datasets import read_dataset
from rag.evaluation.report import report
from rag.evaluation.run import Plan, evaluate_runs

RUN = {str(n): [f"page{n % 4}.md", "page9.md"] for n in range(1, 9)}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two runs over ten pages, one of them right three times of eight, with a confidence drawn too."""
    folder = tmp_path_factory.mktemp("report")
    for n in range(10):
        (folder / f"page{n}.md").write_text(f"# Page {n}\n\n" + f"This is page {n} of the book, a long one. " * 30)
    asked = [
        {"text": f"Which page is number {n}?", "relevant": [f"page{n}.md"], "kind": "even" if n % 2 == 0 else "odd"}
        for n in range(1, 9)
    ]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, asked)))
    dataset = read_dataset(folder)
    evaluation = evaluate_runs(dataset, {"some": RUN, "none": {}}, Plan("all", slice_by=("kind",)))
    sure = replace(evaluation.systems["some"], calibration=calibration(np.linspace(0, 1, 30), np.arange(30) % 3 > 0))
    timings = {"some": {"search_ms": {"p50": 1.5, "p95": 2.0, "p99": 9.25, "n": 8}}}
    evaluation = replace(evaluation, systems={**evaluation.systems, "some": sure}, timings=timings)
    (folder / "report.html").write_text(report(evaluation, dataset), "utf-8")
    return folder / "report.html"


@pytest.fixture
def opened(browser: Browser, file: Path) -> Iterator[Any]:
    """Opens the report at a width and in a scheme; fails where it complained or asked for another file."""
    complaints: list[str] = []
    contexts = []

    def open_report(width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if request.url != file.as_uri() else None)
        page.goto(file.as_uri())
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_and_nothing_hangs_over(opened: Any, width: int, scheme: str, violations: Any) -> None:
    """Everything unfolded; only tables scroll sideways, in boxes of their own."""
    page: Page = opened(width, scheme)
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def column(page: Page, place: int) -> Sequence[str]:
    """The texts of a column of the table of questions."""
    cells: list[str] = page.locator(f"#questions tbody tr > :nth-child({place})").all_text_contents()
    return cells


def test_a_heading_sorts_its_table(opened: Any) -> None:
    """Numbers by their value, up and then down, said in words to those who cannot see the arrow."""
    page: Page = opened()
    heading = page.locator("#questions th", has_text="some")
    heading.get_by_role("button").click()
    assert column(page, 3) == ["0.000"] * 5 + ["1.000"] * 3
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").click()
    assert column(page, 3) == ["1.000"] * 3 + ["0.000"] * 5
    assert heading.get_attribute("aria-sort") == "descending"
    page.locator("#questions th", has_text="Id").get_by_role("button").press("Enter")
    assert column(page, 1) == [str(n) for n in range(1, 9)]
