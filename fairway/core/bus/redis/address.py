"""Reads the URL of a Redis server."""

from __future__ import annotations

import ssl
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from fairway.core.exceptions import ConfigurationError

__all__ = ["Address", "read_url"]

_SETTING = 'FAIRWAY["LAYER"]'
_PORT = 6379
_TLS_OPTIONS = frozenset(
    {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs"}
)


class Address(Struct, frozen=True, kw_only=True):
    """Where a server is and how to log in."""

    safe: str
    """The URL without secrets, for logs and errors."""
    host: str = ""
    port: int = _PORT
    path: str = ""
    """Path of a Unix socket; used instead of host and port."""
    database: int = 0
    username: str = ""
    password: str = ""
    tls: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        return f"Address({self.safe!r})"


def read_url(url: str) -> Address:
    """Read a URL; the names of its TLS options are those of redis-py.

    Raises:
        ConfigurationError: it cannot be read.
    """
    # What stands in the wrong place may be a part of the password: it is not shown.
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        unix = parts.scheme in {"unix", "redis+unix"}
        host, port = parts.hostname or "localhost", parts.port or _PORT
        database = options.pop("db", "0") if unix else parts.path.strip("/") or "0"
        number = int(database)
        if not unix and "@" in f"{parts.path}{parts.query}{parts.fragment}":
            raise ValueError
    except ValueError:
        raise ConfigurationError(
            _SETTING,
            "cannot be read: host, port or database is wrong, or the password holds "
            "one of / ? # [ ] @, which are written as %2F %3F %23 %5B %5D %40",
        ) from None
    if unknown := sorted(options.keys() - _TLS_OPTIONS):
        raise ConfigurationError(_SETTING, f"has the unknown option {unknown[0]!r}")
    where = parts.path if unix else f"{parts.netloc.rpartition('@')[2]}/{number}"
    return Address(
        safe=f"{parts.scheme}://{where}",
        host=host,
        port=port,
        path=parts.path if unix else "",
        database=number,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=_tls(options) if parts.scheme == "rediss" else None,
    )


def _tls(options: dict[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
        if certificate := options.get("ssl_certfile"):
            context.load_cert_chain(certificate, options.get("ssl_keyfile"))
    except OSError as error:
        raise ConfigurationError(_SETTING, f"names a wrong file: {error}") from None
    if options.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
