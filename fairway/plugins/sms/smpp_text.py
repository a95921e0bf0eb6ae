"""What short messages of SMPP say: their alphabets, parts and receipts.

SMPP v3.4: 5.2.12 (esm_class), 5.2.19 (data_coding), appendix B (receipts). 3GPP TS
23.040, 9.2.3.24 has the header of parts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from fairway.plugins.sms.provider import Status
from fairway.plugins.sms.segments import (
    decode_septets,
    encode_septets,
    is_gsm,
    split,
)

__all__ = ["Part", "Parts", "decoded", "parts_of", "read_part", "status_of"]

GSM, UCS2 = 0, 8
_CODECS = {1: "latin-1", 3: "latin-1", 6: "iso8859_5", 7: "iso8859_8"}
_HAS_HEADER = 0x40
_ONE_BYTE, _TWO_BYTES = 0x00, 0x08
"""Header elements of parts, by the size of their reference."""
_LONGEST_WAIT = 60.0
_MOST_PARTS = 2_000
"""Parts of messages that are not complete, some 300 KiB."""

_STATES = {
    "ENROUTE": "sent",
    "ACCEPTD": "sent",
    "DELIVRD": "delivered",
    "EXPIRED": "undelivered",
    "DELETED": "undelivered",
    "UNDELIV": "undelivered",
    "REJECTD": "failed",
    "FAILED": "failed",
}
_STATE_CODES: Mapping[int | None, str] = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    8: "REJECTD",
}
_ID = re.compile(rb"\bid:([!-~]{1,64})", re.IGNORECASE)
_STATE = re.compile(rb"\bstat:([A-Za-z]{1,10})", re.IGNORECASE)
_ERROR = re.compile(rb"\berr:([0-9A-Za-z]{1,10})", re.IGNORECASE)


class Part(Struct, frozen=True, kw_only=True):
    """One part of an incoming message; the whole of it when `total` is 1."""

    payload: bytes
    reference: int = 0
    number: int = 1
    total: int = 1


def parts_of(text: str, reference: int) -> tuple[list[bytes], int, int]:
    """Return what a text is as short messages, with their data_coding and esm_class.

    Args:
        reference: 0 to 255, the same in all parts of a message and another in the next
            one to the same number.
    """
    coding = GSM if is_gsm(text) else UCS2
    segments = [
        encode_septets(segment) if coding == GSM else segment.encode("utf-16-be")
        for segment in split(text)
    ]
    if len(segments) == 1:
        return segments, coding, 0
    head = bytes((5, _ONE_BYTE, 3, reference, len(segments)))
    parts = [
        head + bytes((number,)) + segment
        for number, segment in enumerate(segments, start=1)
    ]
    return parts, coding, _HAS_HEADER


def read_part(
    payload: bytes, esm_class: int, sar: tuple[int | None, int | None, int | None]
) -> Part:
    """Return which part of a message a short message is.

    Args:
        sar: reference, total and number where they came as optional parameters.

    Raises:
        ValueError: the header cannot be read, or the numbers do not go together.
    """
    part = Part(payload=payload)
    if esm_class & _HAS_HEADER:
        part = _headed(payload)
    elif None not in sar:
        reference, total, number = (value or 0 for value in sar)
        part = Part(payload=payload, reference=reference, total=total, number=number)
    if not 1 <= part.number <= part.total <= 255:
        raise ValueError(f"part {part.number} of {part.total}")
    return part


def _headed(payload: bytes) -> Part:
    end = payload[0] + 1 if payload else 1
    if len(payload) < end:
        raise ValueError("a header that ends beyond the message")
    at = 1
    while at + 2 <= end:
        element, size = payload[at], payload[at + 1]
        value = payload[at + 2 : at + 2 + size]
        at += 2 + size
        if at > end:
            raise ValueError("a header element that ends beyond the header")
        if (element, size) in ((_ONE_BYTE, 3), (_TWO_BYTES, 4)):
            return Part(
                payload=payload[end:],
                reference=int.from_bytes(value[:-2]),
                total=value[-2],
                number=value[-1],
            )
    return Part(payload=payload[end:])


def decoded(payload: bytes, coding: int) -> str | None:
    """Return the text of a message, None for data that is no text."""
    if coding & 0xF0 in (0x10, 0xF0):  # with a message class
        coding &= 0x0C if coding & 0xF0 == 0x10 else 0x04
    if coding == GSM:
        try:
            return decode_septets(payload)
        except ValueError:  # an SMSC whose default alphabet is another one
            return payload.decode("latin-1")
    if coding == UCS2:
        return payload.decode("utf-16-be", "replace")
    codec = _CODECS.get(coding)
    return payload.decode(codec, "replace") if codec is not None else None


def status_of(
    text: bytes, *, to: str, message_id: str, state: int | None
) -> Status | None:
    """Return what a receipt reports, None when it says nothing that we know.

    Args:
        message_id, state: the optional parameters, which win over the text.
    """
    found_id, found_state, error = (
        found[1].decode() if (found := pattern.search(text)) else ""
        for pattern in (_ID, _STATE, _ERROR)
    )
    status = _STATES.get(_STATE_CODES.get(state, found_state.upper()))
    about = message_id or found_id
    if status is None or not about:
        return None
    failed = status in ("undelivered", "failed")
    return Status(id=about, to=to, status=status, code=error if failed else "")


class _Open:
    __slots__ = ("coding", "end", "payloads", "total")

    def __init__(self, total: int, coding: int, end: float) -> None:
        self.total = total
        self.coding = coding
        self.end = end
        self.payloads: dict[int, bytes] = {}

    @property
    def text(self) -> str | None:
        joined = b"".join(self.payloads[n] for n in sorted(self.payloads))
        return decoded(joined, self.coding)


class Parts:
    """Joins parts, bounded in their number and in the time that they wait."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, int, int], _Open] = {}
        self._count = 0

    def add(self, link: tuple[str, str], part: Part, coding: int, now: float) -> None:
        """Keep a part.

        Args:
            link: who texted whom.
            now: seconds.
        """
        key = (*link, part.reference, part.total)
        if (message := self._open.get(key)) is None:
            message = self._open[key] = _Open(part.total, coding, now + _LONGEST_WAIT)
        self._count += part.number not in message.payloads
        message.payloads[part.number] = part.payload

    def complete(self, link: tuple[str, str], part: Part) -> str | None:
        """Return the text of the message of a part when all parts are there."""
        message = self._open.get((*link, part.reference, part.total))
        if message is None or len(message.payloads) < message.total:
            return None
        return message.text or ""

    def forget(self, link: tuple[str, str], part: Part) -> None:
        """Let a message go that was handed on."""
        self._forget((*link, part.reference, part.total))

    def overdue(self, now: float) -> tuple[tuple[str, str], str] | None:
        """Take out a message whose parts did not all come in time, or are too many.

        Returns who texted whom, and what there is of the text.
        """
        for key, message in self._open.items():  # the oldest first
            if message.end > now and self._count <= _MOST_PARTS:
                return None
            self._forget(key)
            return key[:2], message.text or ""
        return None

    def _forget(self, key: tuple[str, str, int, int]) -> None:
        if (message := self._open.pop(key, None)) is not None:
            self._count -= len(message.payloads)
