"""Protocols that cannot start, or cannot stop, and one that stands on another."""

from collections.abc import Sequence

from fairway import kit


class Crashing(kit.Config, frozen=True, kw_only=True):
    when: str = "start"


class CrashingProtocol(kit.BaseProtocol[Crashing]):
    def __init__(self, config: Crashing, host: kit.Host) -> None:
        super().__init__(config, host)
        self.fail("construct")

    def fail(self, when: str) -> None:
        if self.config.when == when:
            raise ValueError(f"a bug at {when}")

    async def start(self) -> None:
        self.fail("start")

    def deliver(self, peers: Sequence[kit.Peer], content: kit.Content) -> None:
        """Nothing comes here."""

    async def stop(self, grace: float) -> None:
        self.fail("stop")


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    return [
        kit.ProtocolSpec(
            name="crashing",
            config=Crashing,
            events=(kit.Event(channel="crashing.receive"),),
            replies={},
            peers="owned",
            ordering="none",
            transports={"twisted": f"{__name__}:CrashingProtocol"},
        )
    ]
