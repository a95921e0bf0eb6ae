"""PDUs of SMPP 3.4: cut from a stream, read, and made.

`smpplib` has their fields; section numbers are those of the SMPP v3.4 specification,
issue 1.2.
"""

from __future__ import annotations

import logging
import struct
from typing import Any, TypeAlias

from smpplib import consts, exceptions, smpp

__all__ = [
    "BROKEN",
    "Frames",
    "Pdu",
    "address",
    "make",
    "number_of",
    "read",
    "status_name",
]

Pdu: TypeAlias = Any
"""A PDU as `smpplib` reads it: `command`, `sequence`, `status` and its fields."""

_HEADER = struct.Struct(">LLLL")
_MAX_PDU = 70 * 1024
"""Bytes of a PDU: a payload of 64 KiB and the fields around it."""
_INTERNATIONAL, _NETWORK, _ALPHANUMERIC = 1, 3, 5
_ISDN = 1
_SHORTEST_INTERNATIONAL = 10
BROKEN = (struct.error, ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What reading nonsense raises."""

# It warns of each optional parameter that it does not know, and SMSCs have many.
logging.getLogger("smpplib.command").setLevel(logging.ERROR)

_NAMES = {
    value: name.removeprefix("SMPP_")
    for name, value in vars(consts).items()
    if name.startswith("SMPP_ESME_R") and isinstance(value, int)
}


class Frames:
    """Cuts PDUs from the bytes of a connection."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the PDUs that are complete.

        Raises:
            ValueError: a length is impossible; the connection cannot be read on.
        """
        waiting = self._waiting
        waiting += data
        frames: list[bytes] = []
        while len(waiting) >= _HEADER.size:
            length = int.from_bytes(waiting[:4])
            if not _HEADER.size <= length <= _MAX_PDU:
                raise ValueError(f"a PDU of {length} bytes")
            if len(waiting) < length:
                break
            frames.append(bytes(waiting[:length]))
            del waiting[:length]
        return frames


def read(frame: bytes) -> Pdu:
    """Read a PDU.

    Raises:
        ValueError: its command is unknown or its fields cannot be read; the sequence
            number is the attribute `sequence`.
    """
    sequence = _HEADER.unpack_from(frame)[3]
    try:
        # The client is asked for a sequence number unless one is there.
        return smpp.parse_pdu(frame, sequence=sequence, allow_unknown_opt_params=True)
    except (exceptions.UnknownCommandError, *BROKEN) as error:
        wrong = ValueError(f"a PDU that cannot be read: {error}")
        wrong.sequence = sequence  # type: ignore[attr-defined]
        raise wrong from error


def make(command: str, sequence: int, *, status: int = 0, **fields: Any) -> bytes:
    """Return a PDU of a command, such as `submit_sm`, as bytes."""
    pdu = smpp.make_pdu(command, sequence=sequence, **fields)
    pdu.sequence = sequence
    pdu.status = status
    made: bytes = pdu.generate()
    return made


def status_name(status: int) -> str:
    """Return what 5.1.3 calls a status, such as `ESME_RTHROTTLED`, else its number."""
    name: str = _NAMES.get(status, f"{status:#010x}")
    return name


def address(text: str) -> tuple[int, int, str]:
    """Return the type and plan (5.2.5, 5.2.6) and the digits or letters of an address.

    `+` and digits are an international number, digits alone a short code.
    """
    if text.startswith("+"):
        return _INTERNATIONAL, _ISDN, text[1:]
    if text.isascii() and text.isdecimal():
        return _NETWORK, 0, text
    return _ALPHANUMERIC, 0, text


def number_of(text: bytes, kind: int) -> str:
    """Return an address as fairway writes it, with `+` for an international number.

    Many SMSCs leave the type 0 (unknown) on such numbers; ten digits or more that do
    not begin with 0 are taken for one.
    """
    plain = text.decode("latin-1").strip()
    digits = plain.isascii() and plain.isdecimal()
    if digits and kind == _INTERNATIONAL:
        return f"+{plain}"
    if (
        digits
        and kind == 0
        and len(plain) >= _SHORTEST_INTERNATIONAL
        and not plain.startswith("0")
    ):
        return f"+{plain}"
    return plain
