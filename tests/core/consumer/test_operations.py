"""What a consumer sends: held until it ends, in program order, or not at all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from fairway.core.bus.channels import Channel, Group, set_after_commit
from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import route
from fairway.core.content import encode_content
from fairway.core.drops import Drop
from fairway.core.exceptions import ChannelFull
from fairway.testing.client import ConsumerClient
from tests.core.consumer.conftest import MakeSite


def reply(message: Message, text: str, *, immediately: bool = False) -> None:
    message.reply_channel.send({"text": text}, immediately=immediately)


def texts(client: ConsumerClient) -> list[str | None]:
    return [content.get("text") for content in client.waiting]


def test_operations_leave_in_the_order_of_the_program(make_site: MakeSite) -> None:
    def busy(message: Message) -> None:
        reply(message, "1")
        Group("all").add(str(message.reply_channel))
        Group("all").send({"text": "2"})
        reply(message, "3")
        Group("all").discard(str(message.reply_channel))
        Group("all").send({"text": "nobody"})

    client = ConsumerClient(make_site([route("websocket.receive", busy)]))

    client.send("go")

    assert texts(client) == ["1", "2", "3"]


def test_nothing_leaves_before_the_consumer_has_ended(make_site: MakeSite) -> None:
    seen: list[int] = []

    def look(message: Message) -> None:
        Channel("aside").send({"n": 1})
        seen.append(site.layer.statistics(["aside"])["aside"].waiting)

    site = make_site([route("websocket.receive", look)])
    ConsumerClient(site).send("go")

    assert seen == [0]
    assert site.waiting("aside") == [{"n": 1}]


def test_of_a_consumer_that_raised_only_the_failure_and_what_left_at_once_get_out(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: Message) -> None:
        reply(message, "held")
        reply(message, "at once", immediately=True)
        Group("all").add(str(message.reply_channel))
        raise ValueError("the consumer's own fault")

    site = make_site([route("websocket.receive", fail)], raises=False)
    client = ConsumerClient(site, client="192.0.2.7:5")

    client.send("go")

    assert client.waiting == [{"text": "at once"}, {"close": 1011}]
    assert Group("all", site.layer).channels() == []
    assert site.layer.drops.counts()[("websocket.receive", Drop.FAILED)] == 1
    logged = caplog.records[0]
    assert logged.levelno == logging.ERROR
    assert logged.getMessage() == (
        "the consumer of websocket.receive failed for 192.0.2.7:5"
    )
    assert logged.exc_info is not None


def test_what_a_consumer_lets_go_has_left_and_its_failure_takes_nothing_back(
    make_site: MakeSite,
) -> None:
    seen: list[int] = []

    def stream(message: Message) -> None:
        Channel("aside").send({"n": 1})
        message.send_held()
        seen.append(site.layer.statistics(["aside"])["aside"].waiting)
        Channel("aside").send({"n": 2})
        raise RuntimeError("the rest failed")

    site = make_site([route("websocket.receive", stream)])
    with pytest.raises(RuntimeError, match="the rest failed"):
        ConsumerClient(site).send("go")

    assert seen == [1]
    assert site.waiting("aside") == [{"n": 1}]


def test_a_protocol_without_a_failure_reply_says_nothing(make_site: MakeSite) -> None:
    def fail(message: Message) -> None:
        raise ValueError

    site = make_site([route("*.receive", fail)], "datagrams", raises=False)
    client = ConsumerClient(site, "datagrams")

    client.send("go")

    assert client.waiting == []


def test_content_may_change_after_it_was_sent(make_site: MakeSite) -> None:
    def change(message: Message) -> None:
        content = {"text": "before"}
        message.reply_channel.send(content)
        content["text"] = "after"

    client = ConsumerClient(make_site([route("websocket.receive", change)]))

    client.send("go")

    assert texts(client) == ["before"]


@pytest.fixture
def transactions(database: None) -> Iterator[None]:
    """Connect `on_commit` with Django, as the app does at its start."""
    set_after_commit(transaction.on_commit)
    yield
    set_after_commit(lambda call: call())


@pytest.mark.usefixtures("transactions")
def test_on_commit_waits_for_the_transaction(make_site: MakeSite) -> None:
    def book(message: Message) -> None:
        with transaction.atomic():
            Channel("booked").send({"n": 1}, on_commit=True)
            before = site.waiting("booked")
        assert before == []

    site = make_site([route("websocket.receive", book)])

    ConsumerClient(site).send("go")

    assert site.waiting("booked") == [{"n": 1}]


@pytest.mark.usefixtures("transactions")
def test_on_commit_sends_nothing_when_the_transaction_is_rolled_back(
    make_site: MakeSite,
) -> None:
    def book(message: Message) -> None:
        with transaction.atomic():
            Channel("booked").send({"n": 1}, on_commit=True)
            transaction.set_rollback(True)

    site = make_site([route("websocket.receive", book)])

    ConsumerClient(site).send("go")

    assert site.waiting("booked") == []


def test_a_full_channel_at_the_flush_is_counted_and_the_rest_leaves(
    make_site: MakeSite,
) -> None:
    def overflow(message: Message) -> None:
        for n in range(101):
            Channel("narrow").send({"n": n})
        reply(message, "done")

    site = make_site([route("websocket.receive", overflow)])
    client = ConsumerClient(site)

    client.send("go")

    assert len(site.waiting("narrow")) == 100
    assert texts(client) == ["done"]
    assert site.layer.drops.counts()[("narrow", Drop.FULL)] == 1


def test_a_full_channel_is_raised_where_a_send_leaves_at_once(
    make_site: MakeSite,
) -> None:
    def overflow(message: Message) -> None:
        for n in range(101):
            Channel("narrow").send({"n": n}, immediately=True)

    client = ConsumerClient(make_site([route("websocket.receive", overflow)]))

    with pytest.raises(ChannelFull):
        client.send("go")


def test_an_async_consumer_runs_like_any_other(make_site: MakeSite) -> None:
    async def later(message: Message) -> None:
        await message.reply_channel.asend({"text": "1"})
        await Group("all").aadd(message.reply_channel)
        await Group("all").asend({"text": "2"})
        message.state["seen"] = True

    client = ConsumerClient(make_site([route("websocket.receive", later)]))

    client.send("go")

    assert texts(client) == ["1", "2"]
    assert client.state == {"seen": True}


def test_the_synchronous_parts_of_an_async_consumer_run_in_the_workers_thread(
    make_site: MakeSite,
) -> None:
    """So that it uses, and leaves to be closed, that thread's database connections."""
    threads: list[int] = []

    async def later(message: Message) -> None:
        threads.append(await sync_to_async(threading.get_ident)())

    ConsumerClient(make_site([route("websocket.receive", later)])).send("go")

    assert threads == [threading.get_ident()]


def test_an_async_consumer_that_raised_has_sent_nothing(make_site: MakeSite) -> None:
    async def fail(message: Message) -> None:
        reply(message, "held")
        raise ValueError

    site = make_site([route("websocket.receive", fail)], raises=False)
    client = ConsumerClient(site)

    client.send("go")

    assert client.waiting == [{"close": 1011}]


def test_a_consumer_of_a_plain_channel_needs_no_peer(make_site: MakeSite) -> None:
    def work(message: Message) -> None:
        Channel("results").send({"twice": message["n"] * 2})

    site = make_site([route("jobs", work)])
    site.layer.send("jobs", encode_content({"n": 21}))

    assert site.run() == 1

    assert site.waiting("results") == [{"twice": 42}]
