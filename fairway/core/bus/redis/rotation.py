"""From which of its queues a receiver takes next, and the commands for that."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fairway.core.bus.redis.resp import Command, pack
from fairway.core.bus.redis.scripts import GATHER

__all__ = ["Rotation"]

_SHORTEST_WAIT = 0.001
"""Below that BLMPOP would wait forever."""


class Rotation:
    """The queues of one receiver, in the order in which they were served last.

    A take is a BLMPOP, and an LMPOP in the same write that begins at the other end of
    the queues. So what that finds says whether several are busy; then the script takes
    from all of them what is left of the take, and for as long as this is so it goes
    along at once. It begins with the queues that were not served for longest.

    Args:
        names: the queues by their keys.
        bell: key of a list that ends a take.
        usual_wait: seconds that a take without an end waits; its commands are packed
            once for an order of the queues.
    """

    def __init__(self, names: Mapping[str, str], bell: str, usual_wait: float) -> None:
        self.crowded = False
        """Whether several queues were busy when the last take ended."""
        self._flooded = False
        self._names = dict(names)
        self._bell = bell
        self._usual_wait = usual_wait
        self._order = tuple(self._names)
        self._packed: dict[tuple[int, bool, bool], list[Command]] = {}

    def pops(self, limit: int, wait: float) -> list[Command]:
        """Return the commands of a take that waits so many seconds."""
        if wait != self._usual_wait:
            return self._pops(limit, wait)
        state = limit, self.crowded, self._flooded
        packed = self._packed.get(state)
        if packed is None:
            packed = [pack([command]) for command in self._pops(limit, wait)]
            self._packed[state] = packed
        return packed

    def gather(self, limit: int) -> Command:
        """Return the command that takes from all queues and does not wait."""
        # The pop in front of it began with the first one.
        return GATHER((*self._order[1:], self._order[0]), limit)

    def name_of(self, where: int | bytes) -> tuple[str, str] | None:
        """Return the key and the queue that an answer names, None for the bell.

        Args:
            where: a key, or the place of one among what `gather` was sent.
        """
        if isinstance(where, int):
            key = self._order[(where + 1) % len(self._order)]
        else:
            key = where.decode()
        name = self._names.get(key)
        return None if name is None else (key, name)

    def served(self, keys: Collection[str], *, much: bool) -> None:
        """Put those at the end that were taken from.

        Args:
            much: whether at least a quarter of what a take may bring came.
        """
        self.crowded = len(keys) > 1
        self._flooded = much and not self.crowded
        if keys and (self.crowded or self._order[-1] not in keys):
            for key in keys:
                self._names[key] = self._names.pop(key)
            self._order = tuple(self._names)
            self._packed.clear()

    def _pops(self, limit: int, wait: float) -> list[Command]:
        order, size = self._order, len(self._order)
        gathers = self.crowded or wait < _SHORTEST_WAIT
        first, last = 1, limit - 1
        if not gathers:
            first, last = _shares(limit, size, flooded=self._flooded)
        pop: Command = ("LMPOP", size, *order, "LEFT", "COUNT", first)
        if wait >= _SHORTEST_WAIT:
            keys = (self._bell, *order)
            pop = ("BLMPOP", f"{wait:.3f}", len(keys), *keys, "LEFT", "COUNT", first)
        if not last:
            return [pop]
        if gathers:
            return [pop, self.gather(last)]
        return [pop, ("LMPOP", size, *reversed(order), "LEFT", "COUNT", last)]


def _shares(limit: int, queues: int, *, flooded: bool) -> tuple[int, int]:
    """Return what a take may bring of the first queue that holds something, and of
    the last one.

    Either may be flooded; what it brings leaves room for one of each other queue. When
    it is known to be the last one, next to nothing of it does.
    """
    if limit == 1 or queues == 1:
        return limit, 0
    room = limit - queues
    if flooded or room < max(1, limit // 4):
        return limit - 1, 1
    return min(limit - limit // 2, room), min(limit // 2, room)
