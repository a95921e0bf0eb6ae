"""Text messages: one protocol, and providers that know a vendor's wire each."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairway.kit import (
    Check,
    Exchange,
    Mount,
    ProtocolSpec,
    Settings,
    hookimpl,
    shared_channel,
)
from fairway.plugins.sms.checks import look_for_mistakes
from fairway.plugins.sms.numbers import normalized
from fairway.plugins.sms.spec import SPEC, SmsConfig

if TYPE_CHECKING:
    from fairway.kit import Channel

__all__ = ["fairway_checks", "fairway_mounts", "fairway_protocols", "phone"]


class _Opens(typing.Protocol):
    def open(self, exchange: Exchange) -> None: ...


def phone(number: str) -> Channel:
    """Return the channel of a phone number, to text somebody who did not text first.

        phone("+46 70 123 45 67").send({"text": "Your parcel is here."})

    Raises:
        ValueError: it is no number with its country's code.
    """
    from fairway.kit import Channel

    return Channel(shared_channel("sms", normalized(number)))


@hookimpl
def fairway_protocols() -> Sequence[ProtocolSpec]:
    """Declare sms."""
    return (SPEC,)


@hookimpl
def fairway_mounts(settings: Settings) -> Sequence[Mount]:
    """Take the vendor's requests that reach http."""
    config = settings.section("sms", SmsConfig)
    return (Mount(on="http", prefix=config.path, open=_open),)


@hookimpl
def fairway_checks(settings: Settings) -> Sequence[Check]:
    """Look at what would forget who opted out, and what may cost money."""
    return look_for_mistakes(settings.section("sms", SmsConfig))


def _open(protocol: _Opens, exchange: Exchange) -> None:
    protocol.open(exchange)
