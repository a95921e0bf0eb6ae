"""Whether somebody serves what others emit, and what waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fairway.core.assembly import Assembly
from fairway.core.bus.layer import ChannelLayer, Reader
from fairway.core.exceptions import LayerUnavailable
from fairway.management.doctor.findings import Finding, found

__all__ = ["look_at_queues", "look_at_readers"]

_SILENT = 10.0
"""Seconds; a reader asks at least every few."""
_FULL = 0.8
"""Of a channel's capacity."""
_OLD = 0.5
"""Of the life of a channel's messages."""


def look_at_readers(assembly: Assembly) -> Iterator[Finding]:
    """Compare what workers listen to with what the site emits and routes."""
    try:
        readers = assembly.layer.readers()
    except LayerUnavailable as error:
        yield found("fairway.D101", f"{assembly.layer.url}: {error.reason}")
        return
    if readers is None:
        text = "The channel layer does not tell who listens."
        yield found("fairway.D114", text)
        return
    workers = [reader for reader in readers if not _is_mailbox(reader)]
    if len(workers) == len(readers):
        yield found("fairway.D205", "Nobody reads replies.")
    channels = assembly.router.channels()
    if workers:
        yield from _compare(channels, workers)
    else:
        yield found("fairway.D201", "Nobody listens to channels.")


def look_at_queues(layer: ChannelLayer, channels: Sequence[str]) -> Iterator[Finding]:
    """Look at how full channels are, and how old what waits."""
    try:
        statistics = layer.statistics(channels)
    except LayerUnavailable as error:
        yield found("fairway.D101", f"{layer.url}: {error.reason}")
        return
    for channel, one in statistics.items():
        capacity = layer.policy.capacity(channel)
        if one.waiting > _FULL * capacity:
            text = f"{channel} holds {one.waiting} of {capacity} messages."
            yield found("fairway.D206", text)
        age = one.oldest_age or 0.0
        if age > _OLD * layer.policy.expiry(channel):
            text = f"The first message on {channel} has waited for {age:.1f} s."
            yield found("fairway.D207", text)


def _compare(channels: Sequence[str], workers: Sequence[Reader]) -> Iterator[Finding]:
    served = {queue for worker in workers for queue in worker.queues}
    for channel in channels:
        if channel not in served:
            yield found("fairway.D202", f"No worker listens to {channel}.")
    for channel in sorted(served):
        if "?" not in channel and channel not in channels:
            text = f"A worker listens to {channel}, which no route takes."
            yield found("fairway.D204", text)
    for worker in workers:
        if worker.silent > _SILENT:
            text = f"{_name(worker)} has not asked for {worker.silent:.0f} s."
            yield found("fairway.D203", text)


def _is_mailbox(reader: Reader) -> bool:
    return all(queue.endswith("!") for queue in reader.queues)


def _name(worker: Reader) -> str:
    """Return a worker's name, which the channel of its canary begins with."""
    names = [queue.partition("?")[0] for queue in worker.queues if "?" in queue]
    return names[0] if names else "A worker"
