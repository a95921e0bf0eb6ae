"""Every error fairway raises, as one tree.

FairwayError
├── InvalidName (ValueError)             a channel or group name breaks the alphabet
├── MessageTooLarge (ValueError)         content above the limit
├── StateTooLarge (ValueError)           a peer's state above the limit
├── ChannelFull                          a channel holds as much as it may
├── LayerUnavailable (ConnectionError)   the channel layer did not answer in time
├── PeerRefused                          a limit stands before a new peer
├── PluginError                          a plugin cannot be used
│   ├── UnknownPlugin                    nobody offers a plugin of that name
│   └── MissingExtra (ImportError)       a package that a plugin needs is not installed
├── ProtocolError                        abstract: somebody broke a protocol's rules
│   ├── LocalProtocolError               a consumer asked for the impossible
│   └── RemoteProtocolError              the peer did
└── ConfigurationError (ValueError)      a setting is wrong

Messages are built here from the attributes, so that one mistake reads the same
everywhere.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ChannelFull",
    "ConfigurationError",
    "FairwayError",
    "InvalidName",
    "LayerUnavailable",
    "LocalProtocolError",
    "MessageTooLarge",
    "MissingExtra",
    "PeerRefused",
    "PluginError",
    "ProtocolError",
    "RemoteProtocolError",
    "StateTooLarge",
    "UnknownPlugin",
    "nearest",
]


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """Return the valid name most like `name`, or None when nothing is close."""
    matches = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return matches[0] if matches else None


class FairwayError(Exception):
    """The base of all errors of fairway."""


class InvalidName(FairwayError, ValueError):
    """A channel or group name is not allowed.

    Attributes:
        name: the name as it was given.
        position: index of the first offending character, None for a wrong length.
    """

    def __init__(self, name: str, reason: str, *, position: int | None = None) -> None:
        self.name = name
        self.position = position
        shown = name if len(name) <= 80 else f"{name[:77]}..."
        super().__init__(f"{shown!r} is not a valid name: {reason}")


class MessageTooLarge(FairwayError, ValueError):
    """Encoded content is above the limit.

    Attributes:
        size: bytes of the encoded content.
        limit: bytes allowed (setting `MAX_CONTENT`).
    """

    def __init__(self, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(
            f"content of {size} bytes exceeds the limit of {limit} bytes; "
            "send it in parts, send a reference to it, or raise MAX_CONTENT"
        )


class StateTooLarge(FairwayError, ValueError):
    """A peer's encoded state is above the limit.

    Attributes:
        size: bytes of the encoded state.
        limit: bytes allowed.
    """

    def __init__(self, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(
            f"message.state of {size} bytes exceeds the limit of {limit} bytes; "
            "it rides with every event, so keep larger values in a session or a model"
        )


class ChannelFull(FairwayError):
    """A channel holds as many messages as its capacity allows.

    Attributes:
        channel: the full channel.
    """

    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(
            f"channel {channel!r} is full; run more workers for it, "
            "or raise its capacity in CAPACITIES"
        )


class LayerUnavailable(FairwayError, ConnectionError):
    """The channel layer cannot be reached or did not answer in time.

    Attributes:
        url: the layer's address without secrets.
        reason: what happened.
        sent: True when the operations may have been carried out all the same
            (outcome UNKNOWN); such operations must not be repeated.
    """

    def __init__(self, url: str, reason: str, *, sent: bool = False) -> None:
        self.url = url
        self.reason = reason
        self.sent = sent
        super().__init__(f"channel layer {url} is unavailable: {reason}")


class PeerRefused(FairwayError):
    """A limit stands before a new peer; nothing of it was kept.

    Attributes:
        limit: the name of the limit in `LIMITS`: `peers` (the server is full),
            `peers_per_address` or `handshakes_per_second` (this address is).
        client: the display address of the refused client.
        retry_after: seconds after which it may be worth to try again.
    """

    def __init__(self, limit: str, client: str, retry_after: float = 1.0) -> None:
        self.limit = limit
        self.client = client
        self.retry_after = retry_after
        super().__init__(f"{client} is refused by the limit {limit!r}")


class PluginError(FairwayError):
    """A plugin cannot be used.

    Attributes:
        plugin: the plugin's name.
    """

    def __init__(self, plugin: str, reason: str) -> None:
        self.plugin = plugin
        super().__init__(f"plugin {plugin!r}: {reason}")


class UnknownPlugin(PluginError):
    """Nobody offers a plugin of that name.

    Attributes:
        nearest: the most similar name that exists, or None.
    """

    def __init__(self, plugin: str, valid: Iterable[str]) -> None:
        names = sorted(valid)
        self.nearest = nearest(plugin, names)
        hint = (
            f"did you mean {self.nearest!r}?"
            if self.nearest
            else f"installed are: {', '.join(names) or 'none'}"
        )
        super().__init__(plugin, f"is not installed; {hint}")


class MissingExtra(PluginError, ImportError):
    """A package that a plugin needs is not installed.

    Attributes:
        module: the module that could not be imported.
    """

    def __init__(self, plugin: str, module: str, install: str) -> None:
        self.module = module
        super().__init__(plugin, f"needs {module!r}: pip install '{install}'")


class ProtocolError(FairwayError):
    """Somebody broke a protocol's rules; raise one of the two subclasses."""

    def __init__(self, reason: str) -> None:
        if type(self) is ProtocolError:
            raise TypeError("raise LocalProtocolError or RemoteProtocolError")
        self.reason = reason
        super().__init__(reason)


class LocalProtocolError(ProtocolError):
    """A consumer asked for what the protocol cannot do; told to its author."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol; answered on the wire, never a traceback.

    Attributes:
        status: what to answer, in the protocol's own numbers (an HTTP status, a
            WebSocket close code), 0 when the protocol has none.
    """

    def __init__(self, reason: str, *, status: int = 0) -> None:
        self.status = status
        super().__init__(reason)


class ConfigurationError(FairwayError, ValueError):
    """A setting is wrong. The text is a full sentence for the operator.

    Attributes:
        setting: dotted name, such as `FAIRWAY["PLUGINS"]["http"]["bind"]`.
        reason: what is wrong with it.
        nearest: the valid name most like a mistyped one, or None.
    """

    def __init__(
        self, setting: str, reason: str, *, nearest: str | None = None
    ) -> None:
        self.setting = setting
        self.reason = reason
        self.nearest = nearest
        hint = f" Did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"{setting} {reason}.{hint}")
