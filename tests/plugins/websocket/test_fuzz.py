"""Whatever a client sends behind or instead of a handshake, the server serves on."""

from __future__ import annotations

import socket
from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples

from .conftest import Served
from .test_transport import Serve, echo, opened, raw_handshake, read_all
from .wire import frame

FIELDS = st.tuples(
    st.sampled_from(
        [
            b"Sec-WebSocket-Protocol",
            b"Sec-WebSocket-Extensions",
            b"Sec-WebSocket-Key",
            b"Sec-WebSocket-Version",
            b"Origin",
            b"Cookie",
        ]
    ),
    st.binary(max_size=30),
)
FRAMES = st.builds(
    frame,
    st.sampled_from([0, 1, 2, 3, 8, 9, 10, 11]),
    st.binary(max_size=200),
)
HEADS = st.binary(min_size=2, max_size=14)


def answered(served: Served, handshake: bytes, data: bytes = b"") -> bytes:
    """Shake hands, send bytes and the end of them; return the answer's first part."""
    with socket.create_connection(("127.0.0.1", served.port), 20) as wire:
        wire.sendall(handshake)
        answer = wire.recv(65_536)
        with suppress(ConnectionError):
            wire.sendall(data)
            wire.shutdown(socket.SHUT_WR)
            read_all(wire)
        return answer


def test_no_bytes_harm_a_running_server(serve_sockets: Serve) -> None:
    served = serve_sockets(echo, compression=True, max_message=1024)

    @given(st.lists(FRAMES | HEADS, max_size=6).map(b"".join))
    @settings(
        max_examples=examples(40),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    def sends(data: bytes) -> None:
        answer = answered(served, raw_handshake(served), data)
        assert answer.startswith(b"HTTP/1.1 101 ")

    sends()
    with opened(served) as client:
        client.send("still here")
        assert client.recv(20) == "still here"


def test_no_field_of_a_handshake_harms_a_running_server(serve_sockets: Serve) -> None:
    served = serve_sockets(echo)

    @given(st.lists(FIELDS, max_size=3))
    @settings(
        max_examples=examples(40),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    def asks(fields: list[tuple[bytes, bytes]]) -> None:
        extra = [name + b": " + value for name, value in fields]
        answer = answered(served, raw_handshake(served, *extra))
        assert answer.startswith((b"HTTP/1.1 101 ", b"HTTP/1.1 4"))

    asks()
    with opened(served) as client:
        client.send("still here")
        assert client.recv(20) == "still here"


def test_two_interleaved_clients_share_nothing(serve_sockets: Serve) -> None:
    served = serve_sockets(echo)

    with opened(served) as first, opened(served) as second:
        for number in range(20):
            first.send(f"first {number}")
            second.send(f"second {number}")
        heard = [[client.recv(20) for _ in range(20)] for client in (first, second)]

    assert heard[0] == [f"first {number}" for number in range(20)]
    assert heard[1] == [f"second {number}" for number in range(20)]
    received = served.events("websocket.receive")
    peers = {(one["peer"], one["text"].split()[0]) for one in received}
    assert len(peers) == 2
