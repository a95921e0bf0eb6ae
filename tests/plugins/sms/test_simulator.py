"""The simulated phone, as its page and the sms protocol meet it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fairway.core.settings import read_section
from fairway.kit import ConfigurationError, RemoteProtocolError, Site
from fairway.plugins.sms.provider import Incoming, Outgoing, Status
from fairway.plugins.sms.simulator import SimulatorProvider
from fairway.plugins.sms.simulator_phones import Phones, Text
from fairway.plugins.sms.spec import SmsConfig
from fairway.testing.recording import RecordingHost
from fairway.testing.recording_web import RecordingExchange, Request

ANN, BOB, OURS = "+46701740610", "+46701740611", "+46701740605"
OWN_PAGE = (b"origin", b"https://example.com")
JSON = (b"content-type", b"application/json")


class Phone:
    """A running simulator, with the page's side and the plugin's side of it."""

    def __init__(self, *, debug: bool = True, **section: Any) -> None:
        site = Site(allowed_hosts=("example.com",), debug=debug)
        self.host = RecordingHost(site=site)
        given = {"provider": "simulator", "sender": [OURS]} | section
        config = read_section(given, SmsConfig, "sms")
        self.heard: list[Incoming] = []
        self.reports: list[Status] = []
        self.is_taken = True
        self.provider = SimulatorProvider(config, self.host, self.hear, self.report)

    async def hear(self, incoming: Incoming) -> bool:
        self.heard.append(incoming)
        return self.is_taken

    async def report(self, status: Status) -> bool:
        self.reports.append(status)
        return True

    async def ask(self, path: str, **request: Any) -> RecordingExchange:
        exchange = RecordingExchange(Request(path=f"/sms/{path}", **request))
        body = await exchange.body(256 * 1024)
        await self.provider.webhook(exchange, body)
        return exchange

    async def post(self, path: str, **fields: Any) -> RecordingExchange:
        body = json.dumps(fields).encode()
        return await self.ask(path, headers=[OWN_PAGE, JSON], body=body)

    async def look(self, number: str) -> RecordingExchange:
        path = f"phone/events/?number=%2B{number[1:]}"
        return await self.ask(path, method="GET")

    async def refused(self, path: str, **request: Any) -> int | None:
        with pytest.raises(RemoteProtocolError) as error:
            await self.ask(path, **request)
        return error.value.status

    async def send(self, text: str, to: str = ANN) -> str:
        sent = await self.provider.send(Outgoing(to=to, sender=OURS, text=text))
        return sent.id

    async def time_passes(self) -> None:
        self.host.clock.advance(1.0)
        await self.host.settle()


def play(work: Callable[[Phone], Awaitable[None]], **section: Any) -> Phone:
    async def run() -> Phone:
        phone = Phone(**section)
        await phone.provider.start()
        await work(phone)
        await phone.provider.stop()
        return phone

    return asyncio.run(run())


def shown(exchange: RecordingExchange) -> list[tuple[str, Any]]:
    """Return the events of a stream."""
    found = re.findall(rb"event: (\w+)\ndata: (.*)\n\n", exchange.content)
    assert b"".join(b"event: %b\ndata: %b\n\n" % one for one in found) == (
        exchange.content
    )
    return [(name.decode(), json.loads(data)) for name, data in found]


def texts(exchange: RecordingExchange) -> list[tuple[bool, str, str]]:
    return [
        (what["incoming"], what["text"], what["status"])
        for name, what in shown(exchange)
        if name == "text"
    ]


def test_it_needs_debug_or_somebody_who_wants_it_all_the_same() -> None:
    with pytest.raises(ConfigurationError, match="'simulator'"):
        Phone(debug=False)
    Phone(debug=False, options={"without_debug": True})


def test_what_is_typed_is_a_text_to_the_site() -> None:
    async def work(phone: Phone) -> None:
        page = await phone.look(ANN)
        answer = await phone.post(
            "phone/texts/", number="+46 70 174 06 10", text="hi\nthere"
        )
        phone.is_taken = False
        refused = await phone.post("phone/texts/", number=ANN, text="again")

        assert (answer.status, refused.status) == (202, 503)
        assert texts(page) == [
            (False, "hi\nthere", "sent"),
            (False, "hi\nthere", "delivered"),
            (False, "again", "sent"),
            (False, "again", "failed"),
        ]

    heard = play(work).heard
    assert [(one.sender, one.to, one.text) for one in heard] == [
        (ANN, OURS, "hi\nthere"),
        (ANN, OURS, "again"),
    ]
    assert heard[0].id != heard[1].id


def test_what_the_site_sends_is_shown_on_its_phone_alone_and_reported() -> None:
    async def work(phone: Phone) -> None:
        page, other = await phone.look(ANN), await phone.look(BOB)
        sent = await phone.send("<b>\r\nevent: forged")
        assert phone.reports == []
        await phone.time_passes()

        assert phone.reports == [Status(id=sent, to=ANN, status="delivered")]
        assert texts(page) == [
            (True, "<b>\r\nevent: forged", "sent"),
            (True, "<b>\r\nevent: forged", "delivered"),
        ]
        assert texts(other) == []
        assert texts(await phone.look(ANN)) == texts(page)[1:]

    play(work)


def test_a_phone_that_is_off_gets_nothing_and_the_site_is_told() -> None:
    async def work(phone: Phone) -> None:
        page = await phone.look(ANN)
        await phone.post("phone/reception/", number=ANN, reachable=False)
        await phone.send("anybody there?")
        await phone.time_passes()

        assert [what["reachable"] for _, what in shown(page)[:2]] == [True, False]
        assert texts(page)[-1] == (True, "anybody there?", "undelivered")

    assert [report.status for report in play(work).reports] == ["undelivered"]


def test_pages_of_others_see_and_send_nothing() -> None:
    foreign = (b"origin", b"https://evil.example")
    rebound = (b"host", b"evil.example")
    body = json.dumps({"number": ANN, "text": "hi"}).encode()

    async def work(phone: Phone) -> None:
        ask = phone.refused
        texts = "phone/texts/"
        events = f"phone/events/?number=%2B{ANN[1:]}"
        assert await ask(texts, headers=[foreign, JSON], body=body) == 403
        assert await ask(texts, headers=[(b"origin", b"null"), JSON], body=body) == 403
        assert await ask(texts, headers=[rebound, JSON], body=body) == 403
        assert await ask(events, method="GET", headers=[rebound]) == 403
        assert await ask("phone/", method="GET", headers=[rebound]) == 403
        # What a form could send, whatever it says of its origin.
        plain = (b"content-type", b"text/plain")
        assert await ask(texts, headers=[OWN_PAGE, plain], body=body) == 415
        assert await ask(texts, method="GET", headers=[OWN_PAGE]) == 405

    assert play(work).heard == []


@pytest.mark.parametrize(
    "fields",
    [
        {"number": "0701", "text": "hi"},
        {"number": ANN, "text": ""},
        {"number": ANN, "text": "x" * 1_601},
        {"number": ANN, "text": "hi", "to": BOB},
        {"number": ANN},
        {"number": ANN, "text": "hi", "from": BOB},
    ],
)
def test_what_no_page_sends_is_refused(fields: dict[str, str]) -> None:
    async def work(phone: Phone) -> None:
        with pytest.raises(RemoteProtocolError) as error:
            await phone.post("phone/texts/", **fields)
        assert error.value.status == 400

    assert play(work).heard == []


def test_the_page_runs_its_own_script_and_nothing_else() -> None:
    async def work(phone: Phone) -> None:
        page = await phone.ask("phone/", method="GET")
        policy = dict(page.headers)[b"content-security-policy"]

        assert b"default-src 'none'" in policy
        assert b"unsafe" not in policy
        assert not re.search(
            rb"<script(?![^>]*\ssrc=)|<style|\son\w+=|style=", page.content
        )
        for name in re.findall(rb'(?:src|href)="([^"]+)"', page.content):
            found = await phone.ask(f"phone/{name.decode()}", method="GET")
            assert found.status == 200
        script = (await phone.ask("phone/phone.js", method="GET")).content
        assert b"innerHTML" not in script
        assert await phone.refused("phone/../spec.py", method="GET") == 404

    play(work)


def test_phones_and_their_texts_are_bounded() -> None:
    phones = Phones(most_phones=2, most_texts=3)
    for number in (ANN, BOB, OURS):
        for n in range(5):
            phones.add(
                Text(n=n, phone=number, ours="", incoming=True, text=str(n), at="")
            )

    assert phones.texts(ANN) == []
    assert [text.text for text in phones.texts(BOB)] == ["2", "3", "4"]


def test_pages_are_bounded_and_a_slow_one_is_cut() -> None:
    async def work(phone: Phone) -> None:
        slow = await phone.look(ANN)
        others = [await phone.look(BOB) for _ in range(63)]
        with pytest.raises(RemoteProtocolError) as error:
            await phone.look(BOB)
        assert error.value.status == 503

        slow.unsent_bytes = 1_000_000
        await phone.send("x")
        others[0].leave()
        await phone.look(BOB)
        await phone.look(ANN)
        assert slow.aborted
        await phone.provider.stop()
        assert all(one.complete for one in others)

    play(work)
