"""What a process tells Prometheus, read with Prometheus's own parser."""

import logging
import threading
from collections.abc import Sequence

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fairway.core.bus.layer import ChannelStatistics, LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.content import encode_content
from fairway.core.metrics import Metrics, Part, histogram
from fairway.core.timings import Timings, sum_up

Samples = dict[tuple[str, tuple[str, ...]], float]


def read(metrics: Metrics) -> Samples:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def of(layer: MemoryLayer) -> Samples:
    return read(Metrics(layer, [Part(["mail"], tuple)], wait=0.1))


def new_layer() -> MemoryLayer:
    return MemoryLayer("memory://", LayerPolicy())


class HungLayer(MemoryLayer):
    """Does not say how much waits until it is let go."""

    def __init__(self) -> None:
        super().__init__("memory://", LayerPolicy())
        self.asked = 0
        self.go_on = threading.Event()

    def statistics(self, channels: Sequence[str]) -> dict[str, ChannelStatistics]:
        self.asked += 1
        self.go_on.wait(10)
        return super().statistics(channels)


class BrokenLayer(MemoryLayer):
    """Fails when it should say how much waits."""

    def statistics(self, channels: Sequence[str]) -> dict[str, ChannelStatistics]:
        raise ValueError("broken")


def test_drops_are_shown_by_channel_and_reason() -> None:
    layer = new_layer()
    layer.drops.add("mail", "full", 3)

    assert of(layer)["fairway_drops_total", ("mail", "full")] == 3


def test_queues_are_shown_with_depth_and_age() -> None:
    layer = new_layer()
    layer.send("mail", encode_content({"text": "a"}))

    samples = of(layer)

    assert samples["fairway_queue_depth", ("mail",)] == 1
    assert samples["fairway_queue_oldest_seconds", ("mail",)] >= 0
    assert samples["fairway_layer_up", ()] == 1


def test_a_layer_that_hangs_costs_its_own_figures_only() -> None:
    layer = HungLayer()
    layer.drops.add("mail", "full")
    metrics = Metrics(layer, [Part(["mail"], tuple)], wait=0.05)

    twice = [read(metrics), read(metrics)]
    layer.go_on.set()

    for samples in twice:
        assert samples["fairway_layer_up", ()] == 0
        assert ("fairway_queue_depth", ("mail",)) not in samples
        assert samples["fairway_drops_total", ("mail", "full")] == 1
    assert layer.asked == 1


def test_a_layer_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    layer = BrokenLayer("memory://", LayerPolicy())

    with caplog.at_level(logging.ERROR):
        samples = of(layer)

    assert samples["fairway_layer_up", ()] == 0
    assert "ValueError: broken" in caplog.text


def test_durations_are_shown_in_buckets_that_add_up() -> None:
    threads = [Timings(), Timings(), Timings()]
    for thread, seconds in ((0, -0.1), (0, 0.001), (1, 0.02), (1, 100.0)):
        threads[thread].add(("mail", "deliver"), seconds)
    labels = ("channel", "consumer")

    part = Part([], lambda: [histogram("took_seconds", "Took.", labels, threads)])
    samples = read(Metrics(new_layer(), [part]))

    values = ("mail", "deliver")
    assert samples["took_seconds_bucket", (*values, "0.001")] == 2
    assert samples["took_seconds_bucket", (*values, "60.0")] == 3
    assert samples["took_seconds_bucket", (*values, "+Inf")] == 4
    assert samples["took_seconds_count", values] == 4
    assert samples["took_seconds_sum", values] == pytest.approx(100.021)


def test_channels_of_one_reader_are_one_channel() -> None:
    timings = Timings()
    timings.add(("credit?a1",), 0.1)
    timings.add(("credit?b2",), 0.1)

    assert list(sum_up([timings])) == [("credit",)]
