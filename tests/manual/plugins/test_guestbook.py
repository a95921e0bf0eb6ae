"""The guestbook keeps the contract, and does what the manual says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fairway import kit
from fairway.core.bus.layer import LayerPolicy
from fairway.core.consumer.routing import Router
from fairway.core.worker import Worker
from fairway.testing.plugin import PluginConformance
from fairway.testing.recording import RecordingHost
from tests.interfaces.rig import Rig
from tests.manual.plugins.guestbook import Section, Session
from tests.manual.plugins.guestbook_consumers import channel_routing
from tests.support.loop import LoopThread, loop_thread

__all__ = ["loop_thread"]

NAME = "tests.manual.plugins.guestbook"
NOW = 1_000.0


class TestGuestbook(PluginConformance):
    plugin = NAME
    wire = b"LOGIN ada lovelace\nhello\n"
    bad_wire = (b"hello\n", b"LOGIN ada\n", b"x" * 8_193, b"\xff\n")

    async def converse(self, host: RecordingHost) -> None:
        stream = host.connect()
        stream.feed(self.wire)
        host.deliver({"accept": True})
        stream.hang_up()


def test_lines_wait_until_the_login_was_looked_at() -> None:
    session = Session(Section())

    asked = session.received(b"LOGIN ada lovelace\none\ntwo\n", NOW)
    let_in = session.reply({"accept": True}, NOW)

    login = {"user": "ada", "password": "lovelace"}
    assert asked == [kit.Emit("guestbook.connect", login)]
    assert let_in == [
        kit.Write(b"OK\n"),
        kit.Emit("guestbook.receive", {"text": "one"}),
        kit.Emit("guestbook.receive", {"text": "two"}),
    ]


def test_who_does_not_log_in_is_hung_up_on() -> None:
    session = Session(Section(login_time=5.0))
    session.opened(NOW)

    assert session.next_deadline() == NOW + 5.0
    assert session.deadline_passed(NOW + 5.0)[-1] == kit.Hangup("too slow")
    assert session.closed(NOW + 5.0) == []


@pytest.fixture
def rig(loop_thread: LoopThread) -> Iterator[Rig]:
    plugins = {NAME: {"bind": ["tcp:0:interface=127.0.0.1"]}}
    policy = LayerPolicy(capacity=lambda channel: 100)
    rig = Rig(loop_thread, {"PLUGINS": plugins}, policy)
    router = Router(channel_routing, rig.server.plugins)
    worker = Worker(rig.layer, router, rig.server.plugins, threads=1)
    loop_thread.run(rig.server.start())
    worker.start()
    yield rig
    worker.stop()
    worker.join(20)
    loop_thread.run(rig.server.stop(0.1))
    rig.layer.close()


def test_ada_signs_and_a_stranger_does_not(rig: Rig) -> None:
    with rig.connect("guestbook") as client, client.makefile("rwb") as file:
        file.write(b"LOGIN ada lovelace\nhello\n")
        file.flush()
        assert [file.readline() for _ in range(3)] == [
            b"HELLO\n",
            b"OK\n",
            b"ada: hello\n",
        ]

    with rig.connect("guestbook") as client, client.makefile("rwb") as file:
        file.write(b"LOGIN ada guess\nhello\n")
        file.flush()
        assert file.readlines() == [b"HELLO\n", b"ERR you are not known\n"]
