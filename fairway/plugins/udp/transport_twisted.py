"""UDP on the host's datagram ports."""

from __future__ import annotations

from fairway.kit import DatagramProtocol
from fairway.plugins.udp.mapping import UdpMapping
from fairway.plugins.udp.spec import UdpConfig

__all__ = ["UdpProtocol"]


class UdpProtocol(DatagramProtocol[UdpConfig]):
    """Runs the mapping on all ports of the section."""

    mapping = UdpMapping
