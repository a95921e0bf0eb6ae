"""Forgets the marker before a hook."""

from fairway import kit


def fairway_protocols() -> list[kit.ProtocolSpec]:
    return []
