"""The frame engine: bytes in, wire events out."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.plugins.websocket.engine import load_engine
from fairway.plugins.websocket.events import (
    BytesReceived,
    CloseReceived,
    Failed,
    PingReceived,
    PongReceived,
    TextReceived,
    WireEvent,
)
from fairway.plugins.websocket.frames import BINARY, CLOSE, PING, PONG, TEXT
from tests.support.examples import examples

from .wire import deflated, frame, message

LIMIT = 1000


Read = Callable[..., list[WireEvent]]


@pytest.fixture(scope="session")
def read(engine_name: str) -> Read:
    """Return a function that reads bytes with a new engine."""

    def run(
        *chunks: bytes, deflate: bool = False, limit: int = LIMIT
    ) -> list[WireEvent]:
        engine = load_engine(engine_name)(limit, deflate)
        return [event for chunk in chunks for event in engine.received(chunk)]

    return run


def failure_of(events: Sequence[WireEvent]) -> int:
    assert isinstance(events[-1], Failed), events
    return events[-1].code


TABLE = [
    (frame(TEXT), [TextReceived("")]),
    (frame(TEXT, "gr\u00fc\u00df".encode()), [TextReceived("gr\u00fc\u00df")]),
    (frame(BINARY, b"\x00\xff"), [BytesReceived(b"\x00\xff")]),
    (frame(BINARY), [BytesReceived(b"")]),
    (frame(BINARY, bytes(125)), [BytesReceived(bytes(125))]),
    (frame(BINARY, bytes(126)), [BytesReceived(bytes(126))]),
    (message(TEXT, b"a", b"", b"b"), [TextReceived("ab")]),
    (message(TEXT, b"\xe2\x82", b"\xac"), [TextReceived("\u20ac")]),
    (message(BINARY, b"", b""), [BytesReceived(b"")]),
    (
        frame(TEXT, b"a", fin=False) + frame(PING, b"x") + frame(0, b"b"),
        [PingReceived(b"x"), TextReceived("ab")],
    ),
    (frame(PONG, b"x"), [PongReceived(b"x")]),
    (frame(PING), [PingReceived(b"")]),
    (frame(CLOSE), [CloseReceived(None, "")]),
    (frame(CLOSE, b"\x03\xe8"), [CloseReceived(1000, "")]),
    (frame(CLOSE, b"\x0f\xa0bye"), [CloseReceived(4000, "bye")]),
    (frame(TEXT, b"a", mask=b"\0\0\0\0") * 2, [TextReceived("a")] * 2),
]


@pytest.mark.parametrize(("data", "events"), TABLE)
def test_bytes_mean_the_same_however_they_are_cut(
    read: Read, data: bytes, events: list[WireEvent]
) -> None:
    assert read(data) == events
    assert read(*(bytes((byte,)) for byte in data)) == events
    for cut in range(1, len(data)):
        assert read(data[:cut], data[cut:]) == events


@pytest.mark.parametrize("size", [65535, 65536, 70000])
def test_long_frames_are_read(read: Read, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)

    assert read(frame(BINARY, data[:size]), limit=size) == [BytesReceived(data[:size])]


def test_nothing_is_read_after_a_close_frame(read: Read) -> None:
    events = read(frame(CLOSE) + frame(TEXT, b"late"), frame(TEXT, b"later"))

    assert events == [CloseReceived(None, "")]


def test_nothing_is_read_after_a_failure(read: Read) -> None:
    events = read(frame(3) + frame(TEXT, b"late"), frame(TEXT, b"later"))

    assert [type(event) for event in events] == [Failed]


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"a", mask=None),
        frame(TEXT, b"a", rsv=1),
        frame(TEXT, b"a", rsv=2),
        frame(TEXT, b"a", rsv=4),
        *(frame(opcode) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        frame(PING, bytes(126)),
        frame(PING, fin=False),
        frame(CLOSE, b"\x03"),
        frame(CLOSE, b"\x03\xed"),
        frame(CLOSE, b"\x00\x00"),
        frame(0, b"a"),
        frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
        b"\x82\xfe\x00\x05" + bytes(9),
        b"\x82\xff" + bytes(7) + b"\x05" + bytes(9),
        b"\x82\xff\xff" + bytes(7) + bytes(4),
    ],
)
def test_what_breaks_the_rules_of_frames_fails_with_1002(
    read: Read, data: bytes
) -> None:
    assert failure_of(read(data)) == 1002


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"\xff"),
        frame(TEXT, b"\xed\xa0\x80"),
        frame(TEXT, b"\xf4\x90\x80\x80"),
        frame(TEXT, b"\xc0\xaf"),
        message(TEXT, b"\xe2\x82"),
        message(TEXT, b"\xe2", b"a"),
        frame(CLOSE, b"\x03\xe8\xff"),
    ],
)
def test_text_that_is_not_utf8_fails_with_1007(read: Read, data: bytes) -> None:
    assert failure_of(read(data)) == 1007


@pytest.mark.parametrize("wrong", [b"\xff", b"\xf4\x90", b"\xed\xa0\x80", b"\xc1"])
def test_wrong_text_fails_before_the_message_is_complete(
    read: Read, wrong: bytes
) -> None:
    assert failure_of(read(frame(TEXT, b"\xce\xba" + wrong + bytes(90))[:11])) == 1007


def test_a_message_at_the_limit_passes(read: Read) -> None:
    half = bytes(LIMIT // 2)

    assert read(message(BINARY, half, half)) == [BytesReceived(bytes(LIMIT))]


def test_a_frame_above_the_limit_fails_by_its_header(read: Read) -> None:
    assert failure_of(read(frame(BINARY, bytes(LIMIT + 1))[:8])) == 1009
    assert failure_of(read(frame(BINARY, bytes(LIMIT + 1)))) == 1009
    assert failure_of(read(b"\x82\xff\x7f" + b"\xff" * 7 + bytes(4))) == 1009


def test_fragments_above_the_limit_fail(read: Read) -> None:
    assert failure_of(read(message(BINARY, bytes(LIMIT), b"x"))) == 1009


def test_endless_empty_fragments_fail(engine_name: str) -> None:
    engine = load_engine(engine_name)(LIMIT, False)
    engine.received(frame(TEXT, fin=False))

    events: list[WireEvent] = []
    for _ in range(2000):
        events += engine.received(frame(0, fin=False))

    assert failure_of(events) == 1009


@pytest.mark.parametrize("payload", [b"", b"a", b"ab" * 400, bytes(LIMIT)])
def test_compressed_messages_are_inflated(read: Read, payload: bytes) -> None:
    body = deflated(payload)
    middle = len(body) // 2

    whole = read(frame(BINARY, body, rsv=4), deflate=True)
    cut = read(
        frame(BINARY, body[:middle], rsv=4, fin=False) + frame(0, body[middle:]),
        deflate=True,
    )

    assert whole == cut == [BytesReceived(payload)]


def test_incompressible_messages_at_the_limit_pass(read: Read) -> None:
    noise = zlib.compress(b"".join(b"%d" % (n * n) for n in range(5000)))[:LIMIT]
    body = deflated(noise, level=0)
    assert len(body) > LIMIT

    assert read(frame(BINARY, body, rsv=4), deflate=True) == [BytesReceived(noise)]


def test_plain_messages_pass_between_compressed_ones(read: Read) -> None:
    data = frame(TEXT, deflated(b"a"), rsv=4) + frame(TEXT, b"b")

    assert read(data, deflate=True) == [TextReceived("a"), TextReceived("b")]


@pytest.mark.parametrize("excess", [1, 2, 100, 258, 259, 10_000_000])
def test_what_inflates_above_the_limit_fails(read: Read, excess: int) -> None:
    body = deflated(bytes(LIMIT + excess))

    for cut in (len(body), 1, 7):
        pieces = [body[i : i + cut] for i in range(0, len(body), cut)]
        data = frame(BINARY, pieces[0], rsv=4, fin=len(pieces) == 1)
        for index, piece in enumerate(pieces[1:], 2):
            data += frame(0, piece, fin=index == len(pieces))
        assert failure_of(read(data, deflate=True)) == 1009


@pytest.mark.standard
def test_a_bomb_is_not_inflated_beyond_the_limit(engine_name: str) -> None:
    # 100 MB in 100 KB, to a process that may not grow by 60 MB.
    code = (
        "import resource\n"
        "from tests.plugins.websocket.wire import deflated, frame\n"
        "from fairway.plugins.websocket.engine import load_engine\n"
        "bomb = frame(2, deflated(bytes(100_000_000)), rsv=4)\n"
        f"new_engine = load_engine({engine_name!r})\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "engine = new_engine(1_000_000, True)\n"
        "print(engine.received(bomb)[-1].code)\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(after - before < 60_000)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )

    assert done.stdout.split() == ["1009", "True"], done.stderr


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xff\xff",
        b"\x06",
        deflated(b"hello")[:-2] + b"\xff\xff",
        deflated(bytes(300), level=0)[:100],
    ],
)
def test_what_is_no_deflate_fails_with_1007(read: Read, body: bytes) -> None:
    data = frame(BINARY, body, rsv=4)

    assert failure_of(read(data, deflate=True)) == 1007


def test_text_is_checked_after_inflation(read: Read) -> None:
    data = frame(TEXT, deflated(b"\xff"), rsv=4)

    assert failure_of(read(data, deflate=True)) == 1007


def test_a_stream_that_ends_within_a_message_goes_on(read: Read) -> None:
    # RFC 7692, 7.2.3.4: a block with BFINAL, then an octet of zeros.
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = compressor.compress(b"Hello") + compressor.flush() + b"\x00"

    assert read(frame(TEXT, body, rsv=4), deflate=True) == [TextReceived("Hello")]


def test_a_message_of_endless_stream_ends_fails(read: Read) -> None:
    data = frame(BINARY, b"\x03\x00" * 400, rsv=4)

    assert failure_of(read(data, deflate=True)) == 1007


@pytest.mark.parametrize(
    "data",
    [
        frame(PING, b"a", rsv=4),
        frame(TEXT, deflated(b"a"), rsv=4, fin=False) + frame(0, b"", rsv=4),
        frame(TEXT, b"a", rsv=6),
    ],
)
def test_the_bit_of_compression_stands_on_first_data_frames_only(
    read: Read, data: bytes
) -> None:
    assert failure_of(read(data, deflate=True)) == 1002


messages = st.one_of(
    st.text(max_size=40).map(lambda text: (TEXT, text.encode())),
    st.binary(max_size=200).map(lambda data: (BINARY, data)),
)


@given(
    st.lists(messages, max_size=5),
    st.lists(st.integers(1, 60), min_size=1, max_size=20),
    st.lists(st.integers(0, 20), max_size=4),
    st.booleans(),
)
def test_messages_arrive_however_they_are_fragmented_and_cut(
    read: Read,
    sent: list[tuple[int, bytes]],
    cuts: list[int],
    fragments: list[int],
    compressed: bool,
) -> None:
    data = b""
    for opcode, payload in sent:
        body = deflated(payload) if compressed else payload
        pieces = []
        for size in fragments:
            pieces.append(body[:size])
            body = body[size:]
        pieces.append(body)
        for index, piece in enumerate(pieces):
            data += frame(
                0 if index else opcode,
                piece,
                fin=index == len(pieces) - 1,
                rsv=4 if compressed and not index else 0,
            )
    chunks = []
    for size in cuts:
        chunks.append(data[:size])
        data = data[size:]
    chunks.append(data)

    events = read(*chunks, deflate=compressed)

    assert events == [
        TextReceived(payload.decode()) if opcode == TEXT else BytesReceived(payload)
        for opcode, payload in sent
    ]


@settings(max_examples=examples(300))
@given(st.binary(max_size=300), st.booleans(), st.integers(0, 300))
def test_any_bytes_give_events_that_do_not_depend_on_the_cut(
    read: Read, data: bytes, deflate: bool, cut: int
) -> None:
    assert read(data, deflate=deflate) == read(data[:cut], data[cut:], deflate=deflate)


def test_no_engine_needs_an_event_loop_library(engine_name: str) -> None:
    unwanted = {"twisted", "autobahn.asyncio", "django"}
    if engine_name != "autobahn":
        unwanted.add("autobahn")
    code = (
        "import sys\n"
        "import fairway.plugins.websocket.transport_twisted\n"
        "from fairway.plugins.websocket.engine import load_engine\n"
        f"load_engine({engine_name!r})\n"
        f"unwanted = {unwanted!r}\n"
        "print(unwanted & set(sys.modules))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )

    assert done.stdout.strip() == "set()", done.stderr
