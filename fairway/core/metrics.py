"""What a process tells Prometheus. Everything is collected when somebody asks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from fairway.core.bus.layer import ChannelLayer
from fairway.core.exceptions import LayerUnavailable
from fairway.core.timings import BOUNDS, Timings

__all__ = ["Metrics", "consumer_times"]

log = logging.getLogger("fairway.metrics")


class Metrics(Collector):
    """The metrics of one process, in Prometheus's text format.

    Args:
        channels: those whose queues are shown.
        more: returns further metrics; called in the thread that asks.
    """

    def __init__(
        self,
        layer: ChannelLayer,
        channels: Sequence[str],
        more: Callable[[], Iterable[Metric]],
    ) -> None:
        self._layer = layer
        self._channels = channels
        self._more = more
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def text(self) -> bytes:
        """Return all metrics; asks the channel layer, so it may block."""
        return generate_latest(self.registry)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering must not ask the channel layer."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Read drops, queues, and what the process adds."""
        drops = CounterMetricFamily(
            "fairway_drops", "Messages dropped.", labels=("channel", "reason")
        )
        for key, count in self._layer.drops.counts().items():
            drops.add_metric(key, count)
        yield drops
        yield from self._queues()
        yield from self._more()

    def _queues(self) -> Iterator[Metric]:
        reachable = GaugeMetricFamily(
            "fairway_layer_up", "Whether the channel layer answers."
        )
        depth = GaugeMetricFamily(
            "fairway_queue_depth", "Messages that wait.", labels=("channel",)
        )
        age = GaugeMetricFamily(
            "fairway_queue_oldest_seconds",
            "How long the oldest message has waited.",
            labels=("channel",),
        )
        try:
            statistics = self._layer.statistics(self._channels)
        except LayerUnavailable as error:
            log.info("no figures of queues: %s", error)
            reachable.add_metric((), 0)
            yield reachable
            return
        reachable.add_metric((), 1)
        for channel, found in statistics.items():
            depth.add_metric((channel,), found.waiting)
            if found.oldest_age is not None:
                age.add_metric((channel,), found.oldest_age)
        yield from (reachable, depth, age)


def consumer_times(timings: Timings) -> Iterator[Metric]:
    """Return the histogram of consumers' times."""
    family = HistogramMetricFamily(
        "fairway_consumer_seconds", "How long consumers ran.", labels=("channel",)
    )
    bounds = [*map(str, BOUNDS), "+Inf"]
    for channel, (counts, total) in timings.read().items():
        buckets = list(zip(bounds, map(float, accumulate(counts)), strict=True))
        family.add_metric((channel,), buckets, sum_value=total)
    yield family
