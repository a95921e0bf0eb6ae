"""The other end of W6 for fairway's layers: sends back whatever comes.

As a program it is a process of its own: `python -m benchmarks.bus_echo URL`.
"""

from __future__ import annotations

import sys
import threading
import time

from fairway.core.bus.layer import ChannelLayer, Delivery, LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.operations import Operation, Outcome, Send
from fairway.core.bus.record import Message
from fairway.core.bus.redis import RedisLayer
from fairway.core.content import encode_content

__all__ = ["CHANNEL", "EchoThread", "make_layer"]

CHANNEL = "bench.echo"
_BATCH = 64
"""What a worker takes at once."""


class EchoThread(threading.Thread):
    """Takes and answers until stopped."""

    def __init__(self, layer: ChannelLayer) -> None:
        super().__init__(name="bus-echo", daemon=True)
        self._layer = layer
        self._receiver = layer.receiver([CHANNEL])

    def run(self) -> None:
        """Answer batches as a worker does; the receiver's end is an empty one."""
        layer, receiver = self._layer, self._receiver
        taken = receiver.take(_BATCH)
        while taken:
            taken = layer.apply_and_take(_replies(taken), _told, receiver, _BATCH)

    def stop(self) -> None:
        """Let it end."""
        self._receiver.wake()
        self.join()
        self._receiver.close()


def make_layer(url: str) -> ChannelLayer:
    """Make a layer with room for all that is on its way."""
    policy = LayerPolicy(capacity=lambda channel: 10_000)
    kind = MemoryLayer if url.startswith("memory:") else RedisLayer
    return kind(url, policy)


def _replies(taken: list[Delivery]) -> list[Operation]:
    """Answer with the bytes that came, or with the time when that is asked for."""
    first = taken[0].content()
    channel = first["reply_channel"]
    if first["stamp"]:
        turned = {"text": first["text"], "turned": time.perf_counter()}
        return [Send(channel, encode_content(turned)) for _ in taken]
    return [
        Send(channel, bytes(delivery.body.content))
        for delivery in taken
        if isinstance(delivery.body, Message)
    ]


def _told(outcomes: list[Outcome]) -> None:
    """What was not taken is missed by who waits for it."""


if __name__ == "__main__":
    EchoThread(make_layer(sys.argv[1])).run()
