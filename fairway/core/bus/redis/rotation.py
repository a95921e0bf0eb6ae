"""From which of its queues a receiver takes next, and the commands for that."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fairway.core.bus.redis.resp import Command, pack
from fairway.core.bus.redis.scripts import GATHER

__all__ = ["Rotation"]

_ELSEWHERE = 1 / 8
"""Of a take, what stays free for other queues than the first that holds something."""
_SHORTEST_WAIT = 0.001
"""Below that BLMPOP would wait forever."""


class Rotation:
    """The queues of one receiver, in the order in which they were served last.

    A take is a BLMPOP, and an LMPOP in the same write that begins at the other end of
    the queues. So what that finds says whether several are busy; for as long as this is
    so, the script that takes from all of them goes along at once.

    Args:
        names: the queues by their keys.
        bell: key of a list that ends a take.
        usual_wait: seconds that a take without an end waits; its commands are packed
            once for an order of the queues.
    """

    def __init__(self, names: Mapping[str, str], bell: str, usual_wait: float) -> None:
        self.crowded = False
        """Whether several queues were busy when the last take ended."""
        self._names = dict(names)
        self._bell = bell
        self._usual_wait = usual_wait
        self._from_the_end = tuple(reversed(self._names))
        self._packed: dict[tuple[int, bool], list[Command]] = {}

    def pops(self, limit: int, wait: float) -> list[Command]:
        """Return the commands of a take that waits so many seconds."""
        if wait != self._usual_wait:
            return self._pops(limit, wait)
        packed = self._packed.get((limit, self.crowded))
        if packed is None:
            packed = [pack([command]) for command in self._pops(limit, wait)]
            self._packed[limit, self.crowded] = packed
        return packed

    def gather(self, limit: int) -> Command:
        """Return the command that takes from all queues and does not wait."""
        return GATHER(self._from_the_end, limit)

    def name_of(self, where: int | bytes) -> tuple[str, str] | None:
        """Return the key and the queue that an answer names, None for the bell.

        Args:
            where: a key, or the place of one among what `gather` was sent.
        """
        key = self._from_the_end[where] if isinstance(where, int) else where.decode()
        name = self._names.get(key)
        return None if name is None else (key, name)

    def served(self, keys: Collection[str]) -> None:
        """Put those at the end that were taken from."""
        self.crowded = len(keys) > 1
        if keys and (self.crowded or self._from_the_end[0] not in keys):
            for key in keys:
                self._names[key] = self._names.pop(key)
            self._from_the_end = tuple(reversed(self._names))
            self._packed.clear()

    def _pops(self, limit: int, wait: float) -> list[Command]:
        commands: list[Command] = []
        first = 0
        if wait >= _SHORTEST_WAIT:
            first = 1 if self.crowded else _first_share(limit, len(self._names))
            keys = (self._bell, *self._names)
            tail = ("LEFT", "COUNT", first)
            commands.append(("BLMPOP", f"{wait:.3f}", len(keys), *keys, *tail))
        if limit > first:
            if self.crowded or not first:
                commands.append(self.gather(limit - first))
            else:
                # From the other end: the queue that BLMPOP took from comes last.
                keys = self._from_the_end
                tail = ("LEFT", "COUNT", limit - first)
                commands.append(("LMPOP", len(keys), *keys, *tail))
        return commands


def _first_share(limit: int, queues: int) -> int:
    """Return how much of a take may come from the first queue that holds something."""
    return limit - min(queues - 1, max(1, int(limit * _ELSEWHERE))) if limit > 1 else 1
