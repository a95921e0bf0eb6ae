"""What providers say as events, and replies as what is to be sent. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from fairway.kit import Content
from fairway.plugins.sms.numbers import is_number
from fairway.plugins.sms.provider import Incoming, Status

__all__ = [
    "GivenUp",
    "Reply",
    "given_up",
    "read_reply",
    "receive",
    "reported",
    "silenced",
]


class GivenUp(StrEnum):
    """Why a text did not leave; the `reason` of a `sms.status` event."""

    OPTED_OUT = "opted_out"
    """The number has opted out."""
    OVER_BUDGET = "over_budget"
    """The `daily_budget` is spent."""
    NOT_ALLOWED = "not_allowed"
    """None of `prefixes` is the number's beginning."""
    NO_NUMBER = "no_number"
    """It is no phone number that can be answered."""
    NO_SENDER = "no_sender"
    """There is none of ours it could leave from, or not the one that was asked for."""
    TOO_LONG = "too_long"
    """It has more than `max_segments`."""
    TOO_MANY = "too_many"
    """More than `outbox_per_number` wait for the number."""
    REFUSED = "refused"
    """The vendor will never take it; `code` is the vendor's."""
    NOT_TAKEN = "not_taken"
    """The vendor did not take it within `retry_for`."""
    UNKNOWN = "unknown"
    """The vendor did not answer in time, or the server had to stop meanwhile. It may
    have it, so it is not sent again."""
    FAILED = "failed"
    """The provider raised; the log says what."""


class Reply(Struct, frozen=True, kw_only=True):
    """A reply, read."""

    text: str = ""
    media: tuple[str, ...] = ()
    sender: str = ""
    wrong: tuple[str, ...] = ()
    """What of it cannot be carried."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self.text or self.media)


def receive(incoming: Incoming, keyword: str) -> Content:
    """Return the content of `sms.receive`."""
    content: Content = {
        "text": incoming.text,
        "id": incoming.id,
        "to": incoming.to,
    }
    if incoming.media:
        content["media"] = [[url, kind] for url, kind in incoming.media]
    if keyword:
        content["keyword"] = keyword
    return content


def reported(status: Status) -> Content:
    """Return the content of `sms.status` for a delivery report."""
    return {"status": status.status, "id": status.id, "code": status.code}


def given_up(text: str, reason: GivenUp, code: str = "") -> Content:
    """Return the content of `sms.status` for a text that did not leave."""
    content: Content = {
        "status": "given_up",
        "text": text,
        "reason": reason.value,
        "code": code,
    }
    return content


def read_reply(content: Mapping[str, object]) -> Reply:
    """Read a reply; what it cannot carry is in `Reply.wrong`, the rest in its place.

    `accept` and `close` say nothing to a phone: there is no connection.
    """
    wrong = []
    text = content.get("text")
    if text is None and (data := content.get("bytes")) is not None:
        text = data
        if isinstance(data, bytes):
            try:
                text = data.decode()
            except UnicodeDecodeError:
                text = ""
                wrong.append("bytes that are no UTF-8")
    if text is not None and not isinstance(text, str):
        wrong.append(f"text that is {type(text).__name__}")
        text = None
    given = content.get("media", ())
    listed = given if isinstance(given, (list, tuple)) else [given]
    media = [url for url in listed if isinstance(url, str) and _is_url(url)]
    if len(media) < len(listed):
        wrong.append("media that is no http(s) URL")
    sender = content.get("sender", "")
    if not isinstance(sender, str):
        wrong.append("a sender that is no str")
        sender = ""
    return Reply(text=text or "", media=tuple(media), sender=sender, wrong=tuple(wrong))


def silenced(to: str, ours: Sequence[str]) -> list[str]:
    """Return those of ours that may not text a number which opted out at `to`.

    Names and services of a vendor cannot be texted, so every STOP means them, too; and
    a number that is not in the settings stands for all of them.
    """
    others = [one for one in ours if to not in ours or not is_number(one)]
    return [to, *(one for one in others if one != to)]


def _is_url(text: str) -> bool:
    return text.startswith(("https://", "http://"))
