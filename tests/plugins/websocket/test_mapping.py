"""The life of a connection, as a table of what happens and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from fairway.kit import (
    Content,
    Drop,
    Emit,
    Hangup,
    LocalProtocolError,
    Refusal,
    Site,
)
from fairway.plugins.websocket.events import (
    Abort,
    Accept,
    BytesReceived,
    Close,
    CloseReceived,
    Deny,
    EndSending,
    Failed,
    Log,
    Lost,
    PingReceived,
    PongReceived,
    Report,
    Requested,
    SendBytes,
    SendPing,
    SendPong,
    SendText,
    Step,
    TextReceived,
    WireEvent,
)
from fairway.plugins.websocket.mapping import WebSocketMapping
from fairway.plugins.websocket.spec import SPEC, WebSocketConfig

from .wire import head

ACCEPT = Accept([(b"sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")], 0)
CONFIG = WebSocketConfig(
    ping_interval=20.0, ping_timeout=7.0, handshake_timeout=10.0, close_timeout=5.0
)
NOW = 100.0


def mapping(*extra: tuple[bytes, bytes], **section: Any) -> WebSocketMapping:
    """Return a mapping that holds a connect."""
    config = WebSocketConfig(**section) if section else CONFIG
    made = WebSocketMapping(config, Site(allowed_hosts=("example.com",)))
    made.received(Requested(head(*extra)), NOW)
    return made


def opened(*extra: tuple[bytes, bytes], **section: Any) -> WebSocketMapping:
    made = mapping(*extra, **section)
    made.reply({"accept": True}, NOW)
    return made


def closing() -> WebSocketMapping:
    made = opened()
    made.reply({"close": True}, NOW)
    return made


def acts(steps: Sequence[Step]) -> list[Step]:
    """Return the steps without what is only logged."""
    return [step for step in steps if not isinstance(step, Log)]


def text(reason: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    return [(b"content-type", b"text/plain; charset=utf-8")], reason.encode()


def disconnect(code: int, reason: str = "") -> Emit:
    return Emit("websocket.disconnect", {"code": code, "reason": reason})


def test_a_handshake_is_announced_with_what_it_offers() -> None:
    made = WebSocketMapping(CONFIG, Site())
    request = head((b"sec-websocket-protocol", b"a, b"))

    steps = made.received(Requested(request), NOW)

    assert steps == (
        Log("CONNECT"),
        Emit("websocket.connect", {"subprotocols": ["a", "b"]}),
    )


def test_a_wrong_handshake_is_answered_and_never_announced() -> None:
    made = WebSocketMapping(CONFIG, Site())

    steps = acts(made.received(Requested(head((b"sec-websocket-version", b"8"))), NOW))

    counted, deny = steps
    assert isinstance(counted, Report)
    assert isinstance(deny, Deny)
    assert deny.status == 426
    assert (b"sec-websocket-version", b"13") in deny.headers
    assert made.is_over
    assert acts(made.received(Lost(""), NOW)) == []


HELD: list[tuple[Content, list[Step]]] = [
    ({"accept": True}, [ACCEPT]),
    ({"text": "a"}, [ACCEPT, SendText("a")]),
    ({"text": ""}, [ACCEPT, SendText("")]),
    ({"bytes": b"a"}, [ACCEPT, SendBytes(b"a")]),
    ({"accept": True, "text": "a"}, [ACCEPT, SendText("a")]),
    ({"text": "a", "close": True}, [ACCEPT, SendText("a"), Close(1000)]),
    ({"accept": True, "close": 4000}, [ACCEPT, Close(4000)]),
    (
        {"close": 4000, "reason": "why", "bytes": b"", "accept": True},
        [ACCEPT, SendBytes(b""), Close(4000, "why")],
    ),
    (
        {"accept": True, "headers": [["X-A", "b"]]},
        [Accept([*ACCEPT.headers, (b"x-a", b"b")], 0)],
    ),
    (
        {"accept": True, "subprotocol": "chat"},
        [Accept([*ACCEPT.headers, (b"sec-websocket-protocol", b"chat")], 0)],
    ),
    ({"accept": False}, [Deny(403, *text("refused"))]),
    ({"close": True}, [Deny(403, *text("refused"))]),
    ({"close": 4001}, [Deny(403, *text("refused"))]),
    ({"close": 1011}, [Deny(500, *text("refused"))]),
    ({"close": 1013}, [Deny(503, *text("refused"))]),
    ({"close": 4404, "status": 404}, [Deny(404, *text("refused"))]),
    ({"accept": False, "status": 401, "content": "who?"}, [Deny(401, *text("who?"))]),
    (
        {
            "accept": False,
            "status": 302,
            "headers": [[b"Location", b"/login"], ["Content-Type", "text/html"]],
            "content": b"<p>",
        },
        [
            Deny(
                302, [(b"location", b"/login"), (b"content-type", b"text/html")], b"<p>"
            )
        ],
    ),
    ({}, []),
    ({"close": False}, []),
    ({"accept": None, "text": None}, []),
]


@pytest.mark.parametrize(("content", "steps"), HELD)
def test_a_reply_to_a_connect_decides_it(content: Content, steps: list[Step]) -> None:
    made = mapping((b"sec-websocket-protocol", b"chat"))

    assert acts(made.reply(content, NOW)) == steps


OPEN: list[tuple[Content, list[Step]]] = [
    ({"text": "a"}, [SendText("a")]),
    ({"text": ""}, [SendText("")]),
    ({"bytes": b""}, [SendBytes(b"")]),
    ({"text": "a", "close": 3000, "reason": "b"}, [SendText("a"), Close(3000, "b")]),
    ({"close": True}, [Close(1000)]),
    ({"close": 1011}, [Close(1011)]),
    ({"close": 4404, "status": 404}, [Close(4404)]),
    ({"accept": True}, []),
    ({"accept": True, "text": "a"}, [SendText("a")]),
    ({"close": False}, []),
    # Of another protocol: the host counts it, what is beside it is carried.
    ({"media": [], "text": "a"}, [SendText("a")]),
]


@pytest.mark.parametrize(("content", "steps"), OPEN)
def test_a_reply_to_an_open_connection_acts_in_order(
    content: Content, steps: list[Step]
) -> None:
    assert acts(opened().reply(content, NOW)) == steps


IMPOSSIBLE: list[Content] = [
    {"text": b"a"},
    {"bytes": "a"},
    {"text": "a", "bytes": b"a"},
    {"accept": 1},
    {"close": "1000"},
    {"close": 1.0},
    {"close": 0},
    {"close": 999},
    {"close": 1004},
    {"close": 1005},
    {"close": 1006},
    {"close": 1015},
    {"close": 2999},
    {"close": 5000},
    {"close": -1},
    {"close": True, "reason": 1},
    {"close": True, "reason": "x" * 124},
    {"close": True, "reason": "\N{EURO SIGN}" * 42},
    {"reason": "a"},
    {"status": 404},
    {"content": b"a"},
    {"close": True, "status": 101},
    {"close": True, "status": 600},
    {"close": True, "status": True},
    {"close": True, "content": 1},
    {"accept": False, "text": "a"},
    {"accept": True, "headers": "a"},
    {"accept": True, "headers": [["a"]]},
    {"accept": True, "subprotocol": 1},
    {"accept": True, "subprotocol": "not-offered"},
    {"subprotocol": "chat"},
    {"headers": []},
]


@pytest.mark.parametrize("content", IMPOSSIBLE)
def test_an_impossible_answer_to_a_connect_is_reported_and_refuses_with_500(
    content: Content,
) -> None:
    report, deny = acts(mapping().reply(content, NOW))

    assert isinstance(report, Report)
    assert report.reason == Drop.UNSUPPORTED
    assert deny == Deny(500, *text("the site made a mistake"))


@pytest.mark.parametrize("content", [*IMPOSSIBLE, {"accept": False}])
def test_an_impossible_reply_changes_nothing_on_an_open_connection(
    content: Content,
) -> None:
    made = opened()

    with pytest.raises(LocalProtocolError):
        made.reply(content, NOW)

    assert made.is_open


def test_a_reply_to_a_closing_connection_is_reported_as_gone() -> None:
    (report,) = closing().reply({"text": "late"}, NOW)

    assert isinstance(report, Report)
    assert report.reason == Drop.GONE


RECEIVED: list[tuple[WireEvent, list[Step]]] = [
    (TextReceived("a"), [Emit("websocket.receive", {"text": "a"})]),
    (BytesReceived(b"a"), [Emit("websocket.receive", {"bytes": b"a"})]),
    (PingReceived(b"a"), [SendPong(b"a")]),
    (PongReceived(b"a"), []),
    (CloseReceived(1001, "off"), [Close(1001), disconnect(1001, "off"), Hangup()]),
    (CloseReceived(None, ""), [Close(None), disconnect(1005), Hangup()]),
    (
        Failed(1002, "bad"),
        [Close(1002, "bad"), EndSending(), disconnect(1002, "bad")],
    ),
    (Lost("reset"), [disconnect(1006, "reset")]),
]


@pytest.mark.parametrize(("event", "steps"), RECEIVED)
def test_what_arrives_on_an_open_connection(
    event: WireEvent, steps: list[Step]
) -> None:
    assert acts(opened().received(event, NOW)) == steps


CLOSING: list[tuple[WireEvent, list[Step]]] = [
    (TextReceived("a"), []),
    (PingReceived(b"a"), []),
    (CloseReceived(1000, "ok"), [disconnect(1000, "ok"), Hangup()]),
    (Failed(1002, "bad"), []),
    (Lost("reset"), [disconnect(1006, "reset")]),
]


@pytest.mark.parametrize(("event", "steps"), CLOSING)
def test_what_arrives_after_our_close(event: WireEvent, steps: list[Step]) -> None:
    assert acts(closing().received(event, NOW)) == steps


def test_a_client_that_leaves_before_it_is_accepted_has_disconnected() -> None:
    assert acts(mapping().received(Lost("left"), NOW)) == [disconnect(1006, "left")]


def test_a_refused_client_has_never_been_connected() -> None:
    made = mapping()
    made.reply({"accept": False}, NOW)

    assert made.is_over
    assert made.received(Lost(""), NOW) == ()


@pytest.mark.parametrize(
    ("why", "status"),
    [
        (Refusal.FULL, 503),
        (Refusal.UNAVAILABLE, 503),
        (Refusal.LIMIT, 429),
        (Refusal.TOO_LARGE, 431),
        (Refusal.FILTERED, 403),
        (Refusal.FAILED, 500),
    ],
)
def test_a_connect_that_did_not_get_through_is_denied(
    why: Refusal, status: int
) -> None:
    made = mapping()

    (deny,) = acts(made.refused("websocket.connect", why, NOW))

    assert isinstance(deny, Deny)
    assert deny.status == status
    assert ((b"retry-after", b"5") in deny.headers) == (status == 503)
    assert made.received(Lost(""), NOW) == ()


@pytest.mark.parametrize(
    ("why", "codes"),
    [
        (Refusal.FULL, [1013]),
        (Refusal.UNAVAILABLE, [1013]),
        (Refusal.LIMIT, [1013]),
        (Refusal.TOO_LARGE, [1009]),
        (Refusal.FAILED, [1011]),
        (Refusal.FILTERED, []),
    ],
)
def test_a_message_that_did_not_get_through_closes(
    why: Refusal, codes: list[int]
) -> None:
    steps = opened().refused("websocket.receive", why, NOW)

    assert [step.code for step in steps if isinstance(step, Close)] == codes


def test_a_refusal_that_comes_late_changes_nothing() -> None:
    made = closing()

    assert made.refused("websocket.receive", Refusal.FULL, NOW) == ()
    assert opened().refused("websocket.disconnect", Refusal.FILTERED, NOW) == ()


@pytest.mark.parametrize(("limit", "status"), [("peers", 503), ("anything", 429)])
def test_a_client_beyond_a_limit_is_turned_away(limit: str, status: int) -> None:
    (deny,) = acts(mapping().turned_away(limit, 1.2))

    assert isinstance(deny, Deny)
    assert deny.status == status
    assert (b"retry-after", b"2") in deny.headers


def test_the_sites_failure_is_500_before_and_1011_after_the_connection_is_open() -> (
    None
):
    assert SPEC.failure is not None

    assert acts(mapping().reply(SPEC.failure, NOW)) == [Deny(500, *text("refused"))]
    assert acts(opened().reply(SPEC.failure, NOW)) == [Close(1011)]


def test_an_unrouted_connect_is_404() -> None:
    assert SPEC.unrouted is not None

    assert acts(mapping().reply(SPEC.unrouted, NOW)) == [Deny(404, *text("refused"))]


def test_a_server_that_stops_closes_with_1012_and_refuses_with_503() -> None:
    assert opened().stopped(NOW) == (Close(1012, "restarting"),)
    deny, gone = acts(mapping().stopped(NOW))
    assert isinstance(deny, Deny)
    assert deny.status == 503
    assert gone == disconnect(1006, "restarting")


def test_a_dismissed_client_gets_1013_or_503() -> None:
    assert opened().dismissed("slow", NOW) == (Close(1013, "slow"),)
    deny, _ = acts(mapping().dismissed("overflow", NOW))
    assert isinstance(deny, Deny)
    assert deny.status == 503
    assert closing().dismissed("slow", NOW) == ()


def test_a_connect_that_nobody_decides_is_refused_and_reported() -> None:
    made = mapping()
    assert made.next_deadline() == NOW + 10.0

    report, deny, gone = acts(made.deadline_passed(NOW + 10.0))

    assert isinstance(report, Report)
    assert isinstance(deny, Deny)
    assert deny.status == 504
    assert gone == disconnect(1006, "nobody answered")
    assert made.next_deadline() is None


def test_a_silent_client_is_pinged_and_lost_without_an_answer() -> None:
    made = opened()
    assert made.next_deadline() == NOW + 20.0

    assert made.deadline_passed(NOW + 20.0) == (SendPing(),)
    assert made.next_deadline() == NOW + 27.0

    steps = acts(made.deadline_passed(NOW + 27.0))
    assert steps == [disconnect(1006, "no answer to a ping"), Abort()]
    assert made.next_deadline() is None


def test_any_byte_answers_a_ping() -> None:
    made = opened()
    made.deadline_passed(NOW + 20.0)

    made.heard(NOW + 22.0)

    assert made.next_deadline() == NOW + 42.0


def test_a_client_that_is_not_read_is_not_pinged() -> None:
    made = opened()
    made.deadline_passed(NOW + 20.0)

    made.held(False, NOW + 21.0)
    assert made.next_deadline() is None

    made.held(True, NOW + 90.0)
    assert made.next_deadline() == NOW + 110.0


def test_pings_can_be_switched_off() -> None:
    assert opened(ping_interval=0).next_deadline() is None


def test_a_client_that_does_not_answer_a_close_is_cut() -> None:
    made = closing()
    assert made.next_deadline() == NOW + 5.0

    assert acts(made.deadline_passed(NOW + 5.0)) == [
        disconnect(1006, "no answer to close"),
        Abort(),
    ]


def test_a_client_that_broke_the_protocol_may_read_why() -> None:
    made = opened()
    made.received(Failed(1002, "bad"), NOW)
    assert made.next_deadline() == NOW + 1.0

    assert made.deadline_passed(NOW + 1.0) == (Hangup(),)
    assert made.next_deadline() == NOW + 6.0
    assert made.deadline_passed(NOW + 6.0) == (Abort(),)
    assert made.next_deadline() is None


def test_a_client_that_does_not_take_the_last_frames_is_cut() -> None:
    made = opened()
    made.received(CloseReceived(1000, ""), NOW)

    assert made.deadline_passed(NOW + 5.0) == (Abort(),)
    assert made.next_deadline() is None


contents = st.fixed_dictionaries(
    {},
    optional={
        "accept": st.booleans(),
        "text": st.text(max_size=3),
        "bytes": st.binary(max_size=3),
        "close": st.booleans() | st.sampled_from([1000, 1006, 4000]),
        "reason": st.text(max_size=3),
        "status": st.integers(100, 600),
        "other": st.none() | st.integers(),
    },
)
events: st.SearchStrategy[WireEvent] = st.sampled_from(
    [
        TextReceived("a"),
        BytesReceived(b"a"),
        PingReceived(b""),
        PongReceived(b""),
        CloseReceived(1000, ""),
        CloseReceived(None, ""),
        Failed(1009, "big"),
    ]
)


class Life(RuleBasedStateMachine):
    """Whatever happens in whatever order, the promises of the module hold."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.made = WebSocketMapping(CONFIG, Site())
        self.steps: list[Step] = []
        self.lost = False
        self.take(self.made.received(Requested(head()), self.now))

    def take(self, steps: Sequence[Step]) -> None:
        self.steps.extend(steps)

    @rule(content=contents)
    def reply(self, content: Content) -> None:
        try:
            self.take(self.made.reply(content, self.now))
        except LocalProtocolError:
            assert self.made.is_open

    @precondition(lambda self: self.upgraded and not self.lost)
    @rule(event=events)
    def receive(self, event: WireEvent) -> None:
        self.take(self.made.received(event, self.now))

    @rule(why=st.sampled_from(Refusal), connect=st.booleans())
    def refuse(self, why: Refusal, connect: bool) -> None:
        channel = "websocket.connect" if connect else "websocket.receive"
        self.take(self.made.refused(channel, why, self.now))

    @rule(stopped=st.booleans())
    def end(self, stopped: bool) -> None:
        if stopped:
            self.take(self.made.stopped(self.now))
        else:
            self.take(self.made.dismissed("slow", self.now))

    @rule(reading=st.booleans())
    def hold(self, reading: bool) -> None:
        self.made.held(reading, self.now)

    @rule()
    def pass_time(self) -> None:
        when = self.made.next_deadline()
        if when is not None:
            self.now = max(self.now, when)
            self.take(self.made.deadline_passed(self.now))

    @rule()
    def lose(self) -> None:
        self.lost = True
        self.take(self.made.received(Lost(""), self.now))

    @property
    def upgraded(self) -> bool:
        return any(isinstance(step, Accept) for step in self.steps)

    @invariant()
    def it_is_answered_at_most_once(self) -> None:
        assert sum(isinstance(step, (Accept, Deny)) for step in self.steps) <= 1

    @invariant()
    def no_frame_precedes_the_accept_and_none_follows_a_close(self) -> None:
        frames = (SendText, SendBytes, SendPing, SendPong, Close)
        kinds = [
            type(step) for step in self.steps if isinstance(step, (*frames, Accept))
        ]
        assert kinds[:1] in ([], [Accept])
        assert Close not in kinds[:-1]

    @invariant()
    def the_last_event_is_the_only_disconnect(self) -> None:
        channels = [step.channel for step in self.steps if isinstance(step, Emit)]
        assert channels[0] == "websocket.connect"
        assert "websocket.disconnect" not in channels[:-1]
        if self.lost:
            assert self.made.is_over
            assert self.made.next_deadline() is None
        if self.made.is_over and self.upgraded:
            assert channels[-1] == "websocket.disconnect"


TestLife = Life.TestCase
