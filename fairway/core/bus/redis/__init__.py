"""The Redis layer: queues and groups of many processes on one Redis server.

    redis://[user:password@]host:port/database
    rediss://...                    with TLS
    redis+unix:///path/of/socket    over a Unix socket

`docs/reference/bus.md` describes what it stores.
"""

from __future__ import annotations

from fairway.core.exceptions import MissingExtra

try:
    from fairway.core.bus.redis.layer import RedisLayer
except ModuleNotFoundError as error:
    if error.name != "hiredis":
        raise
    raise MissingExtra("redis", "hiredis", "fairway[redis]") from error

__all__ = ["RedisLayer"]
