"""Says which record an operation leaves behind, on which queue, and for how long.

Every layer writes the same records: these functions are the only place where operations
become records.
"""

from __future__ import annotations

from msgspec import Raw

from fairway.core.bus import layer as op
from fairway.core.bus import record
from fairway.core.bus.layer import CONTROL_EXPIRY, LayerPolicy, Operation
from fairway.core.bus.record import Body, Kind
from fairway.core.names import local_of

__all__ = [
    "body_of",
    "capacity_of",
    "expiry_of",
    "is_control",
    "put",
    "queue_of",
]

_FIRST_CONTROL = int(Kind.ADD)


def body_of(operation: Operation) -> tuple[Kind, Body]:
    """Return the kind and the body of an operation's record.

    A group send leaves this one in every mailbox; the normal members of its group get a
    MESSAGE.
    """
    match operation:
        case op.Send():
            return _sent(operation)
        case op.Done(reply_channel=channel, order=order, state=state):
            return Kind.DONE, record.Done(local_of(channel), order, state)
        case op.Answer(reply_channel=channel, order=order, state=state):
            content = Raw(operation.content)
            return Kind.ANSWER, record.Answer(local_of(channel), content, order, state)
        case op.GroupSend(group=group, content=content, exclude=exclude):
            body = record.GroupMessage(group, Raw(content), list(exclude))
            return Kind.GROUP, body
        case op.GroupAdd(group=group, channel=channel):
            return Kind.ADD, record.Membership(group, local_of(channel))
        case op.GroupDiscard(group=group, channel=channel):
            return Kind.DISCARD, record.Membership(group, local_of(channel))
        case op.Busy(reply_channel=channel, order=order):
            return Kind.BUSY, record.Busy(local_of(channel), order)
        case op.Lost(reply_channel=channel, order=order):
            return Kind.LOST, record.Lost(local_of(channel), order)
        case op.Forward(reply_channel=channel, content=content):
            return Kind.FORWARD, record.Forward(local_of(channel), Raw(content))
        case op.Canary(token=token):
            return Kind.CANARY, record.Canary(token)


def queue_of(operation: Operation) -> str:
    """Return the queue of an operation's record: a channel, or a mailbox and `!`."""
    match operation:
        case op.Send() | op.GroupAdd() | op.GroupDiscard():
            channel = operation.channel
        case op.Canary():
            channel = f"{operation.mailbox}!"
        case op.GroupSend():
            raise ValueError("a group send has many queues")
        case _:
            channel = operation.reply_channel
    mailbox, mark, _ = channel.partition("!")
    return mailbox + mark


def expiry_of(operation: Operation, policy: LayerPolicy) -> float:
    """Return after how many seconds an operation's record expires."""
    match operation:
        case op.Send():
            name = operation.channel
        case op.GroupSend():
            name = operation.group
        case op.Answer():
            name = operation.reply_channel
        case _:
            return CONTROL_EXPIRY
    return policy.expiry(name) if operation.expiry is None else operation.expiry


def put(operation: Operation, policy: LayerPolicy) -> tuple[str, Kind, Body, float]:
    """Return queue, kind, body and expiry of any operation but a group send.

    What the functions above say; those that begin and end nearly every message are
    written out, because each call costs more than what it says.
    """
    if isinstance(operation, op.Send):
        channel, expiry = operation.channel, operation.expiry
        mailbox, mark, local = channel.partition("!")
        if expiry is None:
            expiry = policy.expiry(channel)
        content = Raw(operation.content)
        if operation.events is None:
            message = record.Message(local, content)
            return mailbox + mark, Kind.MESSAGE, message, expiry
        events = [Raw(event) for event in operation.events]
        event = record.Event(content, events, operation.order, operation.state)
        return mailbox + mark, Kind.EVENT, event, expiry
    if isinstance(operation, op.Answer):
        channel, expiry = operation.reply_channel, operation.expiry
        mailbox, mark, local = channel.partition("!")
        if expiry is None:
            expiry = policy.expiry(channel)
        content = Raw(operation.content)
        answer = record.Answer(local, content, operation.order, operation.state)
        return mailbox + mark, Kind.ANSWER, answer, expiry
    if isinstance(operation, op.Done):
        mailbox, mark, local = operation.reply_channel.partition("!")
        done = record.Done(local, operation.order, operation.state)
        return mailbox + mark, Kind.DONE, done, CONTROL_EXPIRY
    return queue_of(operation), *body_of(operation), expiry_of(operation, policy)


def capacity_of(queue: str, policy: LayerPolicy) -> int:
    """Return how many messages a queue may hold; records of control: twice as many."""
    return policy.mailbox_capacity if queue[-1] == "!" else policy.capacity(queue)


def is_control(kind: Kind) -> bool:
    """Return whether a record is no message, and so may stand where no message may."""
    return kind >= _FIRST_CONTROL and kind is not Kind.ANSWER


def _sent(send: op.Send) -> tuple[Kind, Body]:
    content = Raw(send.content)
    if send.events is None:
        return Kind.MESSAGE, record.Message(send.channel.partition("!")[2], content)
    events = [Raw(event) for event in send.events]
    return Kind.EVENT, record.Event(content, events, send.order, send.state)
