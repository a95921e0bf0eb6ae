"""A protocol of shared peers: letters from and to anybody, by any server."""

from collections.abc import Sequence

from fairway import kit


class Letters(kit.Config, frozen=True, kw_only=True):
    pass


class LettersProtocol(kit.BaseProtocol[Letters]):
    async def start(self) -> None:
        self.delivered: list[tuple[str, kit.Content]] = []

    async def arrive(self, sender: str, text: str) -> kit.Refusal | None:
        peer = self.host.open_peer(None, client=sender, key=sender)
        return await self.host.emitted(peer, "letters.receive", {"text": text})

    def deliver(self, peers: Sequence[kit.Peer], content: kit.Content) -> None:
        self.delivered += [(peer.id, content) for peer in peers]


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    return [
        kit.ProtocolSpec(
            name="letters",
            config=Letters,
            events=(
                kit.Event(
                    channel="letters.receive",
                    keys={"text": str},
                    capacity=2,
                    patience=0.2,
                ),
            ),
            replies={"text": str},
            peers="shared",
            ordering="none",
            transports={"twisted": f"{__name__}:LettersProtocol"},
        )
    ]
