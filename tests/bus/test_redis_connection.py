"""Ways to reach a Redis server, and what is needed to have the layer at all."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.operations import Send
from fairway.core.bus.redis import RedisLayer
from fairway.core.bus.redis.address import read_url
from fairway.core.bus.redis.clock import ServerClock
from fairway.core.bus.redis.outage import Backoff
from fairway.core.exceptions import ConfigurationError, LayerUnavailable
from fairway.testing.layer_case import content, numbers, take_all
from tests.support.processes import free_port
from tests.support.redis import RedisServer


@pytest.mark.parametrize(
    ("url", "host", "port", "database", "username", "password"),
    [
        ("redis://", "localhost", 6379, 0, "", ""),
        ("redis://example.com", "example.com", 6379, 0, "", ""),
        ("redis://example.com:1234/5", "example.com", 1234, 5, "", ""),
        ("redis://:pw@example.com/", "example.com", 6379, 0, "", "pw"),
        ("redis://me:p%40w@[::1]:1/2", "::1", 1, 2, "me", "p@w"),
        ("rediss://me:pw@example.com", "example.com", 6379, 0, "me", "pw"),
    ],
)
def test_a_url_says_where_and_who(
    url: str, host: str, port: int, database: int, username: str, password: str
) -> None:
    address = read_url(url)

    assert (address.host, address.port) == (host, port)
    assert address.database == database
    assert (address.username, address.password) == (username, password)
    assert (address.tls is not None) == url.startswith("rediss")
    assert not password or password not in address.safe + repr(address)


def test_a_url_may_name_a_unix_socket() -> None:
    address = read_url("redis+unix://:pw@/run/redis.sock?db=3")

    assert (address.path, address.database) == ("/run/redis.sock", 3)
    assert address.safe == "redis+unix:///run/redis.sock"


@pytest.mark.parametrize(
    "url",
    [
        "redis://host:port",
        "redis://host/zero",
        "redis://host?colour=red",
        "rediss://host?ssl_ca_certs=/no/such/file",
    ],
)
def test_a_url_that_cannot_be_read_names_the_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r'^FAIRWAY\["LAYER"\] '):
        RedisLayer(url, LayerPolicy())


def exchange(url: str) -> list[int]:
    """Send by the port, then by the layer; return what is received."""
    layer = RedisLayer(url, LayerPolicy())

    async def post() -> None:
        port = layer.port(asyncio.get_running_loop())
        await port.apply([Send("in", content(1))])
        await port.close()

    asyncio.run(post())
    layer.send("in", content(2))
    taken = numbers(take_all(layer.receiver(["in", "other"]), 2))
    layer.close()
    return taken


def test_messages_travel_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with RedisServer(options=["--unixsocket", str(path)]):
        assert exchange(f"redis+unix://{path}?db=1") == [1, 2]


def test_messages_travel_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    trusted, key, chain = (
        tmp_path / name for name in ("ca.pem", "key.pem", "cert.pem")
    )
    authority.cert_pem.write_to_path(trusted)
    certificate.private_key_pem.write_to_path(key)
    certificate.cert_chain_pems[0].write_to_path(chain)
    with RedisServer() as plain:
        tls = free_port()
        for name, value in [
            ("tls-cert-file", chain),
            ("tls-key-file", key),
            ("tls-ca-cert-file", trusted),
            ("tls-auth-clients", "no"),
            ("tls-port", tls),
        ]:
            plain.execute("CONFIG", "SET", name, str(value))
        where = f"rediss://127.0.0.1:{tls}"

        assert exchange(f"{where}?ssl_ca_certs={trusted}") == [1, 2]
        assert exchange(f"{where}?ssl_cert_reqs=none") == [1, 2]
        stranger = RedisLayer(where, LayerPolicy())
        with pytest.raises(LayerUnavailable, match="TLS: "):
            stranger.send("in", content(1))
        stranger.close()


def test_the_documented_permissions_are_enough() -> None:
    with RedisServer() as server:
        rules = "on >pw ~fw:* +@all -@dangerous -@admin +info".split()
        server.execute("ACL", "SETUSER", "fairway", *rules)
        url = server.url.replace("redis://", "redis://fairway:pw@")

        assert exchange(url) == [1, 2]
        layer = RedisLayer(url, LayerPolicy())
        layer.group_add("room", "box!a")
        layer.group_send("room", content(1))
        assert layer.claim("job", 1)
        layer.flush()
        layer.close()


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_contract_and_the_kit_need_no_redis_package() -> None:
    code = (
        "import sys, fairway, fairway.kit, fairway.core.bus.layer\n"
        "print([name for name in ('redis', 'hiredis') if name in sys.modules])"
    )

    assert run_python(code) == "[]"


def test_a_missing_package_names_what_to_install() -> None:
    code = (
        "import sys; sys.modules['hiredis'] = None\n"
        "try:\n    import fairway.core.bus.redis\n"
        "except ImportError as error:\n    print(type(error).__name__, error)"
    )

    expected = (
        "MissingExtra plugin 'redis': needs 'hiredis': pip install 'fairway[redis]'"
    )
    assert run_python(code) == expected


def moment(seconds: float) -> list[bytes]:
    whole = int(seconds)
    return [b"%d" % whole, b"%d" % round((seconds - whole) * 1_000_000)]


def test_the_clock_begins_in_the_middle_of_its_bounds() -> None:
    clock = ServerClock()
    clock.observe(10.0, 12.0, moment(1011.0))

    assert clock.server(20.0) == pytest.approx(1020.0)
    assert clock.local(1020.0) == pytest.approx(20.0)


def test_a_slow_answer_does_not_move_the_clock() -> None:
    clock = ServerClock()
    clock.observe(10.0, 10.0, moment(1010.0))
    clock.observe(20.0, 90.0, moment(1021.0))

    assert clock.server(100.0) == pytest.approx(1100.0)


def test_a_clock_that_was_set_is_followed() -> None:
    clock = ServerClock()
    clock.observe(10.0, 10.0, moment(1010.0))
    clock.observe(20.0, 20.5, moment(1320.0))

    assert clock.server(20.0) == pytest.approx(1319.5, abs=0.6)


def test_waits_grow_to_a_limit_with_jitter() -> None:
    backoff = Backoff()
    waits = [backoff.wait() for _ in range(20)]

    assert waits[0] <= Backoff.FIRST
    assert Backoff.LONGEST / 2 <= waits[-1] <= Backoff.LONGEST
    backoff.reset()
    assert backoff.wait() <= Backoff.FIRST
