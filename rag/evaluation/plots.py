"""Plots as inline SVG: dots with intervals, bars, and curves.

Places across are percentages and sizes are pixels, so that a drawing fills whatever width it has and its words keep
their size. Every mark has its figure beside it or in its title; colour alone says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from xml.etree.ElementTree import Element

from rag.evaluation.markup import add, tag
from rag.evaluation.statistics import Estimate

_ROW = 22  # pixels
_LEFT, _RIGHT = 28, 84  # percent: where a scale from 0 to 1 begins and ends beside names and figures
_SIDE = 200  # units of a square curve


def intervals(estimates: Mapping[str, Estimate]) -> Element:
    """Return a row for each name of `estimates`: a dot at the mean and a line over the interval, from 0 to 1."""
    height = _ROW * (len(estimates) + 1)
    drawing = _drawing(height, "Means with 95 % intervals on a scale from 0 to 1")
    for part in (0, 0.25, 0.5, 0.75, 1):
        x = _percent(_across(part))
        add(drawing, tag("line", x1=x, x2=x, y1=0, y2=height - _ROW, class_="grid"))
        add(drawing, tag("text", f"{part:g}", x=x, y=height - 6, class_="scale", text_anchor="middle"))
    for row, (name, one) in enumerate(estimates.items()):
        y = _ROW * row + _ROW / 2
        add(
            drawing,
            tag("text", name, x=0, y=y + 4),
            tag("line", x1=_percent(_across(one.low)), x2=_percent(_across(one.high)), y1=y, y2=y, class_="interval"),
            tag("circle", cx=_percent(_across(one.mean)), cy=y, r=4, class_="mark"),
            tag("text", f"{one.mean:.3f}", x="100%", y=y + 4, text_anchor="end"),
        )
    return drawing


def histogram(values: Sequence[float], low: float, high: float, bins: int = 10) -> Element:
    """Return bars that say how many of `values` lie in each of `bins` equal parts from `low` to `high`."""
    counts = [0] * bins
    for value in values:
        # A hair is added because 0.3 / 0.1 is less than 3.
        counts[max(0, min(bins - 1, int((value - low) / (high - low) * bins + 1e-9)))] += 1
    tallest, width, height = max([*counts, 1]), 100 / bins, 90
    drawing = _drawing(height + 38, f"Histogram of {len(values)} values from {low:g} to {high:g}")
    for place, count in enumerate(counts):
        size = height * count / tallest
        start, end = (low + (high - low) * at / bins for at in (place, place + 1))
        middle = _percent(width * (place + 0.5))
        bar = tag("rect", tag("title", f"{start:.2g} to {end:.2g}: {count}"), class_="mark")
        bar.attrib |= {"x": _percent(width * place + 0.4), "width": _percent(width - 0.8)}
        bar.attrib |= {"y": f"{16 + height - size:.6g}", "height": f"{size:.6g}"}
        add(drawing, bar)
        add(drawing, tag("text", str(count), x=middle, y=12 + height - size, text_anchor="middle") if count else None)
    for part, anchor in ((0, "start"), (0.5, "middle"), (1, "end")):
        label = f"{low + (high - low) * part:g}"
        add(drawing, tag("text", label, x=_percent(100 * part), y=height + 32, text_anchor=anchor, class_="scale"))
    return drawing


def bars(rows: Iterable[tuple[str, float]], unit: str) -> Element:
    """Return a bar for each name and value, on a scale that begins at 0, with the value and its unit beside it."""
    listed = list(rows)
    longest = max([value for _, value in listed] + [1e-9])
    drawing = _drawing(_ROW * len(listed), f"Bars in {unit}")
    for row, (name, value) in enumerate(listed):
        y = _ROW * row
        width = _percent((_RIGHT - _LEFT) * value / longest)
        add(
            drawing,
            tag("text", name, x=0, y=y + 15),
            tag("rect", x=_percent(_LEFT), y=y + 4, width=width, height=_ROW - 8, class_="mark"),
            tag("text", f"{value:.3g} {unit}", x="100%", y=y + 15, text_anchor="end"),
        )
    return drawing


def curve(points: Sequence[tuple[float, float]], across: str, up: str, *, diagonal: bool = False) -> Element:
    """Return a line through `points`, both from 0 to 1, in a square with the words of its two sides.

    With `diagonal` the points are dots, and the line from corner to corner, where both are equal, is drawn too.
    """
    margin = 26
    drawing = tag("svg", viewBox=f"0 0 {_SIDE + margin + 8} {_SIDE + margin + 8}", class_="square", role="img")
    add(drawing, tag("title", f"{up} by {across}"))
    places = [(margin + _SIDE * x, 4 + _SIDE * (1 - y)) for x, y in points]
    add(drawing, tag("rect", x=margin, y=4, width=_SIDE, height=_SIDE, class_="frame"))
    if diagonal:
        add(drawing, tag("line", x1=margin, y1=4 + _SIDE, x2=margin + _SIDE, y2=4, class_="grid"))
        for (x, y), (first, second) in zip(places, points, strict=True):
            add(drawing, tag("circle", tag("title", f"{first:.3f}, {second:.3f}"), cx=x, cy=y, r=4, class_="mark"))
    else:
        line = " ".join(f"{x:.6g},{y:.6g}" for x, y in places)
        add(drawing, tag("polyline", points=line, class_="line"))
    middle, bottom = margin + _SIDE / 2, _SIDE + margin
    add(
        drawing,
        tag("text", "0", x=margin, y=bottom - 4, class_="scale"),
        tag("text", across, x=middle, y=bottom - 4, text_anchor="middle", class_="scale"),
        tag("text", "1", x=margin + _SIDE, y=bottom - 4, text_anchor="end", class_="scale"),
        tag("text", up, x=-(4 + _SIDE / 2), y=16, text_anchor="middle", class_="scale", transform="rotate(-90)"),
    )
    return drawing


def _drawing(height: float, title: str) -> Element:
    return tag("svg", tag("title", title), width="100%", height=height, role="img")


def _across(part: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * part


def _percent(value: float) -> str:
    return f"{value:.6g}%"
