"""Texts through an SMSC by SMPP 3.4: each interface server binds once, both ways."""

from __future__ import annotations

import asyncio
import math
import random
import ssl
import uuid
from collections.abc import Mapping
from urllib.parse import urlsplit

from fairway.kit import ConfigurationError, Drop, Host
from fairway.plugins.sms import smpp_text
from fairway.plugins.sms.provider import (
    Incoming,
    Outgoing,
    Provider,
    Sent,
    TakeIncoming,
    TakeStatus,
    Unsent,
)
from fairway.plugins.sms.smpp_link import Link, LinkLost
from fairway.plugins.sms.smpp_pdu import BROKEN, Pdu, address, number_of, status_name
from fairway.plugins.sms.smpp_text import Parts
from fairway.plugins.sms.spec import SmsConfig

__all__ = ["SmppProvider"]

_SECTION = 'FAIRWAY["PLUGINS"]["sms"]'
_PORT, _TLS_PORT = 2775, 3550
_VERSION = 0x34
_MAX_SYSTEM_ID, _MAX_PASSWORD, _MAX_SYSTEM_TYPE = 15, 8, 12
_WRONG_CREDENTIALS = frozenset({0x0E, 0x0F})
"""ESME_RINVPASWD, ESME_RINVSYSID."""
_TEMPORARY = frozenset({0x08, 0x14, 0x58, 0x64})
"""ESME_RSYSERR, ESME_RMSGQFUL, ESME_RTHROTTLED, ESME_RX_T_APPN."""
_OK, _TRY_LATER = 0x00, 0x64
_KIND, _RECEIPT, _INTERMEDIATE = 0x3C, 0x04, 0x20
"""Of esm_class, 5.2.12."""
_FIRST_WAIT, _LONGEST_WAIT, _REFUSED_WAIT = 0.5, 30.0, 60.0
"""Seconds between two tries to bind."""
_PART_WAIT = 0.2
"""Seconds until the rest of a message is tried again of which a part was taken."""
_SWEEP = 5.0
_UNBIND = 2.0


class _Refused(Exception):
    """The SMSC did not let us bind."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the SMSC refused to bind: {status_name(status)}")


class SmppProvider(Provider):
    """One account at an SMSC."""

    name = "smpp"
    longest = 1_600
    enquire = 30.0
    """Seconds between two looks whether the SMSC is still there."""

    def __init__(
        self, config: SmsConfig, host: Host, incoming: TakeIncoming, status: TakeStatus
    ) -> None:
        super().__init__(config, host, incoming, status)
        self._tls, self._address = _read_url(config.smpp_url)
        self._login = _login(config)
        self._context: ssl.SSLContext | None = None
        self._link: Link | None = None
        self._parts = Parts()
        self._reference = random.randrange(256)
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self) -> None:
        """Bind; an SMSC that is away is tried again beside.

        Raises:
            ConfigurationError: it does not know the account or the password.
        """
        if self._tls:
            self._context = await self.host.blocking(ssl.create_default_context)
        try:
            self._link = await self._bound()
        except _Refused as error:
            if error.status in _WRONG_CREDENTIALS:
                setting = f'{_SECTION}["password"]'
                raise ConfigurationError(
                    setting, f"or system_id is wrong: {error}"
                ) from error
            self.host.log.error("%s", error)
        except (OSError, TimeoutError) as error:
            self.host.log.warning("the SMSC cannot be reached: %s", error)
        self.host.spawn(self._keep_bound())
        self.host.spawn(self._sweep())

    async def send(self, message: Outgoing) -> Sent:
        """Hand a message to the SMSC, part by part; raises as `Provider.send` says.

        What was written and not answered may be on its way, and a message of which a
        part was taken is not begun anew.
        """
        if message.media:
            self.host.drop(Drop.UNSUPPORTED, detail="media by SMPP")
            if not message.text:
                raise Unsent("SMPP carries no media", final=True)
        self._reference = (self._reference + 1) % 256
        parts, coding, esm_class = smpp_text.parts_of(message.text, self._reference)
        answer: Pdu = None
        begun = False
        try:
            async with asyncio.timeout(self.config.timeout):
                for number, part in enumerate(parts, start=1):
                    answer = await self._submit(
                        _submission(message, part),
                        begun=begun,
                        data_coding=coding,
                        esm_class=esm_class,
                        # One report for a message: that of its last part.
                        registered_delivery=int(number == len(parts)),
                    )
                    begun = True
        except TimeoutError as error:
            raise _unknown() from error
        return Sent(
            id=(answer.message_id or b"").decode("latin-1"), segments=len(parts)
        )

    async def stop(self) -> None:
        """Unbind; parts that were taken are handed on."""
        self._stopping = True
        if (link := self._link) is not None:
            await link.unbind(_UNBIND)
        for task in self._tasks:
            task.cancel()
        await self._hand_on(math.inf)

    @property
    def is_bound(self) -> bool:
        """Whether there is a connection to the SMSC."""
        return self._link is not None

    async def _submit(
        self, fields: Mapping[str, object], *, begun: bool, **more: int
    ) -> Pdu:
        while True:
            if (link := self._link) is None:
                raise Unsent("no connection to the SMSC", final=begun)
            try:
                answer = await link.ask("submit_sm", **fields, **more)
            except LinkLost as error:
                if error.written:
                    raise _unknown() from error
                raise Unsent("no connection to the SMSC", final=begun) from error
            if not answer.status:
                return answer
            name = status_name(answer.status)
            later = answer.status in _TEMPORARY
            if not (later and begun):
                raise Unsent(f"the SMSC answered {name}", final=not later, code=name)
            await asyncio.sleep(_PART_WAIT)

    async def _bound(self) -> Link:
        """Connect and bind; raises OSError, TimeoutError and _Refused."""
        async with asyncio.timeout(self.config.timeout):
            link = await Link.open(self._address, self._context, self._take)
            try:
                answer = await link.ask("bind_transceiver", **self._login)
                if answer.status:
                    raise _Refused(answer.status)
            except BaseException:
                link.abort()
                raise
        self.host.log.info("bound to the SMSC")
        return link

    async def _keep_bound(self) -> None:
        self._remember_task()
        wait = _FIRST_WAIT
        told = self._link is None
        while not self._stopping:
            if (link := self._link) is not None:
                wait = _FIRST_WAIT
                await self._watched(link)
                self._link = None
                if self._stopping:
                    return
                self.host.log.warning("the connection to the SMSC was lost")
                told = True
            await asyncio.sleep(random.uniform(wait / 2, wait))  # not all at once
            wait = min(2 * wait, _LONGEST_WAIT)
            try:
                self._link = await self._bound()
                told = False
            except _Refused as error:
                self.host.log.error("%s; trying again in a minute", error)
                wait = _REFUSED_WAIT
            except (OSError, TimeoutError) as error:
                if not told:
                    self.host.log.warning("the SMSC cannot be reached: %s", error)
                told = True

    async def _watched(self, link: Link) -> None:
        await link.watch(self.enquire, self.config.timeout)
        await link.lost

    def _remember_task(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)

    # What the SMSC sends.

    async def _take(self, pdu: Pdu) -> int:
        """Take a `deliver_sm`; return the status to answer."""
        try:
            taken = await self._taken(pdu)
        except BROKEN as error:
            # It will not become better by being sent again.
            self.host.drop(Drop.INVALID, detail=f"a deliver_sm: {error}")
            return _OK
        except Exception as error:
            self.host.failed("received", error)
            return _TRY_LATER
        return _OK if taken else _TRY_LATER

    async def _taken(self, pdu: Pdu) -> bool:
        sender = number_of(pdu.source_addr, pdu.source_addr_ton or 0)
        to = number_of(pdu.destination_addr, pdu.dest_addr_ton or 0)
        payload = pdu.short_message or pdu.message_payload or b""
        esm_class, coding = pdu.esm_class or 0, pdu.data_coding or 0
        given = (pdu.receipted_message_id or b"").decode("latin-1").strip("\0")
        kind = esm_class & _KIND
        if kind in (_RECEIPT, _INTERMEDIATE):
            status = smpp_text.status_of(
                payload, to=sender, message_id=given, state=pdu.message_state
            )
            return status is None or await self.status(status)
        if kind:  # acknowledgements of phones, which nobody asked for
            return True
        part = smpp_text.read_part(
            payload,
            esm_class,
            (
                pdu.sar_msg_ref_num,
                pdu.sar_total_segments,
                pdu.sar_segment_seqnum,
            ),
        )
        if part.total == 1:
            text = smpp_text.decoded(part.payload, coding)
            return await self._text((sender, to), text, given or uuid.uuid4().hex)
        if smpp_text.decoded(part.payload, coding) is None:
            return await self._text((sender, to), None, given)
        link = (sender, to)
        self._parts.add(link, part, coding, self.host.clock.now())
        await self._hand_on(self.host.clock.now())
        if (text := self._parts.complete(link, part)) is None:
            return True
        if not await self._text(link, text, uuid.uuid4().hex):
            return False  # this part comes again, and with it all of them
        self._parts.forget(link, part)
        return True

    async def _text(self, link: tuple[str, str], text: str | None, name: str) -> bool:
        if text is None:
            self.host.drop(Drop.UNSUPPORTED, detail="a message that is no text")
            return True
        sender, to = link
        return await self.incoming(Incoming(id=name, sender=sender, to=to, text=text))

    async def _sweep(self) -> None:
        """Hand on what there is of messages whose parts did not all come."""
        self._remember_task()
        while not self._stopping:
            await asyncio.sleep(_SWEEP)
            await self._hand_on(self.host.clock.now())

    async def _hand_on(self, now: float) -> None:
        while found := self._parts.overdue(now):
            link, text = found
            self.host.drop("incomplete", detail="a message without all its parts")
            if not await self._text(link, text, uuid.uuid4().hex):
                self.host.drop(Drop.UNAVAILABLE, detail="what came of it")


def _submission(message: Outgoing, part: bytes) -> dict[str, object]:
    source_ton, source_npi, source = address(message.sender)
    ton, npi, destination = address(message.to)
    return {
        "source_addr_ton": source_ton,
        "source_addr_npi": source_npi,
        "source_addr": source,
        "dest_addr_ton": ton,
        "dest_addr_npi": npi,
        "destination_addr": destination,
        "short_message": part,
    }


def _unknown() -> TimeoutError:
    return TimeoutError("no answer of the SMSC: it may have been sent")


def _read_url(url: str) -> tuple[bool, tuple[str, int]]:
    try:
        split = urlsplit(url)
        host, port = split.hostname, split.port
    except ValueError:
        host, port = None, None
    tls = url.startswith("smpps://")
    if not host or not (tls or url.startswith("smpp://")) or "@" in url:
        raise ConfigurationError(
            f'{_SECTION}["smpp_url"]',
            "must be like 'smpp://smsc.example.com:2775' or 'smpps://...'",
        )
    return tls, (host, port or (_TLS_PORT if tls else _PORT))


def _login(config: SmsConfig) -> dict[str, object]:
    system_type = config.options.get("system_type", "")
    if unknown := sorted(config.options.keys() - {"system_type"}):
        raise ConfigurationError(
            f'{_SECTION}["options"]', f"holds {unknown[0]!r}; there is system_type"
        )
    password = "" if config.password is None else config.password.reveal()
    for name, value, most in (
        ("system_id", config.system_id, _MAX_SYSTEM_ID),
        ("password", password, _MAX_PASSWORD),
        ("options", system_type, _MAX_SYSTEM_TYPE),
    ):
        # What is longer would be cut without a word.
        if not isinstance(value, str) or len(value) > most or not value.isascii():
            raise ConfigurationError(
                f'{_SECTION}["{name}"]', f"must be ASCII of at most {most} characters"
            )
    if not config.system_id:
        raise ConfigurationError(f'{_SECTION}["system_id"]', "is required")
    return {
        "system_id": config.system_id,
        "password": password,
        "system_type": system_type,
        "interface_version": _VERSION,
    }
