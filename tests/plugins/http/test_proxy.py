"""Who the client is when proxies stand in front."""

from __future__ import annotations

import pytest

from fairway.kit import ConfigurationError
from fairway.plugins.http.proxy import Origin, TrustedProxies
from fairway.plugins.http.spec import HttpConfig

PROXIES = TrustedProxies(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])
DIRECT = Origin("10.0.0.1:4711", "http", ("10.0.0.9", 8000))


@pytest.mark.parametrize(
    ("client", "trusted"),
    [
        ("10.1.2.3:80", True),
        ("192.0.2.7:80", True),
        ("192.0.2.8:80", False),
        ("[2001:db8::1]:80", True),
        ("[2001:db9::1]:80", False),
        ("[::ffff:10.0.0.1]:80", True),
        ("unix", False),
        ("nonsense", False),
    ],
)
def test_addresses_and_networks_are_trusted(client: str, trusted: bool) -> None:
    assert PROXIES.trusts(client) is trusted


def test_a_unix_socket_is_trusted_when_the_settings_say_so() -> None:
    assert TrustedProxies(["unix"]).trusts("unix")
    assert not TrustedProxies([]).trusts("unix")


FORWARDED = [
    # What the proxies wrote, and who the client is.
    ([], "10.0.0.1:4711"),
    ([b"198.51.100.1"], "198.51.100.1"),
    ([b"198.51.100.1:5000"], "198.51.100.1:5000"),
    ([b"[2001:db9::1]:5000"], "[2001:db9::1]:5000"),
    ([b"2001:db9::1"], "[2001:db9::1]"),
    ([b"[2001:db9::1]"], "[2001:db9::1]"),
    ([b"198.51.100.1, 10.2.2.2"], "198.51.100.1"),
    ([b"198.51.100.1", b"10.2.2.2"], "198.51.100.1"),
    # Whatever the client itself wrote stands left of its own address.
    ([b"127.0.0.1, 198.51.100.1"], "198.51.100.1"),
    ([b"127.0.0.1, 198.51.100.1, 10.2.2.2,\t192.0.2.7"], "198.51.100.1"),
    # All of them trusted: the left-most.
    ([b"10.3.3.3, 10.2.2.2"], "10.3.3.3"),
    # Rubbish ends the walk.
    ([b"unknown"], "10.0.0.1:4711"),
    ([b"198.51.100.1, unknown, 10.2.2.2"], "10.2.2.2"),
    ([b""], "10.0.0.1:4711"),
    ([b"198.51.100.1, \xff"], "10.0.0.1:4711"),
    ([b"1.2.3"], "10.0.0.1:4711"),
    ([b"1.2.3.4.5"], "10.0.0.1:4711"),
    ([b"10.2.2.2," * 100_000], "10.0.0.1:4711"),
]


@pytest.mark.parametrize(("values", "client"), FORWARDED)
def test_the_client_is_the_right_most_hop_that_is_no_proxy(
    values: list[bytes], client: str
) -> None:
    headers = [(b"x-forwarded-for", value) for value in values]

    assert PROXIES.origin(headers, DIRECT).client == client


@pytest.mark.parametrize(
    ("values", "scheme"),
    [
        ([], "http"),
        ([b"https"], "https"),
        ([b"HTTPS"], "https"),
        ([b"http, https"], "https"),
        ([b"https", b"http"], "http"),
        ([b"javascript"], "http"),
    ],
)
def test_the_scheme_is_what_the_nearest_proxy_says(
    values: list[bytes], scheme: str
) -> None:
    headers = [(b"x-forwarded-proto", value) for value in values]

    assert PROXIES.origin(headers, DIRECT).scheme == scheme


@pytest.mark.parametrize(
    ("value", "port"),
    [(b"443", 443), (b"0", 8000), (b"65536", 8000), (b"x", 8000), (b"9" * 50, 8000)],
)
def test_the_port_is_what_the_nearest_proxy_says(value: bytes, port: int) -> None:
    found = PROXIES.origin([(b"x-forwarded-port", value)], DIRECT)

    assert found.server == ("10.0.0.9", port)


def test_a_proxy_that_is_no_address_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"'proxy\.local'"):
        HttpConfig(trusted_proxies=["proxy.local"]).check()
