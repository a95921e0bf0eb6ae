"""Consumes records: one message, or the events of one peer in order, in one thread.

Whoever takes a peer's events owes its host a `Done`, a `Lost`, or the same events on
their channel again; a `Busy` now and then keeps the host waiting.
"""

from __future__ import annotations

import sys
import time

from fairway.core.bus import record
from fairway.core.bus.channels import known_channel
from fairway.core.bus.layer import Delivery
from fairway.core.bus.operations import (
    CONTROL_EXPIRY,
    Answer,
    Busy,
    Done,
    Lost,
    Operation,
    Send,
)
from fairway.core.consumer.control import ConsumeLater
from fairway.core.consumer.identity import session_cookie
from fairway.core.consumer.message import RETRIES, Message
from fairway.core.consumer.state import PeerState
from fairway.core.content import (
    STATE,
    Content,
    Encoded,
    decode_content,
    encode_content,
)
from fairway.core.drops import Drop
from fairway.core.names import mailbox_of
from fairway.core.worker import databases
from fairway.core.worker.flush import Out
from fairway.core.worker.loop import Begins
from fairway.core.worker.owed import Owed
from fairway.core.worker.run import MessageRunner

__all__ = ["RecordRunner"]

_LONG_IDLE = 1.0
"""Seconds after which a database may have hung up on a thread's connection."""
_NO_ORDER = -1
"""The order in a `Done` that only brings the state of a peer without order."""


def _unwatched(usual: float) -> None:
    """Nobody but this thread has anything to do when a consumer begins."""


class RecordRunner:
    """What one thread of a worker runs.

    Args:
        out: where operations leave.
    """

    def __init__(self, messages: MessageRunner, out: Out) -> None:
        self._messages = messages
        self._layer = messages.layer
        self._out = out
        self._owed: Owed | None = None
        self._asker: object = None
        self._began = 0.0

    def consume(self, delivery: Delivery, begins: Begins = _unwatched) -> None:
        """Consume a record and get ready what its consumers sent.

        Raises nothing of a consumer's; what it raises is a fault of fairway's.
        """
        now = time.monotonic()
        if delivery.deadline <= now:
            self.abandon(delivery, Drop.EXPIRED)
            return
        if delivery.sent is not None:
            self._messages.waits.add((delivery.channel,), now - delivery.sent)
        if now - self._began > _LONG_IDLE:
            databases.close_old()
        self._began = now
        try:
            if not (contents := self._contents(delivery)):
                return
            if isinstance(delivery.body, record.Event):
                self._consume_events(delivery, contents, now, begins)
            else:
                self._consume_message(delivery, contents[0], begins)
        finally:
            databases.close_old()

    def abandon(self, delivery: Delivery, reason: Drop) -> None:
        """Give up a record; its host hears so with the next flush."""
        self._layer.drops.add(delivery.channel, reason)
        body = delivery.body
        if isinstance(body, record.Event) and (contents := self._contents(delivery)):
            self._out.add([Lost(contents[0]["reply_channel"], body.order)])

    def busy(self, now: float) -> Busy | None:
        """Return the sign of life that is due for the record it is at; any thread."""
        owed = self._owed
        return None if owed is None else owed.busy(now)

    def alive(self) -> Busy | None:
        """Return a sign of life for what it is at, due or not; any thread."""
        if (owed := self._owed) is not None:
            return Busy(owed.reply_channel, owed.order)
        asker = self._asker
        waits = isinstance(asker, str) and mailbox_of(asker)
        return Busy(str(asker), 0) if waits else None

    def leave(self) -> None:
        """End: close the thread's database connections."""
        databases.leave()

    def _contents(self, delivery: Delivery) -> list[Content]:
        """Return the content of each message in a record; none if it is unreadable."""
        body = delivery.body
        try:
            if isinstance(body, record.Message):
                return [decode_content(body.content)]
            if not isinstance(body, record.Event) or not body.events:
                raise ValueError(f"{delivery.kind.name} records are for mailboxes")
            envelope = decode_content(body.envelope)
            if not isinstance(envelope.get("reply_channel"), str):
                raise ValueError("an event without a reply channel")
            if len(body.events) == 1:
                envelope.update(decode_content(body.events[0]))
                return [envelope]
            return [envelope | decode_content(event) for event in body.events]
        except ValueError as error:
            self._layer.drops.add(delivery.channel, Drop.INVALID, detail=str(error))
            return []

    def _consume_message(
        self, delivery: Delivery, content: Content, begins: Begins
    ) -> None:
        state = content.pop(STATE, None)
        message = Message(
            content,
            delivery.channel,
            self._layer,
            None if state is None else PeerState(state),
        )
        self._asker = content.get("reply_channel")
        try:
            operations = self._messages.run(message, begins)
            if (changed := message.changed_state()) is not None:
                done = Done(content["reply_channel"], _NO_ORDER, changed)
                operations = [*operations, done]
            self._out.add(operations)
        except ConsumeLater:
            if state is not None:
                content[STATE] = state
            again = _write({**content, RETRIES: message.retries + 1})
            send = Send(delivery.channel, again, _left(delivery))
            self._out.add([send], otherwise=self._messages.failure(message))
        finally:
            self._asker = None

    def _consume_events(
        self,
        delivery: Delivery,
        contents: list[Content],
        now: float,
        begins: Begins,
    ) -> None:
        body = delivery.body
        assert isinstance(body, record.Event)
        peer = contents[0]["reply_channel"]
        owed = Owed(peer, body.order, now, delivery.deadline)
        self._owed = owed
        if (busy := owed.busy(now)) is not None:
            self._out.add([busy])
            self._out.flush()
        state = PeerState(body.state)
        reply_channel = known_channel(peer, self._layer)
        for index, content in enumerate(contents):
            message = Message(content, delivery.channel, self._layer, state)
            message.reply_channel = reply_channel
            if "headers" in content:
                state.cookie = session_cookie(content)
            try:
                operations = self._messages.run(message, begins)
            except ConsumeLater:
                self._put_back(delivery, body, message, index)
                break
            if index + 1 == len(contents):
                # The host has not seen the state that a record was put back with.
                changed = state.encoded() if RETRIES in contents[0] else state.changed()
                operations = self._ending(operations, owed, changed)
            self._out.add(operations)
        self._owed = None

    def _ending(
        self, operations: list[Operation], owed: Owed, state: Encoded | None
    ) -> list[Operation]:
        """End a record behind operations, with the reply where that comes last."""
        peer, order, policy = owed.reply_channel, owed.order, self._layer.policy
        last = operations[-1] if operations and policy.answers else None
        if isinstance(last, Send) and last.channel == peer:
            expiry = policy.expiry(peer) if last.expiry is None else last.expiry
            # One that expires before a `Done` would keep its peer waiting.
            if expiry >= CONTROL_EXPIRY:
                answer = Answer(peer, last.content, order, state, expiry)
                operations[-1] = answer
                return operations
        return [*operations, Done(peer, order, state)]

    def _put_back(
        self, delivery: Delivery, body: record.Event, message: Message, index: int
    ) -> None:
        """Send what is left of a record again; its host waits on."""
        first = decode_content(body.events[index])
        again = _write({**first, RETRIES: message.retries + 1})
        reply_channel = message["reply_channel"]
        send = Send(
            delivery.channel,
            bytes(body.envelope),
            _left(delivery),
            events=(again, *(bytes(event) for event in body.events[index + 1 :])),
            order=body.order,
            state=message.encoded_state(),
        )
        lost = Lost(reply_channel, body.order)
        self._out.add(
            [Busy(reply_channel, body.order), send],
            otherwise=[*self._messages.failure(message), lost],
        )


def _write(content: Content) -> Encoded:
    # Its sender has kept the limit; what is added here may pass it by a few bytes.
    return encode_content(content, limit=sys.maxsize)


def _left(delivery: Delivery) -> float:
    return max(0.0, delivery.deadline - time.monotonic())
