"""The figures of a worker that its metrics show."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from fairway.core.metrics import Part, histogram
from fairway.core.worker.worker import Worker

__all__ = ["part_of"]


def part_of(worker: Worker) -> Part:
    """Return what a worker adds to the metrics of its process."""
    return Part(worker.channels, lambda: _figures(worker))


def _figures(worker: Worker) -> Iterator[Metric]:
    yield histogram(
        "fairway_consumer_seconds",
        "How long consumers ran.",
        ("channel", "consumer"),
        worker.timings,
    )
    yield histogram(
        "fairway_bus_seconds",
        "How long messages were on the bus, from sending to their consumer's start.",
        ("channel",),
        worker.waits,
    )
    ready = GaugeMetricFamily(
        "fairway_worker_ready", "Whether the last message to itself came back in time."
    )
    ready.add_metric((), worker.ready)
    yield ready
