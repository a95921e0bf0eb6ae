"""Providers without a vendor, and how a provider is found."""

from __future__ import annotations

import asyncio

import pytest

from fairway.kit import ConfigurationError
from fairway.plugins.sms.console import ConsoleProvider
from fairway.plugins.sms.provider import Incoming, Outgoing, Sent, Status
from fairway.plugins.sms.providers import load_provider
from fairway.plugins.sms.spec import SmsConfig
from fairway.testing.recording import RecordingHost


async def taken(what: Incoming | Status) -> bool:
    return True


def console(message: Outgoing) -> Sent:
    provider = ConsoleProvider(SmsConfig(), RecordingHost(), taken, taken)
    return asyncio.run(provider.send(message))


def test_the_console_prints_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    sent = console(
        Outgoing(
            to="+46701234567",
            sender="+46700000000",
            text="two\nlines",
            media=("https://example.com/a.png",),
        )
    )

    lines = capsys.readouterr().out.splitlines()
    assert sent.segments == 1
    assert lines[:4] == [
        "To: +46701234567",
        "From: +46700000000",
        "Segments: 1",
        "Media: https://example.com/a.png",
    ]
    assert lines[4:7] == ["", "two", "lines"]


def test_the_console_obeys_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    console(Outgoing(to="+46701234567", sender="x", text="a\x1b[2J\r\u202eb"))

    out = capsys.readouterr().out
    assert r"a\x1b[2J\r\u202eb" in out
    assert out.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", ["console", "memory"])
def test_a_provider_has_its_name(name: str) -> None:
    assert load_provider(name).name == name


def test_a_provider_of_a_third_party_is_found_by_its_path() -> None:
    path = "fairway.plugins.sms.console"

    assert load_provider(f"{path}:ConsoleProvider") is ConsoleProvider
    assert load_provider(f"{path}.ConsoleProvider") is ConsoleProvider


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("printer", "one of console"),
        ("no.such.Thing", "needs 'no': not installed"),
        ("fairway.plugins.sms.console.Nothing", "cannot be imported"),
        ("fairway.plugins.sms.spec.SmsConfig", "no Provider class"),
    ],
)
def test_what_is_no_provider_is_named(name: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        load_provider(name)
