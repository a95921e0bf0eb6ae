"""The conformance suite of plugins notices what is wrong: lines with one fault each."""

from typing import Any, ClassVar

import pytest

from fairway import kit
from fairway.testing.plugin import PluginConformance, Request
from tests.core.plugin import lines


class Undeclared(lines.Session):
    def opened(self, now: float) -> list[kit.Step]:
        return [kit.Emit("lines.connect", {"colour": "red"})]


class Elsewhere(lines.Session):
    def opened(self, now: float) -> list[kit.Step]:
        return [kit.Emit("other.connect", {})]


class ByPiece(lines.Session):
    def received(self, data: bytes, now: float) -> list[kit.Step]:
        return [kit.Emit("lines.receive", {"text": data.decode("latin-1")})]


class Raising(lines.Session):
    def received(self, data: bytes, now: float) -> list[kit.Step]:
        data.decode()
        return super().received(data, now)


class Silent(lines.Session):
    def refused(self, channel: str, why: kit.Refusal, now: float) -> list[kit.Step]:
        return []


class Patient(lines.Session):
    def received(self, data: bytes, now: float) -> list[kit.Step]:
        try:
            return super().received(data, now)
        except kit.RemoteProtocolError:
            return []


class Choosy(lines.Session):
    def reply(self, content: kit.Content, now: float) -> list[kit.Step]:
        if "close" in content:
            raise kit.LocalProtocolError("it never closes")
        return super().reply(content, now)


class Random(lines.Session):
    count: ClassVar[int] = 0

    def received(self, data: bytes, now: float) -> list[kit.Step]:
        type(self).count += 1
        return [kit.Emit("lines.receive", {"text": f"{self.count}"})]


class Flooding(lines.LinesProtocol):
    def deliver(self, peers: Any, content: kit.Content) -> None:
        for peer in peers:
            peer.handle.stream.write(str(content).encode())


class Staying(lines.LinesProtocol):
    async def stop(self, grace: float) -> None:
        """Go on."""


class Kept(lines.LinesProtocol):
    def disconnect(self, peer: kit.Peer, reason: str) -> None:
        """Leave the peer alone."""


def faulty(change: type[Any]) -> PluginConformance:
    """Return the suite for lines with one fault."""
    if issubclass(change, kit.StreamMapping):
        changed: type[Any] = type("C", (lines.LinesProtocol,), {"mapping": change})
    else:
        changed = change

    class Suite(PluginConformance):
        plugin = "tests.core.plugin.lines"
        wire = "hello\nwörld\n".encode()
        bad_wire = (b"x" * 65_537,)

        def protocol_class(self) -> type[Any]:
            return changed

    return Suite()


FAULTS: list[tuple[type[Any], str]] = [
    (Undeclared, "only_declared_events_with_declared_keys_are_emitted"),
    (Elsewhere, "only_declared_events_with_declared_keys_are_emitted"),
    (ByPiece, "bytes_cut_anywhere_lead_to_the_same_events"),
    (ByPiece, "bytes_that_come_one_by_one_lead_to_the_same_events"),
    (Random, "the_same_input_leads_to_the_same_events"),
    (Raising, "junk_hurts_nobody"),
    (Raising, "any_bytes_lead_to_the_same_events_however_they_are_cut"),
    (Patient, "broken_input_is_answered_or_hung_up_on_and_counted"),
    (Choosy, "declared_replies_are_accepted"),
    (Flooding, "a_slow_peer_does_not_fill_the_memory"),
    (Kept, "a_peer_that_lost_a_reply_is_disconnected"),
    (Staying, "it_stops_within_its_grace"),
]


@pytest.mark.standard
@pytest.mark.parametrize(
    ("change", "test"), FAULTS, ids=[f"{a.__name__}-{b}" for a, b in FAULTS]
)
def test_a_fault_is_noticed(change: type[Any], test: str) -> None:
    good, bad = faulty(lines.LinesProtocol), faulty(change)

    getattr(good, f"test_{test}")()
    with pytest.raises((AssertionError, UnicodeDecodeError)):
        getattr(bad, f"test_{test}")()


def test_a_refusal_without_an_answer_is_noticed() -> None:
    with pytest.raises(AssertionError):
        faulty(Silent).test_a_refused_event_is_answered_on_the_wire(kit.Refusal.FULL)


def test_a_request_that_no_mount_takes_is_an_error() -> None:
    class Suite(PluginConformance):
        plugin = "tests.core.plugin.lines"
        requests = (Request(path="/nowhere/"),)

    with pytest.raises(LookupError, match="no mount takes POST /nowhere/"):
        Suite().test_the_same_input_leads_to_the_same_events()
