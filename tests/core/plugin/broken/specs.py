"""Declares a protocol that a test chooses."""

from typing import Any

from fairway import kit

CHANGES: dict[str, Any] = {}


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    spec: dict[str, Any] = {
        "name": "specs",
        "config": kit.Config,
        "events": (kit.Event(channel="specs.receive"),),
        "replies": {},
        "peers": "owned",
        "ordering": "none",
        "transports": {},
    }
    return [kit.ProtocolSpec(**{**spec, **CHANGES})]
