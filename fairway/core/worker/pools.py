"""Pools: which channels a worker listens to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from fairway.core.exceptions import ConfigurationError

__all__ = ["choose"]


def choose(
    channels: Sequence[str], only: Sequence[str] = (), exclude: Sequence[str] = ()
) -> list[str]:
    """Return the channels that match a pattern of `only` and none of `exclude`.

    Args:
        only: patterns as in globs; empty for all channels.

    Raises:
        ConfigurationError: no channel is left.
    """
    chosen = [
        channel
        for channel in channels
        if (not only or _any(channel, only)) and not _any(channel, exclude)
    ]
    if not chosen:
        raise ConfigurationError(
            "The worker's pool",
            f"has no channel: only={list(only)} and exclude={list(exclude)} leave none "
            f"of {', '.join(channels) or 'no channels at all'}",
        )
    return chosen


def _any(channel: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(channel, pattern) for pattern in patterns)
