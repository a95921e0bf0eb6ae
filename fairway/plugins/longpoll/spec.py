"""What the long-poll protocol is, and its section in the settings."""

from __future__ import annotations

from fairway.kit import (
    Config,
    ConfigurationError,
    Event,
    ProtocolSpec,
    is_origin_pattern,
)

__all__ = ["SPEC", "LongPollConfig"]


class LongPollConfig(Config, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `longpoll`."""

    path: str = "/poll/"
    """Start of the paths that belong to it; what stands behind it is the path that
    events carry, so that `/poll/chat/` is routed as the WebSocket `/chat/` is."""
    allowed_origins: list[str] | None = None
    """Origins of pages that may connect, written as those of `websocket`. None: the
    hosts of Django's `ALLOWED_HOSTS`."""
    poll_timeout: float = 25.0
    """Seconds after which a waiting request is answered without a message, and an open
    stream gets a sign of life."""
    idle_timeout: float = 30.0
    """Seconds without a waiting request after which a client has left."""
    handshake_timeout: float = 10.0
    """Seconds that a consumer may take to accept or refuse."""
    close_timeout: float = 5.0
    """Seconds in which a client may ask again for a close that it did not get."""
    relay_timeout: float = 5.0
    """Seconds that another interface server may take to answer for its client; then
    the client is told that its conversation is gone."""
    max_body: int = 768 * 1024
    """Bytes of one POST."""
    max_messages: int = 100
    """Messages in one POST."""
    max_unread: int = 1_000
    """Messages that may wait for a client; above it, or above `unsent_bytes`, its
    conversation ends with 1013."""
    resume_messages: int = 100
    """Messages that a client of a stream may have missed and still resume."""

    def check(self) -> None:
        """Raise ConfigurationError for values that cannot work."""
        section = 'FAIRWAY["PLUGINS"]["longpoll"]'
        if not (self.path.startswith("/") and self.path.endswith("/")):
            raise ConfigurationError(
                f'{section}["path"]', "must start and end with '/'"
            )
        for pattern in self.allowed_origins or ():
            if not is_origin_pattern(pattern):
                raise ConfigurationError(
                    f'{section}["allowed_origins"]',
                    f"holds {pattern!r}, which is neither an origin such as "
                    "'https://example.com' nor a host",
                )
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, (int, float)) and not value > 0:
                raise ConfigurationError(f'{section}["{name}"]', "must be above 0")


SPEC = ProtocolSpec(
    name="longpoll",
    config=LongPollConfig,
    events=(
        Event(
            channel="longpoll.connect",
            capacity=1_000,
            patience=5.0,
            summary="A client asks for a conversation and waits for accept or refusal.",
        ),
        Event(
            channel="longpoll.receive",
            keys={"text": str, "bytes": bytes},
            capacity=10_000,
            patience=5.0,
            summary="A client sent a message: text or bytes.",
        ),
        Event(
            channel="longpoll.disconnect",
            keys={"code": int, "reason": str},
            capacity=10_000,
            patience=5.0,
            summary="A conversation has ended; 1006 when the client stayed away.",
        ),
    ),
    replies={"accept": bool, "text": str, "bytes": bytes, "close": int},
    peers="owned",
    ordering="peer",
    failure={"close": 1011},
    unrouted={"close": 4404},
    transports={
        "twisted": "fairway.plugins.longpoll.transport_twisted:LongPollProtocol"
    },
    summary="Long polling and server-sent events on the ports of http.",
)
