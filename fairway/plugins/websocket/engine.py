"""The contract of frame engines: bytes of one client in, wire events out; and which."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from pkgutil import resolve_name
from typing import TypeAlias, cast

from fairway.plugins.websocket.events import WireEvent

__all__ = ["ENGINES", "Engine", "EngineFactory", "load_engine"]


class Engine(typing.Protocol):
    """Reads the frames of one open connection; begins where the handshake ended.

    It must enforce RFC 6455 and the limit, must not keep more than a message and a
    frame's header, must not depend on how the bytes were cut, and never writes, waits
    or raises. What a server sends needs no engine: `frames.build_frame`.
    """

    def received(self, data: bytes) -> Sequence[WireEvent]:
        """Read bytes.

        After `CloseReceived` or `Failed` it returns nothing more.
        """


EngineFactory: TypeAlias = Callable[[int, bool], Engine]
"""(bytes of the longest message, whether permessage-deflate is in use) to an engine."""

ENGINES = {
    "lean": "fairway.plugins.websocket.engine_lean:LeanEngine",
    "autobahn": "fairway.plugins.websocket.engine_autobahn:AutobahnEngine",
}
"""What the setting `engine` may say, and the `EngineFactory` that it means."""


def load_engine(name: str) -> EngineFactory:
    """Return an engine; Autobahn is imported, at some 16 MiB, only where it is used."""
    return cast(EngineFactory, resolve_name(ENGINES[name]))
