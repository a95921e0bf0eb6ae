"""The part of the layer conformance suite about answers: a message and an end."""

from __future__ import annotations

import time
from collections.abc import Callable

from fairway.core.bus.layer import ChannelLayer, LayerPolicy
from fairway.core.bus.operations import Answer, Done, GroupAdd, GroupSend, Outcome, Send
from fairway.core.bus.record import Kind
from fairway.core.content import decode_content
from fairway.testing.layer_case import LayerCase, content, take_all

__all__ = ["AnswerConformance"]

Make = Callable[[LayerPolicy], ChannelLayer]


class AnswerConformance(LayerCase):
    """Bounded and expiring as messages are, in order with all others."""

    def test_an_answer_is_a_message_where_a_mailbox_is_full(self, make: Make) -> None:
        layer = make(LayerPolicy(mailbox_capacity=3))
        answers = [Answer("box!a", content(number), number) for number in range(4)]

        outcomes = layer.apply([*answers, Done("box!a", 4), *answers])

        accepted, full = [Outcome.ACCEPTED], [Outcome.FULL]
        assert outcomes == accepted * 3 + full + accepted + full * 4
        taken = take_all(layer.receiver(["box!"]), 4)
        assert [each.kind for each in taken] == [Kind.ANSWER] * 3 + [Kind.DONE]

    def test_an_answer_expires_as_a_message_does(self, make: Make) -> None:
        layer = make(LayerPolicy(expiry=lambda channel: 0.05))
        layer.send_many([Answer("box!a", content(1), 1), Done("box!a", 2)])

        time.sleep(0.1)

        (taken,) = take_all(layer.receiver(["box!"]), 1)
        assert taken.kind is Kind.DONE

    def test_an_answer_keeps_its_place_among_sends_to_its_peer(
        self, layer: ChannelLayer
    ) -> None:
        receiver = layer.receiver(["box!"])
        layer.send_many([GroupAdd("room", "box!a")])
        for number in range(20):
            message = content(number)
            group, answer = GroupSend("room", message), Answer("box!a", message, number)
            layer.send_many([Send("box!a", message), group, answer])

        taken = take_all(receiver, 61)[1:]

        assert [each.kind for each in taken] == [
            Kind.MESSAGE,
            Kind.GROUP,
            Kind.ANSWER,
        ] * 20
        order = [decode_content(each.body.content) for each in taken]  # type: ignore[union-attr]
        assert order == [{"number": number // 3} for number in range(60)]
