"""The blocking connections that threads of a process share."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from fairway.core.bus.redis.address import Address
from fairway.core.bus.redis.greeting import CONNECT_TIMEOUT
from fairway.core.bus.redis.link import Link
from fairway.core.bus.redis.outage import Outage
from fairway.core.bus.redis.resp import LinkDown

__all__ = ["Pool", "connect"]

_MOST_IDLE = 16


def connect(address: Address, outage: Outage, timeout: float) -> Link:
    """Make a connection and tell how that went.

    Raises:
        LinkDown: it cannot be made.
    """
    began = time.monotonic()
    try:
        link = Link(address, min(timeout, CONNECT_TIMEOUT))
    except LinkDown as down:
        outage.begin(down.reason, began)
        raise
    outage.end()
    return link


class Pool:
    """As many connections as threads use at a time; any thread may use it."""

    def __init__(self, address: Address, outage: Outage) -> None:
        self._address = address
        self._outage = outage
        # Taken from and given back to one end, so that the others grow old.
        self._idle: deque[Link] = deque()
        self._closed = False

    @contextmanager
    def link(self, deadline: float) -> Iterator[Link]:
        """Lend a connection for the time of a `with` block.

        Args:
            deadline: local time until which one must have been made.

        Raises:
            LinkDown: none can be made.
        """
        link = self._take(deadline)
        try:
            yield link
        except LinkDown:
            self._note(link)
            link.close()
            raise
        except BaseException:
            link.close()
            raise
        self._note(link)
        if self._closed or len(self._idle) >= _MOST_IDLE:
            link.close()
        elif not link.closed:
            self._idle.append(link)

    def close(self) -> None:
        """End all connections."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self, deadline: float) -> Link:
        while self._idle:
            try:
                link = self._idle.pop()
            except IndexError:
                break
            if not link.is_stale():
                return link
            link.close()
        return connect(self._address, self._outage, deadline - time.monotonic())

    def _note(self, link: Link) -> None:
        if link.failure is not None:
            self._outage.begin(link.failure, link.heard)
