"""Texts through a real SMSC, `smpp34.Server`, on loopback."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from smpp34 import Tlv

from fairway.kit import ConfigurationError, Secret
from fairway.plugins.sms.provider import Outgoing, Status, Unsent
from fairway.plugins.sms.smpp_pdu import make
from fairway.plugins.sms.smpp_text import decoded, read_part
from tests.plugins.sms.smpp.smsc import (
    Account,
    Smsc,
    bare_smsc,
    eventually,
    polite,
)
from tests.support.loop import LoopThread
from tests.support.processes import free_port
from tests.support.proxy import Proxy

pytestmark = pytest.mark.standard

THEIRS = "+46701234567"
OURS = "+15005550006"
THROTTLED, QUEUE_FULL, WRONG_NUMBER, TRY_LATER = 0x58, 0x14, 0x0B, 0x64


def text(body: str = "Hi", sender: str = OURS, **more: Any) -> Outgoing:
    return Outgoing(to=THEIRS, sender=sender, text=body, **more)


def joined(events: list[Any]) -> str | None:
    """Return what a phone shows of submitted parts."""
    parts = [
        read_part(event.short_message, event.esm_class, (None, None, None))
        for event in events
    ]
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert {part.total for part in parts} == {len(parts)}
    assert len({part.reference for part in parts}) == 1
    return decoded(b"".join(part.payload for part in parts), events[0].data_coding)


@pytest.mark.parametrize(
    ("body", "parts", "coding"),
    [
        ("Hi [there] €", 1, 0),
        ("x" * 160, 1, 0),
        ("{" * 100, 2, 0),
        ("Привет 👍", 1, 8),
        ("👍" * 100, 4, 8),
        ("y" * 1_600, 11, 0),
    ],
)
def test_a_text_arrives_whole(body: str, parts: int, coding: int) -> None:
    async def run() -> None:
        async with Smsc() as smsc, Account(smsc.port) as account:
            sent = await account.provider.send(text(body))

            assert joined(smsc.submitted) == body
            assert [event.data_coding for event in smsc.submitted] == [coding] * parts
            assert (sent.id, sent.segments) == (f"m{parts}", parts)
            reports = [event.registered_delivery for event in smsc.submitted]
            assert reports == [0] * (parts - 1) + [1]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        (OURS, (1, 1, OURS[1:])),
        ("72404", (3, 0, "72404")),
        ("Harbour", (5, 0, "Harbour")),
    ],
)
def test_addresses_say_what_they_are(
    sender: str, expected: tuple[int, int, str]
) -> None:
    async def run() -> None:
        async with Smsc() as smsc, Account(smsc.port) as account:
            await account.provider.send(text(sender=sender))

            (event,) = smsc.submitted
            assert expected == (
                event.source_addr_ton,
                event.source_addr_npi,
                event.source_addr,
            )
            assert (event.dest_addr_ton, event.destination_addr) == (1, THEIRS[1:])

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "final", "code"),
    [
        (THROTTLED, False, "ESME_RTHROTTLED"),
        (QUEUE_FULL, False, "ESME_RMSGQFUL"),
        (WRONG_NUMBER, True, "ESME_RINVDSTADR"),
    ],
)
def test_a_refusal_says_whether_to_try_again(
    status: int, final: bool, code: str
) -> None:
    async def run() -> None:
        async with Smsc() as smsc, Account(smsc.port) as account:
            smsc.decide = lambda event: status
            with pytest.raises(Unsent) as caught:
                await account.provider.send(text())
            assert (caught.value.final, caught.value.code) == (final, code)

            smsc.decide = lambda event: "later"
            assert (await account.provider.send(text())).id == "later"

    asyncio.run(run())


def test_a_message_of_which_a_part_was_taken_is_not_begun_anew() -> None:
    async def run() -> None:
        async with Smsc() as smsc, Account(smsc.port) as account:
            answers: list[str | int] = ["a", THROTTLED, "b", "c"]
            smsc.decide = lambda event: answers.pop(0)

            sent = await account.provider.send(text("z" * 400))

            assert sent.id == "c"
            once = [smsc.submitted[0], *smsc.submitted[2:]]
            assert joined(once) == "z" * 400

    asyncio.run(run())


def test_what_was_not_answered_when_the_link_was_lost_is_not_sent_again() -> None:
    async def run(proxy: Proxy, smsc: Smsc) -> None:
        async with smsc, Account(proxy.port) as account:
            smsc.decide = lambda event: None
            sending = asyncio.create_task(account.provider.send(text()))
            await eventually(lambda: smsc.submitted)
            proxy.cut()

            with pytest.raises(TimeoutError, match="may have been sent"):
                await sending
            await eventually(lambda: len(smsc.sessions) == 2)
            assert len(smsc.submitted) == 1

    port = free_port()
    with Proxy(port) as proxy:
        asyncio.run(run(proxy, Smsc(port)))


def test_it_binds_again_by_itself() -> None:
    async def run(proxy: Proxy, smsc: Smsc) -> None:
        async with Account(proxy.port) as account:
            with pytest.raises(Unsent) as caught:
                await account.provider.send(text("early"))
            assert not caught.value.final

            async with smsc:
                for body in ("one", "two"):
                    await eventually(lambda: account.provider.is_bound)
                    await account.provider.send(text(body))
                    proxy.cut()
                    await eventually(lambda: not account.provider.is_bound)
                assert [event.short_message for event in smsc.submitted] == [
                    b"one",
                    b"two",
                ]

    port = free_port()
    with Proxy(port) as proxy:
        asyncio.run(run(proxy, Smsc(port)))


def test_a_text_comes_in_and_is_answered_when_the_bus_has_it() -> None:
    async def run() -> None:
        async with Smsc() as smsc, Account(smsc.port) as account:
            session = await smsc.session()
            account.taking = False
            fields: dict[str, Any] = {
                "source_addr": THEIRS[1:],
                "source_addr_ton": 1,
                "dest_addr_ton": 1,
            }

            refused = await session.deliver_sm(OURS[1:], b"Hall\x00", **fields)
            assert (refused.command_status, account.texts) == (TRY_LATER, [])

            account.taking = True
            taken = await session.deliver_sm(OURS[1:], b"Hall\x00", **fields)
            assert taken.command_status == 0
            (got,) = account.texts
            assert (got.sender, got.to, got.text) == (THEIRS, OURS, "Hall@")

    asyncio.run(run())


def test_it_runs_on_the_loop_of_an_interface_server(loop_thread: LoopThread) -> None:
    async def run() -> None:
        async with Smsc() as smsc, Account(smsc.port) as account:
            await account.provider.send(text("out"))
            session = await smsc.session()
            taken = await session.deliver_sm(
                OURS[1:], b"in", source_addr=THEIRS[1:], source_addr_ton=1
            )
            assert taken.command_status == 0
            assert joined(smsc.submitted) == "out"
            assert [got.text for got in account.texts] == ["in"]

    loop_thread.run(run())


@pytest.mark.parametrize("way", ["header", "wide header", "sar"])
def test_parts_that_come_in_any_order_are_one_text(way: str) -> None:
    whole = "Grüße 👍 " * 20
    encoded = whole.encode("utf-16-be")
    pieces = [encoded[at : at + 133] for at in range(0, len(encoded), 133)]

    def made(number: int, piece: bytes) -> tuple[bytes, dict[str, Any]]:
        total = len(pieces)
        if way == "header":
            return bytes((5, 0, 3, 9, total, number)) + piece, {"esm_class": 0x40}
        if way == "wide header":
            head = bytes((6, 8, 4, 1, 9, total, number))
            return head + piece, {"esm_class": 0x40}
        tlvs = [
            Tlv(0x020C, b"\x01\x09"),
            Tlv(0x020E, bytes((total,))),
            Tlv(0x020F, bytes((number,))),
        ]
        return piece, {"tlvs": tlvs}

    async def run() -> None:
        async with Smsc() as smsc, Account(smsc.port) as account:
            session = await smsc.session()
            numbered = list(enumerate(pieces, start=1))
            for number, piece in [*numbered[1:], numbered[0]]:
                assert account.texts == []
                message, more = made(number, piece)
                for account.taking in (False, True):  # the last is refused once
                    answer = await session.deliver_sm(
                        OURS[1:],
                        message,
                        source_addr=THEIRS[1:],
                        source_addr_ton=1,
                        dest_addr_ton=1,
                        data_coding=8,
                        **more,
                    )
            assert answer.command_status == 0
            assert [got.text for got in account.texts] == [whole]

    asyncio.run(run())


@pytest.mark.parametrize("tlvs", [False, True])
def test_a_receipt_is_a_report(tlvs: bool) -> None:
    receipt = b"id:m1 sub:001 dlvrd:000 submit date:2611211200 done date:2611211201 "
    receipt += b"stat:UNDELIV err:069 text:Hi"
    more: dict[str, Any] = {}
    if tlvs:
        receipt = b"err:069"
        more["tlvs"] = [
            Tlv(0x001E, b"m1\0"),
            Tlv(0x0427, b"\x05"),
        ]

    async def run() -> None:
        async with Smsc() as smsc, Account(smsc.port) as account:
            session = await smsc.session()
            answer = await session.deliver_sm(
                OURS[1:],
                receipt,
                source_addr=THEIRS[1:],
                source_addr_ton=1,
                esm_class=4,
                **more,
            )
            assert answer.command_status == 0
            assert account.reports == [
                Status(id="m1", to=THEIRS, status="undelivered", code="069")
            ]

    asyncio.run(run())


def test_data_and_nonsense_are_counted_and_not_asked_for_again() -> None:
    async def run() -> None:
        async with Smsc() as smsc, Account(smsc.port) as account:
            session = await smsc.session()
            sent: list[tuple[bytes, dict[str, Any]]] = [
                (b"\x00\x01", {"data_coding": 4}),
                (b"\x09\x00\x03", {"esm_class": 0x40}),
                (b"\x05\x00\x03\x01\x02\x03x", {"esm_class": 0x40}),
            ]
            for message, more in sent:
                answer = await session.deliver_sm(
                    OURS[1:], message, source_addr=THEIRS[1:], **more
                )
                assert answer.command_status == 0
            assert account.texts == []
            reasons = [drop.reason for drop in account.host.drops]
            assert reasons == ["unsupported", "invalid", "invalid"]

    asyncio.run(run())


def test_a_wrong_password_stops_the_start_and_shows_nothing() -> None:
    def refuse(pdu: Any) -> bytes:
        return make(f"{pdu.command}_resp", pdu.sequence, status=0x0E)

    async def work(port: int, seen: list[Any]) -> None:
        account = Account(port, password=Secret("wr0ng"))
        with pytest.raises(ConfigurationError, match="ESME_RINVPASWD") as caught:
            await account.provider.start()
        assert "wr0ng" not in str(caught.value)
        assert [pdu.command for pdu in seen] == ["bind_transceiver"]
        assert account.host.tasks == []

    asyncio.run(bare_smsc(work, refuse))


def test_without_an_answer_nobody_knows() -> None:
    def silent(pdu: Any) -> bytes | None:
        return None if pdu.command == "submit_sm" else polite(pdu)

    async def work(port: int, seen: list[Any]) -> None:
        async with Account(port, timeout=0.3) as account:
            with pytest.raises(TimeoutError, match="may have been sent"):
                await account.provider.send(text())

    asyncio.run(bare_smsc(work, silent))


def test_a_silent_smsc_is_noticed() -> None:
    def dead(pdu: Any) -> bytes | None:
        return None if pdu.command == "enquire_link" else polite(pdu)

    async def work(port: int, seen: list[Any]) -> None:
        account = Account(port, timeout=0.2)
        account.provider.enquire = 0.05
        async with account:
            binds = ["bind_transceiver", "enquire_link", "bind_transceiver"]
            await eventually(lambda: [pdu.command for pdu in seen][:3] == binds)

    asyncio.run(bare_smsc(work, dead))


@contextmanager
def trusted(ca: trustme.CA, path: Path) -> Iterator[None]:
    """Let the system trust an authority, as OpenSSL reads its environment."""
    ca.cert_pem.write_to_path(str(path))
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(path)
    try:
        yield
    finally:
        del os.environ["SSL_CERT_FILE"]
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before


@pytest.mark.parametrize("trust", [True, False])
def test_only_a_trusted_smsc_gets_the_password(trust: bool, tmp_path: Path) -> None:
    ca, other = trustme.CA(), trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)

    async def work(port: int, seen: list[Any]) -> None:
        async with Account(port, smpp_url=f"smpps://127.0.0.1:{port}") as account:
            assert account.provider.is_bound == trust
            assert [pdu.command for pdu in seen] == ["bind_transceiver"] * trust

    with trusted(ca if trust else other, tmp_path / "ca.pem"):
        asyncio.run(bare_smsc(work, polite, context))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"smpp_url": ""}, "smpp_url"),
        ({"smpp_url": "http://127.0.0.1"}, "smpp_url"),
        ({"smpp_url": "smpp://a:b@127.0.0.1"}, "smpp_url"),
        ({"system_id": ""}, "system_id"),
        ({"system_id": "x" * 16}, "system_id"),
        ({"password": Secret("123456789")}, "password"),
        ({"options": {"sytem_type": ""}}, "system_type"),
    ],
)
def test_settings_that_cannot_work_are_named(
    settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        Account(1, **settings)
