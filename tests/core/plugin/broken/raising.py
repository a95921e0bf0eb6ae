"""Raises where it should declare."""

from fairway import kit


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    raise ValueError("a bug")
