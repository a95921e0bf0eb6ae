"""The http plugin keeps the contract of plugins."""

from __future__ import annotations

import re

from fairway.testing.plugin import PluginConformance


class TestHttp(PluginConformance):
    plugin = "http"
    wire = b"GET /hello/?a=b HTTP/1.1\r\nHost: example.com\r\n\r\n"
    bad_wire = (
        b"GET / HTTP/1.1\r\nHost : example.com\r\n\r\n",
        b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n",
        b"nothing of HTTP\r\n\r\n",
    )

    def steady(self, written: bytes) -> bytes:
        return re.sub(rb"Date: .*\r\n", b"", written)
