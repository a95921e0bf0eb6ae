"""What a process tells Prometheus, read with Prometheus's own parser."""

from prometheus_client.parser import text_string_to_metric_families

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.content import encode_content
from fairway.core.metrics import Metrics, consumer_times
from fairway.core.timings import Timings

Samples = dict[tuple[str, tuple[str, ...]], float]


def read(metrics: Metrics) -> Samples:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def of(layer: MemoryLayer, timings: Timings) -> Samples:
    return read(Metrics(layer, ["mail"], lambda: consumer_times(timings)))


def test_drops_are_shown_by_channel_and_reason() -> None:
    layer = MemoryLayer("memory://", LayerPolicy())
    layer.drops.add("mail", "full", 3)

    assert of(layer, Timings())["fairway_drops_total", ("mail", "full")] == 3


def test_queues_are_shown_with_their_depth() -> None:
    layer = MemoryLayer("memory://", LayerPolicy())
    layer.send("mail", encode_content({"text": "a"}))

    samples = of(layer, Timings())

    assert samples["fairway_queue_depth", ("mail",)] == 1
    assert samples["fairway_layer_up", ()] == 1


def test_consumers_are_shown_in_buckets_that_add_up() -> None:
    timings = Timings()
    for seconds in (0.001, 0.02, 100.0):
        timings.add("mail", seconds)

    samples = of(MemoryLayer("memory://", LayerPolicy()), timings)

    name = "fairway_consumer_seconds"
    assert samples[f"{name}_bucket", ("mail", "0.001")] == 1
    assert samples[f"{name}_bucket", ("mail", "60.0")] == 2
    assert samples[f"{name}_bucket", ("mail", "+Inf")] == 3
    assert samples[f"{name}_count", ("mail",)] == 3


def test_channels_of_one_reader_are_one_channel() -> None:
    timings = Timings()
    timings.add("credit?a1", 0.1)
    timings.add("credit?b2", 0.1)

    assert list(timings.read()) == ["credit"]
