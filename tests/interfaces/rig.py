"""An interface server over the memory layer, and the worker's side of it by hand."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fairway.core.bus import record
from fairway.core.bus.layer import Delivery, LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.operations import Answer, Done
from fairway.core.content import Content, Encoded, decode_content, encode_content
from fairway.core.plugin.host import Site
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings
from fairway.interfaces.server import InterfaceServer
from tests.support.loop import TIMEOUT, LoopThread

__all__ = ["SAMPLES", "Rig", "Taken", "rigged"]

SAMPLES = "tests.interfaces.samples"


class Taken:
    """One record of events, as whoever took it sees it."""

    def __init__(self, delivery: Delivery) -> None:
        self.channel = delivery.channel
        self.body = delivery.body
        if isinstance(delivery.body, record.Event):
            self.envelope = decode_content(bytes(delivery.body.envelope))
            self.events = [decode_content(bytes(e)) for e in delivery.body.events]
            self.order = delivery.body.order
            state = delivery.body.state
            self.state = None if state is None else decode_content(bytes(state))
        else:
            assert isinstance(delivery.body, record.Message)
            self.envelope = decode_content(bytes(delivery.body.content))
            self.events = [self.envelope]
            self.order, self.state = 0, None

    @property
    def reply_channel(self) -> str:
        """Where to answer."""
        return str(self.envelope["reply_channel"])

    @property
    def texts(self) -> list[Any]:
        """What the events say."""
        return [event.get("text", event.get("bytes")) for event in self.events]


class Rig:
    """A running server with its layer."""

    def __init__(
        self, loop: LoopThread, settings: dict[str, Any], policy: LayerPolicy
    ) -> None:
        self.loop = loop
        self.layer = MemoryLayer("memory://", policy)
        plugins = Plugins(read_settings(settings))
        self.server = InterfaceServer(
            self.layer, plugins, plugins.settings, Site(), canary=(0.1, 0.5)
        )

    def protocol(self, name: str) -> Any:
        """Return a running protocol."""
        return self.server.protocols[name]

    def connect(self, protocol: str = "brief") -> socket.socket:
        """Connect to a protocol's first listener."""
        port = self.protocol(protocol).listeners[0].port
        return socket.create_connection(("127.0.0.1", port), TIMEOUT)

    def take(self, *channels: str, timeout: float = TIMEOUT) -> Taken:
        """Take one record, as a worker does."""
        receiver = self.layer.receiver(channels or ("brief.receive",))
        try:
            taken = receiver.take(1, timeout)
        finally:
            receiver.close()
        assert taken, f"nothing came on {channels}"
        return Taken(taken[0])

    def is_silent(self, *channels: str) -> bool:
        """Return whether nothing waits on channels, once the loop has turned."""
        self.loop.call(lambda: None)
        self.loop.call(lambda: None)
        waiting = self.layer.statistics(channels or ("brief.receive",))
        return not any(one.waiting for one in waiting.values())

    def reply(self, taken: Taken, **content: Any) -> None:
        """Answer a peer."""
        self.layer.send(taken.reply_channel, encode_content(content))

    def done(self, taken: Taken, state: Content | None = None) -> None:
        """End a record as a worker does."""
        encoded = None if state is None else encode_content(state)
        self.layer.apply([Done(taken.reply_channel, taken.order, encoded)])

    def answer(
        self, taken: Taken, content: Encoded, state: Encoded | None = None
    ) -> None:
        """Answer a peer and end its record, as a worker does with a last reply."""
        answer = Answer(taken.reply_channel, content, taken.order, state)
        self.layer.apply([answer])

    def dropped(self, channel: str, reason: str) -> int:
        """Return how many messages were dropped."""
        return self.layer.drops.counts().get((channel, reason), 0)


@contextmanager
def rigged(
    loop: LoopThread,
    plugins: dict[str, Any],
    *,
    capacity: int = 100,
    expiry: float = 60.0,
    mailbox_capacity: int = 20_000,
    max_content: int = 1024 * 1024,
    **settings: Any,
) -> Iterator[Rig]:
    """Run a server; `plugins` are names among the samples, or dotted paths."""
    sections = {
        name if "." in name else f"{SAMPLES}.{name}": section
        for name, section in plugins.items()
    }
    policy = LayerPolicy(
        capacity=lambda channel: capacity,
        expiry=lambda channel: expiry,
        max_content=max_content,
        mailbox_capacity=mailbox_capacity,
    )
    rig = Rig(loop, {"PLUGINS": sections, **settings}, policy)
    loop.run(rig.server.start())
    try:
        yield rig
    finally:
        loop.run(rig.server.stop(0.01))
        rig.layer.close()
