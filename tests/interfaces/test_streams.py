"""Streams: one contract for the loop's own transports and for Twisted's."""

import logging
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairway.core.exceptions import ConfigurationError, PeerRefused
from fairway.core.plugin.wire import Listener, Stream
from fairway.interfaces import endpoints
from fairway.interfaces.streams_twisted import listen_twisted
from tests.interfaces.recorder import (
    KINDS,
    Place,
    Recorder,
    listening_for,
    read_exactly,
    read_to_end,
)
from tests.support.loop import LoopThread, wait_until

# Twisted hands pyOpenSSL objects of its own, which pyOpenSSL has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

MEGABYTE = 1024 * 1024


def listen(place: Place) -> Listener:
    if place.kind == "twisted":
        return place.loop.run(listen_twisted(place.endpoint, place.listening))
    work = endpoints.listen(place.endpoint, place.listening, setting="bind")
    return place.loop.run(work)


@pytest.fixture(params=KINDS)
def place(
    request: pytest.FixtureRequest, loop_thread: LoopThread, tmp_path: Path
) -> Iterator[Place]:
    place = Place(request.param, loop_thread, tmp_path)
    place.listener = listen(place)
    yield place
    place.loop.run(place.listener.close())
    for index in range(len(place.recorders)):
        place.on_stream(lambda stream: stream.abort(), index)
    wait_until(lambda: all(recorder.ends for recorder in place.recorders))


@pytest.fixture
def client(place: Place) -> Iterator[socket.socket]:
    with place.connect() as client:
        yield client


def fill(place: Place) -> int:
    """Write until the client's end takes no more; return how many bytes."""
    written = 0
    # Far more than the kernel may still take while a test looks.
    enough = 5 * MEGABYTE

    def write() -> int:
        place.recorders[0].stream.write(bytes(MEGABYTE))
        return place.recorders[0].stream.unsent_bytes

    while place.loop.call(write) < enough:
        written += MEGABYTE
    return written + MEGABYTE


def is_cut(place: Place) -> bool:
    """Return whether a new connection ends without a word."""
    try:
        with place.connect_bare() as client:
            return read_to_end(client) == b""
    except ConnectionResetError:
        return True  # before it was even complete


def test_bytes_arrive(place: Place, client: socket.socket) -> None:
    client.sendall(b"hello")

    wait_until(lambda: place.recorders[0].data == b"hello")


def test_bytes_are_sent(place: Place, client: socket.socket) -> None:
    place.on_stream(lambda stream: stream.write(b"hello"))

    assert read_exactly(client, 5) == b"hello"


def test_it_knows_both_addresses(place: Place, client: socket.socket) -> None:
    stream = place.recorders[0].stream

    if place.kind == "unix":
        assert (stream.client, stream.server) == ("unix", ("unix", None))
    else:
        host, port = client.getsockname()
        assert stream.client == f"{host}:{port}"
        assert stream.server == client.getpeername()


def test_a_client_that_has_reset_already_is_never_taken_for_a_unix_socket(
    place: Place,
) -> None:
    is_over = False

    def keep_the_loop_from_accepting() -> None:
        while not is_over:
            pass

    place.loop.loop.call_soon_threadsafe(keep_the_loop_from_accepting)
    try:
        with place.connect_bare() as client:
            client.sendall(b"x")
            linger = struct.pack("ii", 1, 0)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    finally:
        is_over = True
    place.connect().close()

    clients = {recorder.stream.client for recorder in place.recorders}
    assert ("unix" in clients) == (place.kind == "unix")


def test_it_knows_whether_tls_ends_here(place: Place, client: socket.socket) -> None:
    assert place.recorders[0].stream.secure == (place.kind == "tls")


def test_large_data_comes_through_in_order(place: Place, client: socket.socket) -> None:
    data = bytes(range(256)) * 8 * 1024

    place.on_stream(lambda stream: stream.write(data))

    assert read_exactly(client, len(data)) == data


def test_nothing_arrives_while_it_is_held(place: Place, client: socket.socket) -> None:
    place.on_stream(lambda stream: stream.hold(False))
    client.sendall(bytes(1_000))
    place.loop.call(lambda: None)
    assert not place.recorders[0].data

    place.on_stream(lambda stream: stream.hold(True))

    wait_until(lambda: len(place.recorders[0].data) == 1_000)


def test_it_may_be_held_from_within_received(place: Place) -> None:
    def hold(recorder: Recorder) -> None:
        recorder.stream.hold(False)

    def setup(recorder: Recorder) -> None:
        recorder.on_data = hold

    place.setup = setup
    with place.connect() as client:
        client.sendall(bytes(150_000))
        recorder = place.recorders[0]

        while len(recorder.data) < 150_000:
            seen = len(recorder.data)
            place.on_stream(lambda stream: stream.hold(True))
            wait_until(lambda seen=seen: len(recorder.data) > seen)  # type: ignore[misc]

        assert len(recorder.data) == 150_000


def test_what_is_sent_after_a_half_close_still_arrives(
    place: Place, client: socket.socket
) -> None:
    data = bytes(range(256)) * 64

    def end(stream: Stream) -> None:
        stream.write(data)
        stream.half_close()

    place.on_stream(end)
    assert read_exactly(client, len(data)) == data
    client.sendall(b"more")

    wait_until(lambda: place.recorders[0].data == b"more")
    assert not place.recorders[0].ends


def test_a_half_close_is_the_end_for_a_reader(
    place: Place, client: socket.socket
) -> None:
    place.on_stream(lambda stream: stream.write(b"bye"))
    place.on_stream(lambda stream: stream.half_close())
    if place.kind == "tls":  # which has no such half
        place.on_stream(lambda stream: stream.close())

    assert read_to_end(client) == b"bye"


@pytest.mark.standard
def test_a_stream_closes_after_a_half_close(
    place: Place, client: socket.socket
) -> None:
    place.on_stream(lambda stream: stream.half_close())
    place.on_stream(lambda stream: stream.close())

    assert read_to_end(client) == b""
    wait_until(lambda: place.recorders[0].ends == [""])


def test_a_half_close_of_a_stream_that_is_full_loses_nothing(
    place: Place, client: socket.socket
) -> None:
    written = fill(place)
    place.on_stream(lambda stream: stream.half_close())
    place.on_stream(lambda stream: stream.close())

    assert len(read_to_end(client)) == written


def test_unsent_bytes_are_counted(place: Place, client: socket.socket) -> None:
    written = fill(place)
    stream = place.recorders[0].stream

    assert MEGABYTE <= stream.unsent_bytes <= written + MEGABYTE
    read_exactly(client, written)
    wait_until(lambda: place.loop.call(lambda: stream.unsent_bytes) == 0)


def test_it_says_when_the_other_end_falls_behind_and_catches_up(
    place: Place, client: socket.socket
) -> None:
    written = fill(place)
    recorder = place.recorders[0]
    assert recorder.writable_calls[-1] is False

    read_exactly(client, written)

    wait_until(lambda: recorder.writable_calls[-1] is True)


@pytest.mark.standard
@pytest.mark.parametrize("place", ["tls"], indirect=True)
def test_closing_waits_for_a_reader_that_is_slower_than_the_goodbye_of_tls(
    place: Place, client: socket.socket
) -> None:
    written = fill(place)
    place.on_stream(lambda stream: stream.close())
    left = 200_000  # stands in the kernel, with the goodbye behind it
    read_exactly(client, written - left)
    time.sleep(5.5)

    assert len(read_to_end(client)) == left


def test_closing_sends_what_is_queued(place: Place, client: socket.socket) -> None:
    written = fill(place)

    place.on_stream(lambda stream: stream.close())

    assert len(read_to_end(client)) == written
    client.close()
    wait_until(lambda: place.recorders[0].ends)
    assert place.recorders[0].ends == [""]


def test_aborting_drops_what_is_queued(place: Place, client: socket.socket) -> None:
    written = fill(place)

    place.on_stream(lambda stream: stream.abort())

    wait_until(lambda: len(place.recorders[0].ends) == 1)
    assert len(read_to_end(client)) < written


def test_nothing_is_received_after_a_close(place: Place) -> None:
    def setup(recorder: Recorder) -> None:
        recorder.on_data = lambda recorder: recorder.stream.close()

    place.setup = setup
    with place.connect() as client:
        client.sendall(b"1")
        assert read_to_end(client) == b""

        assert place.recorders[0].data == b"1"


def test_writing_after_the_end_is_silent(place: Place, client: socket.socket) -> None:
    client.close()
    wait_until(lambda: place.recorders[0].ends)

    place.on_stream(lambda stream: stream.write(b"too late"))
    place.on_stream(lambda stream: stream.close())


def test_a_client_that_leaves_is_noticed_once(
    place: Place, client: socket.socket
) -> None:
    client.close()

    wait_until(lambda: len(place.recorders[0].ends) == 1)


def test_a_failure_cuts_its_own_connection_only(place: Place) -> None:
    def fail(recorder: Recorder) -> None:
        raise ValueError("a bug")

    def setup(recorder: Recorder) -> None:
        if len(place.recorders) == 1:
            recorder.on_data = fail

    place.setup = setup
    with place.connect() as first, place.connect() as second:
        first.sendall(b"1")
        assert read_to_end(first) == b""

        second.sendall(b"2")
        wait_until(lambda: place.recorders[1].data == b"2")
        assert not place.recorders[1].ends
    assert place.failures == [("received", "a bug")]


def test_a_failure_at_the_end_is_told(place: Place) -> None:
    def fail() -> None:
        raise ValueError("a bug")

    def setup(recorder: Recorder) -> None:
        recorder.on_end = fail

    place.setup = setup
    place.connect().close()

    wait_until(lambda: place.failures == [("closed", "a bug")])


def test_a_failure_to_begin_cuts_the_connection(place: Place) -> None:
    def setup(recorder: Recorder) -> None:
        place.recorders.remove(recorder)
        raise ValueError("a bug")

    place.setup = setup
    assert is_cut(place)
    wait_until(lambda: place.failures == [("accept", "a bug")])


def test_a_refused_peer_is_hung_up_on(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    def setup(recorder: Recorder) -> None:
        place.recorders.remove(recorder)
        raise PeerRefused("peers", recorder.stream.client)

    place.setup = setup
    with caplog.at_level(logging.WARNING):
        assert is_cut(place)
    assert not caplog.records


def test_closing_the_listener_leaves_connections_open(
    place: Place, client: socket.socket
) -> None:
    assert place.listener is not None
    place.loop.run(place.listener.close())

    client.sendall(b"still here")

    wait_until(lambda: place.recorders[0].data == b"still here")
    with pytest.raises(OSError, match=r"\S"):
        place.connect_unseen()


def test_a_taken_place_is_a_named_error(loop_thread: LoopThread) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        description = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        work = endpoints.listen(
            description,
            listening_for(Recorder, loop_thread),
            setting='FAIRWAY["PLUGINS"]["x"]["bind"]',
        )

        with pytest.raises(ConfigurationError, match='"bind"') as caught:
            loop_thread.run(work)
    assert description in str(caught.value)


@pytest.mark.parametrize(
    "description", ["nonsense:1", "tcp:no-number", "tcp:1:colour=red", "ssl:0", ""]
)
def test_an_unreadable_endpoint_is_a_named_error(
    loop_thread: LoopThread, description: str
) -> None:
    listening = listening_for(Recorder, loop_thread)
    work = endpoints.listen(description, listening, setting="bind")

    with pytest.raises(ConfigurationError, match="cannot be listened to"):
        loop_thread.run(work)


def test_ipv6_addresses_are_shown_in_brackets(loop_thread: LoopThread) -> None:
    place = Place("loop", loop_thread, Path())
    listener = loop_thread.run(
        endpoints.listen(r"tcp6:0:interface=\:\:1", place.listening, setting="bind")
    )

    with socket.create_connection(("::1", listener.port)) as client:
        wait_until(lambda: place.recorders)
        stream = place.recorders[0].stream
        assert stream.client == f"[::1]:{client.getsockname()[1]}"
        assert stream.server == ("::1", listener.port)
    assert listener.address == f"[::1]:{listener.port}"
    loop_thread.run(listener.close())


def test_behind_haproxy_the_client_is_the_one_its_header_names(
    loop_thread: LoopThread,
) -> None:
    place = Place("loop", loop_thread, Path())
    listener = loop_thread.run(
        endpoints.listen(
            "haproxy:tcp:0:interface=127.0.0.1",
            place.listening,
            setting="bind",
        )
    )

    with socket.create_connection(("127.0.0.1", listener.port)) as client:
        client.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.99 5123 80\r\nhello")
        wait_until(lambda: place.recorders and place.recorders[0].data == b"hello")
        assert place.recorders[0].stream.client == "192.0.2.1:5123"
    loop_thread.run(listener.close())
