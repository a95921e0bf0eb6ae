"""A browser's manners without a browser: cookies, forms, and what it saw of answers."""

from __future__ import annotations

import http.client
import re
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from msgspec import Struct

__all__ = ["HOST", "Answer", "Visitor", "multipart"]

HOST = "stock.example"
TIMEOUT = 60.0
BOUNDARY = "frontier"

_CONNECTION = {"connection", "date", "keep-alive", "server", "transfer-encoding"}
"""Headers that belong to one connection or server, not to the site."""
_TOKEN = re.compile(rb'(name="csrfmiddlewaretoken" value=")([^"]+)')
_SECRET_COOKIE = re.compile(r'^(csrftoken|messages|sessionid|signed)=(?!"")[^;]+')
_EXPIRES = re.compile(r"expires=(?!Thu, 01 Jan 1970)[^;]+")


class Answer(Struct, frozen=True):
    """A response, without what is random or a matter of the connection."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes


class Visitor:
    """Visits a site at a port of 127.0.0.1 and keeps its cookies."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cookies: dict[str, str] = {}
        self.token = ""
        """What the last page with a form wants to see again."""

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a page."""
        return self.ask("GET", path, headers)

    def submit(self, path: str, **fields: str) -> Answer:
        """Send a form, with the token of the last page."""
        body = urlencode({**fields, "csrfmiddlewaretoken": self.token}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, headers, body)

    def upload(self, path: str, file: tuple[str, bytes], **fields: str) -> Answer:
        """Send a form with a file, with the token of the last page."""
        body = multipart({**fields, "csrfmiddlewaretoken": self.token}, file)
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self.ask("POST", path, headers, body)

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request and read the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, TIMEOUT)
        try:
            names = {name.replace("_", "-"): v for name, v in (headers or {}).items()}
            fields = {"Host": HOST, **self._cookie_field(), **names}
            connection.request(method, path, body, fields)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        fields_back = response.getheaders()
        self._remember(fields_back, content)
        return Answer(
            response.status,
            response.reason,
            _of_site(fields_back, b"" if method == "HEAD" else content),
            _TOKEN.sub(rb"\1...", content),
        )

    def _cookie_field(self) -> dict[str, str]:
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": pairs} if pairs else {}

    def _remember(self, headers: list[tuple[str, str]], content: bytes) -> None:
        for name, value in headers:
            if name.lower() == "set-cookie":
                for key, cookie in SimpleCookie(value).items():
                    self.cookies[key] = cookie.coded_value
        if found := _TOKEN.search(content):
            self.token = found[2].decode()


def multipart(fields: dict[str, str], file: tuple[str, bytes]) -> bytes:
    """Return the body of a form with a field `file`."""
    disposition = 'Content-Disposition: form-data; name="{}"'
    parts = [
        f"--{BOUNDARY}\r\n{disposition.format(name)}\r\n\r\n{value}\r\n".encode()
        for name, value in fields.items()
    ]
    filename, content = file
    opening = f'--{BOUNDARY}\r\n{disposition.format("file")}; filename="{filename}"\r\n'
    opening += "Content-Type: application/octet-stream\r\n\r\n"
    closing = f"\r\n--{BOUNDARY}--\r\n"
    return b"".join([*parts, opening.encode(), content, closing.encode()])


def _of_site(headers: list[tuple[str, str]], content: bytes) -> list[tuple[str, str]]:
    """Return what the site said; the length of what is there need not be said."""
    pairs = [_comparable(name, value) for name, value in headers]
    length = ("content-length", str(len(content)))
    return sorted(p for p in pairs if p[0] not in _CONNECTION and p != length)


def _comparable(name: str, value: str) -> tuple[str, str]:
    name = name.lower()
    if name == "expires":
        value = "..."
    elif name == "set-cookie":
        value = _SECRET_COOKIE.sub(r"\1=...", value.strip())
        value = _EXPIRES.sub("expires=...", value)
    return name, value
