"""Counts for `/metrics` in Prometheus' text format; counts only, no timings yet."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]


class Counters:
    """Rising counts by name and labels, safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, Labels]] = Counter()

    def add(self, name: str, **labels: str) -> None:
        """Count one more `name`; labels must come from a bounded set, never from what a client sent."""
        with self._lock:
            self._counts[name, tuple(sorted(labels.items()))] += 1

    def samples(self) -> Mapping[tuple[str, Labels], int]:
        """Return a copy of every count so far."""
        with self._lock:
            return dict(self._counts)


def render(kind: str, samples: Mapping[tuple[str, Labels], int]) -> Iterable[str]:
    """Yield the lines of the text format for samples that are all of one kind (`counter`, `gauge`)."""
    last = ""
    for (name, labels), value in sorted(samples.items()):
        if name != last:
            yield f"# TYPE {name} {kind}"
            last = name
        told = ",".join(f'{label}="{_escape(text)}"' for label, text in labels)
        yield f"{name}{{{told}}} {value}" if told else f"{name} {value}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
