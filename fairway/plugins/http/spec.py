"""The http protocol as data: its settings, its events and what its replies may say."""

from __future__ import annotations

import ipaddress

from msgspec import field

from fairway.kit import Config, ConfigurationError, Event, ProtocolSpec

__all__ = ["INLINE_BODY", "SPEC", "HttpConfig"]

INLINE_BODY = 256 * 1024
"""Bytes of a request's body that travel with its event; a longer one is pulled."""


class HttpConfig(Config, frozen=True, kw_only=True):
    """The section `http` of `FAIRWAY["PLUGINS"]`. Sizes are bytes, times seconds."""

    bind: list[str] = field(default_factory=lambda: ["tcp:8000:interface=127.0.0.1"])
    """Twisted endpoint strings to listen on."""
    trusted_proxies: list[str] = []
    """Addresses and networks (and `unix`) whose `X-Forwarded-*` fields are believed."""
    server_header: str = "fairway"
    """Value of the response header `Server`; empty for none."""
    max_request_line: int = 8 * 1024
    """A longer request line is answered with 414."""
    max_header_bytes: int = 64 * 1024
    """A larger header block is answered with 431."""
    max_header_fields: int = 100
    """More header fields are answered with 431."""
    max_body: int = 512 * 1024 * 1024
    """A longer body is answered with 413."""
    max_pipelined: int = 8
    """Requests of one connection that may wait; then it is not read."""
    header_timeout: float = 10.0
    """Time for a request's head to arrive; then 408."""
    body_timeout: float = 20.0
    """Time in which some of a request's body must arrive; then 408."""
    keep_alive: float = 30.0
    """Time that a connection may be idle between requests."""
    answer_timeout: float = 60.0
    """Time for a worker's answer to begin; then 504."""
    part_timeout: float = 300.0
    """Time between two parts of an answer; then it is cut, as its worker may be gone.
    `float("inf")` suits endless answers that are silent for long."""
    write_timeout: float = 30.0
    """Time in which a client must take some of what is sent to it."""
    spool_dir: str | None = None
    """Where bodies that do not fit into memory are kept; None for the system's
    directory for temporary files."""
    spool_response: int = 1024 * 1024 * 1024
    """What one response may have on disk; then its producer has to wait."""
    spool_total: int = 8 * 1024 * 1024 * 1024
    """What all bodies together may have on disk; beyond that requests get 503."""

    def check(self) -> None:
        """Look at values that types alone do not describe.

        Raises:
            ConfigurationError: a proxy is no address, or a number is not above zero.
        """
        for proxy in self.trusted_proxies:
            try:
                proxy == "unix" or ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ConfigurationError(
                    'FAIRWAY["PLUGINS"]["http"]["trusted_proxies"]',
                    f"holds {proxy!r}, which is no address, network or 'unix': {error}",
                ) from None
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, (int, float)) and value <= 0:
                raise ConfigurationError(
                    f'FAIRWAY["PLUGINS"]["http"]["{name}"]', "must be above zero"
                )


SPEC = ProtocolSpec(
    name="http",
    config=HttpConfig,
    events=(
        Event(
            channel="http.request",
            keys={
                "method": str,
                "http_version": str,
                "raw_path": bytes,
                "body": bytes,
                "body_channel": str,
                "body_size": int,
            },
            capacity=1_000,
            patience=10.0,
            summary="A request is complete.",
        ),
        Event(
            channel="http.disconnect",
            capacity=10_000,
            patience=5.0,
            summary="The client left before its answer was complete.",
        ),
    ),
    replies={
        "status": int,
        "headers": list,
        "content": bytes,
        "more_content": bool,
        "text": str,
        "bytes": bytes,
        "accept": bool,
        "close": int,
        "abort": bool,
        "credit_channel": str,
        "pull_body": int,
    },
    peers="owned",
    ordering="none",
    failure={
        "status": 500,
        "headers": [[b"Content-Type", b"text/plain; charset=utf-8"]],
        "content": b"500 Internal Server Error\n",
    },
    unrouted={
        "status": 404,
        "headers": [[b"Content-Type", b"text/plain; charset=utf-8"]],
        "content": b"404 Not Found\n",
    },
    transports={"twisted": "fairway.plugins.http.transport_twisted:HttpProtocol"},
    routes="fairway.plugins.http.routes.routes",
    install="fairway",
    summary="HTTP/1.1, by default to Django's views.",
)
