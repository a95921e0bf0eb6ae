"""The whole way on real sockets, with clients that know nothing of fairway."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.garbage import without_collector
from tests.support.loop import wait_until

from .conftest import Bus, Served
from .wire import KEY, frame, split_frames

Serve = Callable[..., Served]


def echo(bus: Bus, message: dict[str, Any]) -> None:
    """Accept everybody and send everything back."""
    match message:
        case {"channel": "websocket.connect"}:
            bus.reply(message, accept=True)
        case {"channel": "websocket.receive", "text": text}:
            bus.reply(message, text=text)
        case {"channel": "websocket.receive", "bytes": data}:
            bus.reply(message, bytes=data)


def opened(served: Served, path: str = "", **options: Any) -> ClientConnection:
    options.setdefault("compression", None)
    client: ClientConnection = connect(
        served.url + path, open_timeout=20, close_timeout=20, **options
    )
    return client


def raw_handshake(served: Served, *extra: bytes) -> bytes:
    lines = [
        b"GET / HTTP/1.1",
        b"Host: 127.0.0.1",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Key: " + KEY,
        b"Sec-WebSocket-Version: 13",
        *extra,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def read_all(wire: socket.socket) -> bytes:
    """Read until the server closes."""
    wire.settimeout(20)
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := wire.recv(65536):
            data += chunk
    return data


def test_text_and_bytes_are_echoed(serve_sockets: Serve) -> None:
    served = serve_sockets(echo)

    with opened(served) as client:
        for message in (
            "",
            "gr\u00fc\u00df dich",
            b"",
            bytes(range(256)),
            "x" * 70_000,
        ):
            client.send(message)
            assert client.recv(20) == message


def test_the_envelope_says_who_asked_for_what(serve_sockets: Serve) -> None:
    served = serve_sockets(echo)

    with opened(served, "chat/?room=1", subprotocols=[Subprotocol("a")]) as client:
        client.send("a")
        client.recv(20)

    wait_until(lambda: served.events("websocket.disconnect"))
    first, second, last = served.messages
    assert first["path"] == second["path"] == last["path"] == "/chat/"
    assert first["query_string"] == b"room=1"
    assert first["scheme"] == "http"
    assert first["subprotocols"] == ["a"]
    assert first["client"].startswith("127.0.0.1:")
    assert [b"sec-websocket-version", b"13"] in first["headers"]
    assert [message["order"] for message in served.messages] == [0, 1, 2]
    assert (last["code"], last["reason"]) == (1000, "")


def test_a_subprotocol_and_headers_come_with_the_accept(serve_sockets: Serve) -> None:
    def accept(bus: Bus, message: dict[str, Any]) -> None:
        if message["channel"] == "websocket.connect":
            chosen = message["subprotocols"][1]
            bus.reply(
                message, accept=True, subprotocol=chosen, headers=[["X-Door", b"left"]]
            )

    served = serve_sockets(accept)

    with opened(served, subprotocols=[Subprotocol("a"), Subprotocol("b")]) as client:
        assert client.subprotocol == "b"
        assert client.response is not None
        assert client.response.headers["X-Door"] == "left"


def test_a_refusal_is_an_http_answer(serve_sockets: Serve) -> None:
    def refuse(bus: Bus, message: dict[str, Any]) -> None:
        bus.reply(message, accept=False, status=401, content=b"who are you?")

    served = serve_sockets(refuse)

    with pytest.raises(InvalidStatus) as refused:
        opened(served)

    assert refused.value.response.status_code == 401
    assert refused.value.response.body == b"who are you?"


def test_a_refusal_is_403_by_default(serve_sockets: Serve) -> None:
    served = serve_sockets(lambda bus, message: bus.reply(message, close=True))

    with pytest.raises(InvalidStatus) as refused:
        opened(served)

    assert refused.value.response.status_code == 403


def test_a_page_of_another_site_may_not_connect(serve_sockets: Serve) -> None:
    served = serve_sockets(echo)

    with pytest.raises(InvalidStatus) as refused:
        opened(served, origin="http://evil.org")

    assert refused.value.response.status_code == 403
    assert served.messages == []
    with opened(served, origin="http://localhost:3000"):
        pass


def test_a_connect_that_nobody_decides_is_refused(serve_sockets: Serve) -> None:
    served = serve_sockets(lambda bus, message: None, handshake_timeout=0.2)

    with pytest.raises(InvalidStatus) as refused:
        opened(served)

    assert refused.value.response.status_code == 504


def test_a_greeting_accepts_and_a_close_carries_code_and_reason(
    serve_sockets: Serve,
) -> None:
    def greet(bus: Bus, message: dict[str, Any]) -> None:
        if message["channel"] == "websocket.connect":
            bus.reply(message, text="hello", close=4001, reason="bye")

    served = serve_sockets(greet)

    with opened(served) as client:
        assert client.recv(20) == "hello"
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(20)

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "bye")
    wait_until(lambda: served.events("websocket.disconnect"))
    assert served.events("websocket.disconnect")[0]["code"] == 4001


def test_a_clients_code_and_reason_reach_the_consumer(serve_sockets: Serve) -> None:
    served = serve_sockets(echo)

    with opened(served) as client:
        client.close(4002, "enough")

    wait_until(lambda: served.events("websocket.disconnect"))
    (event,) = served.events("websocket.disconnect")
    assert (event["code"], event["reason"]) == (4002, "enough")


def test_a_lost_client_is_1006(serve_sockets: Serve) -> None:
    served = serve_sockets(echo)
    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        wire.sendall(raw_handshake(served))
        assert wire.recv(65536).startswith(b"HTTP/1.1 101 ")

    wait_until(lambda: served.events("websocket.disconnect"))
    assert served.events("websocket.disconnect")[0]["code"] == 1006


def test_a_client_that_leaves_before_the_accept_is_told_of(
    serve_sockets: Serve,
) -> None:
    served = serve_sockets(lambda bus, message: None)
    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        wire.sendall(raw_handshake(served))
        wait_until(lambda: served.events("websocket.connect"))

    wait_until(lambda: served.events("websocket.disconnect"))


def test_the_handshake_is_that_of_the_rfc(serve_sockets: Serve) -> None:
    served = serve_sockets(echo)

    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        wire.sendall(raw_handshake(served))
        wire.settimeout(20)
        lines = wire.recv(65536).split(b"\r\n")

    fields = dict(line.lower().split(b": ") for line in lines[1:] if line)
    assert lines[0].startswith(b"HTTP/1.1 101 ")
    assert fields[b"upgrade"] == b"websocket"
    assert fields[b"connection"] == b"upgrade"
    assert fields[b"sec-websocket-accept"] == b"s3pplmbitxaq9kygzzhzrbk+xoo="
    assert lines.count(b"Upgrade: websocket") == 1


def test_frames_sent_with_the_handshake_are_answered(serve_sockets: Serve) -> None:
    served = serve_sockets(echo)

    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        wire.sendall(raw_handshake(served) + frame(1, b"eager") + frame(8, b"\x03\xe8"))
        _, _, frames = read_all(wire).partition(b"\r\n\r\n")

    assert (0x88, b"\x03\xe8") in split_frames(frames)
    wait_until(lambda: served.events("websocket.disconnect"))
    assert served.events("websocket.receive")[0]["text"] == "eager"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(1, b"\xff"), 1007),
        (frame(1, b"a", mask=None), 1002),
        (frame(2, bytes(1025)), 1009),
    ],
)
def test_a_client_that_breaks_the_protocol_reads_why(
    serve_sockets: Serve, sent: bytes, code: int
) -> None:
    served = serve_sockets(echo, max_message=1024)

    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        wire.sendall(raw_handshake(served) + sent + frame(1, b"ignored") * 1000)
        _, _, frames = read_all(wire).partition(b"\r\n\r\n")

    ((first, payload),) = split_frames(frames)
    assert first == 0x88
    assert int.from_bytes(payload[:2]) == code
    wait_until(lambda: served.events("websocket.disconnect"))
    assert served.events("websocket.receive") == []
    with opened(served) as client:
        client.send("still here")
        assert client.recv(20) == "still here"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"Sec-WebSocket-Protocol: caf\xc3\xa9", b"400"),
        (b"Sec-WebSocket-Key: " + KEY, b"400"),
        (b"Origin: null", b"403"),
        (b"Origin: http://127.0.0.1\x0bX: y", b"400"),
        (b"X: a\x85Origin: http://127.0.0.1", b"400"),
    ],
)
def test_odd_handshakes_are_answered_and_the_server_serves_on(
    serve_sockets: Serve, line: bytes, status: bytes
) -> None:
    served = serve_sockets(echo)

    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        wire.sendall(raw_handshake(served, line))
        wire.settimeout(20)
        answer = wire.recv(65536)

    assert answer.split()[1] == status
    with opened(served) as client:
        client.send("on")
        assert client.recv(20) == "on"


def test_compression_works_with_another_library(serve_sockets: Serve) -> None:
    served = serve_sockets(echo, compression=True)
    message = "again and again " * 1000

    with opened(served, compression="deflate") as client:
        assert client.response is not None
        assert "deflate" in client.response.headers["Sec-WebSocket-Extensions"]
        for _ in range(3):
            client.send(message)
            assert client.recv(20) == message
        client.send("short")
        assert client.recv(20) == "short"


def test_silent_clients_are_pinged(serve_sockets: Serve) -> None:
    served = serve_sockets(echo, ping_interval=0.1, ping_timeout=0.1)

    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        wire.sendall(raw_handshake(served))
        _, _, frames = read_all(wire).partition(b"\r\n\r\n")

    assert split_frames(frames) == [(0x89, b"")]
    wait_until(lambda: served.events("websocket.disconnect"))
    assert served.events("websocket.disconnect")[0]["code"] == 1006


def test_a_group_reaches_all_its_members(serve_sockets: Serve) -> None:
    def join(bus: Bus, message: dict[str, Any]) -> None:
        if message["channel"] == "websocket.connect":
            bus.join(message, "all")
            bus.reply(message, accept=True)
        elif message["channel"] == "websocket.receive":
            bus.broadcast("all", text=message["text"])

    served = serve_sockets(join)

    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(opened(served)) for _ in range(20)]
        clients[0].send("hi")
        with ThreadPoolExecutor(4) as pool:
            heard = list(pool.map(lambda client: client.recv(20), clients))

    assert heard == ["hi"] * 20


def test_numbered_messages_of_many_clients_keep_their_order(
    serve_sockets: Serve,
) -> None:
    served = serve_sockets(echo)

    def talk(number: int) -> list[str | bytes]:
        with opened(served) as client:
            for count in range(50):
                client.send(f"{number}:{count}")
            return [client.recv(20) for _ in range(50)]

    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(talk, range(8)))

    for number in range(8):
        assert heard[number] == [f"{number}:{count}" for count in range(50)]


def test_a_client_that_takes_nothing_is_disconnected(serve_sockets: Serve) -> None:
    def flood(bus: Bus, message: dict[str, Any]) -> None:
        if message["channel"] == "websocket.connect":
            bus.reply(message, accept=True)
            for _ in range(40):
                bus.reply(message, bytes=bytes(500_000))

    served = serve_sockets(flood, limits={"unsent_bytes": 100_000}, close_timeout=0.2)

    with socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.connect(("127.0.0.1", served.port))
        wire.sendall(raw_handshake(served))
        wait_until(lambda: served.events("websocket.disconnect"))

    assert served.events("websocket.disconnect")[0]["code"] == 1006


def test_a_stopping_server_closes_with_1012(serve_sockets: Serve) -> None:
    served = serve_sockets(echo)

    with opened(served) as client:
        served.stop_server(1.0)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(20)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


def test_a_socket_that_ended_leaves_nothing_to_the_collector(
    serve_sockets: Serve,
) -> None:
    served = serve_sockets(echo)

    def visit() -> None:
        with opened(served) as client:
            client.send("hello")
            assert client.recv(20) == "hello"

    visit()
    with without_collector(least=5) as left:
        for _ in range(10):
            visit()
        wait_until(lambda: not left())
