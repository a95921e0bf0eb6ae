"""The first page's consumer does what the page says."""

from fairway.testing.client import ConsumerClient
from fairway.testing.site import ConsumerSite
from tests.manual.first_consumer import channel_routing


def test_it_answers_in_capitals() -> None:
    plugins: dict[str, object] = {"http": {}, "websocket": {}}

    with ConsumerSite(channel_routing, plugins=plugins) as site:
        client = ConsumerClient(site)
        client.connect("/anywhere/")
        client.send("ahoy")

        assert client.receive() == {"text": "AHOY"}
