"""Lines of IRC, read and made (RFC 2812, section 2.3)."""

import re
from collections.abc import Iterator

LONGEST = 510
"""Bytes of a line that is sent, without its end."""

_ENDS = re.compile(r"[\r\n\0]")

is_nick = re.compile(r"[A-Za-z\[\]\\`_^{|}][A-Za-z0-9\[\]\\`_^{|}-]{0,29}").fullmatch
"""Whether a word may name somebody."""
is_channel = re.compile(r"[#&][^\s\0\x07,:]{1,49}").fullmatch
"""Whether a word may name a channel."""


def parse(line: bytes) -> tuple[str, list[str]]:
    """Return the command and its parameters; an empty command for an empty line."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = line.decode("latin-1")  # what clients wrote before UTF-8
    text = _ENDS.sub("", text)
    while text.startswith((":", "@")):  # who sent it, which the connection tells
        text = text.partition(" ")[2].lstrip(" ")
    head, colon, trailing = text.partition(" :")
    command, *params = head.split() or [""]
    return command.upper(), [*params, trailing] if colon else params


def compose(prefix: str, *words: str, text: str) -> bytes:
    """Return one line whose last parameter is `text`."""
    return f":{prefix} {' '.join(words)} :{text}\r\n".encode()


def compose_all(prefix: str, *words: str, text: str) -> Iterator[bytes]:
    """Return as many lines as a text of any length, with any line ends, needs."""
    room = LONGEST - len(compose(prefix, *words, text="")) + 2
    for line in re.split(r"\r\n|\r|\n", text):
        rest = line.replace("\0", "").encode()
        while len(rest) > room:
            cut = room
            while rest[cut] & 0xC0 == 0x80:  # inside a character
                cut -= 1
            yield compose(prefix, *words, text=rest[:cut].decode())
            rest = rest[cut:]
        yield compose(prefix, *words, text=rest.decode())
