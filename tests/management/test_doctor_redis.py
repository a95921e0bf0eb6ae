"""The doctor sees what is wrong with a real Redis, and who takes from its queues."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from fairway import route
from fairway.core.assembly import assemble
from fairway.core.bus.operations import Send
from fairway.core.content import encode_content
from fairway.core.worker import Worker
from tests.management.examined import codes, findings
from tests.support.processes import free_port, run_manage
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.standard

ROUTES = [route("lobby.note", "builtins.print")]


def site(url: str, **more: Any) -> dict[str, Any]:
    bind = [f"tcp:{free_port()}:interface=127.0.0.1"]
    return {
        "LAYER": url,
        "PLUGINS": {"http": {"bind": bind, "spool_total": 1}},
        "LIMITS": {"peers": 100},
        "ROUTING": ROUTES,
    } | more


NOBODY = {"fairway.D201", "fairway.D205"}


def test_a_sound_server_with_nobody_there(redis_url: str) -> None:
    assert codes(site(redis_url)) == NOBODY


CONFIGURED: list[tuple[str, list[str]]] = [
    ("fairway.D105", ["--maxmemory-policy", "allkeys-lru"]),
    ("fairway.D107", ["--appendonly", "yes", "--appendfsync", "always"]),
    ("fairway.D108", ["--save", "3600 1"]),
    ("fairway.D110", ["--timeout", "5"]),
    ("fairway.D111", ["--client-output-buffer-limit", "normal 1mb 1mb 10"]),
]


@pytest.mark.parametrize(("code", "options"), CONFIGURED)
def test_what_is_wrong_with_a_configuration(code: str, options: Sequence[str]) -> None:
    with RedisServer(options=options) as server:
        assert codes(site(server.url)) == NOBODY | {code}


def test_a_server_that_is_almost_full(fresh_redis: RedisServer) -> None:
    used = fresh_redis.execute("INFO", "memory")["used_memory"]
    fresh_redis.execute("CONFIG", "SET", "maxmemory", int(used * 1.05))

    assert "fairway.D106" in codes(site(fresh_redis.url))


def test_a_server_with_almost_all_its_clients(fresh_redis: RedisServer) -> None:
    fresh_redis.execute("CONFIG", "SET", "maxclients", 11)
    with contextlib.ExitStack() as stack:
        for _ in range(9):
            client = stack.enter_context(contextlib.closing(fresh_redis.client()))
            client.ping()

        assert "fairway.D112" in codes(site(fresh_redis.url))


def test_a_server_whose_snapshot_failed(tmp_path: Path) -> None:
    # A snapshot is renamed to a file, which a directory with something in it prevents.
    with RedisServer(options=["--dir", str(tmp_path), "--save", "3600 1"]) as server:
        (tmp_path / "dump.rdb" / "full").mkdir(parents=True)
        server.execute("BGSAVE")
        wait_until(lambda: server.execute("INFO")["rdb_last_bgsave_status"] == "err")

        assert "fairway.D109" in codes(site(server.url))


def test_a_server_that_is_away_is_told_in_three_seconds() -> None:
    [url, secret] = [f"redis://:hush-hush@127.0.0.1:{free_port()}/0", "hush"]
    began = time.monotonic()
    found = findings(site(url))

    assert "fairway.D101" in {one.code for one in found}
    assert secret not in str(found)
    assert time.monotonic() - began < 10  # on a busy machine


def test_a_server_that_hangs(fresh_redis: RedisServer) -> None:
    fresh_redis.pause()
    try:
        assert "fairway.D101" in codes(site(fresh_redis.url))
    finally:
        fresh_redis.resume()


@pytest.mark.parametrize("said", ["", ":wrong-hush@"])
def test_wrong_credentials(said: str) -> None:
    with RedisServer(password="right-hush") as server:
        url = f"redis://{said}127.0.0.1:{server.port}/0"
        found = findings(site(url))

    assert "fairway.D102" in {one.code for one in found}
    assert "hush" not in str(found)


def test_a_user_without_rights(fresh_redis: RedisServer) -> None:
    fresh_redis.execute("ACL", "SETUSER", "me", "on", ">pw", "~*", "+ping")

    url = f"redis://me:pw@127.0.0.1:{fresh_redis.port}/0"
    assert "fairway.D102" in codes(site(url))


def test_a_user_who_may_not_ask(fresh_redis: RedisServer) -> None:
    rules = ["on", ">pw", "~*", "&*", "+@all", "-config", "-client|list"]
    fresh_redis.execute("ACL", "SETUSER", "me", *rules)

    url = f"redis://me:pw@127.0.0.1:{fresh_redis.port}/0"
    assert codes(site(url)) == {"fairway.D114"}


def test_a_replica(fresh_redis: RedisServer) -> None:
    master = ["--replicaof", f"127.0.0.1 {fresh_redis.port}"]
    with RedisServer(options=master) as replica:
        assert "fairway.D104" in codes(site(replica.url))


def test_a_server_that_is_too_old(fresh_redis: RedisServer) -> None:
    with Proxy(fresh_redis.port) as proxy:
        proxy.rewrite = lambda data: re.sub(rb"(?<=redis_version:)\d", b"6", data)
        found = findings(site(f"redis://127.0.0.1:{proxy.port}/0"))

    assert "fairway.D103" in {one.code for one in found}


def test_a_server_with_another_time(fresh_redis: RedisServer) -> None:
    with Proxy(fresh_redis.port) as proxy:
        proxy.rewrite = lambda data: re.sub(
            rb"(?<=\*2\r\n\$10\r\n)\d{10}",
            lambda found: b"%d" % (int(found[0]) - 3600),
            data,
        )
        found = findings(site(f"redis://127.0.0.1:{proxy.port}/0"))

    texts = {one.code: one.text for one in found}
    assert "3600 s behind" in texts["fairway.D113"]


@contextlib.contextmanager
def worker(url: str, **options: Any) -> Iterator[Worker]:
    """Run a worker of the site while the block lasts."""
    with override_settings(FAIRWAY=site(url, **options.pop("more", {}))):
        assembly = assemble()
        one = Worker(assembly.layer, assembly.router, assembly.plugins, **options)
    one.start()
    try:
        wait_until(lambda: one.ready)
        yield one
    finally:
        one.stop()
        one.join(10)
        assembly.layer.close()


def test_a_worker_is_seen_while_it_runs(redis_url: str) -> None:
    with worker(redis_url):
        assert codes(site(redis_url)) == {"fairway.D205"}

    assert codes(site(redis_url)) == NOBODY


def test_a_pool_that_nobody_serves(redis_url: str) -> None:
    with worker(redis_url, only=["http.*"]):
        found = findings(site(redis_url))

    texts = [one.text for one in found if one.code == "fairway.D202"]
    assert texts == ["No worker listens to lobby.note."]


def test_a_worker_with_other_routes(redis_url: str) -> None:
    with worker(redis_url, more={"ROUTING": [route("old.note", "builtins.print")]}):
        found = findings(site(redis_url))

    texts = [one.text for one in found if one.code == "fairway.D204"]
    assert texts == ["A worker listens to old.note, which no route takes."]


@pytest.mark.full
def test_a_worker_that_hangs(redis_url: str, redis_server: RedisServer) -> None:
    """A connection that says it reads, and then asks for nothing any more."""
    with contextlib.closing(redis_server.client()) as client:
        client.client_setname("fairway:http.request,worker.a1?b2")
        wait_until(lambda: "fairway.D203" in codes(site(redis_url)), timeout=30)


def test_an_interface_server_is_seen_and_its_port_is_its_own(redis_url: str) -> None:
    port = free_port()
    echo = {"FAIRWAY_LAYER": redis_url}
    arguments = ("runinterface", "--port", str(port))
    with run_manage("examples/echo", *arguments, environment=echo) as process:
        process.wait_for_port(port)
        here = site(redis_url)
        here["PLUGINS"]["http"]["bind"] = [f"tcp:{port}:interface=127.0.0.1"]

        assert codes(here) == {"fairway.D201"}


def put(url: str, count: int, expiry: float | None = None) -> None:
    with override_settings(FAIRWAY=site(url)):
        layer = assemble().layer
    send = Send("lobby.note", encode_content({"text": "hi"}), expiry)
    layer.send_many([send] * count)
    layer.close()


def test_a_channel_that_is_almost_full(redis_url: str) -> None:
    put(redis_url, 81)
    assert codes(site(redis_url)) == NOBODY | {"fairway.D206"}


def test_messages_that_wait_for_long(redis_url: str) -> None:
    put(redis_url, 1, expiry=60)
    hasty = site(redis_url, EXPIRIES={"lobby.note": 0.2})

    wait_until(lambda: codes(hasty) == NOBODY | {"fairway.D207"})
    assert codes(site(redis_url)) == NOBODY


def test_a_record_of_another_version(redis_url: str, redis_server: RedisServer) -> None:
    put(redis_url, 1)
    [key] = redis_server.execute("KEYS", "fw:*lobby.note")
    record = redis_server.execute("LINDEX", key, 0)
    redis_server.execute("LSET", key, 0, b"\x09" + record[1:])

    assert "fairway.D115" in codes(site(redis_url))
