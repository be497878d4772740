"""A result as one HTML file that needs no network: figures, plots, and what was found where it went worst.

It shows the figures of `rag.evaluation.result`; each stands whole in a `data` element, rounded for the eye.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from xml.etree.ElementTree import Element

from index.types import Json
from rag.evaluation import plots
from rag.evaluation.datasets import Dataset
from rag.evaluation.definitions import DEFINITIONS
from rag.evaluation.diagnosis import STAGES
from rag.evaluation.markup import Child, document, tag
from rag.evaluation.outcomes import OUTCOMES, SHOWN, Came, QuoteLength
from rag.evaluation.result import LEAD, Evaluation, SystemResult, lead
from rag.evaluation.shown import worst_questions
from rag.evaluation.statistics import Estimate

_FEW = 100  # questions, below which an interval is wide and a report says so
_LISTED = 200  # questions in the table of questions
_PARTS = ("palette.css", "report.css", "report.js")


def report(evaluation: Evaluation, dataset: Dataset) -> str:
    """Return the report of `evaluation`, whose questions were those of `dataset`, as an HTML document.

    Texts of documents that no system showed are read from the dataset's corpus once more.
    """
    palette, own, script = (files(__package__).joinpath(name).read_text("utf-8") for name in _PARTS)
    style = f"{palette}\n{own}"
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    title = f"{dataset.name}: how good are the answers?"
    sections = [section for section in _sections(evaluation, dataset) if section is not None]
    return document(
        tag(
            "html",
            tag(
                "head",
                tag("meta", charset="utf-8"),
                tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
                tag("meta", name="color-scheme", content="light dark"),
                tag("meta", http_equiv="Content-Security-Policy", content=policy),
                tag("title", title),
                tag("style", style),
            ),
            tag("body", _header(evaluation, dataset), tag("main", *sections), tag("script", script)),
            lang="en",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _header(evaluation: Evaluation, dataset: Dataset) -> Element:
    manifest = evaluation.manifest
    asked, split = manifest["questions"], manifest["settings"]["split"]
    about = f"{asked} questions over {dataset.documents} documents" + ("" if split == "all" else f", split “{split}”")
    few = f"So few questions say little: look at the width of the intervals. {_FEW} or more are better."
    return tag(
        "header",
        tag("h1", dataset.name),
        tag("p", about, class_="muted"),
        tag("ul", *(tag("li", _sentence(name, one)) for name, one in evaluation.systems.items()), class_="summary"),
        tag("p", few, class_="muted") if asked < _FEW else None,
        *(tag("p", f"{words}: {', '.join(manifest[key])}") for key, words in _WARNINGS.items() if manifest.get(key)),
    )


_WARNINGS = {
    "not_found": "Judged documents that cannot be found, because they are not there or have no text",
    "degraded": "Something did not work fully",
}


def _sentence(name: str, result: SystemResult) -> str:
    """Return what matters most of one system in a sentence."""
    told = {
        "P@1": "a relevant document is first for {part}",
        "Success@5": "among the first five for {part}",
        "Answer@5": "the answer stands in the first five passages for {part}",
    }
    parts = [
        words.format(part=f"{round(one.mean * one.n)} of {one.n}")
        for measure, words in told.items()
        if (one := result.measures.get(measure))
    ]
    return f"{name}: {', '.join(parts) or 'nothing could be measured'}."


def _sections(evaluation: Evaluation, dataset: Dataset) -> Iterator[Element | None]:
    yield _measures(evaluation.systems)
    yield _outcomes(evaluation.systems)
    yield _spread(evaluation.systems)
    yield worst_questions(evaluation, dataset)
    yield _questions(evaluation.systems, dataset)
    yield _stages(evaluation.diagnosis)
    yield _confidence(evaluation.systems)
    yield _latency(evaluation.timings)
    yield _slices(evaluation.systems)
    rows = [part for name, value in evaluation.manifest.items() for part in _listed(name, value)]
    yield _section("Made from", "With the same manifest the same figures come out.", tag("dl", *rows), id_="manifest")


def _section(title: str, words: str, *children: Child, id_: str) -> Element:
    return tag("section", tag("h2", title), tag("p", words, class_="muted") if words else None, *children, id=id_)


def _table(headings: Sequence[str], rows: Sequence[Element], name: str) -> Element:
    head = tag("thead", tag("tr", *(tag("th", heading, scope="col") for heading in headings)))
    table = tag("table", head, tag("tbody", *rows), class_="sortable")
    return tag("div", table, class_="scroll", role="region", aria_label=name, tabindex="0")


def _figure(value: float, words: str) -> Element:
    return tag("data", words, value=str(round(value, 6)))


def _estimate(one: Estimate | None) -> Element:
    """Return a cell with a mean, its interval and how many questions it is of."""
    if one is None:
        return tag("td", "–", class_="figure")
    low, high = (_figure(end, f"{end:.3f}") for end in (one.low, one.high))
    count = _figure(one.n, str(one.n))
    around = tag("small", "[", low, ", ", high, "] n=", count)
    return tag("td", _figure(one.mean, f"{one.mean:.3f}"), around, class_="figure")


def _names(systems: Mapping[str, SystemResult]) -> Sequence[str]:
    return list(dict.fromkeys(name for result in systems.values() for name in result.measures))


def _measures(systems: Mapping[str, SystemResult]) -> Element:
    rows, drawings = [], []
    for name in _names(systems):
        definition = tag("span", DEFINITIONS.get(name, ""), class_="definition")
        cells = [_estimate(result.measures.get(name)) for result in systems.values()]
        rows.append(tag("tr", tag("th", name, definition, scope="row"), *cells))
        estimates = {system: result.measures[name] for system, result in systems.items() if name in result.measures}
        drawings.append(tag("figure", tag("h3", name), plots.intervals(estimates)))
    words = "A mean over the questions that the measure says something about, with its 95 % bootstrap interval."
    return _section(
        "Measures",
        words,
        _table(["Measure", *systems], rows, "Measures"),
        tag("details", tag("summary", "The same as plots"), tag("div", *drawings, class_="side"), open="open"),
        id_="measures",
    )


def _spread(systems: Mapping[str, SystemResult]) -> Element | None:
    """Return how the questions went one by one, and how the system with the best mean differs from the others."""
    values = {name: lead(result.values) for name, result in systems.items()}
    values = {name: by_query for name, by_query in values.items() if by_query}
    if not values:
        return None
    # Where several are equal, the last: hybrid comes after its legs.
    best = max(reversed(values), key=lambda name: sum(values[name].values()) / len(values[name]))
    figures = [
        tag("figure", tag("h3", f"{name}: questions by value"), plots.histogram(list(by_query.values()), 0, 1))
        for name, by_query in values.items()
    ]
    for name, by_query in values.items():
        changes = [values[best][query] - value for query, value in by_query.items() if query in values[best]]
        if name != best and changes:
            figures.append(_differences(best, name, changes))
    return _section(
        "Question by question", f"By {' or else '.join(LEAD)}.", tag("div", *figures, class_="side"), id_="spread"
    )


def _differences(better: str, other: str, changes: Sequence[float]) -> Element:
    wins, losses = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    told = f"{better} is better on {wins}, equal on {len(changes) - wins - losses}, worse on {losses}"
    heading = tag("h3", f"{better} minus {other}")
    # An odd number of bars has one in the middle, for what is equal.
    return tag("figure", heading, plots.histogram(changes, -1, 1, bins=11), tag("figcaption", told))


def _confidence(systems: Mapping[str, SystemResult]) -> Element | None:
    figures = []
    for name, result in systems.items():
        if result.calibration is None:
            continue
        points = [(one.confidence, one.answerable) for one in result.calibration.bins]
        reliability = plots.curve(points, "confidence", "answerable share", diagonal=True)
        risk = plots.curve(result.calibration.risk_coverage, "coverage", "risk")
        decline = result.calibration.refusal
        told = (
            f"Declining at or below {decline.threshold:.3f}: precision {decline.precision:.3f}, "
            f"recall {decline.recall:.3f}."
        )
        low, high = result.calibration.ece_by_chance
        chance = f"With perfect calibration the ECE of these questions would lie from {low:.3f} to {high:.3f}."
        figures.append(tag("figure", tag("h3", f"{name}: reliability"), reliability, tag("figcaption", chance)))
        figures.append(tag("figure", tag("h3", f"{name}: risk by coverage"), risk, tag("figcaption", told)))
    words = "Dots on the line say as much as they know; risk is the share of answered questions that have no answer."
    return _section("Confidence", words, tag("div", *figures, class_="side"), id_="confidence") if figures else None


def _outcomes(systems: Mapping[str, SystemResult]) -> Element | None:
    """Return per system a table of what came of the questions by their type, and how long its quotes are."""
    parts: list[Element] = []
    for name, result in systems.items():
        if result.came:
            measures = [measure for measure in SHOWN if any(measure in one.measures for one in result.came)]
            headings = ["Type", "Questions", *map(str.capitalize, OUTCOMES), *measures]
            table = _table(headings, [_came(one, measures) for one in result.came], f"Outcomes of {name}")
            # Open is the last, which is what users get.
            open_ = "open" if name == list(systems)[-1] else None
            parts.append(tag("details", tag("summary", name), table, _quotes(result.quote_length), open=open_))
    words = "How many questions were answered, related or absent, by their type, and what was shown with them."
    return _section("Outcomes", words, *parts, id_="outcomes") if parts else None


def _came(one: Came, measures: Sequence[str]) -> Element:
    whole = "all answerable" if one.answerable else "all unanswerable"
    name = whole if one.type is None else one.type if one.answerable else f"{one.type}, unanswerable"
    counts = [one.questions, *(one.outcomes[outcome] for outcome in OUTCOMES)]
    return tag(
        "tr",
        tag("th", name, scope="row"),
        *(tag("td", _figure(count, str(count)), class_="figure") for count in counts),
        *(_value(one.measures.get(measure)) for measure in measures),
    )


def _quotes(length: QuoteLength | None) -> Element | None:
    if length is None:
        return None
    median, count = _figure(length.median, str(length.median)), _figure(length.n, str(length.n))
    return tag(
        "p", "Half of the ", count, " quotes are longer than ", median, " code points or as long.", class_="muted"
    )


def _latency(timings: Mapping[str, Json]) -> Element | None:
    told = {(name, what): by for name, kinds in timings.items() for what, by in kinds.items()}
    if not told:
        return None
    rows = [
        tag(
            "tr",
            tag("th", f"{name}, {what.removesuffix('_ms')}", scope="row"),
            *(tag("td", _figure(by[key], f"{by[key]:g}"), class_="figure") for key in ("p50", "p95", "p99", "n")),
        )
        for (name, what), by in told.items()
    ]
    bars = [(f"{name} {what.removesuffix('_ms')}", by["p50"]) for (name, what), by in told.items()]
    table = _table(["System", "p50", "p95", "p99", "questions"], rows, "Latency")
    figure = tag("figure", tag("h3", "Median"), plots.bars(bars, "ms"))
    return _section("Latency", "Milliseconds for one question alone, on this machine.", table, figure, id_="latency")


def _slices(systems: Mapping[str, SystemResult]) -> Element | None:
    fields = dict.fromkeys(field for result in systems.values() for field in result.slices)
    parts = []
    for field in fields:
        groups = {name: result.slices.get(field, {}) for name, result in systems.items()}
        values = dict.fromkeys(value for by_value in groups.values() for value in by_value)
        rows = []
        for value in values:
            found = {name: by_value.get(value, {}) for name, by_value in groups.items()}
            for measure in dict.fromkeys(measure for estimates in found.values() for measure in estimates):
                cells = [_estimate(estimates.get(measure)) for estimates in found.values()]
                rows.append(tag("tr", tag("th", value, scope="row"), tag("td", measure), *cells))
        table = _table([field, "Measure", *systems], rows, f"Slices by {field}")
        parts.append(tag("details", tag("summary", f"By {field}"), table))
    return _section("Slices", "", *parts, id_="slices") if parts else None


def _stages(diagnosis: Json) -> Element | None:
    if not diagnosis:
        return None
    rows = [
        tag("tr", tag("th", stage, scope="row"), tag("td", _figure(count, str(count))), tag("td", STAGES[stage]))
        for stage, count in diagnosis["stages"].items()
    ]
    words = f"{diagnosis['missed']} of {diagnosis['relevant']} relevant documents are missed by hybrid."
    return _section("Where they were lost", words, _table(["Stage", "Missed", "Means"], rows, "Stages"), id_="stages")


def _questions(systems: Mapping[str, SystemResult], dataset: Dataset) -> Element | None:
    """Return a table of the questions with what each system made of them, those that went worst first."""
    values = {name: lead(result.values) for name, result in systems.items()}
    texts = {question.id: question.text for question in dataset.questions}
    asked = dict.fromkeys(query for by_query in values.values() for query in by_query)
    means = {query: sum(by_query.get(query, 0.0) for by_query in values.values()) for query in asked}
    listed = sorted(asked, key=lambda query: means[query])[:_LISTED]
    rows = [
        tag(
            "tr",
            tag("th", query, scope="row"),
            tag("td", texts.get(query, ""), class_="wide"),
            *(_value(by_query.get(query)) for by_query in values.values()),
        )
        for query in listed
    ]
    left = "" if len(listed) == len(asked) else f" The {_LISTED} that went worst, of {len(asked)}."
    words = f"By {' or else '.join(LEAD)}.{left}"
    return (
        _section("Questions", words, _table(["Id", "Question", *systems], rows, "Questions"), id_="questions")
        if rows
        else None
    )


def _value(value: float | None) -> Element:
    return tag("td", "–" if value is None else _figure(value, f"{value:.3f}"), class_="figure")


def _listed(name: str, value: Json) -> Iterator[Element]:
    """Yield the names and values of a manifest, those within others with the names on the way to them."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _listed(f"{name} {key}", below)
    else:
        yield tag("dt", name)
        yield tag("dd", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
