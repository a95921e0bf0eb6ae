"""What a Redis server says about itself, and what of that will hurt a site."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from fairway.core.bus.record import READABLE
from fairway.core.bus.redis.address import Address
from fairway.core.bus.redis.layer import RedisLayer
from fairway.core.bus.redis.link import Link
from fairway.core.bus.redis.resp import Command, LinkDown, ReplyError, checked
from fairway.management.doctor.findings import Finding, found

__all__ = ["look_at_server"]

_FULL = 0.9
"""Of `maxmemory` and `maxclients`."""
_SHORTEST_TIMEOUT = 60
"""Seconds; connections of a pool may be idle for that long."""
_SMALLEST_BUFFER = 64 * 1024 * 1024
"""Bytes: what a mailbox may hold is taken in a few answers."""
_CLOCK = 1.0
"""Seconds."""
_CONFIGURATION = (
    "maxmemory-policy",
    "appendonly",
    "appendfsync",
    "save",
    "stop-writes-on-bgsave-error",
    "timeout",
    "client-output-buffer-limit",
    "maxclients",
)


def look_at_server(
    layer: RedisLayer, channels: Sequence[str], patience: float
) -> Iterator[Finding]:
    """Ask the server about itself and look at the first record of each channel.

    Args:
        patience: seconds in which it must connect, and again in which it must answer.
    """
    address = layer.address
    try:
        link = Link(address, patience)
    except LinkDown as down:
        yield _refused(address, down.reason)
        return
    try:
        yield from _look(link, channels, time.monotonic() + patience)
    except LinkDown as down:
        yield _refused(address, down.reason)
    finally:
        link.close()


def _refused(address: Address, reason: str) -> Finding:
    # A server answers with an error's code, or with one that the layer put into words.
    if "read-only replica" in reason:
        code = "fairway.D104"
    elif "or later is needed" in reason:
        code = "fairway.D103"
    elif "password" in reason or reason.startswith("NOPERM"):
        code = "fairway.D102"
    else:
        code = "fairway.D101"
    return found(code, f"{address.safe}: {reason}")


def _look(link: Link, channels: Sequence[str], deadline: float) -> Iterator[Finding]:
    queues = [link.keys.queue(channel) for channel in channels]
    commands: list[Command] = [("INFO",), ("CONFIG", "GET", *_CONFIGURATION)]
    commands += [("LINDEX", queue, 0) for queue in queues]
    information, configuration, *first = link.exchange(commands, deadline)
    here = time.time() - time.monotonic()
    there = link.clock.server(0.0)
    yield from _look_at_clock(there - here)
    first = checked(first, link.failure)
    yield from _look_at_records(dict(zip(channels, first, strict=True)))
    denied = [
        name
        for name, answer in (("INFO", information), ("CONFIG GET", configuration))
        if isinstance(answer, ReplyError)
    ]
    if denied:
        yield found("fairway.D114", f"The user may not call {' and '.join(denied)}.")
    facts = {} if "INFO" in denied else _facts(information)
    settings = {} if "CONFIG GET" in denied else _settings(configuration)
    yield from _look_at_memory(facts, settings)
    yield from _look_at_disk(facts, settings)
    yield from _look_at_clients(facts, settings)


def _look_at_clock(difference: float) -> Iterator[Finding]:
    if abs(difference) > _CLOCK:
        way = "ahead of" if difference > 0 else "behind"
        text = f"The clock of Redis is {abs(difference):.0f} s {way} this machine's."
        yield found("fairway.D113", text)


def _look_at_records(waiting: Mapping[str, bytes | None]) -> Iterator[Finding]:
    for channel, record in waiting.items():
        if record is not None and (not record or record[0] not in READABLE):
            number = record[0] if record else "none"
            text = f"{channel} holds a record of version {number}."
            yield found("fairway.D115", text)


def _look_at_memory(
    facts: Mapping[str, str], settings: Mapping[str, str]
) -> Iterator[Finding]:
    policy = settings.get("maxmemory-policy", facts.get("maxmemory_policy"))
    if policy not in (None, "noeviction"):
        yield found("fairway.D105", f"maxmemory-policy is {policy}.")
    used, limit = _number(facts, "used_memory"), _number(facts, "maxmemory")
    if limit and used > _FULL * limit:
        text = f"Redis uses {used:,} of {limit:,} bytes (maxmemory)."
        yield found("fairway.D106", text)


def _look_at_disk(
    facts: Mapping[str, str], settings: Mapping[str, str]
) -> Iterator[Finding]:
    if settings.get("appendonly") == "yes" and settings.get("appendfsync") == "always":
        yield found("fairway.D107", "appendonly is yes and appendfsync is always.")
    if not settings.get("save"):
        return
    yield found("fairway.D108", f"save is {settings['save']!r}.")
    stops = settings.get("stop-writes-on-bgsave-error") == "yes"
    if stops and facts.get("rdb_last_bgsave_status") == "err":
        yield found("fairway.D109", "The last snapshot of Redis failed.")


def _look_at_clients(
    facts: Mapping[str, str], settings: Mapping[str, str]
) -> Iterator[Finding]:
    timeout = _number(settings, "timeout")
    if 0 < timeout < _SHORTEST_TIMEOUT:
        yield found("fairway.D110", f"timeout is {timeout:.0f} s.")
    hard, soft = _buffer_limits(settings.get("client-output-buffer-limit", ""))
    limits = [limit for limit in (hard, soft) if limit]
    if limits and min(limits) < _SMALLEST_BUFFER:
        text = f"client-output-buffer-limit of normal clients is {min(limits):,} bytes."
        yield found("fairway.D111", text)
    clients, most = _number(facts, "connected_clients"), _number(facts, "maxclients")
    most = most or _number(settings, "maxclients")
    if most and clients > _FULL * most:
        text = f"Redis has {clients:.0f} of at most {most:.0f} clients."
        yield found("fairway.D112", text)


def _buffer_limits(text: str) -> tuple[int, int]:
    """Return the hard and the soft limit of `normal 0 0 0 slave ...`."""
    words = text.split()
    if "normal" not in words:
        return 0, 0
    where = words.index("normal")
    return int(words[where + 1]), int(words[where + 2])


def _number(table: Mapping[str, str], name: str) -> float:
    return float(table.get(name, 0) or 0)


def _facts(answer: bytes) -> dict[str, str]:
    lines = answer.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _settings(answer: Sequence[bytes]) -> dict[str, str]:
    words = [word.decode("utf-8", "replace") for word in answer]
    return dict(zip(words[::2], words[1::2], strict=True))
