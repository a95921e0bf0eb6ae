"""CGI variables that come from the display address of the client."""

import pytest

from fairway.plugins.http.meta import make_meta


@pytest.mark.parametrize(
    ("client", "address", "port"),
    [
        ("192.0.2.7:5123", "192.0.2.7", "5123"),
        ("[2001:db8::7]:5123", "2001:db8::7", "5123"),
        ("192.0.2.7", "192.0.2.7", ""),
        ("[2001:db8::7]", "2001:db8::7", ""),
        ("unix", "", ""),
    ],
)
def test_the_address_is_there_with_or_without_a_port(
    client: str, address: str, port: str
) -> None:
    meta = make_meta({"method": "GET", "client": client}, "/", "")

    assert (meta["REMOTE_ADDR"], meta["REMOTE_PORT"]) == (address, port)
