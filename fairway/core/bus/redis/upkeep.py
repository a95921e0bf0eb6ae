"""Keeps the directory of groups equal to what the owner of a mailbox knows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TypeVar

from fairway.core.bus.layer import MailboxOwner
from fairway.core.bus.redis.flush import GROUP_TTL
from fairway.core.bus.redis.keys import Keys
from fairway.core.bus.redis.resp import Answer, Command, LinkDown
from fairway.core.bus.redis.scripts import ADD, DISCARD, REAP

__all__ = ["Ask", "Upkeep"]

T = TypeVar("T")
Ask = Callable[[Callable[[Keys], list[Command]]], Awaitable[list[Answer]]]

REPAIR_EVERY = 300.0
SECOND_LOOK = 10.0
"""Seconds after a restoration until the next repair: by then whoever found the lease
missing has taken the mailbox out of the group, perhaps after the restoration."""
_RETRY = 0.5
_GROUPS = 100
"""Groups that are looked at in one exchange."""
_LOCALS = 1000
"""Members that one script call adds."""
_MOST_STRAYS = 10_000


class Upkeep:
    """Restores the memberships of a mailbox when they were lost, repairs small faults.

    The owner's table is the truth. What the directory lists beyond it is removed when
    two repairs in a row find it, because an ADD record may be on its way.
    """

    def __init__(self, ask: Ask, mailbox: str, owner: MailboxOwner) -> None:
        self._ask = ask
        self._mailbox = mailbox
        self._owner = owner
        self._lost = asyncio.Event()
        self._seen: set[str] = set()
        self._surplus: dict[str, set[str]] = {}

    def lapsed(self) -> None:
        """Note that others may have taken the mailbox out of its groups."""
        self._lost.set()

    def sent_to(self, group: str) -> None:
        """Note a group that others think to have members here."""
        if len(self._seen) < _MOST_STRAYS:
            self._seen.add(group)

    async def run(self) -> None:
        """Restore and repair until cancelled."""
        pause = REPAIR_EVERY
        while True:
            lapsed = await self._wait(pause)
            try:
                if lapsed:
                    await self.restore()
                    pause = SECOND_LOOK
                else:
                    await self.repair()
                    pause = REPAIR_EVERY * random.uniform(0.8, 1.0)
            except LinkDown:
                if lapsed:
                    self._lost.set()
                await asyncio.sleep(_RETRY)

    async def restore(self) -> None:
        """Write all memberships.

        Raises:
            LinkDown: Redis does not answer.
        """
        groups = {name: list(all_) for name, all_ in self._owner.memberships().items()}
        pieces = [
            (group, piece)
            for group, locals_ in groups.items()
            for piece in _pieces(locals_, _LOCALS)
        ]
        for batch in _pieces(pieces, _GROUPS):
            await self._ask(partial(self._adding, batch))

    async def repair(self) -> None:
        """Compare the directory with the owner's table, mend it, renew its life.

        Raises:
            LinkDown: Redis does not answer.
        """
        strays, self._seen = self._seen, set()
        before, self._surplus = self._surplus, {}
        groups = strays | before.keys() | self._owner.memberships().keys()
        for batch in _pieces(groups, _GROUPS):
            listed = await self._ask(partial(self._listing, batch))
            found = {
                group: {local.decode() for local in answer}
                for group, answer in zip(batch, listed, strict=True)
            }
            await self._ask(partial(self._mending, found, before))

    async def leave(self) -> None:
        """Take the mailbox out of all groups.

        Raises:
            LinkDown: Redis does not answer.
        """
        for batch in _pieces(self._owner.memberships().keys(), _GROUPS):
            await self._ask(partial(self._leaving, batch))

    def _mending(
        self, found: dict[str, set[str]], before: dict[str, set[str]], keys: Keys
    ) -> list[Command]:
        commands: list[Command] = []
        table = self._owner.memberships()
        for group, listed in found.items():
            own = set(table.get(group, ()))
            surplus = listed - own
            twice = surplus & before.get(group, set())
            if surplus - twice:
                self._surplus[group] = surplus - twice
            if own:
                pieces = _pieces(own - listed, _LOCALS) or [[]]
                commands += self._adding([(group, piece) for piece in pieces], keys)
            if twice or not own:
                where = self._where(group, keys)
                commands.append(DISCARD(where, self._mailbox, *twice))
        return commands

    def _adding(
        self, memberships: list[tuple[str, list[str]]], keys: Keys
    ) -> list[Command]:
        life = int(GROUP_TTL * 1000)
        return [
            ADD(self._where(group, keys), self._mailbox, life, *locals_)
            for group, locals_ in memberships
        ]

    def _listing(self, groups: list[str], keys: Keys) -> list[Command]:
        return [("SMEMBERS", keys.members(group, self._mailbox)) for group in groups]

    def _leaving(self, groups: list[str], keys: Keys) -> list[Command]:
        return [REAP(self._where(group, keys), self._mailbox) for group in groups]

    def _where(self, group: str, keys: Keys) -> list[str]:
        return [keys.group(group), keys.members(group, self._mailbox)]

    async def _wait(self, pause: float) -> bool:
        """Return True as soon as memberships were lost, False after a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._lost.wait()
        lost = self._lost.is_set()
        self._lost.clear()
        return lost


def _pieces(items: Iterable[T], size: int) -> list[list[T]]:
    iterator: Iterator[T] = iter(items)
    return list(iter(lambda: list(islice(iterator, size)), []))
