"""The UDP plugin keeps what plugins promise."""

from collections.abc import Sequence

from fairway.kit import Content, ProtocolSpec
from fairway.testing.plugin import PluginConformance


class TestUdp(PluginConformance):
    plugin = "udp"
    section = {"bind": ["udp:9999"]}
    datagrams = (b"hello", b"", b"\xff")

    def replies(self, spec: ProtocolSpec) -> Sequence[Content]:
        return [{"text": "hi"}, {"bytes": b"hi"}, {"accept": True}, {"close": True}]


class TestUdpWithProof(PluginConformance):
    plugin = "udp"
    section = {"bind": ["udp:9999"], "challenge": True, "trusted": ["192.0.2.0/24"]}
    datagrams = (b"hello",)


class TestUdpOfText(PluginConformance):
    plugin = "udp"
    section = {"bind": ["udp:9999"], "text": True}
    datagrams = ("héllo".encode(), b"")
    bad_datagrams = (b"\xff",)

    def replies(self, spec: ProtocolSpec) -> Sequence[Content]:
        return [{"text": "hi"}]
