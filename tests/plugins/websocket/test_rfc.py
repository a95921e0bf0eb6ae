"""Cases in the order of the Autobahn testsuite, against an echo of every message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fairway.plugins.websocket.frames import BINARY, CLOSE, PING, PONG, TEXT

from .memory import Client, MemoryHost, serve
from .wire import deflated, frame, inflated, message

FIN, RSV1 = 0x80, 0x40
UTF8 = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!".encode()


Echo = Callable[..., list[tuple[int, bytes]]]


@pytest.fixture(scope="session")
def echo(engine_name: str) -> Echo:
    """Return a function that sends bytes to an echo and returns the frames it got."""

    def run(data: bytes, chop: int = 0, **section: Any) -> list[tuple[int, bytes]]:
        protocol, host = serve(MemoryHost(), engine=engine_name, **section)
        client = Client(protocol, host)

        def reply(peer: Any, channel: str, content: dict[str, Any]) -> None:
            if channel == "websocket.connect":
                protocol.deliver((peer,), {"accept": True})
            elif channel == "websocket.receive":
                protocol.deliver((peer,), content)

        host.on_emit = reply
        client.request((b"sec-websocket-extensions", b"permessage-deflate"))
        for start in range(0, len(data), chop or len(data)):
            client.send(data[start : start + (chop or len(data))])
        return client.frames

    return run


def closed(code: int | None) -> tuple[int, bytes]:
    return (FIN | CLOSE, b"" if code is None else code.to_bytes(2))


def codes_of(frames: list[tuple[int, bytes]]) -> list[int]:
    """Return the codes of the close frames, without looking at reasons."""
    return [
        int.from_bytes(payload[:2]) for first, payload in frames if first == FIN | CLOSE
    ]


# 1: framing.


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [0, 125, 126, 127, 128, 65535, 65536])
@pytest.mark.parametrize("chop", [0, 997])
def test_1_messages_of_all_sizes_are_echoed(
    echo: Echo, opcode: int, size: int, chop: int
) -> None:
    payload = b"*" * size

    assert echo(frame(opcode, payload), chop) == [(FIN | opcode, payload)]


# 2: pings and pongs.


@pytest.mark.parametrize(
    ("sent", "returned"),
    [
        (frame(PING), [(FIN | PONG, b"")]),
        (frame(PING, b"Hello, world!"), [(FIN | PONG, b"Hello, world!")]),
        (frame(PING, b"\x00\xff\xfe"), [(FIN | PONG, b"\x00\xff\xfe")]),
        (frame(PING, b"\xfe" * 125), [(FIN | PONG, b"\xfe" * 125)]),
        (frame(PONG), []),
        (frame(PONG, b"unsolicited"), []),
        (frame(PONG, b"u") + frame(PING, b"p"), [(FIN | PONG, b"p")]),
        (
            b"".join(frame(PING, b"%d" % n) for n in range(10)),
            [(FIN | PONG, b"%d" % n) for n in range(10)],
        ),
    ],
)
def test_2_pings_are_answered_and_pongs_ignored(
    echo: Echo, sent: bytes, returned: list[tuple[int, bytes]]
) -> None:
    assert echo(sent) == echo(sent, chop=1) == returned


def test_2_5_a_ping_of_126_octets_fails(echo: Echo) -> None:
    assert codes_of(echo(frame(PING, b"\xfe" * 126))) == [1002]


# 3: reserved bits.


@pytest.mark.parametrize("rsv", range(1, 8))
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
def test_3_reserved_bits_fail(echo: Echo, rsv: int, opcode: int) -> None:
    frames = echo(frame(TEXT, b"first") + frame(opcode, b"", rsv=rsv) + frame(PING))

    assert frames[0] == (FIN | TEXT, b"first")
    assert codes_of(frames[1:]) == [1002]
    assert len(frames) == 2


# 4: opcodes.


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("payload", [b"", b"reserved opcode payload"])
def test_4_reserved_opcodes_fail(echo: Echo, opcode: int, payload: bytes) -> None:
    frames = echo(frame(TEXT, b"a") + frame(opcode, payload) + frame(PING))

    assert frames[0] == (FIN | TEXT, b"a")
    assert codes_of(frames[1:]) == [1002]


# 5: fragmentation.


@pytest.mark.parametrize(
    ("sent", "returned"),
    [
        (
            message(TEXT, b"fragment1", b"fragment2"),
            [(FIN | TEXT, b"fragment1fragment2")],
        ),
        (message(BINARY, b"", b"", b""), [(FIN | BINARY, b"")]),
        (message(TEXT, b"", b"middle", b""), [(FIN | TEXT, b"middle")]),
        (
            frame(TEXT, b"1", fin=False) + frame(PING, b"ping") + frame(0, b"2"),
            [(FIN | PONG, b"ping"), (FIN | TEXT, b"12")],
        ),
        (
            frame(TEXT, b"1", fin=False)
            + frame(0, b"2", fin=False)
            + frame(PING, b"a")
            + frame(0, b"3", fin=False)
            + frame(PING, b"b")
            + frame(0, b"4"),
            [(FIN | PONG, b"a"), (FIN | PONG, b"b"), (FIN | TEXT, b"1234")],
        ),
    ],
)
def test_5_fragments_are_put_together(
    echo: Echo, sent: bytes, returned: list[tuple[int, bytes]]
) -> None:
    assert echo(sent) == echo(sent, chop=1) == returned


@pytest.mark.parametrize(
    "sent",
    [
        frame(PING, b"a", fin=False) + frame(0, b"b"),
        frame(PONG, b"a", fin=False) + frame(0, b"b"),
        frame(0, b"continuation"),
        frame(0, b"continuation", fin=False) + frame(0),
        message(TEXT, b"a", b"b") + frame(0, b"c", fin=False) + frame(TEXT, b"d"),
        frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
        frame(TEXT, b"a", fin=False) + frame(BINARY, b"b", fin=False),
    ],
)
def test_5_wrong_fragments_fail(echo: Echo, sent: bytes) -> None:
    assert codes_of(echo(sent)) == codes_of(echo(sent, chop=1)) == [1002]


# 6: UTF-8.

VALID = [
    UTF8,
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
    b"\x00",
    b"\xc2\x80",
    b"\xe0\xa0\x80",
    b"\xf0\x90\x80\x80",
    b"\x7f",
    b"\xdf\xbf",
    b"\xef\xbf\xbf",
    b"\xf4\x8f\xbf\xbf",
    b"\xed\x9f\xbf",
    b"\xee\x80\x80",
    b"\xef\xbf\xbd",
    b"\xef\xbf\xbe",
    b"\xf0\x9f\xbf\xbe",
]
INVALID = [
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    b"\xf8\x88\x80\x80\x80",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xf7\xbf\xbf\xbf",
    b"\xfb\xbf\xbf\xbf\xbf",
    b"\xfd\xbf\xbf\xbf\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\x80",
    b"\xbf",
    b"\x80\xbf\x80\xbf",
    b"\xc0 \xc1 \xdf ",
    b"\xe0 \xef ",
    b"\xf0 \xf4 ",
    b"\xfe",
    b"\xff",
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xc1\xbf",
    b"\xe0\x9f\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80",
    b"\xce",
    b"\xe1\xbd",
    b"\xf0\x90\x80",
]


@pytest.mark.parametrize("text", VALID)
def test_6_valid_text_is_echoed_however_it_is_cut(echo: Echo, text: bytes) -> None:
    pieces = [text[i : i + 1] for i in range(len(text))]

    assert echo(frame(TEXT, text)) == [(FIN | TEXT, text)]
    assert echo(message(TEXT, *pieces)) == [(FIN | TEXT, text)]
    assert echo(message(TEXT, *pieces), chop=1) == [(FIN | TEXT, text)]


@pytest.mark.parametrize("text", INVALID)
def test_6_invalid_text_fails_however_it_is_cut(echo: Echo, text: bytes) -> None:
    pieces = [text[i : i + 1] for i in range(len(text))]

    assert codes_of(echo(frame(TEXT, text))) == [1007]
    assert codes_of(echo(message(TEXT, *pieces))) == [1007]
    assert codes_of(echo(message(TEXT, *pieces), chop=1)) == [1007]


@pytest.mark.parametrize("cut", [1, 2])
def test_6_4_invalid_text_fails_before_its_message_ends(echo: Echo, cut: int) -> None:
    start = frame(TEXT, b"\xce\xba\xe1\xbd\xb9", fin=False)
    whole = frame(0, b"\xf4\x90\x80\x80", fin=False)

    frames = echo(start + (whole if cut == 1 else whole[:-2]))

    assert codes_of(frames) == [1007]


# 7: closing.


def test_7_1_nothing_follows_a_close(echo: Echo) -> None:
    sent = frame(CLOSE, b"\x03\xe8") + frame(CLOSE) + frame(PING) + frame(TEXT, b"a")

    assert echo(sent) == [closed(1000)]


def test_7_1_a_close_ends_a_message_in_fragments(echo: Echo) -> None:
    sent = frame(TEXT, b"a", fin=False) + frame(CLOSE, b"\x03\xe8") + frame(0, b"b")

    assert echo(sent) == [closed(1000)]


def test_7_3_a_close_may_be_empty_or_carry_a_reason(echo: Echo) -> None:
    assert echo(frame(CLOSE)) == [closed(None)]
    assert echo(frame(CLOSE, b"\x03\xe8" + b"*" * 123)) == [closed(1000)]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"\x03", 1002),
        (b"\x03\xe8" + b"*" * 124, 1002),
        (b"\x03\xe8\xce\xba\xed\xa0\x80", 1007),
    ],
)
def test_7_wrong_closes_fail(echo: Echo, payload: bytes, code: int) -> None:
    assert codes_of(echo(frame(CLOSE, payload))) == [code]


@pytest.mark.parametrize(
    "code",
    [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999],
)
def test_7_7_valid_codes_are_echoed(echo: Echo, code: int) -> None:
    assert echo(frame(CLOSE, code.to_bytes(2))) == [closed(code)]


@pytest.mark.parametrize(
    "code",
    [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535],
)
def test_7_9_invalid_codes_fail(echo: Echo, code: int) -> None:
    assert codes_of(echo(frame(CLOSE, code.to_bytes(2)))) == [1002]


# 9: sizes and fragments, small. 10: an echo of 64 KiB in fragments of 1,300.


@pytest.mark.parametrize("fragment", [64, 256, 1300, 4096])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_9_long_messages_of_small_fragments_are_echoed(
    echo: Echo, opcode: int, fragment: int
) -> None:
    payload = b"abcdefghijklmnop" * 4096
    pieces = [payload[i : i + fragment] for i in range(0, len(payload), fragment)]

    assert echo(message(opcode, *pieces)) == [(FIN | opcode, payload)]


@pytest.mark.parametrize("chop", [64, 1024])
def test_9_long_frames_are_echoed_in_whatever_pieces_they_come(
    echo: Echo, chop: int
) -> None:
    payload = b"abcdefghijklmnop" * 4096

    assert echo(frame(BINARY, payload), chop) == [(FIN | BINARY, payload)]


def test_9_a_message_above_the_limit_fails_with_1009(echo: Echo) -> None:
    assert codes_of(echo(frame(BINARY, bytes(1001)), max_message=1000)) == [1009]


# 12: compression.


@pytest.mark.parametrize("size", [0, 1, 63, 64, 1000, 100_000])
def test_12_compressed_messages_are_echoed(echo: Echo, size: int) -> None:
    payload = (b"{'json': [1, 2, 3], 'more': true} " * (size // 34 + 1))[:size]

    frames = echo(frame(TEXT, deflated(payload), rsv=4), compression=True)

    ((first, body),) = frames
    assert (inflated(body) if first & RSV1 else body) == payload
