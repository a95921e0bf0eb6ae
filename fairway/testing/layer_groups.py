"""The part of the layer conformance suite about groups."""

from __future__ import annotations

import time
from collections.abc import Callable

from fairway.core.bus.layer import ChannelLayer, Delivery, LayerPolicy
from fairway.core.bus.operations import GroupAdd, GroupDiscard, GroupSend, Outcome, Send
from fairway.core.bus.record import GroupMessage, Kind, Membership, Message
from fairway.core.content import decode_content
from fairway.core.drops import Drop
from fairway.testing.layer_case import LayerCase, content, numbers, sends, take_all

__all__ = ["GroupConformance"]

Make = Callable[[LayerPolicy], ChannelLayer]


class GroupConformance(LayerCase):
    """Groups: one record for each mailbox, read your writes, order."""

    def test_a_group_send_reaches_every_member(self, layer: ChannelLayer) -> None:
        receiver = layer.receiver(["box!", "plain"])
        layer.group_add("room", "box!a")
        layer.group_add("room", "plain")

        layer.group_send("room", content(1))

        taken = take_all(receiver, 3)
        assert _group_numbers(taken) == [1]
        assert numbers([each for each in taken if each.channel == "plain"]) == [1]

    def test_many_members_of_one_mailbox_cost_one_record(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["box!"])
        layer.send_many([GroupAdd("room", f"box!m{n}") for n in range(2_000)])

        layer.group_send("room", content(1))
        layer.send("box!end", content(2))

        kinds = [delivery.kind for delivery in take_all(receiver, 2_002)]
        assert kinds == [Kind.ADD] * 2_000 + [Kind.GROUP, Kind.MESSAGE]

    def test_channels_of_a_shared_mailbox_are_members_by_themselves(
        self, layer: ChannelLayer
    ) -> None:
        one, two = "shared.sms!one", "shared.sms!two"
        layer.send_many([GroupAdd("room", one), GroupAdd("room", two)])
        layer.group_send("room", content(1))
        layer.group_send("room", content(2), exclude=(one,))
        layer.group_discard("room", two)
        layer.group_send("room", content(3))

        # Nobody has to read it for them to be members, and nobody is told of it.
        taken = take_all(layer.receiver(["shared.sms!"]), 4)

        bodies = [each.body for each in taken]
        assert all(isinstance(body, Message) for body in bodies)
        locals_ = [body.local for body in bodies if isinstance(body, Message)]
        assert [n for n in numbers(taken) if n != 1] == [2, 3]
        assert sorted(locals_[:2]) == ["one", "two"]
        assert locals_[2:] == ["two", "one"]
        assert layer.group_channels("room") == [one]

    def test_what_waits_in_a_shared_mailbox_survives_its_reader(
        self, layer: ChannelLayer
    ) -> None:
        layer.receiver(["shared.sms!"]).close()
        layer.send("shared.sms!one", content(1))
        layer.receiver(["shared.sms!"]).close()

        assert numbers(take_all(layer.receiver(["shared.sms!"]), 1)) == [1]

    def test_an_add_and_a_discard_are_told_to_the_mailbox(
        self, layer: ChannelLayer
    ) -> None:
        layer.group_add("room", "box!a")
        layer.group_discard("room", "box!a")

        add, discard = take_all(layer.receiver(["box!"]), 2)

        assert (add.kind, add.body) == (Kind.ADD, Membership("room", "a"))
        assert (discard.kind, discard.body) == (Kind.DISCARD, Membership("room", "a"))

    def test_a_member_that_was_discarded_gets_nothing(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["box!", "plain"])
        for channel in ("box!a", "plain"):
            layer.group_add("room", channel)
            layer.group_discard("room", channel)

        layer.group_send("room", content(1))
        layer.send("box!end", content(2))

        taken = take_all(receiver, 3)
        assert [each.kind for each in taken] == [Kind.ADD, Kind.DISCARD, Kind.MESSAGE]
        assert receiver.take(1, 0.05) == []

    def test_a_discard_leaves_the_other_members(self, layer: ChannelLayer) -> None:
        receiver = layer.receiver(["box!"])
        layer.send_many([GroupAdd("room", "box!a"), GroupAdd("room", "box!b")])

        layer.group_discard("room", "box!a")
        layer.group_send("room", content(1))

        assert _group_numbers(take_all(receiver, 4)) == [1]
        assert layer.group_channels("room") == ["box!b"]

    def test_discarding_who_is_no_member_is_silent(self, layer: ChannelLayer) -> None:
        layer.group_discard("room", "plain")
        layer.group_discard("room", "box!a")

        assert layer.group_channels("room") == []

    def test_exclude_rides_with_the_record_and_skips_plain_members(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["box!", "one", "two"])
        layer.send_many([GroupAdd("room", name) for name in ("box!a", "one", "two")])

        layer.group_send("room", content(1), exclude=("box!a", "one"))

        taken = take_all(receiver, 3)
        bodies = [each.body for each in taken if isinstance(each.body, GroupMessage)]
        assert [body.exclude for body in bodies] == [["box!a", "one"]]
        assert [each.channel for each in taken if each.kind is Kind.MESSAGE] == ["two"]

    def test_every_send_after_an_acknowledged_add_reaches_the_member(
        self, layer: ChannelLayer, peer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["box!"])

        for number in range(100):
            layer.group_add(f"room{number}", f"box!m{number}")
            peer.group_send(f"room{number}", content(number))

        assert _group_numbers(take_all(receiver, 200)) == list(range(100))

    def test_an_add_and_a_send_in_one_batch_are_in_order(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["box!", "plain"])

        layer.send_many(
            [
                GroupSend("room", content(0)),
                GroupAdd("room", "box!a"),
                GroupSend("room", content(1)),
                GroupDiscard("room", "box!a"),
                GroupSend("room", content(2)),
                GroupAdd("room", "plain"),
                GroupSend("room", content(3)),
            ]
        )

        taken = take_all(receiver, 4)
        box = [each for each in taken if each.channel == "box!"]
        assert [each.kind for each in box] == [Kind.ADD, Kind.GROUP, Kind.DISCARD]
        assert _group_numbers(box) == [1]
        assert numbers([each for each in taken if each.channel == "plain"]) == [3]

    def test_messages_of_one_sender_reach_a_member_in_order(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["box!"])
        layer.group_add("room", "box!a")

        for number in range(0, 300, 3):
            layer.send_many(
                [
                    GroupSend("room", content(number)),
                    Send("box!a", content(number + 1)),
                    GroupSend("room", content(number + 2)),
                ]
            )

        assert _all_numbers(take_all(receiver, 301)) == list(range(300))

    def test_a_group_send_never_answers_full_and_counts_who_is_skipped(
        self, make: Make
    ) -> None:
        layer = make(LayerPolicy(capacity=lambda channel: 1, mailbox_capacity=1))
        layer.send_many([GroupAdd("room", "plain"), Send("plain", content(0))])
        layer.send_many([GroupAdd("room", "box!a")])

        outcomes = layer.apply([GroupSend("room", content(n)) for n in range(3)])

        assert outcomes == [Outcome.ACCEPTED] * 3
        assert layer.drops.counts() == {("plain", Drop.FULL): 3, ("box", Drop.FULL): 3}

    def test_a_group_message_expires(self, make: Make) -> None:
        layer = make(LayerPolicy(expiry=lambda name: 0.05))
        receiver = layer.receiver(["plain"])
        layer.group_add("room", "plain")
        layer.group_send("room", content(1))

        time.sleep(0.1)

        assert receiver.take(1, 0.05) == []

    def test_a_group_without_members_takes_messages(self, layer: ChannelLayer) -> None:
        assert layer.apply([GroupSend("nobody", content(1))]) == [Outcome.ACCEPTED]

    def test_members_are_listed_and_counted(
        self, layer: ChannelLayer, peer: ChannelLayer
    ) -> None:
        members = ["box!a", "box!b", "other!a", "plain"]
        layer.send_many([GroupAdd("room", name) for name in (*members, "box!a")])

        assert sorted(peer.group_channels("room")) == members
        assert peer.group_count("room") == 4
        assert peer.group_count("nobody") == 0

    def test_the_membership_of_a_normal_channel_expires(self, make: Make) -> None:
        layer = make(LayerPolicy(group_expiry=0.1))
        receiver = layer.receiver(["plain"])
        layer.group_add("room", "plain")

        time.sleep(0.2)
        layer.group_send("room", content(1))

        assert receiver.take(1, 0.05) == []
        assert layer.group_channels("room") == []

    def test_another_add_renews_the_membership_of_a_normal_channel(
        self, make: Make
    ) -> None:
        layer = make(LayerPolicy(group_expiry=3.0))
        layer.group_add("room", "plain")

        time.sleep(0.1)
        layer.group_add("room", "plain")

        assert layer.group_channels("room") == ["plain"]

    def test_flush_forgets_groups(self, layer: ChannelLayer) -> None:
        layer.send_many([GroupAdd("room", name) for name in ("box!a", "plain")])

        layer.flush()

        assert layer.group_channels("room") == []

    def test_group_sends_do_not_disturb_plain_channels(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["room"])
        layer.group_send("room", content(1))
        layer.send_many(sends("room", 1, first=2))

        assert numbers(take_all(receiver, 1)) == [2]


def _all_numbers(deliveries: list[Delivery]) -> list[int]:
    bodies = [each.body for each in deliveries]
    carried = [each for each in bodies if isinstance(each, (GroupMessage, Message))]
    return [decode_content(bytes(body.content))["number"] for body in carried]


def _group_numbers(deliveries: list[Delivery]) -> list[int]:
    return _all_numbers([each for each in deliveries if each.kind is Kind.GROUP])
