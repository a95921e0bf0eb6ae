"""What the UDP protocol is, and its section in the settings."""

from __future__ import annotations

from fairway.kit import ConfigurationError, DatagramConfig, Event, ProtocolSpec

__all__ = ["SPEC", "UdpConfig"]


class UdpConfig(DatagramConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `udp`."""

    text: bool = False
    """Whether events carry `text` in place of `bytes`; a datagram that is not UTF-8 is
    then dropped and counted."""
    challenge: bool = False
    """Whether an address must send a cookie back before its datagrams become events;
    forged addresses then cost no memory, and proved ones get answers of any size."""

    def check(self) -> None:
        """Raise ConfigurationError for values that cannot work."""
        super().check()
        if not self.bind:
            raise ConfigurationError("bind", "must name a port, such as 'udp:9999'")


SPEC = ProtocolSpec(
    name="udp",
    config=UdpConfig,
    events=(
        Event(
            channel="udp.receive",
            keys={"bytes": bytes, "text": str},
            capacity=10_000,
            patience=0.0,
            summary="A datagram arrived, possibly an empty one.",
        ),
        Event(
            channel="udp.disconnect",
            capacity=10_000,
            patience=5.0,
            summary="A sender was silent for `idle` seconds; only of those for which a "
            "consumer keeps state or a group.",
        ),
    ),
    replies={"text": str, "bytes": bytes, "accept": bool, "close": int},
    peers="owned",
    ordering="none",
    transports={"twisted": "fairway.plugins.udp.transport_twisted:UdpProtocol"},
    summary="Single datagrams over IPv4 and IPv6, multicast included.",
)
