"""Implements a hook that does not exist."""

from fairway import kit


@kit.hookimpl
def fairway_protocol() -> list[kit.ProtocolSpec]:
    return []
