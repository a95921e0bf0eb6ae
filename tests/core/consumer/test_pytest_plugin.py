"""The fixtures that a site gets with fairway."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import override_settings

from fairway.core.bus.channels import Channel, Group
from fairway.core.bus.layer import ChannelLayer
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import route
from fairway.testing.client import ConsumerClient
from fairway.testing.site import ConsumerSite
from tests.core.consumer.conftest import sections


def join(message: Message) -> None:
    Group("all").add(message.reply_channel)
    message.reply_channel.send({"accept": True})


def tell(message: Message) -> None:
    Group("all").send({"text": message.text}, exclude=[message.reply_channel])


def loop(message: Message) -> None:
    Channel("loop").send({})


ROUTES = [route("*.connect", join), route("*.receive", tell), route("loop", loop)]


# Before the fixtures of the plugin, which read the setting.
@pytest.fixture(autouse=True)
def _setting() -> Iterator[None]:
    fairway = {"ROUTING": ROUTES, "PLUGINS": sections("websocket", "lines")}
    with override_settings(FAIRWAY=fairway):
        yield


def test_clients_of_any_protocol_meet(
    fairway_client: Callable[..., ConsumerClient],
) -> None:
    ada, bob = fairway_client(), fairway_client("lines")
    for client in (ada, bob):
        client.connect()

    ada.send("hello")

    assert bob.receive() == {"text": "hello"}
    with pytest.raises(AssertionError, match="nothing was sent"):
        ada.receive()


def test_channels_use_the_layer_of_the_test(fairway_layer: ChannelLayer) -> None:
    Channel("reports").send({"n": 1})

    [taken] = fairway_layer.receiver(["reports"]).take(10, 0)
    assert taken.content() == {"n": 1}


@pytest.mark.standard
def test_a_loop_of_consumers_is_noticed(fairway_site: ConsumerSite) -> None:
    Channel("loop").send({})

    with pytest.raises(AssertionError, match="sent more than"):
        fairway_site.run()


def test_a_connect_that_nobody_decides_is_noticed() -> None:
    with ConsumerSite([route("websocket.connect", tell_nobody)]) as site:
        client = ConsumerClient(site)

        with pytest.raises(AssertionError, match="nobody accepted"):
            client.connect("/?a=1")


def tell_nobody(message: Message) -> None:
    assert message["query_string"] == b"a=1"
