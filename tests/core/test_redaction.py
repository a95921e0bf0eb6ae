"""No password of a URL shows in an error, a log line or a representation."""

from __future__ import annotations

import pytest

from fairway.core.assembly import Assembly
from fairway.core.exceptions import ConfigurationError
from fairway.core.settings import read_settings


def said_of(url: str) -> str:
    """Return the error that a channel layer's URL ends in."""
    with pytest.raises(ConfigurationError) as caught:
        _ = Assembly(read_settings({"LAYER": url, "PLUGINS": {}})).layer
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "redsi://user:geheim@host/0",
        "redis://user:geheim@host:x/0",
        "redis://user:geheim@host/zero",
        "redis://user:geheim@host?colour=red",
        "redis://user:geheim@[::1/0",
        "user:geheim@host",
        # Passwords with characters that have a meaning in URLs.
        "redis://user:geheim/geheim@host/0",
        "redis://user:1/geheim@host/0",
        "redis://user:geheim?geheim=geheim@host/0",
        "redis://user:1?geheim=geheim@host/0",
        "redis://user:geheim#geheim@host/0",
        "redis://user:1#geheim@host/0",
        "redis://user:geheim[@host/0",
    ],
)
def test_no_password_shows_when_the_url_is_wrong(url: str) -> None:
    said = said_of(url)

    assert said.startswith('FAIRWAY["LAYER"] ')
    assert "geheim" not in said


def test_the_password_shows_in_no_representation_of_a_layer() -> None:
    settings = {"LAYER": "redis://user:geheim@127.0.0.1:1/0", "PLUGINS": {}}
    layer = Assembly(read_settings(settings)).layer

    assert "geheim" not in f"{layer!r} {layer}"
    layer.close()
