"""The interface server: start, readiness, mounts, failures, stop."""

import asyncio
import time
from typing import Any

import pytest

from fairway.core.bus.layer import LayerPolicy, Mailbox, MailboxOwner
from fairway.core.bus.memory import MemoryLayer
from fairway.core.exceptions import ConfigurationError, FairwayError, PluginError
from fairway.core.plugin.host import Site
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings
from fairway.interfaces.server import InterfaceServer
from tests.interfaces.recorder import read_to_end
from tests.interfaces.rig import SAMPLES, rigged
from tests.interfaces.samples import upper
from tests.support.loop import LoopThread, wait_until


class DeafLayer(MemoryLayer):
    """A memory layer whose mailboxes can be unplugged, as a dead connection does."""

    def __init__(self) -> None:
        super().__init__("memory://", LayerPolicy())
        self.mailboxes: list[_Unpluggable] = []

    def port(self, loop: asyncio.AbstractEventLoop) -> Any:
        port = super().port(loop)
        opened = port.mailbox

        def mailbox(prefix: str, owner: MailboxOwner) -> Mailbox:
            self.mailboxes.append(_Unpluggable(owner))
            inner = opened(prefix, self.mailboxes[-1])
            inner.resubscribe = self.mailboxes[-1].resubscribe  # type: ignore[method-assign]
            return inner

        port.mailbox = mailbox  # type: ignore[method-assign]
        return port


class _Unpluggable:
    def __init__(self, owner: MailboxOwner) -> None:
        self.owner = owner
        self.plugged = True
        self.heals = True
        self.resubscribed = 0
        self.memberships = owner.memberships
        self.emptied = owner.emptied

    def deliver(self, deliveries: Any) -> None:
        if self.plugged:
            self.owner.deliver(deliveries)

    def resubscribe(self) -> None:
        self.resubscribed += 1
        self.plugged = self.heals


def make_server(
    plugins: dict[str, Any], layer: MemoryLayer | None = None, **settings: Any
) -> InterfaceServer:
    loaded = Plugins(
        read_settings(
            {
                "PLUGINS": {f"{SAMPLES}.{name}": s for name, s in plugins.items()},
                **settings,
            }
        )
    )
    return InterfaceServer(
        layer or MemoryLayer("memory://", LayerPolicy()),
        loaded,
        loaded.settings,
        Site(),
        canary=(0.1, 0.5),
    )


def start_fails(loop: LoopThread, server: InterfaceServer) -> FairwayError:
    with pytest.raises(FairwayError) as caught:
        loop.run(server.start())
    return caught.value


def test_it_is_ready_once_its_canary_came_back(loop_thread: LoopThread) -> None:
    server = make_server({})
    assert server.obstacle() == "starting"

    loop_thread.run(server.start())

    wait_until(lambda: server.ready)
    loop_thread.run(server.stop(0.1))
    assert server.obstacle() == "stopping"


@pytest.mark.standard
def test_a_deaf_mailbox_is_subscribed_again(loop_thread: LoopThread) -> None:
    layer = DeafLayer()
    server = make_server({}, layer)
    loop_thread.run(server.start())
    wait_until(lambda: server.ready)
    mailbox = layer.mailboxes[0]

    mailbox.heals = False
    mailbox.plugged = False
    wait_until(lambda: not server.ready)
    assert server.obstacle() == "the channel layer does not deliver"
    wait_until(lambda: mailbox.resubscribed >= 2)
    mailbox.heals = True

    wait_until(lambda: server.ready)
    loop_thread.run(server.stop(0.1))


@pytest.mark.parametrize("when", ["construct", "start"])
def test_a_protocol_that_cannot_start_is_named(
    loop_thread: LoopThread, when: str
) -> None:
    server = make_server({"brief": {}, "crashing": {"when": when}})

    error = start_fails(loop_thread, server)

    assert isinstance(error, PluginError)
    assert str(error) == (
        f"plugin 'crashing': 'crashing' cannot start: ValueError('a bug at {when}')"
    )


def test_the_others_are_stopped_when_one_cannot_start(loop_thread: LoopThread) -> None:
    upper.STEPS.clear()
    server = make_server({"upper": {}, "crashing": {}})

    start_fails(loop_thread, server)

    assert upper.STEPS in (["upper started", "upper stopped"], ["upper stopped"])


@pytest.mark.parametrize("when", ["construct", "start"])
def test_the_rest_runs_when_settings_say_so(loop_thread: LoopThread, when: str) -> None:
    plugins = {"crashing": {"when": when}, "brief": {}}
    with rigged(loop_thread, plugins, STRICT_PLUGINS=False) as rig:
        assert list(rig.server.protocols) == ["brief"]
        assert list(rig.server.failed) == ["crashing"]
        with rig.connect() as client:
            client.sendall(b"hello\n")
            assert rig.take().texts == ["hello"]


def test_a_protocol_that_fails_to_stop_does_not_keep_the_server(
    loop_thread: LoopThread, caplog: pytest.LogCaptureFixture
) -> None:
    with rigged(loop_thread, {"crashing": {"when": "stop"}}):
        pass

    assert "a bug at stop" in caplog.text


def test_a_taken_port_is_a_named_error(loop_thread: LoopThread) -> None:
    with rigged(loop_thread, {"brief": {}}) as rig:
        port = rig.protocol("brief").listeners[0].port
        server = make_server({"brief": {"bind": [f"tcp:{port}:interface=127.0.0.1"]}})

        error = start_fails(loop_thread, server)

    assert isinstance(error, ConfigurationError)
    assert 'FAIRWAY["PLUGINS"]["brief"]["bind"]' in str(error)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"pears": 1}, "Did you mean 'peers'?"),
        ({"peers": 0}, "must be above 0"),
        ({"peers": 1.5}, '["limits"]["peers"] is wrong'),
    ],
)
def test_wrong_limits_are_named(
    loop_thread: LoopThread, limits: dict[str, Any], message: str
) -> None:
    plugins = {"brief": {"limits": limits}}

    with pytest.raises(ConfigurationError) as caught:
        loop_thread.run(make_server(plugins).start())

    assert message in str(caught.value)


def test_a_protocol_starts_before_the_one_it_stands_on(
    loop_thread: LoopThread,
) -> None:
    upper.STEPS.clear()

    with rigged(loop_thread, {"lower": {}, "upper": {}}):
        assert upper.STEPS == [
            "upper started",
            "lower started",
            "upper:/deep/ upper:/",
            "Upper opened",
            "Upper opened",
            "interface started",
        ]


def test_hooks_hear_of_the_stop_and_may_fail(
    loop_thread: LoopThread, caplog: pytest.LogCaptureFixture
) -> None:
    with rigged(loop_thread, {"upper": {}}):
        upper.STEPS.clear()

    assert upper.STEPS == ["interface stopping in 0.01", "upper stopped"]
    assert "fairway_interface_stopping of upper" in caplog.text


def test_stopping_closes_connections_and_delivers_their_last_events(
    loop_thread: LoopThread,
) -> None:
    with rigged(loop_thread, {"brief": {}}) as rig, rig.connect() as client:
        client.sendall(b"hello\n")
        rig.take()

        stop = asyncio.run_coroutine_threadsafe(rig.server.stop(20.0), rig.loop.loop)
        assert read_to_end(client) == b""
        # The disconnect waits behind what a worker is busy with.
        assert not stop.done()
        name = rig.server.name
        peers = rig.loop.call(lambda: list(rig.server._backplane.peers))  # type: ignore[union-attr]
        from fairway.core.bus.operations import Done

        rig.layer.apply([Done(f"{name}!{peers[0].local}", 0)])

        stop.result(20.0)
        assert rig.take("brief.disconnect").events == [{"order": 1}]


def test_stopping_takes_no_longer_than_its_grace(loop_thread: LoopThread) -> None:
    with rigged(loop_thread, {"brief": {}}) as rig, rig.connect() as client:
        client.sendall(b"hello\n")
        rig.take()
        began = time.monotonic()

        rig.loop.run(rig.server.stop(0.3))

        assert time.monotonic() - began < 10.0


def test_stopping_twice_is_the_same(loop_thread: LoopThread) -> None:
    with rigged(loop_thread, {"brief": {}}) as rig:
        rig.loop.run(rig.server.stop(0.1))
        rig.loop.run(rig.server.stop(0.1))


def test_two_servers_share_a_layer(loop_thread: LoopThread) -> None:
    with rigged(loop_thread, {"brief": {}}) as rig:
        other = make_server({"brief": {}}, rig.layer)
        loop_thread.run(other.start())

        assert other.name != rig.server.name
        wait_until(lambda: other.ready and rig.server.ready)
        loop_thread.run(other.stop(0.1))
