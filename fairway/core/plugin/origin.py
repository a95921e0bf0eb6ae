"""Which pages may connect: the check of Origin (RFC 6455, 10.2; RFC 6454, 6.2).

One rule for all protocols that a page in a browser can reach.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fairway.core.exceptions import RemoteProtocolError
from fairway.core.plugin.host import Site
from fairway.core.plugin.web import RequestHead

__all__ = ["check_origin", "is_origin_allowed", "is_origin_pattern"]

_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}
_HOST = r"\[[0-9a-f:.]+\]|[^\s/:@?#\[\]\\]+"
_ORIGIN = re.compile(rf"([a-z][a-z0-9+.-]*)://({_HOST})(?::([0-9]{{1,5}}))?")
_PATTERN = re.compile(rf"(?:([a-z][a-z0-9+.-]*)://)?({_HOST})(?::([0-9]{{1,5}}))?")


def check_origin(
    head: RequestHead, patterns: Sequence[str] | None, site: Site
) -> bytes | None:
    """Return the origin of the page that sent a request, None when no page did.

    A client that sends no Origin is no browser, hence no page of somebody else's.

    Args:
        patterns: the setting `allowed_origins`; None to go by the site's hosts.

    Raises:
        RemoteProtocolError: with 403; pages of this origin may not connect.
    """
    origins = [value.strip(b" \t") for key, value in head.headers if key == b"origin"]
    if not origins:
        return None
    if len(origins) > 1 or not is_origin_allowed(
        origins[0].decode("latin-1"),
        (head.header(b"host") or b"").decode("latin-1"),
        patterns=patterns,
        hosts=site.allowed_hosts,
    ):
        raise RemoteProtocolError("pages of this origin may not connect", status=403)
    return origins[0]


def is_origin_pattern(pattern: str) -> bool:
    """Return whether `is_origin_allowed` understands a pattern of the settings."""
    return _PATTERN.fullmatch(pattern.lower()) is not None


def is_origin_allowed(
    origin: str, host: str, *, patterns: Sequence[str] | None, hosts: Sequence[str]
) -> bool:
    """Return whether a page of this origin may connect.

    Args:
        origin: as it was sent.
        host: the field Host, as it was sent.
        patterns: the setting `allowed_origins`; None to go by the site's hosts.
        hosts: Django's `ALLOWED_HOSTS`. A `*` among them says that the site answers to
            any name, not that any other site may use it: the page must come from the
            name that was asked for.
    """
    if patterns is not None and "*" in patterns:
        return True
    origin = origin.lower()
    if origin == "null":
        return patterns is not None and "null" in patterns
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        return False
    scheme, name, port = match.groups()
    if patterns is not None:
        return any(_covers(pattern, scheme, name, port) for pattern in patterns)
    if any(pattern != "*" and _names(pattern, name) for pattern in hosts):
        return True
    return "*" in hosts and name == _name_of(host)


def _covers(pattern: str, scheme: str, name: str, port: str | None) -> bool:
    match = _PATTERN.fullmatch(pattern.lower())
    if match is None:
        return False
    wanted_scheme, wanted_name, wanted_port = match.groups()
    if not _names(wanted_name, name):
        return False
    actual = port or _PORTS.get(scheme)
    if wanted_scheme is not None:
        # As a browser compares: the scheme and the port, which the scheme implies.
        return scheme == wanted_scheme and actual == (
            wanted_port or _PORTS.get(wanted_scheme)
        )
    return wanted_port is None or actual == wanted_port


def _names(pattern: str, name: str) -> bool:
    """Compare as Django does: `.example.com` covers the domain and what is below it.

    `*.example.com` is how `CSRF_TRUSTED_ORIGINS` writes what is below it only.
    """
    pattern, name = pattern.lower(), name.removesuffix(".")
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    if pattern.startswith("."):
        return name == pattern[1:] or name.endswith(pattern)
    return name == pattern


def _name_of(host: str) -> str:
    name, _, port = host.lower().rpartition(":")
    return (name if name and port.isdigit() else host.lower()).removesuffix(".")
