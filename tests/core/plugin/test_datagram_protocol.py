"""What the base of datagram protocols decides, on a host without sockets."""

from __future__ import annotations

import asyncio
from typing import Any

from fairway.core.drops import Drop
from fairway.core.settings import Limits
from fairway.plugins.udp.spec import SPEC, UdpConfig
from fairway.plugins.udp.transport_twisted import UdpProtocol
from fairway.testing.recording import RecordingHost

SENDER = ("192.0.2.1", 5123)


def served(*, limits: Limits | None = None, **section: Any) -> RecordingHost:
    host = RecordingHost(limits=limits)
    protocol = host.serve(UdpProtocol, UdpConfig(bind=["udp:1"], **section), SPEC)
    asyncio.run(protocol.start())
    return host


def reasons(host: RecordingHost) -> list[str]:
    return [drop.reason for drop in host.drops]


def test_only_senders_of_whom_something_is_kept_are_told_to_have_left() -> None:
    host = served(idle=10.0)
    host.ports[0].feed(b"kept", ("192.0.2.1", 1))
    host.ports[0].feed(b"plain", ("192.0.2.1", 2))
    kept, _ = host.peers.values()
    kept.kept = True

    host.clock.advance(12.0)

    assert not any(peer.open for peer in host.peers.values())
    assert [(e.peer, e.channel) for e in host.events[2:]] == [(kept, "udp.disconnect")]


def test_who_is_forgotten_for_another_or_closed_has_left_too() -> None:
    host = served(limits=Limits(peers=1))
    for number in (1, 2):
        host.ports[0].feed(b"x", ("192.0.2.1", number))
        list(host.peers.values())[-1].kept = True
    host.deliver({"close": True})

    assert host.channels.count("udp.disconnect") == 2
    host.ports[0].feed(b"x", ("192.0.2.1", 2))
    assert len(host.peers) == 3


def test_who_sends_too_many_is_dropped_before_anything_is_kept() -> None:
    host = served(address_rate=4.0)
    for number in range(100):
        host.ports[0].feed(b"x", ("192.0.2.1", number))

    assert len(host.peers) == len(host.events) == 4
    assert reasons(host) == [Drop.LIMIT] * 96


def test_nothing_is_kept_for_who_has_not_proved_itself() -> None:
    host = served(challenge=True)
    for number in range(100):
        host.ports[0].feed(b"hello hello", ("192.0.2.1", number))
        host.ports[0].feed(b"prove ABCDEFGHIJKLMNOP", ("192.0.2.1", number))

    assert not host.peers
    assert not host.events
    assert len(host.ports[0].sent) == 100
    assert reasons(host) == [Drop.INVALID] * 100


def test_a_trusted_network_needs_no_proof() -> None:
    host = served(challenge=True, trusted=["192.0.2.0/24"])
    host.ports[0].feed(b"x", SENDER)
    host.ports[0].feed(b"x", ("192.0.3.1", 5123))
    host.deliver({"bytes": b"y" * 1_000})

    assert host.contents("udp.receive") == [{"bytes": b"x"}]
    assert [len(data) for data, _ in host.ports[0].sent] == [1_000]


def test_answers_are_paid_for_by_what_came() -> None:
    host = served(amplification=2.0)
    host.ports[0].feed(b"xxxx", SENDER)
    for size in (5, 4, 3, 0):
        host.deliver({"bytes": b"y" * size})

    assert [len(data) for data, _ in host.ports[0].sent] == [5, 3, 0]
    assert reasons(host) == [Drop.LIMIT]
