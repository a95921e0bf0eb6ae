"""A layer as a third party writes it: what moves bytes, and nothing else."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence

from fairway.kit import LayerPolicy, SimpleLayer


class ToyBus:
    """What stands for a server; all layers of a bus share it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.queues: dict[str, deque[tuple[bytes, float]]] = defaultdict(deque)
        self.groups: dict[str, dict[str, float]] = defaultdict(dict)
        self.claims: dict[str, tuple[float, str]] = {}


class ToyLayer(SimpleLayer):
    def __init__(self, bus: ToyBus, policy: LayerPolicy) -> None:
        super().__init__("toy://", policy)
        self.bus = bus

    def push(self, queue: str, record: bytes, *, ttl: float, capacity: int) -> bool:
        with self.bus.changed:
            waiting, now = self.bus.queues[queue], time.monotonic()
            while len(waiting) >= capacity and waiting[0][1] <= now:
                waiting.popleft()
            if len(waiting) >= capacity:
                return False
            waiting.append((record, now + ttl))
            self.bus.changed.notify_all()
            return True

    def pull(
        self, queues: Sequence[str], limit: int, timeout: float
    ) -> list[tuple[str, bytes]]:
        with self.bus.changed:
            self.bus.changed.wait_for(lambda: any(map(self.waiting, queues)), timeout)
            taken: list[tuple[str, bytes]] = []
            while len(taken) < limit and (ready := [*filter(self.waiting, queues)]):
                turn = ready[: limit - len(taken)]
                taken += [(name, self.bus.queues[name].popleft()[0]) for name in turn]
            return taken

    def join(self, group: str, member: str, ttl: float) -> None:
        with self.bus.changed:
            self.bus.groups[group][member] = time.monotonic() + ttl

    def leave(self, group: str, member: str) -> None:
        with self.bus.changed:
            self.bus.groups[group].pop(member, None)

    def members(self, group: str) -> list[str]:
        with self.bus.changed:
            now = time.monotonic()
            return [name for name, end in self.bus.groups[group].items() if end > now]

    def claim(self, key: str, ttl: float, owner: str = "") -> bool:
        with self.bus.changed:
            now = time.monotonic()
            end, holder = self.bus.claims.get(key, (0.0, ""))
            if end > now and (not owner or owner != holder):
                return False
            self.bus.claims[key] = (now + ttl, owner)
            return True

    def waiting(self, queue: str) -> int:
        return len(self.bus.queues[queue])

    def flush(self) -> None:
        with self.bus.changed:
            self.bus.queues.clear()
            self.bus.groups.clear()
            self.bus.claims.clear()
