"""Reads the header fields of a request (RFC 9110 section 5.5, RFC 9112 section 5)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fairway.kit import Headers, RemoteProtocolError
from fairway.plugins.http.remembered import Remembered

__all__ = ["CONTROL", "Fields", "options", "read_fields"]

Fields = dict[bytes, bytes]
"""Values by name in lower case; those of repeated fields are joined by commas, which
says the same of a list and makes no single value valid."""

CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f\x85]")
"""Finds a byte that stands in no line: one of control but for the tab, or NEL.

In a line that ends at its first CR LF, any other CR or LF stands alone. The bytes from
VT to RS and NEL end lines for some readers of text (Daphne, CVE-2026-44546).
"""
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What stands for a field whose name has an underscore.
_LEFT_OUT = (b"", b"")
# Nothing of these outlives its request.
_SECRET = frozenset({b"authorization", b"cookie", b"proxy-authorization"})


def _read_line(line: bytes) -> tuple[bytes, bytes]:
    spelt, colon, value = line.partition(b":")
    if not colon or not _TOKEN.fullmatch(spelt) or CONTROL.search(value):
        raise RemoteProtocolError("malformed header field", status=400)
    if b"_" in spelt:
        return _LEFT_OUT
    return spelt.lower(), value.strip(b" \t")


_field_of = Remembered(_read_line, lambda field: field[0] in _SECRET).__getitem__


def read_fields(lines: Sequence[bytes]) -> tuple[Headers, Fields, int]:
    """Return the fields in their order, their values, and how many were left out.

    A field whose name has an underscore is left out: application interfaces cannot tell
    it from a hyphen.

    Args:
        lines: without their ends.

    Raises:
        RemoteProtocolError: one of them is no header field.
    """
    headers = [*map(_field_of, lines)]
    fields = dict(headers)
    if len(fields) == len(headers) and b"" not in fields:
        return headers, fields, 0
    kept = [field for field in headers if field is not _LEFT_OUT]
    fields.clear()
    for name, value in kept:
        fields[name] = b"%b,%b" % (fields[name], value) if name in fields else value
    return kept, fields, len(headers) - len(kept)


def _read_options(value: bytes) -> tuple[bytes, ...]:
    return tuple(part.strip(b" \t").lower() for part in value.split(b","))


options = Remembered(_read_options).__getitem__
"""Returns the members of a list in lower case."""
