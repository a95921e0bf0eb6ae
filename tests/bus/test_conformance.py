"""Every layer passes the suite that is shipped to authors of layers."""

from fairway.core.bus.layer import ChannelLayer, LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.testing.layer import LayerConformance


class TestMemory(LayerConformance):
    def make_layer(self, policy: LayerPolicy) -> ChannelLayer:
        return MemoryLayer("memory://", policy)
