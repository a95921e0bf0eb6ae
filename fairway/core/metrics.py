"""What a process tells Prometheus. Everything is collected when somebody asks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from msgspec import Struct
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from fairway.core.bus.layer import ChannelLayer, ChannelStatistics
from fairway.core.exceptions import LayerUnavailable
from fairway.core.timings import BOUNDS, Timings, sum_up

__all__ = ["Metrics", "Part", "histogram"]

WAIT = 2.0
"""Seconds that a channel layer may take to say how much waits in its queues; far below
Prometheus's own time-out of 10, so that the rest is served without it."""

log = logging.getLogger("fairway.metrics")


class Part(Struct, frozen=True):
    """What an interface server or a worker adds to the metrics of its process."""

    channels: Sequence[str]
    """Those whose queues are shown."""
    read: Callable[[], Iterable[Metric]]
    """Returns further metrics; called in the thread that asks."""


class Metrics(Collector):
    """The metrics of one process, in Prometheus's text format.

    Args:
        parts: what runs in it.
        wait: seconds that the channel layer may take to answer.
    """

    def __init__(
        self, layer: ChannelLayer, parts: Sequence[Part], *, wait: float = WAIT
    ) -> None:
        self._layer = layer
        self._parts = parts
        self._wait = wait
        names = dict.fromkeys(name for part in parts for name in part.channels)
        self._queues = _Queues(layer, list(names))
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return all metrics; asks the channel layer, so it may block for a while.

        Raises:
            Exception: whatever one of its parts could not read.
        """
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering must not ask the channel layer."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Read drops, queues, and what the parts add."""
        drops = CounterMetricFamily(
            "fairway_drops", "Messages dropped.", labels=("channel", "reason")
        )
        for key, count in self._layer.drops.counts().items():
            drops.add_metric(key, count)
        yield drops
        yield from _queues(self._queues.ask(self._wait))
        for part in self._parts:
            yield from part.read()


class _Queues:
    """Asks the layer in a thread, and waits no longer than it wants to.

    A thread that hangs is asked no second time: scrapes do not pile up threads.
    """

    def __init__(self, layer: ChannelLayer, channels: Sequence[str]) -> None:
        self._layer = layer
        self._channels = channels
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._found: Mapping[str, ChannelStatistics] | None = None

    def ask(self, wait: float) -> Mapping[str, ChannelStatistics] | None:
        """Return the state of the queues, None when the layer does not tell in time."""
        with self._lock:
            thread = self._asking
            if thread is None or not thread.is_alive():
                self._found = None
                # A daemon: a layer that hangs must not keep the process.
                thread = threading.Thread(
                    target=self._read, name="fairway-metrics-queues", daemon=True
                )
                self._asking = thread
                thread.start()
        thread.join(wait)
        return None if thread.is_alive() else self._found

    def _read(self) -> None:
        try:
            self._found = self._layer.statistics(self._channels)
        except LayerUnavailable as error:
            log.info("no figures of queues: %s", error)
        except Exception:
            log.exception("the channel layer failed to tell how much waits")


def _queues(found: Mapping[str, ChannelStatistics] | None) -> Iterator[Metric]:
    reachable = GaugeMetricFamily(
        "fairway_layer_up", "Whether the channel layer answers in time."
    )
    reachable.add_metric((), found is not None)
    yield reachable
    if found is None:
        return
    depth = GaugeMetricFamily(
        "fairway_queue_depth", "Messages that wait.", labels=("channel",)
    )
    age = GaugeMetricFamily(
        "fairway_queue_oldest_seconds",
        "How long the oldest message has waited.",
        labels=("channel",),
    )
    for channel, one in found.items():
        depth.add_metric((channel,), one.waiting)
        if one.oldest_age is not None:
            age.add_metric((channel,), one.oldest_age)
    yield from (depth, age)


def histogram(
    name: str, text: str, labels: Sequence[str], timings: Iterable[Timings]
) -> HistogramMetricFamily:
    """Return durations as a histogram.

    Args:
        labels: the names of what the timings are told apart by.
        timings: of each thread.
    """
    family = HistogramMetricFamily(name, text, labels=labels)
    bounds = [*map(str, BOUNDS), "+Inf"]
    for values, (counts, total) in sum_up(timings).items():
        buckets = list(zip(bounds, map(float, accumulate(counts)), strict=True))
        family.add_metric(values, buckets, sum_value=total)
    return family
