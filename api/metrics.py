"""What an operator can watch, for `/metrics` in Prometheus' format.

Every label comes from a bounded set, never from what a client sent; collections beyond the first hundred are summed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from index.types import CollectionInfo

Measure = Metric  # by which name the rest of the code knows it
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_COLLECTIONS = 100
_STAGES = (0.001, 0.002, 0.004, 0.006, 0.008, 0.012, 0.016, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_REQUESTS = (0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_STAGE_NAMES = ("encode", "retrieve", "read", "assemble", "total")


class Metrics:
    """The measures of one server in a registry of its own; safe to use from several threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "pincite_requests", "Requests by outcome.", ("method", "route", "status"), registry=self.registry
        )
        self.request_seconds = Histogram(
            "pincite_request_seconds",
            "From the head to the end.",
            ("route",),
            buckets=_REQUESTS,
            registry=self.registry,
        )
        self.in_flight = Gauge("pincite_requests_in_flight", "Requests under way.", registry=self.registry)
        self.connections = Gauge("pincite_connections", "Open connections.", registry=self.registry)
        self.refused = Counter(
            "pincite_connections_closed", "Connections closed by a limit.", ("reason",), registry=self.registry
        )
        self.questions = Counter(
            "pincite_questions", "Questions and searches by outcome.", ("kind", "outcome"), registry=self.registry
        )
        self.question_seconds = Histogram(
            "pincite_question_seconds", "By stage.", ("kind", "stage"), buckets=_STAGES, registry=self.registry
        )
        self.ingested = Counter(
            "pincite_ingested", "Documents by what became of them.", ("status",), registry=self.registry
        )
        self.ingested_passages = Counter("pincite_ingested_passages", "Passages stored.", registry=self.registry)

    def asked(self, kind: str, outcome: str, timing_ms: Mapping[str, float]) -> None:
        """Count a question (`kind` ask or search) and what its stages took, in milliseconds."""
        self.questions.labels(kind, outcome).inc()
        stages = dict(timing_ms)
        if "total" in stages:
            stages["assemble"] = stages["total"] - sum(stages.get(one, 0.0) for one in ("encode", "retrieve", "read"))
        for stage in _STAGE_NAMES:
            if stage in stages:
                self.question_seconds.labels(kind, stage).observe(max(0.0, stages[stage]) / 1000)

    @contextmanager
    def asking(self, kind: str) -> Iterator[None]:
        """Count an error where the block raises one."""
        try:
            yield
        except Exception:
            self.questions.labels(kind, "error").inc()
            raise

    def added(self, status: str, passages: int) -> None:
        """Count a document that was ingested, or that failed to be."""
        self.ingested.labels(status).inc()
        if status in {"added", "replaced"}:
            self.ingested_passages.inc(passages)

    def watch(self, look: Callable[[], Iterable[Measure]]) -> None:
        """Ask `look` for more measures each time somebody reads."""
        self.registry.register(_Watched(look))

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)


class _Watched:
    """A collector that looks when it is asked; it names nothing before, so that registering does not look."""

    def __init__(self, look: Callable[[], Iterable[Measure]]) -> None:
        self.collect = look

    def describe(self) -> Iterable[Measure]:
        return ()


def gauge(name: str, told: str, label: str, values: Mapping[str, float]) -> Measure:
    """Return a gauge with one label."""
    family = GaugeMetricFamily(name, told, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def build(labels: Mapping[str, str]) -> Measure:
    """Return what is running, as labels of a constant."""
    family = GaugeMetricFamily("pincite_build_info", "What is running.", labels=list(labels))
    family.add_metric(list(labels.values()), 1)
    return family


def of_collections(infos: Iterable[CollectionInfo]) -> Iterator[Measure]:
    """Yield the counts of collections by name; those beyond a hundred stand together under `*`."""
    documents: dict[str, float] = {}
    passages: dict[str, float] = {}
    lag: dict[str, float] = {}
    for number, info in enumerate(infos):
        name = info.name if number < _COLLECTIONS else "*"
        documents[name] = documents.get(name, 0) + info.documents
        passages[name] = passages.get(name, 0) + info.passages
        lag[name] = lag.get(name, 0) + info.pending
    yield gauge("pincite_documents", "Documents.", "collection", documents)
    yield gauge("pincite_passages", "Passages.", "collection", passages)
    yield gauge("pincite_view_lag_passages", "Deleted passages that the views still hold.", "collection", lag)
