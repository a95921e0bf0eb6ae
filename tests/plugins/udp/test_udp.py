"""UDP through a real site: conversations, and answers that nobody can abuse."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

import pytest

from tests.plugins.udp.conftest import SITE, Client, Site, is_bound
from tests.support.processes import free_port, is_listening, run_manage, wait_until

pytestmark = [pytest.mark.standard]

Serve = Callable[..., AbstractContextManager[Site]]
TRUSTED = ["127.0.0.0/8"]


@pytest.mark.parametrize("size", [0, 1, 65_507])
def test_datagrams_go_both_ways(site: Serve, size: int) -> None:
    with site() as served:
        assert served.client().ask(b"\xff" * size) == b"\xff" * size


def test_a_conversation_has_state_groups_and_an_end(site: Serve) -> None:
    with site(trusted=TRUSTED, idle=3.0) as served:
        first, second, plain = served.client(), served.client(), served.client()
        assert first.ask(b"join") == b"welcome"
        assert second.ask(b"join") == b"welcome"
        assert [first.ask(b"count") for _ in range(3)] == [b"1", b"2", b"3"]
        assert second.ask(b"count") == b"1"

        second.send(b"say hello")
        assert (first.receive(), second.receive()) == (b"hello", b"hello")
        assert plain.ask(b"echo") == b"echo"

        # The first one falls silent. Broadcasts do not keep it.
        name = "{}:{}".format(*first.socket.getsockname())
        while (heard := second.ask(b"say are you there")) == b"are you there":
            pass
        assert heard == f"{name} left".encode()


def proof(client: Client) -> bytes:
    """Return the cookie line that a first datagram is answered with."""
    line = client.ask(b"hello hello")
    assert line.startswith(b"prove ")
    assert len(line) <= 3 * len(b"hello hello")
    return line


def test_who_sends_the_cookie_back_gets_answers_of_any_size(site: Serve) -> None:
    with site(challenge=True) as served:
        client, other = served.client(), served.client()
        line = proof(client)

        client.send(b"x")
        assert client.is_silent(), "a cookie is too long an answer to one byte"
        other.send(line + b"long")
        assert other.is_silent(), "the cookie belongs to another port"
        assert client.ask(line + b"long") == b"x" * 1_000
        assert client.ask(b"long") == b"x" * 1_000
        assert client.ask(line + b"count") == b"1", "a proof may come twice"


def test_nobody_gets_many_times_what_was_sent_in_its_name(site: Serve) -> None:
    with site() as served:
        client = served.client()
        client.send(b"long")
        assert client.is_silent()

        assert client.ask(b"long" + b" " * 400) == b"x" * 1_000
        client.send(b"long")
        assert [client.ask(b"")] == [b""]
        assert client.is_silent()


def test_several_servers_share_a_port_over_redis(redis_url: str) -> None:
    port, http = free_port(socket.SOCK_DGRAM), [free_port(), free_port()]
    section = {"bind": [f"udp:127.0.0.1:{port}"], "reuse_port": True}
    environment = {"UDP_SECTION": json.dumps(section), "FAIRWAY_LAYER": redis_url}
    with ExitStack() as stack:
        parts = [("runinterface", "--port", str(each)) for each in http]
        for part in (*parts, ("runworker",)):
            process = run_manage(SITE, *part, environment=environment)
            stack.enter_context(process)
        wait_until(lambda: all(map(is_listening, http)) and is_bound(port))
        for number in range(40):
            client = Client(port)
            stack.callback(client.socket.close)
            assert client.ask(b"count  ") == b"1", "state and replies find their server"
            assert client.ask(b"%d" % number) == b"%d" % number
