"""A protocol that fails in every call of its host, and a reporter that hears of it."""

from collections.abc import Sequence

from fairway import kit
from tests.interfaces.samples.brief import Brief

HEARD: list[tuple[str, str, str]] = []


class Session(kit.StreamMapping[Brief]):
    def received(self, data: bytes, now: float) -> list[kit.Step]:
        return [kit.Emit("failing.receive", {"text": data.decode()})]


class FailingProtocol(kit.StreamProtocol[Brief]):
    mapping = Session

    def deliver(self, peers: Sequence[kit.Peer], content: kit.Content) -> None:
        raise ValueError("a bug in deliver")

    def refuse(
        self,
        peer: kit.Peer | None,
        channel: str,
        content: kit.Content,
        why: kit.Refusal,
    ) -> None:
        raise ValueError("a bug in refuse")

    def forwarded(self, peer: kit.Peer, content: kit.Content) -> None:
        raise ValueError("a bug in forwarded")


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    return [
        kit.ProtocolSpec(
            name="failing",
            config=Brief,
            events=(kit.Event(channel="failing.receive", keys={"text": str}),),
            replies={"text": str},
            peers="owned",
            ordering="none",
            transports={"twisted": f"{__name__}:FailingProtocol"},
        )
    ]


@kit.hookimpl
def fairway_plugin_failed(plugin: str, hook: str, exception: Exception) -> None:
    HEARD.append((plugin, hook, str(exception)))
