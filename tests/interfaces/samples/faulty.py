"""Lines whose mapping fails wherever a client asks it to, and a reporter."""

from fairway import kit
from tests.interfaces.samples.brief import Brief

HEARD: list[tuple[str, str, str]] = []


class Session(kit.StreamMapping[Brief]):
    deadline: float | None = None
    ends_badly = False

    def received(self, data: bytes, now: float) -> list[kit.Step]:
        match data:
            case b"received":
                raise ValueError("a bug in received")
            case b"deadline":
                self.deadline = now
            case b"closed":
                self.ends_badly = True
                return [kit.Hangup("asked")]
        return [kit.Emit("faulty.receive", {"text": data.decode()})]

    def reply(self, content: kit.Content, now: float) -> list[kit.Step]:
        raise ValueError("a bug in reply")

    def next_deadline(self) -> float | None:
        return self.deadline

    def deadline_passed(self, now: float) -> list[kit.Step]:
        raise ValueError("a bug in deadline_passed")

    def closed(self, now: float) -> list[kit.Step]:
        if self.ends_badly:
            raise ValueError("a bug in closed")
        return []


class FaultyProtocol(kit.StreamProtocol[Brief]):
    mapping = Session

    async def stop(self, grace: float) -> None:
        await super().stop(grace)
        raise ValueError("a bug in stop")


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    return [
        kit.ProtocolSpec(
            name="faulty",
            config=Brief,
            events=(kit.Event(channel="faulty.receive", keys={"text": str}),),
            replies={"text": str},
            peers="owned",
            ordering="none",
            transports={"twisted": f"{__name__}:FaultyProtocol"},
        )
    ]


@kit.hookimpl
def fairway_plugin_failed(plugin: str, hook: str, exception: Exception) -> None:
    HEARD.append((plugin, hook, str(exception)))
