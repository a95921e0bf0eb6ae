"""Datagram ports: an own socket that is drained at each wake-up of the loop.

A read per wake-up would cost a turn of the loop per datagram; Twisted's port cuts
datagrams above 8 KiB without a word unless it is told a size.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import sys
from collections.abc import Callable

from fairway.core.drops import Drop
from fairway.core.plugin.host import Refusal
from fairway.core.plugin.wire import DatagramHandler
from fairway.interfaces.datagram_address import (
    BindAddress,
    OwnPorts,
    parse_address,
    with_zone,
)
from fairway.interfaces.streams import Failed

__all__ = ["LARGEST", "SocketPort", "bind"]

LARGEST = 65_507
"""Bytes that fit into one datagram over IPv4."""
_AT_ONCE = 64
"""Datagrams that are read before the loop does something else."""
_BUFFER = 1024 * 1024
"""Bytes that the kernel is asked to keep for the port each way; it may give less."""

log = logging.getLogger("fairway.interfaces")


def bind(text: str, *, reuse_port: bool = False) -> socket.socket:
    """Return a socket that is bound to an address of the settings.

    Raises:
        ValueError: the address cannot be read.
        OSError: somebody else listens there, or this machine does not have it.
    """
    address = parse_address(text)
    family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        if address.is_ipv6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(with_zone((address.host, address.port)))
        if address.group is not None:
            _join(bound, address, address.group)
    except BaseException:
        bound.close()
        raise
    return bound


def _join(bound: socket.socket, address: BindAddress, group: str) -> None:
    packed = socket.inet_pton(bound.family, group)
    interface = address.interface
    if address.is_ipv6:
        level, join, everyone = socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, 29
        index = socket.if_nametoindex(interface) if interface else 0
        member = packed + struct.pack("@I", index)
    else:
        level, join, everyone = socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, 49
        member = packed + socket.inet_aton(interface or "0.0.0.0")
    if sys.platform == "linux":
        # IP_MULTICAST_ALL, for which Python has no name; see ip(7). Linux would also
        # deliver what is sent to groups that other processes have joined.
        bound.setsockopt(level, everyone, 0)
    bound.setsockopt(level, join, member)


class SocketPort:
    """A bound datagram socket; see `fairway.core.plugin.wire.DatagramPort`.

    Args:
        own: the ports of this process; nothing is taken from or sent to them.
        largest: bytes; a longer datagram is dropped.
        dropped: called with a reason code and a detail for each datagram that is.
        failed: called with what the handler raised, and for whom.
    """

    def __init__(
        self,
        bound: socket.socket,
        handler: DatagramHandler,
        *,
        loop: asyncio.AbstractEventLoop,
        own: OwnPorts,
        largest: int,
        dropped: Callable[[str, str], None],
        failed: Failed,
    ) -> None:
        self._socket = bound
        self._handler = handler
        self._loop = loop
        self._own = own
        self._largest = largest
        self._dropped = dropped
        self._failed = failed
        # One byte more: what fills it was longer than it may be.
        self._buffer = bytearray(largest + 1)
        self._view = memoryview(self._buffer)
        host, port = bound.getsockname()[:2]
        self.address: tuple[str, int] = (host, port)
        own.add(self.address)
        loop.add_reader(bound.fileno(), self._readable)

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """Send one datagram; a failure is counted, not raised."""
        if address[1] in self._own.numbers and self._own.holds(address):
            self._dropped(Drop.INVALID, "it was for a port of this process")
            return
        try:
            if "%" in address[0]:
                self._socket.sendto(data, with_zone(address))
            else:
                self._socket.sendto(data, address)
        except BlockingIOError:
            self._dropped(Drop.FAILED, "the kernel's buffer is full")
        except OSError as error:
            self._dropped(Drop.FAILED, str(error))

    async def close(self) -> None:
        """Give the port back."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._own.discard(self.address)

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                size, sender = self._socket.recvfrom_into(self._buffer)
            except BlockingIOError:
                return
            except OSError as error:  # such as an ICMP error, or closed by a handler
                log.debug("reading datagrams on %s: %s", self.address, error)
                return
            if len(sender) == 4:
                sender = _without_flow(sender)
            if size > self._largest:
                self._dropped(Refusal.TOO_LARGE, f"more than {self._largest} bytes")
            elif sender[1] in self._own.numbers and self._own.holds(sender):
                self._dropped(Drop.INVALID, "it came from a port of this process")
            else:
                self._hand_over(size, sender)

    def _hand_over(self, size: int, sender: tuple[str, int]) -> None:
        try:
            self._handler.received(self, bytes(self._view[:size]), sender)
        except Exception as error:  # one sender must not cost the others theirs
            self._failed("received", error, sender[0])


def _without_flow(sender: tuple[str, int, int, int]) -> tuple[str, int]:
    """Return an IPv6 sender with the zone in its address, where it has one."""
    host, port, _, zone = sender
    return (f"{host}%{zone}" if zone else host), port
