"""The conformance suite on a protocol of datagrams."""

from fairway.testing.plugin import PluginConformance


class TestDatagrams(PluginConformance):
    plugin = "tests.interfaces.samples.datagram"
    datagrams = (b"one", b"", b"two")
    bad_datagrams = (b"wrong",)
