"""Says which record an operation leaves behind, on which queue, and for how long.

Every layer writes the same records: these functions are the only place where operations
become records.
"""

from __future__ import annotations

from msgspec import Raw

from fairway.core.bus import operations as op
from fairway.core.bus import record
from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.operations import CONTROL_EXPIRY, Operation
from fairway.core.bus.record import Body, Kind
from fairway.core.names import local_of

__all__ = [
    "capacity_of",
    "is_control",
    "put",
    "put_group",
]

_FIRST_CONTROL = int(Kind.ADD)
# Looked up once; `operations.ACCEPTED` says why.
_MESSAGE, _EVENT, _ANSWER, _DONE = Kind.MESSAGE, Kind.EVENT, Kind.ANSWER, Kind.DONE


def put(operation: Operation, policy: LayerPolicy) -> tuple[str, Kind, Body, float]:
    """Return queue, kind, body and expiry of any operation but a group send.

    A queue is a channel, or a mailbox and `!`. Those that begin and end nearly every
    message are written out, because a call costs more than what it would say, and told
    by their type, because `isinstance` takes longer to deny a Struct than to affirm it.

    Raises:
        ValueError: a group send has many queues, see `put_group`.
    """
    if type(operation) is op.Send:
        channel, expiry = operation.channel, operation.expiry
        mailbox, mark, local = channel.partition("!")
        if expiry is None:
            expiry = policy.expiry(channel)
        content = Raw(operation.content)
        if operation.events is None:
            message = record.Message(local, content)
            return mailbox + mark, _MESSAGE, message, expiry
        events = [Raw(event) for event in operation.events]
        event = record.Event(content, events, operation.order, operation.state)
        return mailbox + mark, _EVENT, event, expiry
    if type(operation) is op.Answer:
        channel, expiry = operation.reply_channel, operation.expiry
        mailbox, mark, local = channel.partition("!")
        if expiry is None:
            expiry = policy.expiry(channel)
        content = Raw(operation.content)
        answer = record.Answer(local, content, operation.order, operation.state)
        return mailbox + mark, _ANSWER, answer, expiry
    if type(operation) is op.Done:
        mailbox, mark, local = operation.reply_channel.partition("!")
        done = record.Done(local, operation.order, operation.state)
        return mailbox + mark, _DONE, done, CONTROL_EXPIRY
    return *_put_control(operation), CONTROL_EXPIRY


def put_group(send: op.GroupSend, policy: LayerPolicy) -> tuple[Kind, Body, float]:
    """Return kind, body and expiry of the record that a group send leaves in mailboxes.

    A normal member gets a send of its own, with the same expiry.
    """
    expiry = policy.expiry(send.group) if send.expiry is None else send.expiry
    body = record.GroupMessage(send.group, Raw(send.content), list(send.exclude))
    return Kind.GROUP, body, expiry


def capacity_of(queue: str, policy: LayerPolicy) -> int:
    """Return how many messages a queue may hold; records of control: twice as many."""
    return policy.mailbox_capacity if queue[-1] == "!" else policy.capacity(queue)


def is_control(kind: Kind) -> bool:
    """Return whether a record is no message, and so may stand where no message may."""
    return kind >= _FIRST_CONTROL and kind is not Kind.ANSWER


def _put_control(operation: Operation) -> tuple[str, Kind, Body]:
    kind: Kind
    body: Body
    match operation:
        case op.GroupAdd(group=group, channel=channel):
            kind, body = Kind.ADD, record.Membership(group, local_of(channel))
        case op.GroupDiscard(group=group, channel=channel):
            kind, body = Kind.DISCARD, record.Membership(group, local_of(channel))
        case op.Busy(reply_channel=channel, order=order):
            kind, body = Kind.BUSY, record.Busy(local_of(channel), order)
        case op.Lost(reply_channel=channel, order=order):
            kind, body = Kind.LOST, record.Lost(local_of(channel), order)
        case op.Forward(reply_channel=channel, content=content):
            kind, body = Kind.FORWARD, record.Forward(local_of(channel), Raw(content))
        case op.Canary(mailbox=mailbox, token=token):
            return f"{mailbox}!", Kind.CANARY, record.Canary(token)
        case _:
            raise ValueError("a group send has many queues")
    mailbox, mark, _ = channel.partition("!")
    return mailbox + mark, kind, body
