"""Needs modules that nobody has."""

from fairway import kit


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    return [
        kit.ProtocolSpec(
            name="missing",
            config=kit.Config,
            events=(kit.Event(channel="missing.receive"),),
            replies={},
            peers="none",
            ordering="none",
            transports={},
            requires=("no_such_parent.module",),
            install="fairway[missing]",
        )
    ]
