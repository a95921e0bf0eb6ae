"""A served connection in memory: what the wire sees, what the host sees."""

from __future__ import annotations

import asyncio
import logging

import pytest

from fairway.kit import Limits, Refusal
from fairway.plugins.websocket.frames import BINARY, CLOSE, PING, PONG, TEXT
from fairway.plugins.websocket.transport_twisted import WebSocketProtocol

from .memory import Client, MemoryHost, channels, deliver, reasons, serve, told
from .wire import deflated, frame

FIN = 0x80
RSV1 = 0x40
ACCEPT = {"accept": True}
DEFLATE = (b"sec-websocket-extensions", b"permessage-deflate")


def connect(
    protocol: WebSocketProtocol, host: MemoryHost, *extra: tuple[bytes, bytes]
) -> Client:
    """Return a client whose WebSocket is open."""
    client = Client(protocol, host)
    client.request(*extra)
    client.reply(ACCEPT)
    return client


def test_a_client_is_held_until_a_consumer_accepts() -> None:
    client = Client(*serve())

    client.request()
    assert client.exchange.status == 0
    assert told(client.host) == [("websocket.connect", {"subprotocols": []})]

    client.reply(ACCEPT)
    assert client.exchange.status == 101


def test_a_refused_client_gets_an_http_answer_and_its_peer_ends() -> None:
    client = Client(*serve())
    client.request()

    client.reply({"accept": False, "status": 401, "content": b"who?"})

    assert (client.exchange.status, client.exchange.content) == (401, b"who?")
    assert not client.peer.open
    assert channels(client.host) == ["connect"]


def test_a_wrong_handshake_makes_no_peer() -> None:
    client = Client(*serve())

    client.request((b"sec-websocket-version", b"7"))

    assert client.exchange.status == 426
    assert client.host.peers == {}
    assert told(client.host) == []


def test_a_client_beyond_a_limit_is_answered_and_makes_no_event() -> None:
    client = Client(*serve(MemoryHost(limits=Limits(peers=0))))

    client.request()

    assert client.exchange.status == 503
    assert told(client.host) == []


def test_messages_pass_both_ways() -> None:
    client = connect(*serve())

    client.send(frame(TEXT, b"hello") + frame(BINARY, b"\x00"))
    client.reply({"text": "hi"})
    client.reply({"bytes": b""})

    assert told(client.host)[1:] == [
        ("websocket.receive", {"text": "hello"}),
        ("websocket.receive", {"bytes": b"\x00"}),
    ]
    assert client.frames == [(FIN | TEXT, b"hi"), (FIN | BINARY, b"")]


def test_frames_that_came_with_the_handshake_are_read() -> None:
    client = Client(*serve())
    client.request(early=frame(TEXT, b"eager"))

    client.reply(ACCEPT)

    assert channels(client.host) == ["connect", "receive"]


def test_a_ping_is_answered_without_a_consumer() -> None:
    client = connect(*serve())

    client.send(frame(PING, b"a") + frame(PING, b"b"))

    assert client.frames == [(FIN | PONG, b"a"), (FIN | PONG, b"b")]
    assert channels(client.host) == ["connect"]


def test_a_clients_close_is_answered_and_ends_the_connection() -> None:
    client = connect(*serve())

    client.send(frame(CLOSE, b"\x0f\xa0bye"))

    assert client.frames == [(FIN | CLOSE, b"\x0f\xa0")]
    assert client.stream.closed
    assert told(client.host)[-1] == (
        "websocket.disconnect",
        {"code": 4000, "reason": "bye"},
    )
    assert not client.peer.open


def test_a_consumers_close_waits_for_the_clients() -> None:
    client = connect(*serve())

    client.reply({"close": 4000, "reason": "why"})
    assert client.frames == [(FIN | CLOSE, b"\x0f\xa0why")]
    assert not client.stream.closed

    client.send(frame(CLOSE, b"\x0f\xa0"))
    assert client.stream.closed
    assert channels(client.host) == ["connect", "disconnect"]


def test_a_client_that_does_not_answer_a_close_is_cut() -> None:
    client = connect(*serve(close_timeout=5.0))
    client.reply({"close": True})

    client.host.clock.advance(5.0)

    assert client.stream.aborted
    assert told(client.host)[-1][1]["code"] == 1006


def test_a_close_is_seen_although_reading_was_stopped() -> None:
    protocol, host = serve()
    client = connect(protocol, host)
    protocol.hold(client.peer, False)

    client.reply({"close": True})
    assert client.stream.reading
    client.send(frame(CLOSE, b"\x03\xe8"))

    assert told(host)[-1][1]["code"] == 1000


def test_a_lost_connection_is_1006() -> None:
    client = connect(*serve())

    client.stream.hang_up("reset")

    assert told(client.host)[-1] == (
        "websocket.disconnect",
        {"code": 1006, "reason": "reset"},
    )


def test_a_client_that_leaves_before_it_is_answered_has_disconnected() -> None:
    client = Client(*serve())
    client.request()

    client.exchange.leave()
    assert channels(client.host) == ["connect", "disconnect"]
    assert not client.peer.open

    client.reply(ACCEPT)
    assert client.exchange.status == 0


def test_a_connection_that_cannot_be_upgraded_has_disconnected() -> None:
    client = Client(*serve())
    client.request()
    client.exchange.fails = True

    client.reply({"text": "a"})

    assert client.exchange.aborted
    assert channels(client.host) == ["connect", "disconnect"]


def test_a_refusal_that_http_cannot_send_cuts_the_connection() -> None:
    client = Client(*serve())
    client.request()
    client.exchange.fails = True

    client.reply({"accept": False})

    assert client.exchange.aborted
    assert reasons(client.host) == ["failed"]
    assert not client.peer.open


def test_a_client_that_breaks_the_protocol_reads_why_before_it_is_cut_off() -> None:
    client = connect(*serve())

    client.send(frame(TEXT, b"\xff") + frame(TEXT, b"more"))
    client.send(frame(TEXT, b"still more"))

    ((first, payload),) = client.frames
    assert (first, payload[:2]) == (FIN | CLOSE, (1007).to_bytes(2))
    assert told(client.host)[-1][1]["code"] == 1007
    assert client.stream.half_closed
    assert not client.stream.closed
    client.host.clock.advance(1.0)
    assert client.stream.closed


def test_a_silent_client_is_pinged_then_lost() -> None:
    client = connect(*serve(ping_interval=20.0, ping_timeout=20.0))

    client.host.clock.advance(20.0)
    assert client.frames == [(FIN | PING, b"")]

    client.host.clock.advance(20.0)
    assert client.stream.aborted
    assert told(client.host)[-1][1]["code"] == 1006


def test_a_client_that_answers_pings_stays() -> None:
    client = connect(*serve(ping_interval=20.0, ping_timeout=20.0))

    for _ in range(10):
        client.host.clock.advance(20.0)
        client.send(frame(PONG))

    assert not client.stream.closed


def test_an_undecided_connect_is_refused() -> None:
    client = Client(*serve(handshake_timeout=10.0))
    client.request()

    client.host.clock.advance(10.0)

    assert client.exchange.status == 504
    assert reasons(client.host) == ["undecided"]
    assert channels(client.host) == ["connect", "disconnect"]


def test_no_timer_outlives_a_connection() -> None:
    client = connect(*serve())
    refused = Client(*serve(client.host))
    refused.request()

    client.send(frame(CLOSE))
    client.stream.hang_up("")
    refused.reply({"accept": False})

    assert client.host.clock.armed == 0


def test_what_is_read_stops_when_the_host_has_enough() -> None:
    protocol, host = serve()
    client = connect(protocol, host)
    seen: list[str] = []

    def hold_after_first(peer: object, channel: str, content: dict[str, str]) -> None:
        seen.append(content["text"])
        protocol.hold(client.peer, False)

    host.on_emit = hold_after_first
    client.send(b"".join(frame(TEXT, b"%04d" % n) for n in range(5000)))

    assert not client.stream.reading
    assert len(seen) < 1000

    host.on_emit = lambda peer, channel, content: seen.append(content["text"])
    protocol.hold(client.peer, True)
    assert seen == [f"{n:04}" for n in range(5000)]
    assert client.stream.reading


def test_a_host_that_lets_go_at_once_keeps_the_order() -> None:
    protocol, host = serve()
    client = connect(protocol, host)
    seen: list[str] = []

    def hold_and_release(peer: object, channel: str, content: dict[str, str]) -> None:
        protocol.hold(client.peer, False)
        protocol.hold(client.peer, True)
        seen.append(content["text"])

    host.on_emit = hold_and_release
    client.send(b"".join(frame(TEXT, b"%04d" % n) for n in range(3000)))

    assert seen == [f"{n:04}" for n in range(3000)]


def test_holding_before_the_accept_holds_the_request_and_then_the_stream() -> None:
    protocol, host = serve()
    client = Client(protocol, host)
    client.request(early=frame(TEXT, b"a"))

    protocol.hold(client.peer, False)
    assert not client.exchange.reading

    client.reply(ACCEPT)
    assert not client.stream.reading
    assert channels(host) == ["connect"]
    protocol.hold(client.peer, True)
    assert channels(host) == ["connect", "receive"]


def test_a_group_message_is_one_frame_for_all() -> None:
    protocol, host = serve()
    clients = [connect(protocol, host) for _ in range(3)]

    deliver(protocol, host.everybody, {"text": "all"})

    (first,), (second,), (third,) = (client.stream.writes for client in clients)
    assert first is second is third


def test_a_group_message_is_compressed_once_for_all_that_want_it() -> None:
    protocol, host = serve(compression=True)
    plain = connect(protocol, host)
    small = [connect(protocol, host, DEFLATE) for _ in range(2)]

    deliver(protocol, host.everybody, {"text": "all " * 50})

    assert plain.frames == [(FIN | TEXT, b"all " * 50)]
    assert small[0].stream.writes[0] is small[1].stream.writes[0]
    assert small[0].frames[0][0] == FIN | RSV1 | TEXT
    assert len(small[0].stream.written) < 30


def test_short_messages_are_not_compressed() -> None:
    client = connect(*serve(compression=True), DEFLATE)

    client.reply({"text": "short"})

    assert client.frames == [(FIN | TEXT, b"short")]


def test_a_compressed_message_arrives() -> None:
    client = connect(*serve(compression=True), DEFLATE)

    client.send(frame(TEXT, deflated(b"hello"), rsv=4))

    assert told(client.host)[-1] == ("websocket.receive", {"text": "hello"})


def test_a_group_message_reaches_held_and_closing_members_as_it_can() -> None:
    protocol, host = serve()
    held, closing, opened = Client(protocol, host), Client(protocol, host), None
    held.request()
    closing.request()
    closing.reply(ACCEPT)
    closing.reply({"close": True})
    opened = connect(protocol, host)

    deliver(protocol, host.everybody, {"text": "all"})

    assert held.frames == opened.frames == [(FIN | TEXT, b"all")]
    assert [first for first, _ in closing.frames] == [FIN | CLOSE]
    assert reasons(host) == ["gone"]


def test_one_failing_member_does_not_cost_the_others_theirs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    protocol, host = serve()
    clients = [connect(protocol, host) for _ in range(3)]

    clients[1].stream.broken = True
    deliver(protocol, host.everybody, {"text": "all"})

    assert clients[0].frames == clients[2].frames == [(FIN | TEXT, b"all")]
    assert not host.everybody[1].open
    assert "broken" in caplog.text


def slow_pair(slow_client: str) -> tuple[WebSocketProtocol, MemoryHost, list[Client]]:
    """Return a client that takes nothing, and one that takes everything."""
    host = MemoryHost(limits=Limits(unsent_bytes=1000))
    protocol, _ = serve(host, slow_client=slow_client)
    clients = [connect(protocol, host) for _ in range(2)]
    clients[0].stream.stalled = True
    return protocol, host, clients


def test_a_message_that_finds_room_is_written_whole() -> None:
    _, host, (slow, _) = slow_pair("disconnect")
    slow.stream.unsent = bytes(1000)

    host.everybody[0].handle.reply({"bytes": bytes(5000)})

    assert slow.frames == [(FIN | BINARY, bytes(5000))]
    assert reasons(host) == []


@pytest.mark.parametrize("to_group", [True, False])
def test_a_slow_client_is_closed_with_1013(to_group: bool) -> None:
    protocol, host, (slow, fast) = slow_pair("disconnect")
    slow.stream.unsent = bytes(1001)

    deliver(protocol, host.everybody if to_group else host.everybody[:1], {"text": "a"})

    assert slow.frames == [(FIN | CLOSE, (1013).to_bytes(2) + b"slow")]
    assert reasons(host) == ["slow"]
    assert len(fast.stream.written) == (3 if to_group else 0)
    host.clock.advance(10.0)
    assert slow.stream.aborted
    assert not host.everybody[0].open


def test_group_messages_skip_a_slow_client_where_the_settings_say_so() -> None:
    protocol, host, (slow, fast) = slow_pair("skip")
    slow.stream.unsent = bytes(1001)

    deliver(protocol, host.everybody, {"text": "a"})
    slow.stream.unsent = bytes(0)
    deliver(protocol, host.everybody, {"text": "b"})

    assert slow.frames == [(FIN | TEXT, b"b")]
    assert len(fast.frames) == 2
    assert reasons(host) == ["slow"]


def test_a_message_of_its_own_is_not_skipped() -> None:
    protocol, host, (slow, _) = slow_pair("skip")
    slow.stream.unsent = bytes(1001)

    deliver(protocol, host.everybody[:1], {"text": "a"})

    assert slow.frames[0][0] == FIN | CLOSE


def test_a_client_that_pings_and_takes_nothing_is_closed() -> None:
    _, _, (slow, _) = slow_pair("disconnect")

    for _ in range(500):
        slow.send(frame(PING, bytes(100)))

    assert slow.stream.unsent_bytes < 3000
    assert slow.frames[-1][0] == FIN | CLOSE


def test_the_host_ends_a_connection_with_1013() -> None:
    protocol, host = serve()
    client = connect(protocol, host)

    protocol.disconnect(client.peer, "overflow")

    assert client.frames == [(FIN | CLOSE, (1013).to_bytes(2) + b"overflow")]


def test_an_event_that_did_not_get_through_is_answered() -> None:
    protocol, host = serve()
    client = Client(protocol, host)
    client.request()

    protocol.refuse(client.peer, "websocket.connect", {}, Refusal.FULL)

    assert client.exchange.status == 503
    assert not client.peer.open
    protocol.refuse(None, "websocket.connect", {}, Refusal.FULL)


def test_an_impossible_reply_is_counted_and_the_connection_stays() -> None:
    client = connect(*serve())

    client.reply({"text": b"a"})

    assert reasons(client.host) == ["unsupported"]
    assert not client.stream.closed


def test_a_stopping_server_closes_all_with_1012_within_the_grace_time() -> None:
    protocol, host = serve()
    clients = [connect(protocol, host) for _ in range(20)]
    held = Client(protocol, host)
    held.request()

    async def stop() -> None:
        stopping = asyncio.ensure_future(protocol.stop(10.0))
        closed_at = set()
        for _ in range(60):
            await asyncio.sleep(0)
            host.clock.advance(0.1)
            for number, client in enumerate(clients):
                if client.stream.written and not client.stream.closed:
                    closed_at.add(round(host.clock.now(), 1))
                    if number:
                        client.send(frame(CLOSE, b"\x03\xf4"))
            assert clients[0].stream.closed or not stopping.done(), "did not wait"
        assert len(closed_at) > 5, "not spread"
        host.clock.advance(10.0)
        await stopping

    asyncio.run(stop())

    assert held.exchange.status == 503
    assert {client.frames[0][1][:2] for client in clients} == {(1012).to_bytes(2)}
    assert clients[0].stream.aborted
    assert not any(peer.open for peer in host.everybody)


def test_a_stopping_server_cuts_what_is_left_when_the_grace_time_is_over() -> None:
    protocol, host = serve(close_timeout=60.0)
    client = connect(protocol, host)

    async def stop() -> None:
        stopping = asyncio.ensure_future(protocol.stop(10.0))
        await asyncio.sleep(0)
        host.clock.advance(10.0)
        await stopping

    asyncio.run(stop())

    assert client.stream.aborted
    assert channels(host) == ["connect", "disconnect"]


def test_a_stopping_server_without_connections_stops_at_once() -> None:
    protocol, host = serve()

    asyncio.run(protocol.stop(10.0))
    late = Client(protocol, host)
    late.request()

    assert late.exchange.status == 503
    assert told(host) == []


def test_every_turn_of_a_connection_is_a_line_of_the_access_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="fairway.access")

    client = connect(*serve())
    client.send(frame(CLOSE, b"\x03\xe8"))

    lines = [record for record in caplog.records if record.name == "fairway.access"]
    assert [(vars(line)["what"], vars(line)["status"]) for line in lines] == [
        ("CONNECT", None),
        ("ACCEPT", 101),
        ("DISCONNECT", 1000),
    ]
    assert vars(lines[0])["protocol"] == "websocket"
    assert vars(lines[0])["client"] == "192.0.2.1:5123"
    assert lines[1].getMessage() == "ACCEPT / 101"
