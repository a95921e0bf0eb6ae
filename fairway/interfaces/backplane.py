"""What the protocols of one interface server share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fairway.core.bus.layer import ChannelLayer
from fairway.interfaces.clock import Wheel
from fairway.interfaces.datagram_address import OwnPorts
from fairway.interfaces.groups import GroupTable
from fairway.interfaces.outbound import Outbound
from fairway.interfaces.peers import LocalPeer, PeerTable

__all__ = ["Backplane"]

_BLOCKING_THREADS = 8
_CANCEL_TIMEOUT = 5.0
"""Seconds that work beside may take to end once it is cancelled."""

log = logging.getLogger("fairway.interfaces")


class Backplane:
    """The layer's port, the peers, the time, and the work that goes on beside.

    Make it in the loop's thread.

    Attributes:
        mailbox: the name of the mailbox, once it is open.
    """

    def __init__(self, layer: ChannelLayer) -> None:
        self.loop = asyncio.get_running_loop()
        self.layer = layer
        self.policy = layer.policy
        self.drops = layer.drops
        self.port = layer.port(self.loop)
        self.clock = Wheel(self.loop)
        self.peers = PeerTable()
        self.groups = GroupTable()
        self.datagram_ports = OwnPorts()
        self.outbound = Outbound(self.port, self.spawn)
        self.mailbox = ""
        self._threads = ThreadPoolExecutor(_BLOCKING_THREADS, "fairway-blocking")
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsettled: set[LocalPeer] = set()
        self._settled: asyncio.Event | None = None
        self.settling = False
        """Whether `settle` waits to hear of peers by `settled`."""

    def spawn(
        self,
        work: Coroutine[Any, Any, None],
        ended: Callable[[asyncio.Task[None]], None] | None = None,
    ) -> None:
        """Run a coroutine beside; an exception is logged, `close` cancels it.

        Args:
            ended: called at its end, instead of logging.
        """
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(ended or _log_failure)

    def settled(self, peer: LocalPeer) -> None:
        """Note that nothing of a peer waits any more."""
        self._unsettled.discard(peer)
        if not self._unsettled and self._settled is not None:
            self._settled.set()

    async def settle(self, timeout: float) -> None:
        """Wait until the last events of all peers are on the bus, or time is over."""
        self._unsettled = {peer for peer in self.peers if peer.has_waiting_events}
        if not self._unsettled:
            return
        self._settled = asyncio.Event()
        self.settling = True
        with contextlib.suppress(TimeoutError):
            # Not wait_for: on 3.11 it swallows a cancellation that comes with its end.
            async with asyncio.timeout(timeout):
                await self._settled.wait()
        if self._unsettled:
            log.warning("the last events of %d peers are lost", len(self._unsettled))

    async def blocking(self, call: Callable[[], Any]) -> Any:
        """Run a call that may block in a thread and return its result."""
        return await self.loop.run_in_executor(self._threads, call)

    async def close(self) -> None:
        """End all work; the port sends what was posted and closes."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CANCEL_TIMEOUT)
        self.outbound.abandon()
        self.clock.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self.port.close()


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("work beside %s failed", task.get_coro(), exc_info=error)
