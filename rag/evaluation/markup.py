"""HTML and SVG as a tree, so that nothing has to be escaped by hand and nothing can be forgotten."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, tostring

# What no XML and no HTML document may hold; a text that was read from a file can.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")

Child = Element | str | None


def tag(kind: str, /, *children: Child, **attributes: str | float | None) -> Element:
    """Return an element; text becomes text whatever is in it, and None is nothing.

    `class_` is the attribute `class`, `text_anchor` is `text-anchor`. A number is written with six digits.
    """
    element = Element(kind)
    for key, value in attributes.items():
        if value is not None:
            element.set(key.rstrip("_").replace("_", "-"), _clean(value if isinstance(value, str) else f"{value:.6g}"))
    return add(element, *children)


def add(element: Element, *children: Child) -> Element:
    """Put `children` at the end of `element`, and return it."""
    for child in children:
        if isinstance(child, str):
            if len(element):
                element[-1].tail = (element[-1].tail or "") + _clean(child)
            else:
                element.text = (element.text or "") + _clean(child)
        elif child is not None:
            element.append(child)
    return element


def document(root: Element) -> str:
    """Return `root`, an `html` element, as the text of an HTML document."""
    return "<!doctype html>\n" + tostring(root, encoding="unicode", method="html") + "\n"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
