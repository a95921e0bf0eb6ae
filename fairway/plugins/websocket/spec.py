"""What the WebSocket protocol is, and its section in the settings."""

from __future__ import annotations

from typing import Literal

from fairway.kit import (
    Config,
    ConfigurationError,
    Event,
    ProtocolSpec,
    is_origin_pattern,
)
from fairway.plugins.websocket.engine import ENGINES

__all__ = ["SPEC", "WebSocketConfig"]


class WebSocketConfig(Config, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `websocket`."""

    path: str = "/"
    """Start of the paths on which WebSockets are answered."""
    allowed_origins: list[str] | None = None
    """Origins of pages that may connect: `https://example.com`,
    `https://*.example.com`, `example.com` or `.example.com` for any scheme and port,
    `null`, or `*` for all. None: the hosts of Django's `ALLOWED_HOSTS`. A client that
    sends no Origin is no browser and may connect."""
    engine: str = "lean"
    """What reads frames: `lean`, fairway's own engine, or `autobahn`. Both take and
    refuse the same."""
    max_message: int = 1024 * 1024
    """Bytes of one message, after reassembly and inflation; more closes with 1009."""
    compression: bool = False
    """Whether permessage-deflate is accepted when a client offers it."""
    ping_interval: float = 20.0
    """Seconds of silence after which a client is pinged; 0 for never."""
    ping_timeout: float = 20.0
    """Seconds that a pinged client may stay silent."""
    handshake_timeout: float = 10.0
    """Seconds that a consumer may take to accept or refuse."""
    close_timeout: float = 5.0
    """Seconds that a client may take to answer a close, and to take what is queued."""
    slow_client: Literal["disconnect", "skip"] = "disconnect"
    """What happens to a client with more than `unsent_bytes` waiting for it: it is
    closed with 1013, or messages to its groups skip it until it has caught up."""

    def check(self) -> None:
        """Raise ConfigurationError for values that cannot work."""
        section = 'FAIRWAY["PLUGINS"]["websocket"]'
        if not self.path.startswith("/"):
            raise ConfigurationError(f'{section}["path"]', "must start with '/'")
        if self.engine not in ENGINES:
            names = " or ".join(map(repr, ENGINES))
            raise ConfigurationError(
                f'{section}["engine"]', f"must be {names}, not {self.engine!r}"
            )
        for pattern in self.allowed_origins or ():
            if not is_origin_pattern(pattern):
                raise ConfigurationError(
                    f'{section}["allowed_origins"]',
                    f"holds {pattern!r}, which is neither an origin such as "
                    "'https://example.com' nor a host",
                )
        for name in ("max_message", "handshake_timeout", "close_timeout"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f'{section}["{name}"]', "must be above 0")
        for name in ("ping_interval", "ping_timeout"):
            if getattr(self, name) < 0:
                raise ConfigurationError(f'{section}["{name}"]', "must not be negative")


SPEC = ProtocolSpec(
    name="websocket",
    config=WebSocketConfig,
    events=(
        Event(
            channel="websocket.connect",
            keys={"subprotocols": list},
            capacity=1_000,
            patience=5.0,
            summary="A client asks for a WebSocket and waits for accept or a refusal.",
        ),
        Event(
            channel="websocket.receive",
            keys={"text": str, "bytes": bytes},
            capacity=10_000,
            patience=5.0,
            summary="A client sent a message: text or bytes.",
        ),
        Event(
            channel="websocket.disconnect",
            keys={"code": int, "reason": str},
            capacity=10_000,
            patience=5.0,
            summary="A connection has ended; 1005 is no code, 1006 no close at all.",
        ),
    ),
    replies={
        "accept": bool,
        "subprotocol": str,
        "headers": list,
        "text": str,
        "bytes": bytes,
        "close": int,
        "reason": str,
        "status": int,
        "content": bytes,
    },
    peers="owned",
    ordering="peer",
    failure={"close": 1011},
    unrouted={"close": 4404, "status": 404},
    transports={
        "twisted": "fairway.plugins.websocket.transport_twisted:WebSocketProtocol"
    },
    requires=("autobahn",),
    summary="WebSockets (RFC 6455) on the ports of http.",
)
