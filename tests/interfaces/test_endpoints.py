"""Reading endpoint strings and datagram addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.interfaces.datagram_address import BindAddress, parse_address
from fairway.interfaces.endpoints import parse_endpoint


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("tcp:8000", ("tcp", {"0": "8000"})),
        ("tcp:port=8000", ("tcp", {"port": "8000"})),
        (
            "tcp:8000:interface=127.0.0.1",
            ("tcp", {"0": "8000", "interface": "127.0.0.1"}),
        ),
        (r"tcp6:0:interface=\:\:1", ("tcp6", {"0": "0", "interface": "::1"})),
        (r"unix:/run/a\:b.sock", ("unix", {"0": "/run/a:b.sock"})),
        (r"tcp:0:x=a\\b", ("tcp", {"0": "0", "x": "a\\b"})),
        ("unix:", ("unix", {"0": ""})),
        ("", ("", {})),
    ],
)
def test_endpoint_strings_are_read(
    description: str, expected: tuple[str, dict[str, str]]
) -> None:
    assert parse_endpoint(description) == expected


@given(st.text(alphabet="tcp:\\=8a", max_size=20))
def test_any_endpoint_string_is_read(description: str) -> None:
    kind, arguments = parse_endpoint(description)

    assert isinstance(kind, str)
    assert all(isinstance(value, str) for value in arguments.values())


@pytest.mark.parametrize(
    ("address", "host", "group", "interface"),
    [
        ("udp:9999", "0.0.0.0", None, None),
        ("udp:127.0.0.1:9999", "127.0.0.1", None, None),
        ("udp:[::1]:9999", "::1", None, None),
        ("udp:9999:group=239.1.2.3", "0.0.0.0", "239.1.2.3", None),
        (
            "udp:9999:group=239.1.2.3,interface=127.0.0.1",
            "0.0.0.0",
            "239.1.2.3",
            "127.0.0.1",
        ),
        ("udp:9999:group=ff15::1,interface=lo", "::", "ff15::1", "lo"),
    ],
)
def test_datagram_addresses_are_read(
    address: str, host: str, group: str | None, interface: str | None
) -> None:
    assert parse_address(address) == BindAddress(
        host=host, port=9999, group=group, interface=interface
    )


@pytest.mark.parametrize(
    "address",
    [
        *("9999", "udp:", "udp:x", "udp:70000", "udp:localhost:1", "udp:::1:9"),
        *("tcp:1", "", "udp:1:group=", "udp:1:group=10.0.0.1", "udp:1:groop=224.0.0.9"),
        *("udp:127.0.0.1:1:group=239.1.2.3", "udp:1:group=239.1.2.3,interface="),
        *("udp:1:group=239.1.2.3,interface=lo", "udp:1:group=239.1.2.3,ttl=1"),
    ],
)
def test_other_datagram_addresses_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_address(address)
