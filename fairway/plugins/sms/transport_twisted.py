"""The sms protocol: what comes in goes to the bus, what is answered to a provider."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from fairway.kit import (
    Content,
    Drop,
    Exchange,
    Host,
    LayerUnavailable,
    Peer,
    Refusal,
    RemoteProtocolError,
    WebhookProtocol,
)
from fairway.plugins.sms import mapping, numbers, segments
from fairway.plugins.sms.keywords import START, STOP, WORDS, Keywords
from fairway.plugins.sms.mapping import GivenUp, Reply
from fairway.plugins.sms.outbox import Letter, Outbox
from fairway.plugins.sms.pace import Pace
from fairway.plugins.sms.provider import Incoming, Outgoing, Status, Unsent, Webhooks
from fairway.plugins.sms.providers import load_provider
from fairway.plugins.sms.records import Permit, Records
from fairway.plugins.sms.spec import SmsConfig
from fairway.plugins.sms.store import open_store

__all__ = ["SmsProtocol"]

_PENDING = 60.0
"""Seconds for which a text is this server's that it has not put on the bus yet."""
_LOOK = 1.0
"""Seconds for which one that looks and dies is in the way of who says: taken."""
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between looks whether another server has settled the same text."""
_KNOWN = 24 * 60 * 60.0
"""Seconds in which a vendor may hand the same in again."""
_BURST = 1.0
_LONGER = 1.0
"""Seconds that a provider may exceed `timeout`; then nobody knows."""
_TRY_AGAIN = frozenset({Refusal.FULL, Refusal.UNAVAILABLE})
_NOT_FOUND = 404
_NAME = 30
"""Characters of a sender that is no number: a short code, or letters."""


class SmsProtocol(WebhookProtocol[SmsConfig]):
    """Texts in and out, whatever vendor carries them."""

    def __init__(self, config: SmsConfig, host: Host) -> None:
        super().__init__(config, host)
        self._keywords = Keywords({**WORDS, **config.keywords})
        self._provider = load_provider(config.provider)(
            config, host, self.incoming, self.status
        )
        self._records: Records
        self._arrivals = Pace(host.limits.messages_per_second, _BURST)
        self._sent = 0
        self._segments = 0
        self._outbox = Outbox(
            host.clock,
            self._send,
            give_up=self._letter_given_up,
            hold=host.hold_replies,
            failed=self._provider_failed,
            most=config.outbox,
            most_per_number=config.outbox_per_number,
            concurrency=config.concurrency,
            segments_per_minute=config.segments_per_minute,
        )

    async def start(self) -> None:
        """Open what is remembered, and connect to the vendor."""
        config = self.config
        store = await self.host.blocking(open_store)
        self._records = Records(store, config.sender, config.daily_budget)
        await self._provider.start()

    async def stop(self, grace: float) -> None:
        """Send what waits; what cannot be sent in time goes back to the bus."""
        for letter in await self._outbox.stop(grace):
            if letter.content is None:
                self.host.drop(Drop.GONE, detail="a confirmation")
            else:
                rest = {**letter.content, "text": "".join(letter.pieces)}
                rest.pop("bytes", None)
                self.host.put_back(self._peer(letter.number), rest)
        await self._provider.stop()

    def figures(self) -> Mapping[str, float]:
        """Return how many texts wait, and how many have left."""
        return {
            "waiting": self._outbox.waiting,
            "sent": self._sent,
            "segments": self._segments,
        }

    async def webhook(self, exchange: Exchange, body: bytes) -> None:
        """Let the provider answer its vendor."""
        if not isinstance(self._provider, Webhooks):
            raise RemoteProtocolError("not found", status=_NOT_FOUND)
        await self._provider.webhook(exchange, body)

    # What the provider calls.

    async def incoming(self, incoming: Incoming) -> bool:
        """Put a text on the bus, once; see `TakeIncoming`."""
        number = _answerable(incoming.sender)
        if number is None:
            self.host.drop(Drop.INVALID, detail="a sender that is no number")
            return True
        keyword = incoming.keyword or self._keywords.find(incoming.text)
        now = self.host.clock.now()
        # Who asks for silence in a flood is heard all the same.
        if keyword != STOP and self._arrivals.wait(number, now) > 0:
            self.host.drop(Drop.LIMIT, detail="messages_per_second")
            return True
        self._arrivals.spend(number, now)
        return await self._once(
            f"incoming:{incoming.id}" if incoming.id else "",
            lambda: self._received(number, incoming, keyword),
        )

    async def status(self, status: Status) -> bool:
        """Put a delivery report on the bus, once; see `TakeStatus`."""
        number = _answerable(status.to)
        if number is None:
            self.host.drop(Drop.INVALID, detail="a report on what is no number")
            return True
        return await self._once(
            f"status:{status.id}:{status.status}",
            lambda: self._put(number, "sms.status", mapping.reported(status)),
        )

    async def _once(self, key: str, take: Callable[[], Awaitable[bool]]) -> bool:
        """Take something unless that was done, here or elsewhere.

        What another server is taking is waited for and then refused, so that the
        vendor's next try is taken if that server cannot take it, or died.
        """
        if not key:
            return await take()
        try:
            for pause in (0.0, *_PAUSES):
                await asyncio.sleep(pause)
                owner = uuid.uuid4().hex
                if await self.host.claim(key, _PENDING, owner):
                    return await self._settle(key, owner, take)
                if not await self.host.claim(f"{key}:taken", _LOOK, "looking"):
                    return True
                await self.host.claim(f"{key}:taken", 0.0, "looking")
        except LayerUnavailable as error:
            self.host.log.warning("%s is not settled: %s", key.partition(":")[0], error)
        return False

    async def _settle(
        self, key: str, owner: str, take: Callable[[], Awaitable[bool]]
    ) -> bool:
        """Take what is claimed, and let others know whether it was taken."""
        taken = False
        try:
            taken = await take()
        finally:
            try:
                await self.host.claim(key, _KNOWN if taken else 0.0, owner)
                for pause in (0.0, *_PAUSES) if taken else ():
                    await asyncio.sleep(pause)
                    if await self.host.claim(f"{key}:taken", _KNOWN, "taken"):
                        break  # nobody was looking at this moment
            except LayerUnavailable as error:
                self.host.log.warning("what was taken is not known: %s", error)
        return taken

    async def _received(self, number: str, incoming: Incoming, keyword: str) -> bool:
        try:
            out = await self.host.blocking(
                self._records.texted, number, incoming.to, keyword
            )
        except Exception:
            # Nobody shall get texts because we could not write down that he opted out.
            self.host.log.exception("what was texted could not be remembered")
            return False
        if keyword in (STOP, START):
            self.host.log.info("a number said %s", keyword)
        if out and self.config.confirmation and self._is_allowed(number):
            reply = Reply(text=self.config.confirmation, sender=incoming.to)
            self._post(number, reply, None)
        return await self._put(
            number, "sms.receive", mapping.receive(incoming, keyword)
        )

    async def _put(self, number: str, channel: str, content: Content) -> bool:
        why = await self.host.emitted(self._peer(number), channel, content)
        return why not in _TRY_AGAIN

    # What the host calls.

    def deliver(self, peers: Sequence[Peer], content: Content) -> None:
        """Take a reply for the outbox."""
        reply = mapping.read_reply(content)
        for what in reply.wrong:
            self.host.drop(Drop.UNSUPPORTED, detail=what)
        if reply.empty:
            if "text" in content or "bytes" in content:
                self.host.drop(Drop.UNSUPPORTED, detail="an empty text")
            return
        for peer in peers:
            key = peer.id.partition(":")[2]
            try:
                number = numbers.normalized(key)
            except ValueError:
                self._give_up(key, reply, GivenUp.NO_NUMBER)
                continue
            if self._is_allowed(number):
                self._post(number, reply, content)
            else:
                self._give_up(number, reply, GivenUp.NOT_ALLOWED)

    def _is_allowed(self, number: str) -> bool:
        prefixes = tuple(self.config.prefixes)
        return numbers.is_number(number) and number.startswith(prefixes or "+")

    def _post(self, number: str, reply: Reply, content: Content | None) -> None:
        if len(reply.text) > self.config.max_segments * segments.LONGEST:
            # Before it is counted, which takes long for a megabyte.
            self._give_up(number, reply, GivenUp.TOO_LONG)
            return
        pieces = segments.cut(reply.text, self._provider.longest)
        count = sum(map(segments.count, pieces))
        if count > self.config.max_segments:
            self._give_up(number, reply, GivenUp.TOO_LONG)
            return
        letter = Letter(
            number,
            reply,
            content,
            pieces=pieces,
            segments=count,
            end=self.host.clock.now() + self.config.retry_for,
        )
        self._outbox.add(letter)

    # What the outbox calls.

    async def _send(self, letter: Letter) -> None:
        while letter.pieces:
            # Asked for each: a number may opt out between two.
            permit = await self._permit(letter)
            if permit.refused is not None:
                self._letter_given_up(letter, permit.refused, "")
                return
            letter.paid = True
            message = Outgoing(
                to=letter.number,
                sender=permit.sender,
                text=letter.pieces[0],
                media=letter.reply.media if letter.pieces[1:] == [] else (),
            )
            async with asyncio.timeout(self.config.timeout + _LONGER):
                sent = await self._provider.send(message)
            del letter.pieces[0]
            self._segments += sent.segments
        self._sent += 1

    async def _permit(self, letter: Letter) -> Permit:
        try:
            return await self.host.blocking(
                self._records.permit,
                letter.number,
                letter.reply.sender,
                0 if letter.paid else letter.segments,
                datetime.now(UTC).date().isoformat(),
                confirms=letter.confirms,
            )
        except Exception as error:
            self.host.log.exception("it is not known who opted out: nothing is sent")
            raise Unsent("no records", final=False) from error

    def _letter_given_up(self, letter: Letter, why: GivenUp, code: str) -> None:
        self._give_up(letter.number, letter.reply, why, code)

    def _give_up(self, number: str, reply: Reply, why: GivenUp, code: str = "") -> None:
        """Tell consumers that a text does not leave."""
        self.host.drop(why, detail=f"the vendor's code {code}" if code else "")
        content = mapping.given_up(reply.text, why, code)
        self.host.emit(self._peer(number), "sms.status", content)

    def _provider_failed(self, letter: Letter, error: Exception) -> None:
        self.host.log.error("the provider failed", exc_info=error)

    def _peer(self, number: str) -> Peer:
        return self.host.open_peer(None, client=number, key=number)


def _answerable(sender: str) -> str | None:
    """Return who a peer is: a number, else a short code or name as it is."""
    try:
        return numbers.normalized(sender)
    except ValueError:
        name = sender.strip()
        return name if name.isprintable() and 0 < len(name) <= _NAME else None
