"""Where streams are accepted: Twisted's endpoint strings.

Plain TCP is listened to by the loop itself, which costs half of Twisted's transport;
every other endpoint is Twisted's.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Callable
from contextlib import suppress

from fairway.core.exceptions import ConfigurationError
from fairway.core.plugin.wire import Listener
from fairway.interfaces.streams import (
    AsyncioStream,
    Listening,
    display_address,
    display_client,
    receive_buffer,
)

__all__ = ["AsyncioListener", "listen", "parse_endpoint"]

_BACKLOG = 1_024
_ANY = {"tcp": "0.0.0.0", "tcp6": "::"}
_KEYS = frozenset({"port", "interface", "backlog"})
_PARTS = re.compile(r"((?:[^:\\]|\\.)*)(?::|$)")
_ESCAPE = re.compile(r"\\(.)")


class AsyncioListener:
    """A listening socket of the loop."""

    def __init__(
        self, server: asyncio.Server, make: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        self._server = server
        self._make = make
        host, number = display_address(server.sockets[0].getsockname())
        self.port = number or 0
        self.address = display_client(host, number)

    async def close(self) -> None:
        """Stop accepting; open connections stay, and those that wait are taken."""
        waiting = [
            socket.socket(fileno=os.dup(s.fileno())) for s in self._server.sockets
        ]
        # Not wait_closed(): it waits for the connections, too.
        self._server.close()
        for listening in waiting:
            with listening:
                await self._take_rest(listening)

    async def _take_rest(self, listening: socket.socket) -> None:
        """Take connections that the system has made: closing would reset them."""
        loop = asyncio.get_running_loop()
        listening.setblocking(False)
        with suppress(OSError):  # BlockingIOError says that there are no more
            while True:
                connection, _ = listening.accept()
                await loop.connect_accepted_socket(self._make, connection)


def parse_endpoint(description: str) -> tuple[str, dict[str, str]]:
    r"""Return the kind and the arguments of an endpoint string.

    Arguments without a name get their index as name; `\:` is a colon in a value.
    """
    parts = [match[1] for match in _PARTS.finditer(description)]
    if parts and not parts[-1] and not description.endswith(":"):
        parts.pop()  # the empty match at the end
    arguments: dict[str, str] = {}
    for index, part in enumerate(parts[1:]):
        name, equals, value = part.partition("=")
        text = _ESCAPE.sub(r"\1", value if equals else part)
        arguments[name if equals else str(index)] = text
    return parts[0] if parts else "", arguments


async def listen(description: str, listening: Listening, *, setting: str) -> Listener:
    """Accept connections.

    Args:
        description: `tcp:8000:interface=127.0.0.1` or any other of Twisted's.
        listening: its `accept` is called with each new stream.
        setting: where the description stands, for errors.

    Raises:
        ConfigurationError: it cannot be read, or somebody else listens there.
    """
    try:
        if (plain := _plain_tcp(description)) is not None:
            host, port, backlog = plain
            return await _listen_tcp(host, port, backlog, listening)
        from fairway.interfaces.streams_twisted import listen_twisted

        return await listen_twisted(description, listening)
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ConfigurationError(
            setting, f"has {description!r}, which cannot be listened to: {reason}"
        ) from error


def _plain_tcp(description: str) -> tuple[str, int, int] | None:
    """Return host, port and backlog of a plain TCP endpoint, None for another one."""
    kind, arguments = parse_endpoint(description)
    if kind not in _ANY:
        return None
    if "0" in arguments:
        arguments["port"] = arguments.pop("0")
    if not arguments.keys() <= _KEYS or "port" not in arguments:
        return None  # Twisted says what is wrong with it
    host = arguments.get("interface") or _ANY[kind]
    return host, int(arguments["port"]), int(arguments.get("backlog", _BACKLOG))


async def _listen_tcp(
    host: str, port: int, backlog: int, listening: Listening
) -> AsyncioListener:
    buffer = receive_buffer()

    def make() -> AsyncioStream:
        return AsyncioStream(listening, buffer)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(make, host, port, backlog=backlog)
    return AsyncioListener(server, make)
