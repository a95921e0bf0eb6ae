"""permessage-deflate (RFC 7692) without context takeover, bounded after inflation.

Without takeover an idle connection keeps no window (up to 300 KiB with it), and a frame
for many clients is compressed once.
"""

from __future__ import annotations

import re
import zlib

from msgspec import Struct

from fairway.kit import RemoteProtocolError

__all__ = ["Agreement", "Inflater", "compress", "negotiate"]

_TAIL = b"\x00\x00\xff\xff"
"""What a sender cuts off the end of each message (RFC 7692, 7.2.1)."""
_LAST_BLOCK = b"\x03\x00"
"""An empty block that ends a stream (RFC 1951, 3.2.3)."""
_LEVEL = 6
_MEMORY = 5
_MAX_RESTARTS = 16
# zlib cannot compress raw with a window of 8 bits.
_WINDOWS = frozenset(str(bits) for bits in range(9, 16))
_PARAMETER = re.compile(r'\s*([A-Za-z0-9_-]+)\s*(?:=\s*(?:"([0-9]+)"|([0-9]+))\s*)?')


class Agreement(Struct, frozen=True):
    """How a connection is compressed."""

    window_bits: int
    """Of the server's messages; 0 when the extension is not in use."""
    answer: bytes = b""
    """The field Sec-WebSocket-Extensions that says so."""


def negotiate(offers: str) -> Agreement:
    """Choose the first offer of permessage-deflate that can be kept.

    What cannot be read, or asks for what is not there, is declined, not an error: the
    extension is optional.

    Args:
        offers: the fields Sec-WebSocket-Extensions, joined by commas.
    """
    for offer in offers.split(","):
        name, *parameters = offer.split(";")
        if name.strip().lower() == "permessage-deflate":
            agreement = _agree(parameters)
            if agreement is not None:
                return agreement
    return Agreement(0)


def _agree(parameters: list[str]) -> Agreement | None:
    seen: dict[str, str | None] = {}
    for parameter in parameters:
        match = _PARAMETER.fullmatch(parameter)
        if match is None or match[1] in seen:
            return None
        seen[match[1]] = match[2] or match[3]
    answer = (
        b"permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    )
    bits = 15
    for name, value in seen.items():
        match name:
            case "server_no_context_takeover" | "client_no_context_takeover":
                kept = value is None
            case "client_max_window_bits":
                # A bound on the client's own window; 15 bits inflate any of them.
                kept = value is None or value == "8" or value in _WINDOWS
            case "server_max_window_bits" if value in _WINDOWS:
                kept, bits = True, int(value or 0)
                answer += b"; server_max_window_bits=%d" % bits
            case _:
                kept = False
        if not kept:
            return None
    return Agreement(bits, answer)


def compress(payload: bytes, window_bits: int) -> bytes:
    """Return a message's payload as it travels."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -window_bits, _MEMORY)
    body = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return body.removesuffix(_TAIL)


class Inflater:
    """Inflates one message, piece by piece.

    Args:
        limit: bytes that may come out; inflation stops at one more.
    """

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._restarts = 0
        self._inflate = zlib.decompressobj(-15)

    def received(self, piece: bytes) -> bytes:
        """Return what a piece inflates to.

        Raises:
            RemoteProtocolError: 1009 above the limit, 1007 when it is not deflate.
        """
        output = self._step(piece)
        # A sender may end its stream within a message (RFC 7692, 7.2.3.4 and .5).
        while self._inflate.eof and self._inflate.unused_data:
            rest = self._inflate.unused_data
            self._restarts += 1
            if self._restarts > _MAX_RESTARTS:
                raise RemoteProtocolError(
                    "a compressed message is cut too finely", status=1007
                )
            self._inflate = zlib.decompressobj(-15)
            output += self._step(rest)
        return output

    def finished(self) -> bytes:
        """Return the rest when the message's last piece was received; raises alike."""
        output = self.received(_TAIL)
        # Only where a block ends can the last one follow: else the message was cut off.
        if self._step(_LAST_BLOCK) or not self._inflate.eof:
            raise _corrupt()
        return output

    def _step(self, piece: bytes) -> bytes:
        try:
            output = self._inflate.decompress(piece, self._left + 1)
        except zlib.error:
            raise _corrupt() from None
        self._left -= len(output)
        if self._left < 0:
            raise RemoteProtocolError("an inflated message is too large", status=1009)
        return output


def _corrupt() -> RemoteProtocolError:
    return RemoteProtocolError("a compressed message cannot be inflated", status=1007)
