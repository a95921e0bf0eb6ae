"""Datagram ports: an own socket that is drained at each wake-up of the loop.

A read per wake-up would cost a turn of the loop per datagram; Twisted's port cuts
datagrams above 8 KiB without a word unless it is told a size.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Callable

from fairway.core.exceptions import ConfigurationError
from fairway.core.plugin.wire import DatagramHandler

__all__ = ["SocketPort", "listen", "parse_address"]

_AT_ONCE = 64
"""Datagrams that are read before the loop does something else."""
_LARGEST = 65_536
_BUFFER = 1024 * 1024
"""Bytes that the kernel is asked to keep for the port; it may give less."""

log = logging.getLogger("fairway.interfaces")


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of `udp:9999`, `udp:127.0.0.1:9999` or `udp:[::1]:9999`.

    Raises:
        ValueError: it is none of these.
    """
    kind, _, rest = address.partition(":")
    host, colon, port = rest.rpartition(":")
    if kind != "udp" or not port.isdecimal() or int(port) > 65_535:
        raise ValueError("it must be 'udp:PORT' or 'udp:HOST:PORT'")
    if not colon:
        return "0.0.0.0", int(port)
    if host.startswith("[") and host.endswith("]"):
        return str(ipaddress.IPv6Address(host[1:-1])), int(port)
    return str(ipaddress.IPv4Address(host)), int(port)


def listen(
    address: str,
    handler: DatagramHandler,
    *,
    loop: asyncio.AbstractEventLoop,
    setting: str,
    failed: Callable[[str], None],
) -> SocketPort:
    """Receive datagrams.

    Args:
        address: see `parse_address`.
        setting: where the address stands, for errors.
        failed: called with the reason when a datagram could not be sent.

    Raises:
        ConfigurationError: it cannot be read, or somebody else listens there.
    """
    try:
        host, port = parse_address(address)
        bound = _bound_socket(host, port)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            setting, f"has {address!r}, which cannot be listened to: {error}"
        ) from error
    return SocketPort(bound, handler, loop=loop, failed=failed)


def _bound_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


class SocketPort:
    """A bound datagram socket; see `fairway.core.plugin.wire.DatagramPort`."""

    def __init__(
        self,
        bound: socket.socket,
        handler: DatagramHandler,
        *,
        loop: asyncio.AbstractEventLoop,
        failed: Callable[[str], None],
    ) -> None:
        self._socket = bound
        self._handler = handler
        self._loop = loop
        self._failed = failed
        self._buffer = bytearray(_LARGEST)
        self._view = memoryview(self._buffer)
        host, port = bound.getsockname()[:2]
        self.address: tuple[str, int] = (host, port)
        loop.add_reader(bound.fileno(), self._readable)

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """Send one datagram; a failure is counted, not raised."""
        try:
            self._socket.sendto(data, address)
        except BlockingIOError:
            self._failed("the kernel's buffer is full")
        except OSError as error:
            self._failed(str(error))

    async def close(self) -> None:
        """Give the port back."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                size, sender = self._socket.recvfrom_into(self._buffer)
            except BlockingIOError:
                return
            except OSError as error:  # such as an ICMP error, or closed by a handler
                log.debug("reading datagrams on %s: %s", self.address, error)
                return
            try:
                self._handler.received(self, bytes(self._view[:size]), sender[:2])
            except Exception:  # one sender must not cost the others theirs
                log.exception("a datagram from %s failed", sender[0])
