"""Segments: how many short messages a text is, and where it may be cut.

The alphabet is the 7-bit one of 3GPP TS 23.038 with its extension table; a text with
anything else goes as UCS-2. A segment of several leaves room for a header (TS 23.040).
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = [
    "LONGEST",
    "count",
    "cut",
    "decode_septets",
    "encode_septets",
    "is_gsm",
    "split",
]

_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPE = 0x1B
_EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
_SEPTETS: dict[str, bytes] = {
    character: bytes((code,))
    for code, character in enumerate(_ALPHABET)
    if code != _ESCAPE
} | {character: bytes((_ESCAPE, code)) for code, character in _EXTENSION.items()}

_GSM_ONE, _GSM_MANY = 160, 153
"""Septets of a text of one segment, and of each of several."""
_UCS_ONE, _UCS_MANY = 70, 67
"""UTF-16 units of the same."""
LONGEST = _GSM_ONE
"""Characters that a segment has at most."""


def is_gsm(text: str) -> bool:
    """Return whether the 7-bit alphabet has all characters of a text."""
    return all(character in _SEPTETS for character in text)


def encode_septets(text: str) -> bytes:
    """Return a text in the 7-bit alphabet, a byte per septet.

    Raises:
        ValueError: a character is not in the alphabet.
    """
    try:
        return b"".join([_SEPTETS[character] for character in text])
    except KeyError as error:
        raise ValueError(f"{error.args[0]!r} is not in the 7-bit alphabet") from None


def decode_septets(septets: bytes) -> str:
    """Return the text of septets, a byte each.

    As the standard says, an escape without a known character is a space, and a known
    one without its extension is the character of the alphabet itself.

    Raises:
        ValueError: a byte is above 127.
    """
    text = []
    codes = iter(septets)
    for code in codes:
        if code > 0x7F:
            raise ValueError(f"{code:#x} is no septet")
        if code != _ESCAPE:
            text.append(_ALPHABET[code])
            continue
        escaped = next(codes, _ESCAPE)
        if escaped > 0x7F:
            raise ValueError(f"{escaped:#x} is no septet")
        plain = " " if escaped == _ESCAPE else _ALPHABET[escaped]
        text.append(_EXTENSION.get(escaped, plain))
    return "".join(text)


def split(text: str) -> list[str]:
    """Return the segments of a text: one, also of an empty one, or several.

    A character is never cut in two, be it an escape's or of two UTF-16 units.
    """
    gsm = is_gsm(text)
    one, many = (_GSM_ONE, _GSM_MANY) if gsm else (_UCS_ONE, _UCS_MANY)
    widths = [len(_SEPTETS[c]) if gsm else _units(c) for c in text]
    if sum(widths) <= one:
        return [text]
    return list(_filled(text, widths, many))


def count(text: str) -> int:
    """Return how many segments a text is."""
    return len(split(text))


def cut(text: str, longest: int) -> list[str]:
    """Return a text as messages of at most `longest` UTF-16 units each.

    They are cut where segments end, so that a text in several messages costs hardly
    more than in one.
    """
    if sum(map(_units, text)) <= longest:
        return [text]
    pieces: list[str] = []
    size = longest
    for segment in split(text):
        units = sum(map(_units, segment))
        if size + units > longest:
            pieces.append(segment)
            size = units
        else:
            pieces[-1] += segment
            size += units
    return pieces


def _units(character: str) -> int:
    return 2 if ord(character) > 0xFFFF else 1


def _filled(text: str, widths: list[int], room: int) -> Iterator[str]:
    start, used = 0, 0
    for index, width in enumerate(widths):
        if used + width > room:
            yield text[start:index]
            start, used = index, 0
        used += width
    yield text[start:]
