"""Marks stand where their figures say."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evaluation.plots import bars, curve, histogram, intervals
from rag.evaluation.statistics import Estimate


def numbers(drawing: Element, path: str, attribute: str) -> Sequence[float]:
    """An attribute of every mark at `path`, a percentage as its number."""
    return [float(str(one.get(attribute)).removesuffix("%")) for one in drawing.iterfind(path)]


def test_a_mean_stands_within_its_interval() -> None:
    """Dots and lines are on one scale, whose ends are labelled; the figure stands beside each."""
    drawing = intervals({"low": Estimate(0, 0, 0.5, 9), "high": Estimate(1, 0.5, 1, 9)})
    zero, middle, one = (numbers(drawing, "text[@class='scale']", "x")[at] for at in (0, 2, 4))
    assert middle == (zero + one) / 2
    assert numbers(drawing, "circle", "cx") == [zero, one]
    lines = "line[@class='interval']"
    assert list(zip(numbers(drawing, lines, "x1"), numbers(drawing, lines, "x2"), strict=True)) == [
        (zero, middle),
        (middle, one),
    ]
    assert {"low", "0.000", "high", "1.000"} <= {text.text for text in drawing.iterfind("text")}


def counted(drawing: Element) -> Sequence[int]:
    """How many each bar says it counts."""
    return [int(str(title.text).rpartition(": ")[2]) for title in drawing.iterfind("rect/title")]


def test_a_value_is_counted_between_its_bounds() -> None:
    """A bound belongs to the bar above it, the last to the last bar; no difference is in the middle bar of eleven."""
    assert counted(histogram([0, 0.3, 0.3, 0.31, 0.999, 1], 0, 1)) == [1, 0, 0, 3, 0, 0, 0, 0, 0, 2]
    assert counted(histogram([0, 0, -1, 1, 0.05, -0.05], -1, 1, bins=11)) == [1, 0, 0, 0, 0, 4, 0, 0, 0, 0, 1]


@given(st.lists(st.floats(-1, 1), max_size=50))
def test_every_value_is_counted_once_and_bars_are_as_high_as_they_count(values: list[float]) -> None:
    """The tallest fills the height, the others in proportion."""
    drawing = histogram(values, -1, 1, bins=11)
    counts = counted(drawing)
    assert sum(counts) == len(values)
    heights = numbers(drawing, "rect", "height")
    assert heights == pytest.approx([max(heights) * count / max([*counts, 1]) for count in counts], abs=0.01)


def test_bars_are_as_long_as_their_values() -> None:
    """From 0, with the figure and its unit beside each."""
    drawing = bars([("one", 10.0), ("two", 2.5), ("three", 0.0)], "ms")
    one, two, three = numbers(drawing, "rect", "width")
    assert (two, three) == (pytest.approx(one / 4), 0)
    assert [text.text for text in drawing.iterfind("text")] == ["one", "10 ms", "two", "2.5 ms", "three", "0 ms"]


def test_a_curve_goes_up_where_its_values_do() -> None:
    """From the lower left of the frame to the upper right; dots on the diagonal lie on its line."""
    frame = curve([(0, 0), (1, 1)], "coverage", "risk").find("rect")
    assert frame is not None
    left, top, side = (float(str(frame.get(name))) for name in ("x", "y", "width"))
    line = curve([(0, 0), (1, 1)], "coverage", "risk").find("polyline")
    assert line is not None
    assert line.get("points") == f"{left:g},{top + side:g} {left + side:g},{top:g}"
    dots = curve([(0.5, 0.5)], "confidence", "share", diagonal=True)
    assert (numbers(dots, "circle", "cx"), numbers(dots, "circle", "cy")) == ([left + side / 2], [top + side / 2])
