"""`request.META`: the CGI variables of a request, as Django's own servers give them.

Source: RFC 3875 section 4.1, PEP 3333, and `wsgiref`, which Django's runserver uses.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fairway.kit import Content

__all__ = ["CONTENT_HEADERS", "DEFAULT_PORTS", "make_meta", "split_address"]

CONTENT_HEADERS = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})
"""Headers whose variable has no `HTTP_` in front."""
DEFAULT_PORTS = {"http": "80", "https": "443"}

_SEPARATORS = {"HTTP_COOKIE": "; "}


def make_meta(content: Content, path_info: str, script_name: str) -> dict[str, Any]:
    """Return the CGI variables of an `http.request` event.

    Args:
        path_info: the path below `script_name`, decoded.
    """
    remote_address, remote_port = split_address(content.get("client") or "")
    scheme = content.get("scheme", "http")
    server, port = content.get("server") or ("", None)
    meta = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": "fairway",
        "SERVER_PROTOCOL": f"HTTP/{content.get('http_version', '1.1')}",
        "SERVER_NAME": server,
        "SERVER_PORT": str(port or DEFAULT_PORTS.get(scheme, "80")),
        "REQUEST_METHOD": content["method"],
        "SCRIPT_NAME": script_name,
        "PATH_INFO": path_info,
        "QUERY_STRING": content.get("query_string", b"").decode("latin-1"),
        "REMOTE_ADDR": remote_address,
        "REMOTE_PORT": remote_port,
        "REMOTE_HOST": "",
        # What an e-mail without the field would have: wsgiref reads headers as one.
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "",
        "wsgi.url_scheme": scheme,
    }
    _add_headers(meta, content.get("headers", ()))
    # The bytes that came count, not those that the client announced.
    if size := content.get("body_size") or len(content.get("body", b"")):
        meta["CONTENT_LENGTH"] = str(size)
    return meta


def split_address(address: str) -> tuple[str, str]:
    """Return host and port of a display address; what it does not say is empty."""
    if address == "unix":
        return "", ""
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):  # a proxy seldom tells the port
        return address.strip("[]"), ""
    return host.strip("[]"), port


def _add_headers(meta: dict[str, Any], headers: list[tuple[bytes, bytes]]) -> None:
    given = set()
    for name, value in headers:
        key = _variable(name)
        if key is None:
            continue
        text = value.decode("latin-1")
        if key not in given:
            given.add(key)
            meta[key] = text
        elif key not in CONTENT_HEADERS:
            meta[key] = f"{meta[key]}{_SEPARATORS.get(key, ',')}{text}"


# Clients choose the names, so the table is bounded.
@lru_cache(maxsize=1024)
def _variable(name: bytes) -> str | None:
    # `x_user` and `x-user` would be one variable: a client could pass its own header
    # off as the one a proxy sets. nginx, Apache and runserver drop such names too.
    if b"_" in name:
        return None
    key = name.decode("latin-1").replace("-", "_").upper()
    return key if key in CONTENT_HEADERS else f"HTTP_{key}"
