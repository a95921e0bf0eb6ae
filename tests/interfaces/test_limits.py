"""Limits, decided with the time as an argument."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.core.exceptions import PeerRefused
from fairway.core.settings import Limits
from fairway.interfaces.limits import Admission, Rates, address_of


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("192.0.2.1:5123", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]:5123", "2001:db8::/64"),
        ("[2001:db8::ffff:1]:9", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("[::1]:80", "::/64"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("[fe80::1%eth0]:80", "fe80::/64"),
        ("unix", ""),
        ("", ""),
        ("no address:at all", ""),
    ],
)
def test_clients_are_counted_by_address(client: str, address: str) -> None:
    assert address_of(client) == address


@given(st.text(max_size=60))
def test_any_display_address_is_read(client: str) -> None:
    assert isinstance(address_of(client), str)


def test_a_rate_has_room_for_a_second_at_once() -> None:
    rates = Rates(10.0)

    waits = [rates.take("a", 0.0) for _ in range(11)]

    assert waits[:10] == [0.0] * 10
    assert waits[10] == pytest.approx(0.1)


def test_a_rate_recovers_with_time() -> None:
    rates = Rates(10.0)
    while not rates.take("a", 0.0):
        pass

    assert rates.take("a", 0.05)
    assert not rates.take("a", 0.11)


def test_each_key_has_its_own_rate() -> None:
    rates = Rates(1.0)
    rates.take("a", 0.0)

    assert rates.take("a", 0.0)
    assert not rates.take("b", 0.0)


def test_keys_that_were_long_silent_are_forgotten() -> None:
    rates = Rates(10.0)
    for number in range(5_000):
        rates.take(str(number), now=float(number))

    assert len(rates._used_until) < 2_000


@given(st.lists(st.floats(0.0, 0.5), max_size=200), st.floats(1.0, 500.0))
def test_no_second_lets_more_than_the_rate_and_its_burst_through(
    pauses: list[float], rate: float
) -> None:
    rates, now, taken = Rates(rate), 0.0, []
    for pause in pauses:
        now += pause
        if not rates.take("a", now):
            taken.append(now)

    for start in taken:
        within = [moment for moment in taken if start <= moment < start + 1.0]
        assert len(within) <= 2 * rate + 1


def admit(admission: Admission, client: str, now: float = 0.0) -> str:
    return admission.enter(client, now, handshake=True)


def refusal(admission: Admission, client: str, now: float = 0.0) -> PeerRefused:
    with pytest.raises(PeerRefused) as caught:
        admit(admission, client, now)
    return caught.value


def test_the_server_takes_so_many_peers() -> None:
    admission = Admission(Limits(peers=1))
    admit(admission, "192.0.2.1:1")

    assert refusal(admission, "192.0.2.2:1").limit == "peers"


def test_an_address_has_so_many_peers() -> None:
    admission = Admission(Limits(peers_per_address=1))
    admit(admission, "192.0.2.1:1")

    assert refusal(admission, "192.0.2.1:2").limit == "peers_per_address"
    admit(admission, "192.0.2.2:1")


def test_who_leaves_makes_room() -> None:
    admission = Admission(Limits(peers=1, peers_per_address=1))
    address = admit(admission, "192.0.2.1:1")

    admission.leave(address)

    admit(admission, "192.0.2.1:2")


def test_an_address_shakes_hands_so_often() -> None:
    admission = Admission(Limits(handshakes_per_second=1.0))
    admit(admission, "192.0.2.1:1")

    refused = refusal(admission, "192.0.2.1:2")

    assert refused.limit == "handshakes_per_second"
    assert refused.retry_after == pytest.approx(1.0)
    admit(admission, "192.0.2.1:3", now=1.1)


def test_a_refused_peer_is_not_counted() -> None:
    admission = Admission(Limits(handshakes_per_second=1.0, peers=2))
    admit(admission, "192.0.2.1:1")
    refusal(admission, "192.0.2.1:2")

    admit(admission, "192.0.2.2:1")


def test_clients_behind_a_unix_socket_have_no_address() -> None:
    admission = Admission(Limits(peers_per_address=1, handshakes_per_second=1.0))

    for _ in range(5):
        admit(admission, "unix")
