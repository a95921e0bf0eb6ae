"""The 40-line plugin over a real socket, the memory layer and a worker by hand."""

import socket
import threading
from collections.abc import Iterator

import pytest

from fairway.core.bus import record
from fairway.core.bus.operations import Done, Send
from fairway.core.content import Content, decode_content, encode_content
from tests.interfaces.recorder import read_exactly, read_to_end
from tests.interfaces.rig import Rig, rigged
from tests.support.loop import LoopThread, wait_until

CHANNELS = ["lines.connect", "lines.receive", "lines.disconnect"]


class EchoWorker(threading.Thread):
    """Takes events and shouts them back, as a worker does."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self.seen: list[str] = []
        self._layer = rig.layer
        self._receiver = rig.layer.receiver(CHANNELS)
        self._stopping = False

    def run(self) -> None:
        while not self._stopping:
            for delivery in self._receiver.take(64):
                assert isinstance(delivery.body, record.Event)
                self._consume(delivery.channel, delivery.body)

    def _consume(self, channel: str, body: record.Event) -> None:
        reply_channel = decode_content(bytes(body.envelope))["reply_channel"]
        replies: list[Content] = []
        for event in body.events:
            self.seen.append(channel)
            text = decode_content(bytes(event)).get("text")
            if channel == "lines.connect":
                replies.append({"accept": True})
            elif text == "bye":
                replies.append({"text": "goodbye", "close": True})
            elif text is not None:
                replies.append({"text": text.upper()})
        sends = [Send(reply_channel, encode_content(reply)) for reply in replies]
        self._layer.apply([*sends, Done(reply_channel, body.order)])

    def stop(self) -> None:
        self._stopping = True
        self._receiver.wake()
        self.join(20)
        self._receiver.close()


@pytest.fixture
def worker(loop_thread: LoopThread) -> Iterator[tuple[Rig, EchoWorker]]:
    plugins = {"tests.core.plugin.lines": {"bind": ["tcp:0:interface=127.0.0.1"]}}
    with rigged(loop_thread, plugins) as rig:
        worker = EchoWorker(rig)
        worker.start()
        yield rig, worker
        worker.stop()


def test_lines_come_back_in_order(worker: tuple[Rig, EchoWorker]) -> None:
    rig, _ = worker
    lines = [f"line {number}" for number in range(2_000)]
    expected = "".join(f"{line.upper()}\n" for line in lines).encode()

    with rig.connect("lines") as client:
        sender = threading.Thread(
            target=client.sendall, args=["".join(f"{n}\n" for n in lines).encode()]
        )
        sender.start()

        assert read_exactly(client, len(expected)) == expected
        sender.join()


def test_many_clients_are_served_side_by_side(
    worker: tuple[Rig, EchoWorker],
) -> None:
    rig, _ = worker
    clients: list[socket.socket] = [rig.connect("lines") for _ in range(50)]

    for number, client in enumerate(clients):
        client.sendall(f"client {number}\n".encode())

    for number, client in enumerate(clients):
        expected = f"CLIENT {number}\n".encode()
        assert read_exactly(client, len(expected)) == expected
        client.close()


def test_events_come_in_the_order_of_a_connection_s_life(
    worker: tuple[Rig, EchoWorker],
) -> None:
    rig, echo = worker

    with rig.connect("lines") as client:
        client.sendall(b"bye\n")
        assert read_to_end(client) == b"goodbye\n"

    wait_until(lambda: len(echo.seen) == 3)
    assert echo.seen == CHANNELS


def test_no_peer_is_kept_when_all_have_left(
    worker: tuple[Rig, EchoWorker],
) -> None:
    rig, _ = worker
    for _ in range(20):
        rig.connect("lines").close()

    backplane = rig.server._backplane
    assert backplane is not None
    wait_until(lambda: rig.loop.call(lambda: len(backplane.peers)) == 0)
