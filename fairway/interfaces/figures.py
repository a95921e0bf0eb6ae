"""The figures of an interface server that its metrics show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from fairway.interfaces.canary import CanaryWatch
from fairway.interfaces.host import ProtocolHost
from fairway.interfaces.peers import PeerTable

__all__ = ["figures"]


def figures(
    hosts: Iterable[ProtocolHost], peers: PeerTable, canary: CanaryWatch
) -> Iterator[Metric]:
    """Read the figures of all protocols; any thread may, counts need no lock."""
    labels = ("protocol",)
    events = CounterMetricFamily("fairway_events", "Events of peers.", labels=labels)
    replies = CounterMetricFamily(
        "fairway_replies", "Replies, one for each peer that gets it.", labels=labels
    )
    present = GaugeMetricFamily("fairway_peers", "Peers.", labels=labels)
    held = GaugeMetricFamily(
        "fairway_held_events", "Events of peers that wait for a worker.", labels=labels
    )
    waiting: Counter[str] = Counter()
    for peer in peers:
        if (order := peer.order) is not None:
            waiting[peer.id.partition(":")[0]] += order.waiting
    for host in hosts:
        events.add_metric((host.name,), host.events)
        replies.add_metric((host.name,), host.replies)
        present.add_metric((host.name,), host.peers)
        held.add_metric((host.name,), waiting[host.name])
    yield from (events, replies, present, held)
    trip = GaugeMetricFamily(
        "fairway_bus_round_trip_seconds",
        "How long the last message to itself took through the channel layer.",
    )
    if canary.round_trip is not None:
        trip.add_metric((), canary.round_trip)
    yield trip
