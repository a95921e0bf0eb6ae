"""Every layer passes the suite that is shipped to authors of layers."""

import pytest
import uvloop

from fairway.core.bus.layer import ChannelLayer, LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.bus.redis import RedisLayer
from fairway.testing.layer import LayerConformance
from fairway.testing.layer_port import PortConformance
from tests.bus.toy_layer import ToyBus, ToyLayer


class TestMemory(LayerConformance):
    def make_layer(self, policy: LayerPolicy) -> ChannelLayer:
        return MemoryLayer("memory://", policy)


class TestRedis(LayerConformance):
    @pytest.fixture(autouse=True)
    def _redis(self, redis_url: str) -> None:
        self.url = redis_url

    def make_layer(self, policy: LayerPolicy) -> ChannelLayer:
        return RedisLayer(self.url, policy)

    def make_peer_layer(self, layer: ChannelLayer) -> ChannelLayer:
        return RedisLayer(self.url, layer.policy)


class TestToy(LayerConformance):
    """A third party's layer of six methods is a whole one."""

    CROWD_MESSAGES = 10_000

    def make_layer(self, policy: LayerPolicy) -> ChannelLayer:
        return ToyLayer(ToyBus(), policy)

    def make_peer_layer(self, layer: ChannelLayer) -> ChannelLayer:
        assert isinstance(layer, ToyLayer)
        return ToyLayer(layer.bus, layer.policy)


class TestRedisOnUvloop(PortConformance):
    loop_factory = staticmethod(uvloop.new_event_loop)

    @pytest.fixture(autouse=True)
    def _redis(self, redis_url: str) -> None:
        self.url = redis_url

    def make_layer(self, policy: LayerPolicy) -> ChannelLayer:
        return RedisLayer(self.url, policy)

    def make_peer_layer(self, layer: ChannelLayer) -> ChannelLayer:
        return RedisLayer(self.url, layer.policy)


class TestMemoryOnUvloop(PortConformance):
    loop_factory = staticmethod(uvloop.new_event_loop)

    def make_layer(self, policy: LayerPolicy) -> ChannelLayer:
        return MemoryLayer("memory://", policy)
