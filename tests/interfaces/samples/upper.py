"""A protocol that stands on another one, and notes what it is told."""

from collections.abc import Sequence
from typing import Any

from fairway import kit

STEPS: list[str] = []
"""What happened, in order of time; tests empty it."""


class Note(kit.Config, frozen=True, kw_only=True):
    """Without settings."""


class Upper(kit.BaseProtocol[Note]):
    async def start(self) -> None:
        STEPS.append("upper started")

    def deliver(self, peers: Sequence[kit.Peer], content: kit.Content) -> None:
        """Nothing comes here."""

    async def stop(self, grace: float) -> None:
        STEPS.append("upper stopped")


class Lower(Upper):
    async def start(self) -> None:
        STEPS.append("lower started")
        points = self.host.mounts("lower")
        STEPS.append(" ".join(f"{point.plugin}:{point.prefix}" for point in points))
        exchange: Any = None
        for point in points:
            point.open(exchange)


def _open(protocol: Upper, exchange: kit.Exchange) -> None:
    STEPS.append(f"{type(protocol).__name__} opened")


def _spec(name: str, path: str) -> kit.ProtocolSpec:
    return kit.ProtocolSpec(
        name=name,
        config=Note,
        events=(kit.Event(channel=f"{name}.receive"),),
        replies={},
        peers="owned",
        ordering="none",
        transports={"twisted": f"{__name__}:{path}"},
    )


@kit.hookimpl
def fairway_protocols() -> list[kit.ProtocolSpec]:
    return [_spec("upper", "Upper")]


@kit.hookimpl
def fairway_mounts(settings: kit.Settings) -> list[kit.Mount]:
    return [
        kit.Mount(on="lower", prefix="/", open=_open),
        kit.Mount(on="lower", prefix="/deep/", open=_open),
        kit.Mount(on="elsewhere", open=_open),
    ]


@kit.hookimpl
def fairway_interface_started(process: kit.ProcessInfo) -> None:
    STEPS.append(f"{process.role} started")


@kit.hookimpl
def fairway_interface_stopping(process: kit.ProcessInfo, grace: float) -> None:
    STEPS.append(f"{process.role} stopping in {grace:g}")
    raise ValueError("a bug in a hook")
