"""A site's consumers without a server: real routes and worker, stepped by hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from django.conf import settings as django_settings
from msgspec.structs import replace

from fairway.core.assembly import Assembly, make_policy
from fairway.core.bus import registry
from fairway.core.bus.layer import ChannelLayer
from fairway.core.bus.memory import MemoryLayer
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import Routing
from fairway.core.content import Content
from fairway.core.settings import Settings, read_settings
from fairway.core.worker.flush import Out
from fairway.core.worker.pace import Pace
from fairway.core.worker.records import RecordRunner
from fairway.core.worker.run import MessageRunner

__all__ = ["ConsumerSite", "site_settings"]

_MOST = 10_000
"""Messages that may follow from one; more are a loop."""


class ConsumerSite:
    """Consumes messages in the calling thread, when it is told to.

    Use it in a `with` block: inside, Channel and Group use its layer.

    Args:
        routing: routes in place of the setting's.
        plugins: enabled plugins and their sections, in place of the setting's.
        raises: whether an exception of a consumer is raised to the test, too.
        layer: where messages travel; None makes a memory layer.
    """

    def __init__(
        self,
        routing: Routing | None = None,
        *,
        plugins: Mapping[str, Any] | None = None,
        raises: bool = True,
        layer: ChannelLayer | None = None,
    ) -> None:
        assembly = Assembly(site_settings(routing=routing, plugins=plugins))
        self.plugins = assembly.plugins
        self.router = assembly.router
        policy = make_policy(assembly.settings, self.plugins)
        self.layer = layer or MemoryLayer("memory://", policy)
        self.raises = raises
        self._messages = _Messages(self.layer, self.router, self.plugins, Pace())
        self._out = Out(self.layer)
        self._runner = RecordRunner(self._messages, self._out)
        self._receiver = self.layer.receiver(self.router.channels())
        self.shared: dict[str, deque[Content]] = {}
        """What was sent to shared peers that have a client, by reply channel."""
        self._override = registry.override_layer(self.layer)

    def __enter__(self) -> ConsumerSite:
        self._override.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._receiver.close()
        self._override.__exit__(None, None, None)

    def run(self) -> int:
        """Consume all that waits, and what follows from it; return how many records.

        Raises:
            Exception: what a consumer raised, unless `raises` is False.
            AssertionError: it does not come to an end.
        """
        count = 0
        while taken := self._receiver.take(1, timeout=0):
            count += 1
            if count > _MOST:
                raise AssertionError(f"consumers sent more than {_MOST} messages")
            self._runner.consume(taken[0])
            self._out.flush()
            errors, self._messages.errors = self._messages.errors, []
            if errors and self.raises:
                raise errors[0]
        return count

    def waiting(self, channel: str) -> list[Content]:
        """Take what waits on a channel that no route consumes."""
        receiver = self.layer.receiver([channel])
        try:
            return [delivery.content() for delivery in receiver.take(_MOST, timeout=0)]
        finally:
            receiver.close()


class _Messages(MessageRunner):
    """Keeps what consumers raised."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.errors: list[Exception] = []

    def failed(self, message: Message, error: Exception) -> None:
        super().failed(message, error)
        self.errors.append(error)


def site_settings(
    *,
    routing: Routing | None = None,
    plugins: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the setting `FAIRWAY`, with some of it replaced."""
    settings = read_settings(getattr(django_settings, "FAIRWAY", None) or {})
    if routing is not None:
        settings = replace(settings, routing=routing)
    if plugins is not None:
        settings = replace(settings, plugins=dict(plugins))
    return settings
