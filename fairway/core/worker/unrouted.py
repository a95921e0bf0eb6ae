"""What happens to an event that no route takes. Pure."""

from __future__ import annotations

from fairway.core.consumer.message import Message
from fairway.core.consumer.routing import Router
from fairway.core.content import Content
from fairway.core.plugin.spec import ProtocolSpec

__all__ = ["answer_unrouted", "is_worth_a_word"]


def is_worth_a_word(message: Message, answer: Content | None) -> bool:
    """Return whether an unrouted event is counted and logged.

    The end of a peer that nobody waits for is not, nor a connect that is accepted.
    """
    if message.channel.endswith(".disconnect"):
        return False
    return not (answer or {}).get("accept")


def answer_unrouted(
    message: Message, spec: ProtocolSpec | None, router: Router
) -> Content | None:
    """Return what the peer gets.

    A connect is accepted where a route takes what the peer will send on that path.
    Other first events are refused in the protocol's own way; later ones get nothing.
    """
    if spec is None:
        return None
    _, _, what = message.channel.rpartition(".")
    if message.get("order"):  # the peer was let in with an earlier event
        return None
    if what == "connect" and any(
        router.admits(event.channel, message.content)
        for event in spec.events
        if event.channel.rpartition(".")[2] not in ("connect", "disconnect")
    ):
        return {"accept": True}
    is_later = what == "disconnect" or (what == "receive" and not message.get("first"))
    return None if is_later else spec.unrouted
