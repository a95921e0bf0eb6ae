"""Rates by address and network, and cookies: pure, with the time as an argument."""

from __future__ import annotations

import pytest

from fairway.core.plugin.cookies import Cookies
from fairway.core.plugin.rates import AddressRates, places_of


@pytest.mark.parametrize(
    ("host", "address", "network"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002/64", "20010db80001/48"),
        ("fe80::1%3", "fe80000000000000/64", "fe8000000000/48"),
    ],
)
def test_an_address_belongs_to_a_network(host: str, address: str, network: str) -> None:
    assert places_of(host) == (address.lstrip("0"), network.lstrip("0"))


def taken(rates: AddressRates, hosts: list[str], now: float) -> int:
    return sum(rates.take(host, now) for host in hosts)


def test_an_address_sends_so_often() -> None:
    rates = AddressRates(8, 1_024)

    assert taken(rates, ["192.0.2.1"] * 50, 0.0) == 8
    assert taken(rates, ["192.0.2.2"], 0.0) == 1
    assert taken(rates, ["192.0.2.1"] * 50, 0.5) == 4
    assert taken(rates, ["192.0.2.1"] * 50, 60.0) == 8


def test_a_network_sends_so_often_however_many_its_addresses() -> None:
    rates = AddressRates(8, 16)
    flood = [f"192.0.2.{number}" for number in range(200)]

    assert taken(rates, flood, 0.0) == 16
    assert taken(rates, ["192.0.3.1", "2001:db8::1"], 0.0) == 2
    ipv6 = [f"2001:db8:0:{number:x}::1" for number in range(200)]
    assert taken(rates, ipv6, 0.0) == 15


def test_an_address_that_sends_too_often_costs_its_network_nothing() -> None:
    rates = AddressRates(8, 16)

    assert taken(rates, ["192.0.2.1"] * 1_000, 0.0) == 8
    assert taken(rates, ["192.0.2.2"] * 1_000, 0.0) == 8


def test_who_was_silent_longest_is_forgotten() -> None:
    rates = AddressRates(1, 1_000_000, most=100)
    for number in range(100):
        assert rates.take(f"10.0.{number}.1", 0.0)
    rates.take("10.1.0.1", 0.0)

    assert len(rates) <= 200
    assert rates.take("10.0.0.1", 0.0), "was forgotten, so may send again"
    assert not rates.take("10.0.99.1", 0.0)


ADDRESS = ("192.0.2.1", 5000)
COOKIES = Cookies(b"k" * 32, lifetime=30.0)


@pytest.mark.parametrize("age", [0.0, 15.0, 30.0])
def test_a_cookie_is_good_for_its_address_for_a_while(age: float) -> None:
    cookie = COOKIES.make(ADDRESS, 100.0)

    assert len(cookie) == Cookies.size
    assert COOKIES.check(cookie, ADDRESS, 100.0 + age)


@pytest.mark.parametrize(
    "address", [("192.0.2.2", 5000), ("192.0.2.1", 5001), ("192.0.2.15", 0)]
)
def test_a_cookie_is_worth_nothing_elsewhere(address: tuple[str, int]) -> None:
    assert not COOKIES.check(COOKIES.make(ADDRESS, 100.0), address, 100.0)


def test_a_cookie_grows_old() -> None:
    assert not COOKIES.check(COOKIES.make(ADDRESS, 100.0), ADDRESS, 161.0)


@pytest.mark.parametrize("cookie", [b"", b"x" * 16, b"\xff" * 16, b"x" * 60_000])
def test_anything_else_is_no_cookie(cookie: bytes) -> None:
    assert not COOKIES.check(cookie, ADDRESS, 100.0)


def test_a_cookie_of_another_key_is_none() -> None:
    assert not Cookies(b"j" * 32).check(COOKIES.make(ADDRESS, 0.0), ADDRESS, 0.0)


@pytest.mark.parametrize(("key", "lifetime"), [(b"short", 30.0), (b"k" * 32, 0.0)])
def test_a_weak_key_or_no_lifetime_is_refused(key: bytes, lifetime: float) -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Cookies(key, lifetime)
