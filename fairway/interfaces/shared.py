"""Replies to shared peers: one interface server at a time carries those of a protocol.

They wait in a mailbox that belongs to no process, and whoever holds its lease takes
them. So any server may carry them, in order, and they outlive each.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from fairway.core.bus.layer import Delivery, Receiver
from fairway.core.bus.record import Message
from fairway.core.content import Content, decode_content
from fairway.core.drops import Drop
from fairway.core.exceptions import LayerUnavailable
from fairway.core.names import SHARED
from fairway.interfaces.backplane import Backplane

__all__ = ["SharedReplies"]

_LEASE = 15.0
"""Seconds after which another server carries on when the holder vanished."""
_TAKE = 3.0
"""Seconds of one take; the lease is renewed in between, so it must end well before."""
_PAUSE = 1.0
_BATCH = 64

log = logging.getLogger("fairway.interfaces")


class SharedReplies:
    """Takes what is sent to the shared peers of one protocol while it holds the lease.

    Args:
        deliver: called in the loop with the local part of a peer and a reply.
    """

    def __init__(
        self,
        protocol: str,
        backplane: Backplane,
        deliver: Callable[[str, Content], None],
    ) -> None:
        self.mailbox = f"{SHARED}{protocol}"
        self._backplane = backplane
        self._deliver = deliver
        self._go_on = asyncio.Event()
        self._go_on.set()
        self._receiver: Receiver | None = None
        self._thread = ThreadPoolExecutor(1, f"fairway-{self.mailbox}")
        self._task: asyncio.Task[None] | None = None

    @property
    def carries(self) -> bool:
        """Whether this server holds the lease."""
        return self._receiver is not None

    def start(self) -> None:
        """Begin to compete for the lease."""
        self._task = self._backplane.loop.create_task(self._run())

    def hold(self, reading: bool) -> None:
        """Take no more replies, or go on; what was taken is delivered."""
        if reading:
            self._go_on.set()
        else:
            self._go_on.clear()

    async def stop(self) -> None:
        """Take nothing any more, but keep the lease: what was taken is to leave first.

        Whoever carries on earlier would overtake it.
        """
        if self._task is None:
            return
        await self._end(self._task)
        self._task = None
        if self.carries:
            await self._let_go()
            self._task = self._backplane.loop.create_task(self._renew())
        self._thread.shutdown(wait=False)

    async def give_up(self) -> None:
        """Let another server carry on at once; after `stop`."""
        if self._task is not None:
            await self._end(self._task)
            self._task = None
            await self._claim(0.0)

    async def _run(self) -> None:
        while True:
            if not await self._claim(_LEASE):
                await self._let_go()
                await asyncio.sleep(_PAUSE * random.uniform(0.5, 1.5))
                continue
            if self._receiver is None:
                self._receiver = self._backplane.layer.receiver([f"{self.mailbox}!"])
                log.info("this server carries the replies of %s", self.mailbox)
            if self._go_on.is_set():
                for delivery in await self._take(self._receiver):
                    self._hand_over(delivery)
            else:  # it keeps the lease: another server would overtake what it has
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._go_on.wait(), _TAKE)

    async def _renew(self) -> None:
        while True:
            await self._claim(_LEASE)
            await asyncio.sleep(_TAKE)

    async def _end(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait([task])

    async def _take(self, receiver: Receiver) -> list[Delivery]:
        taking = self._backplane.loop.run_in_executor(
            self._thread, receiver.take, _BATCH, _TAKE
        )
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            # What was taken is nobody else's any more.
            receiver.wake()
            for delivery in await taking:
                self._hand_over(delivery)
            raise

    def _hand_over(self, delivery: Delivery) -> None:
        body = delivery.body
        if not isinstance(body, Message):
            # That a reply was lost is counted; there is no connection to end for it.
            return
        try:
            self._deliver(body.local, decode_content(body.content))
        except Exception:
            log.exception("a reply on %s could not be delivered", delivery.channel)
            self._backplane.drops.add(delivery.channel, Drop.INVALID)

    async def _let_go(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            await self._backplane.loop.run_in_executor(self._thread, receiver.close)

    async def _claim(self, ttl: float) -> bool:
        owner = self._backplane.mailbox
        try:
            return await self._backplane.port.claim(f"{self.mailbox}!", ttl, owner)
        except LayerUnavailable:
            return False
