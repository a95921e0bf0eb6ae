"""The figures of an interface server that its metrics show."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from fairway.interfaces.canary import CanaryWatch
from fairway.interfaces.host import ProtocolHost
from fairway.interfaces.peers import PeerTable

__all__ = ["figures"]

log = logging.getLogger("fairway.metrics")


def figures(
    hosts: Iterable[ProtocolHost], peers: PeerTable, canary: CanaryWatch
) -> Iterator[Metric]:
    """Read the figures of all protocols; any thread may, counts need no lock."""
    labels = ("protocol",)
    events = CounterMetricFamily(
        "fairway_events", "Events of peers.", labels=("protocol", "channel")
    )
    replies = CounterMetricFamily(
        "fairway_replies", "Replies, one for each peer that gets it.", labels=labels
    )
    present = GaugeMetricFamily("fairway_peers", "Peers.", labels=labels)
    held = GaugeMetricFamily(
        "fairway_held_events", "Events of peers that wait for a worker.", labels=labels
    )
    claims = CounterMetricFamily(
        "fairway_claims",
        "Claims of what one process of all may do.",
        labels=("protocol", "result"),
    )
    waiting = _waiting(peers)
    for host in hosts:
        for channel, count in host.events.items():
            events.add_metric((host.name, channel), count)
        replies.add_metric((host.name,), host.replies.count)
        present.add_metric((host.name,), host.peers)
        held.add_metric((host.name,), waiting[host.name])
        for result, count in (("won", host.claims_won), ("lost", host.claims_lost)):
            claims.add_metric((host.name, result), count)
    yield from (events, replies, present, held, claims)
    for host in hosts:
        yield from _own(host)
    yield from _canary(canary)


def _waiting(peers: PeerTable) -> Counter[str]:
    waiting: Counter[str] = Counter()
    for peer in peers:
        if (order := peer.order) is not None:
            waiting[peer.id.partition(":")[0]] += order.waiting
    return waiting


def _own(host: ProtocolHost) -> Iterator[Metric]:
    """Return what only this protocol has; its failure costs nobody else's figures."""
    if host.replies.protocol is None:
        return
    try:
        found: Mapping[str, float] = host.replies.protocol.figures()
        for name, value in found.items():
            gauge = GaugeMetricFamily(
                f"fairway_{host.name}_{name}", f"Figure of the protocol {host.name}."
            )
            gauge.add_metric((), value)
            yield gauge
    except Exception:
        log.exception("protocol %s failed to tell its figures", host.name)


def _canary(canary: CanaryWatch) -> Iterator[Metric]:
    alive = GaugeMetricFamily(
        "fairway_interface_ready", "Whether a message to itself came back lately."
    )
    alive.add_metric((), canary.alive)
    trip = GaugeMetricFamily(
        "fairway_bus_round_trip_seconds",
        "How long the last message to itself took through the channel layer.",
    )
    if canary.round_trip is not None:
        trip.add_metric((), canary.round_trip)
    yield from (alive, trip)
