"""The part of the layer conformance suite about an event loop's face of a layer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fairway.core.bus.layer import ChannelLayer, LayerPolicy, LayerPort, Mailbox
from fairway.core.bus.operations import Canary, Done, GroupAdd, GroupSend, Outcome, Send
from fairway.core.bus.record import Kind
from fairway.core.names import check_channel
from fairway.testing.layer_case import (
    Collector,
    LayerCase,
    content,
    numbers,
    sends,
    take_all,
    until,
)

__all__ = ["PortConformance"]

Make = Callable[[LayerPolicy], ChannelLayer]


class PortConformance(LayerCase):
    """Posting from a loop, and mailboxes that hand over batches in it."""

    def test_posted_operations_keep_their_order(self, layer: ChannelLayer) -> None:
        count = 3_000
        outcomes: list[Outcome] = []

        async def scenario() -> None:
            async with _port(layer) as port:
                for number in range(count):
                    port.post(Send("posted", content(number)), outcomes.append)
                    if number % 100 == 0:
                        await asyncio.sleep(0)
                await until(lambda: len(outcomes) == count)

        self.run(scenario())

        assert set(outcomes) == {Outcome.ACCEPTED}
        taken = take_all(layer.receiver(["posted"]), count)
        assert numbers(taken) == list(range(count))

    def test_order_holds_between_ticks_with_and_without_groups(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["box!"])
        layer.group_add("room", "box!a")

        async def scenario() -> None:
            async with _port(layer) as port:
                for number in range(0, 200, 2):
                    port.post(GroupSend("room", content(number)))
                    await asyncio.sleep(0)
                    port.post(Send("box!a", content(number + 1)))
                    await asyncio.sleep(0)

        self.run(scenario())

        kinds = [each.kind for each in take_all(receiver, 201)]
        assert kinds == [Kind.ADD] + [Kind.GROUP, Kind.MESSAGE] * 100

    def test_an_outcome_is_told_later_in_the_loop(self, layer: ChannelLayer) -> None:
        async def scenario() -> tuple[list[Outcome], set[int]]:
            told: list[Outcome] = []
            threads: set[int] = set()

            def done(outcome: Outcome) -> None:
                threads.add(threading.get_ident())
                told.append(outcome)

            async with _port(layer) as port:
                port.post(Send("posted", content(1)), done)
                assert told == []
                await until(lambda: told)
            return told, threads

        told, threads = self.run(scenario())

        assert told == [Outcome.ACCEPTED]
        assert threads == {threading.get_ident()}

    def test_post_tells_that_a_channel_is_full(self, make: Make) -> None:
        layer = make(LayerPolicy(capacity=lambda channel: 2))
        told: list[Outcome] = []

        async def scenario() -> None:
            async with _port(layer) as port:
                for send in sends("small", 3):
                    port.post(send, told.append)
                await until(lambda: len(told) == 3)

        self.run(scenario())

        assert told == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.FULL]

    def test_apply_returns_what_became_of_each_operation(self, make: Make) -> None:
        layer = make(LayerPolicy(capacity=lambda channel: 2))

        async def scenario() -> tuple[list[Outcome], list[Outcome]]:
            async with _port(layer) as port:
                return await port.apply(sends("small", 3)), await port.apply([])

        outcomes, nothing = self.run(scenario())

        assert outcomes == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.FULL]
        assert nothing == []

    def test_apply_comes_after_what_was_posted(self, layer: ChannelLayer) -> None:
        async def scenario() -> None:
            async with _port(layer) as port:
                for number in range(0, 100, 2):
                    port.post(Send("mixed", content(number)))
                    await port.apply([Send("mixed", content(number + 1))])

        self.run(scenario())

        taken = take_all(layer.receiver(["mixed"]), 100)
        assert numbers(taken) == list(range(100))

    def test_closing_a_port_sends_what_was_posted(self, layer: ChannelLayer) -> None:
        async def scenario() -> None:
            port = layer.port(asyncio.get_running_loop())
            port.post(Send("last", content(1)))
            await port.close()

        self.run(scenario())

        assert numbers(take_all(layer.receiver(["last"]), 1)) == [1]

    def test_a_port_claims_as_the_layer_does(self, layer: ChannelLayer) -> None:
        async def scenario() -> list[bool]:
            async with _port(layer) as port:
                return [await port.claim("job", 60), await port.claim("job", 60)]

        assert self.run(scenario()) == [True, False]
        assert not layer.claim("job", 60)

    def test_a_mailbox_has_a_unique_name_with_its_prefix(
        self, layer: ChannelLayer
    ) -> None:
        async def scenario() -> list[str]:
            async with _port(layer) as port:
                boxes = [port.mailbox("site", Collector()) for _ in range(2)]
                for box in boxes:
                    await box.close()
            return [box.name for box in boxes]

        one, other = self.run(scenario())

        assert one != other
        assert one.startswith("site.")
        check_channel(f"{one}!local")

    def test_a_mailbox_delivers_in_order_in_the_loop(
        self, layer: ChannelLayer, peer: ChannelLayer
    ) -> None:
        owner = Collector()

        async def scenario() -> None:
            async with _mailbox(layer, owner) as (_, box):
                address = f"{box.name}!me"
                for first in range(0, 3_000, 500):
                    await asyncio.to_thread(peer.send_many, sends(address, 500, first))
                await until(lambda: len(owner.got) == 3_000)

        self.run(scenario())

        assert numbers(owner.got) == list(range(3_000))
        assert owner.batches < 300
        assert owner.threads == {threading.get_ident()}

    def test_a_mailbox_gets_control_records_and_group_sends(
        self, layer: ChannelLayer
    ) -> None:
        owner = Collector()

        async def scenario() -> None:
            async with _mailbox(layer, owner) as (port, box):
                address = f"{box.name}!me"
                await port.apply([GroupAdd("room", address)])
                await port.apply([GroupSend("room", content(1)), Done(address, 4)])
                port.post(Canary(box.name, 5))
                await until(lambda: len(owner.got) == 4)

        self.run(scenario())

        kinds = [Kind.ADD, Kind.GROUP, Kind.DONE, Kind.CANARY]
        assert [delivery.kind for delivery in owner.got] == kinds

    def test_a_mailbox_gets_nothing_that_expired(self, layer: ChannelLayer) -> None:
        owner = Collector()

        async def scenario() -> None:
            async with _mailbox(layer, owner) as (port, box):
                stale = Send(f"{box.name}!me", content(1), expiry=-1)
                await port.apply([stale, Send(f"{box.name}!me", content(2))])
                await until(lambda: owner.got)

        self.run(scenario())

        assert numbers(owner.got) == [2]

    def test_a_mailbox_goes_on_after_resubscribe(self, layer: ChannelLayer) -> None:
        owner = Collector()

        async def scenario() -> None:
            async with _mailbox(layer, owner) as (port, box):
                await port.apply([Send(f"{box.name}!me", content(0))])
                await until(lambda: owner.got)
                box.resubscribe()
                for number in range(1, 1_000):
                    await port.apply([Send(f"{box.name}!me", content(number))])
                    await asyncio.sleep(0.01)
                    if len(owner.got) > 1:
                        return

        self.run(scenario())

        got = numbers(owner.got)
        assert len(got) > 1
        assert sorted(set(got)) == got

    def test_a_closed_mailbox_leaves_its_groups(self, layer: ChannelLayer) -> None:
        owner = Collector()

        async def scenario() -> None:
            async with _mailbox(layer, owner) as (port, box):
                await port.apply([GroupAdd("room", f"{box.name}!me")])
                owner.groups = {"room": {"me"}}
                await until(lambda: owner.got)
                found = await asyncio.to_thread(layer.group_channels, "room")
                assert found == [f"{box.name}!me"]

        self.run(scenario())

        assert layer.group_channels("room") == []

    def test_a_mailbox_stays_a_member_after_flush_and_another_add(
        self, layer: ChannelLayer
    ) -> None:
        owner = Collector()

        async def scenario() -> None:
            async with _mailbox(layer, owner) as (port, box):
                await asyncio.to_thread(layer.flush)
                await port.apply([GroupAdd("room", f"{box.name}!me")])
                await port.apply([GroupSend("room", content(1))])
                await until(lambda: owner.of(Kind.GROUP))

        self.run(scenario())

    def test_two_loops_talk_to_each_other(
        self, layer: ChannelLayer, peer: ChannelLayer
    ) -> None:
        here, there = Collector(), Collector()

        async def scenario() -> None:
            async with _mailbox(layer, here) as (port, box):
                async with _mailbox(peer, there) as (other_port, other_box):
                    port.post(Send(f"{other_box.name}!me", content(1)))
                    other_port.post(Send(f"{box.name}!me", content(2)))
                    await until(lambda: here.got and there.got)

        self.run(scenario())

        assert (numbers(here.got), numbers(there.got)) == ([2], [1])


@asynccontextmanager
async def _port(layer: ChannelLayer) -> AsyncIterator[LayerPort]:
    port = layer.port(asyncio.get_running_loop())
    try:
        yield port
    finally:
        await port.close()


@asynccontextmanager
async def _mailbox(
    layer: ChannelLayer, owner: Collector
) -> AsyncIterator[tuple[LayerPort, Mailbox]]:
    async with _port(layer) as port:
        box = port.mailbox("test", owner)
        try:
            yield port, box
        finally:
            await box.close()
