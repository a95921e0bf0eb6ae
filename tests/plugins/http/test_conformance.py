"""The http plugin keeps the contract of plugins."""

from __future__ import annotations

from fairway.testing.plugin import PluginConformance


class TestHttp(PluginConformance):
    plugin = "http"
    wire = b"GET /hello/?a=b HTTP/1.1\r\nHost: example.com\r\n\r\n"
