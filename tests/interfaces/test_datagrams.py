"""Datagrams over real sockets."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fairway.core.exceptions import ConfigurationError
from fairway.core.plugin.wire import DatagramPort
from fairway.interfaces.datagram_address import OwnPorts
from fairway.interfaces.datagrams import LARGEST, SocketPort, bind
from tests.interfaces.rig import Rig, rigged
from tests.support.loop import LoopThread, wait_until


class Echo:
    """Sends everything back and keeps it."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def received(
        self, port: DatagramPort, data: bytes, address: tuple[str, int]
    ) -> None:
        self.seen.append(data)
        if data == b"bug":
            raise ValueError("a bug")
        port.send(data, address)


class Served:
    """A port that echoes, and a client of it."""

    def __init__(
        self,
        loop: LoopThread,
        address: str,
        *,
        own: OwnPorts | None = None,
        reuse_port: bool = False,
        largest: int = LARGEST,
    ) -> None:
        self.echo = Echo()
        self.dropped: list[str] = []
        self.failures: list[tuple[str, str, str]] = []
        self.loop = loop
        bound = bind(address, reuse_port=reuse_port)
        self.port = loop.call(
            lambda: SocketPort(
                bound,
                self.echo,
                loop=loop.loop,
                own=own or OwnPorts(),
                largest=largest,
                dropped=lambda reason, detail: self.dropped.append(reason),
                failed=lambda method, error, client: self.failures.append(
                    (method, str(error), client)
                ),
            )
        )
        family = socket.AF_INET6 if ":" in self.port.address[0] else socket.AF_INET
        self.client = socket.socket(family, socket.SOCK_DGRAM)
        self.client.settimeout(20)

    def close(self) -> None:
        self.client.close()
        self.loop.run(self.port.close())

    def ask(self, data: bytes) -> bytes:
        self.client.sendto(data, self.port.address)
        return self.client.recv(70_000)


@pytest.fixture(params=["udp:127.0.0.1:0", "udp:[::1]:0"])
def served(request: pytest.FixtureRequest, loop_thread: LoopThread) -> Iterator[Served]:
    served = Served(loop_thread, request.param)
    with closing(served):
        yield served


@pytest.mark.parametrize("size", [0, 1, 8_193, 65_507])
def test_datagrams_of_every_size_go_both_ways(served: Served, size: int) -> None:
    data = bytes(range(256)) * 256

    assert served.ask(data[:size]) == data[:size]


def test_many_datagrams_are_read_at_one_wake_up(served: Served) -> None:
    def send_all() -> None:  # the loop sleeps meanwhile
        served.client.setblocking(False)
        for number in range(200):
            served.client.sendto(str(number).encode(), served.port.address)

    served.loop.call(send_all)
    served.client.settimeout(20)

    answers = [int(served.client.recv(100)) for _ in range(200)]
    assert answers == list(range(200))


def test_one_bad_datagram_hurts_no_other(served: Served) -> None:
    served.client.sendto(b"bug", served.port.address)

    assert served.ask(b"fine") == b"fine"
    sender = served.port.address[0]  # both are this machine
    assert served.failures == [("received", "a bug", sender)]


def test_a_datagram_that_cannot_be_sent_is_reported(served: Served) -> None:
    address = served.client.getsockname()[:2]

    served.loop.call(lambda: served.port.send(bytes(70_000), address))

    assert served.dropped == ["failed"]


def test_a_longer_datagram_than_wanted_is_dropped_and_not_cut(
    loop_thread: LoopThread,
) -> None:
    with closing(Served(loop_thread, "udp:127.0.0.1:0", largest=1_000)) as served:
        served.client.sendto(b"x" * 1_001, served.port.address)

        assert served.ask(b"x" * 1_000) == b"x" * 1_000
        assert served.dropped == ["too_large"]
        assert len(served.echo.seen) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_ports_of_one_process_never_answer_each_other(
    loop_thread: LoopThread, host: str
) -> None:
    own = OwnPorts()
    with (
        closing(Served(loop_thread, f"udp:{host}:0", own=own)) as first,
        closing(Served(loop_thread, f"udp:{host}:0", own=own)) as second,
    ):
        to_first = ("127.0.0.1", first.port.address[1])
        # What a forged datagram would be, from the port itself and from the other one.
        loop_thread.call(lambda: first.port._socket.sendto(b"x", to_first))
        loop_thread.call(lambda: second.port._socket.sendto(b"x", to_first))
        second.client.sendto(b"fine", to_first)
        assert second.client.recv(10) == b"fine"

        assert first.dropped == ["invalid", "invalid"]
        assert first.echo.seen == [b"fine"]
        loop_thread.call(lambda: second.port.send(b"x", to_first))
        assert second.dropped == ["invalid"]


def test_an_address_of_this_machine_is_its_own_on_a_port_for_all() -> None:
    own = OwnPorts()
    own.add(("0.0.0.0", 7))
    own.add(("127.0.0.1", 8))

    assert own.holds(("127.3.2.1", 7))
    assert own.holds(("0.0.0.0", 8))
    assert not own.holds(("192.0.2.1", 7))
    assert not own.holds(("127.0.0.2", 8))
    assert not own.holds(("127.0.0.1", 9))
    own.discard(("0.0.0.0", 7))
    assert not own.holds(("127.3.2.1", 7))


def test_a_multicast_group_is_joined(loop_thread: LoopThread) -> None:
    address = "udp:0:group=239.1.2.3,interface=127.0.0.1"
    with closing(Served(loop_thread, address)) as served:
        loopback = socket.inet_aton("127.0.0.1")
        served.client.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        for group in ("239.1.2.4", "239.1.2.3"):
            served.client.sendto(group.encode(), (group, served.port.address[1]))

        answer, sender = served.client.recvfrom(100)
        assert answer == b"239.1.2.3"
        assert sender == ("127.0.0.1", served.port.address[1])


def test_a_multicast_group_of_ipv6_is_joined() -> None:
    # Loopback has no route for it, so the system's own list must do.
    with bind("udp:0:group=ff15::123,interface=lo"):
        joined = Path("/proc/net/igmp6").read_text().splitlines()

    assert any(
        fields[1:3] == ["lo", "ff150000000000000000000000000123"]
        for fields in map(str.split, joined)
    )


def test_several_may_listen_on_one_port(loop_thread: LoopThread) -> None:
    first = Served(loop_thread, "udp:127.0.0.1:0", reuse_port=True)
    again = f"udp:127.0.0.1:{first.port.address[1]}"
    with (
        closing(first),
        closing(Served(loop_thread, again, reuse_port=True)) as second,
    ):
        heard = {first: 0, second: 0}
        for _ in range(64):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(20)
                client.sendto(b"x", first.port.address)
                assert client.recv(10) == b"x"
        heard = {each: len(each.echo.seen) for each in heard}

        assert sum(heard.values()) == 64
        assert all(heard.values())
        with pytest.raises(OSError, match="in use"):
            bind(again)


def test_a_taken_port_is_a_named_error(served: Served, loop_thread: LoopThread) -> None:
    host, port = served.port.address
    shown = f"[{host}]" if ":" in host else host
    section = {"bind": [f"udp:{shown}:{port}"]}

    with pytest.raises(ConfigurationError, match=r'\["bind"\] has .*in use'):
        with rigged(loop_thread, {"datagram": section}):
            pass


def test_a_closed_port_is_free_again(served: Served) -> None:
    served.loop.run(served.port.close())
    served.loop.run(served.port.close())

    again = socket.socket(served.client.family, socket.SOCK_DGRAM)
    again.bind(served.port.address)
    again.close()


@pytest.fixture
def rig(loop_thread: LoopThread) -> Iterator[Rig]:
    with rigged(loop_thread, {"datagram": {}}) as rig:
        yield rig


@pytest.fixture
def sender(rig: Rig) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(20)
        sender.connect(rig.protocol("datagram").ports[0].address)
        yield sender


def test_a_datagram_is_an_event_of_its_sender(rig: Rig, sender: socket.socket) -> None:
    sender.send(b"hello")
    first = rig.take("datagram.receive")
    sender.send(b"")
    second = rig.take("datagram.receive")

    host, port = sender.getsockname()
    assert first.envelope["client"] == f"{host}:{port}"
    assert first.envelope["bytes"] == b"hello"
    assert first.envelope["first"] is True
    assert second.envelope["bytes"] == b""
    assert second.reply_channel == first.reply_channel
    assert "first" not in second.envelope


def test_a_reply_leaves_from_the_port_that_was_addressed(
    rig: Rig, sender: socket.socket
) -> None:
    sender.send(b"hello")
    taken = rig.take("datagram.receive")

    rig.reply(taken, bytes=b"hi")

    assert sender.recv(100) == b"hi"


def test_a_wrong_datagram_is_counted(rig: Rig, sender: socket.socket) -> None:
    sender.send(b"wrong")
    sender.send(b"bug")
    sender.send(b"fine")

    assert rig.take("datagram.receive").envelope["bytes"] == b"fine"
    assert rig.dropped("datagram", "invalid") == 1


def test_a_full_channel_drops_datagrams_at_once(loop_thread: LoopThread) -> None:
    with (
        rigged(loop_thread, {"datagram": {}}, capacity=1) as rig,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        address = rig.protocol("datagram").ports[0].address
        for _ in range(3):
            sender.sendto(b"x", address)

        wait_until(lambda: rig.dropped("datagram.receive", "full") == 2)


def test_a_flood_is_dropped_before_the_bus(loop_thread: LoopThread) -> None:
    plugins = {"datagram": {"limits": {"messages_per_second": 5}}}
    with (
        rigged(loop_thread, plugins) as rig,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        address = rig.protocol("datagram").ports[0].address

        sender.setblocking(False)

        def flood() -> None:
            for _ in range(20):
                sender.sendto(b"x", address)

        rig.loop.call(flood)

        wait_until(lambda: rig.dropped("datagram.receive", "limit") >= 10)
        waiting = rig.layer.statistics(["datagram.receive"])["datagram.receive"].waiting
        assert waiting + rig.dropped("datagram.receive", "limit") == 20


def test_more_senders_than_peers_push_out_the_idlest(loop_thread: LoopThread) -> None:
    plugins = {"datagram": {"limits": {"peers": 1}}}
    with rigged(loop_thread, plugins) as rig:
        address = rig.protocol("datagram").ports[0].address
        for _ in range(3):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", address)
                assert rig.take("datagram.receive").envelope["first"] is True

        assert rig.dropped("datagram", "limit") == 0


def test_an_own_address_is_known_whatever_its_zone() -> None:
    own = OwnPorts()
    own.add(("fe80::1", 9999))

    assert own.holds(("fe80::1%2", 9999))
    assert not own.holds(("fe80::2%2", 9999))


def link_local() -> str:
    """Return an address of this machine that holds on one link only."""
    interfaces = Path("/proc/net/if_inet6")
    for line in interfaces.read_text().split("\n") if interfaces.exists() else ():
        if line.startswith("fe80"):
            digits, *_, name = line.split()
            return f"{ipaddress.IPv6Address(int(digits, 16))}%{name}"
    pytest.skip("no interface has a link-local address")


def test_an_own_address_of_one_link_is_known_and_can_be_bound() -> None:
    host = link_local()
    own = OwnPorts()
    own.add(("::", 9999))

    assert own.holds((host, 9999))
    with bind(f"udp:[{host}]:0") as bound:
        assert bound.getsockname()[3] > 0
