"""Texts out, to a server that enforces Twilio's own description of its API."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from fairway.kit import Secret
from fairway.plugins.sms.provider import Outgoing, Sent, Unsent
from fairway.plugins.sms.spec import SmsConfig
from fairway.plugins.sms.twilio import TwilioProvider
from fairway.plugins.sms.twilio_rest import retry_after
from fairway.testing.recording import RecordingHost
from tests.plugins.sms.twilio.api import ACCOUNT, TOKEN, TwilioApi, error, twilio_api
from tests.support.processes import free_port

pytestmark = pytest.mark.standard

T = TypeVar("T")
OURS = "+15005550006"


@pytest.fixture
def api() -> Iterator[TwilioApi]:
    with twilio_api() as running:
        yield running


async def _never(what: object) -> bool:
    raise AssertionError("nothing comes in here")


def with_provider(
    url: str, work: Callable[[TwilioProvider], Awaitable[T]], **settings: Any
) -> T:
    """Run work with a provider, and close it."""
    given: dict[str, Any] = {"account_sid": ACCOUNT, "auth_token": Secret(TOKEN)}
    config = SmsConfig(**given | {"api_url": url} | settings)

    async def run() -> T:
        provider = TwilioProvider(config, RecordingHost(), _never, _never)
        await provider.start()
        try:
            return await work(provider)
        finally:
            await provider.stop()

    return asyncio.run(run())


def send(url: str, message: Outgoing, **settings: Any) -> Sent:
    return with_provider(url, lambda provider: provider.send(message), **settings)


def text(body: str = "Hi", to: str = "+46701234567", **more: Any) -> Outgoing:
    return Outgoing(**{"to": to, "sender": OURS, "text": body} | more)


def test_a_text_is_sent_as_the_description_asks(api: TwilioApi) -> None:
    sent = send(api.url, text("Grüße & 100 % 👍 =?"), public_url="https://example.com")

    assert api.refused == []
    assert api.accepted == [
        {
            "To": ["+46701234567"],
            "From": [OURS],
            "Body": ["Grüße & 100 % 👍 =?"],
            "StatusCallback": ["https://example.com/sms/status/"],
        }
    ]
    assert sent == Sent(id="SM" + "1".zfill(32))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            text(sender="MG" + "f" * 32),
            {"MessagingServiceSid": ["MG" + "f" * 32], "Body": ["Hi"]},
        ),
        (
            text("", media=("https://e.org/a.png", "https://e.org/b.png")),
            {
                "From": [OURS],
                "MediaUrl": ["https://e.org/a.png", "https://e.org/b.png"],
            },
        ),
        (text("x" * 1_600), {"From": [OURS], "Body": ["x" * 1_600]}),
        (text(sender="Harbour"), {"From": ["Harbour"], "Body": ["Hi"]}),
    ],
)
def test_services_media_and_long_texts_are_taken(
    api: TwilioApi, message: Outgoing, expected: dict[str, list[str]]
) -> None:
    send(api.url, message)

    assert api.refused == []
    assert api.accepted == [{"To": ["+46701234567"], **expected}]


@pytest.mark.parametrize(
    ("answer", "final", "wait", "code"),
    [
        (error(429, 20429, "Too many", Retry_After="7"), False, 7.0, "20429"),
        (error(429, 20429, "Too many"), False, None, "20429"),
        (error(500, 20500, "Oh"), False, None, "20500"),
        (error(503, 20503, "Away", Retry_After="30"), False, 30.0, "20503"),
        ((502, {}, {"from": "a proxy"}), False, None, "502"),
        (error(400, 21211, "No number"), True, None, "21211"),
        (error(401, 20003, "Who?"), True, None, "20003"),
        ((302, {"Location": "http://127.0.0.1:9/"}, {}), True, None, "302"),
    ],
)
def test_a_refusal_says_whether_and_when_to_try_again(
    api: TwilioApi, answer: Any, final: bool, wait: float | None, code: str
) -> None:
    api.answers.append(answer)

    with pytest.raises(Unsent) as caught:
        send(api.url, text())

    refusal = caught.value
    assert (refusal.final, refusal.retry_after, refusal.code) == (final, wait, code)
    assert len(api.times["+46701234567"]) == 1
    assert TOKEN not in str(refusal)


def test_who_opted_out_at_twilio_is_final(api: TwilioApi) -> None:
    api.opted_out.add("+46701234567")

    with pytest.raises(Unsent) as caught:
        send(api.url, text())

    assert (caught.value.final, caught.value.code) == (True, "21610")


def test_the_server_refuses_what_twilio_would(api: TwilioApi) -> None:
    for wrong in (text("x" * 1_601), text(sender=""), text("")):
        with pytest.raises(Unsent) as caught:
            send(api.url, wrong)
        assert caught.value.final

    assert api.accepted == []


def test_an_answer_that_does_not_come_may_be_a_text_that_was_sent(
    api: TwilioApi,
) -> None:
    over = threading.Event()

    def before() -> None:
        over.wait(20)

    api.before = before

    with pytest.raises(TimeoutError, match="may have been sent"):
        send(api.url, text(), timeout=0.3)

    over.set()


def test_a_server_that_cannot_be_reached_is_tried_again() -> None:
    with pytest.raises(Unsent) as caught:
        send(f"http://127.0.0.1:{free_port()}", text())

    assert not caught.value.final


def test_a_server_that_does_not_accept_is_tried_again() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        # What waits for accept() is enough that the kernel answers no more.
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        try:
            with pytest.raises(Unsent) as caught:
                send(f"http://127.0.0.1:{port}", text(), timeout=0.6)
        finally:
            for one in waiting:
                one.close()

    assert not caught.value.final


def test_after_an_outage_texts_leave_again_over_the_same_provider() -> None:
    port = free_port()

    async def work(provider: TwilioProvider) -> list[str]:
        first = TwilioApi(port)
        await provider.send(text("one"))
        await asyncio.to_thread(first.close)
        with pytest.raises(Unsent) as caught:
            await provider.send(text("two"))
        assert not caught.value.final
        with twilio_api(port) as second:
            await provider.send(text("two"))
            await provider.send(text("three"))
            return first.bodies + second.bodies

    bodies = with_provider(f"http://127.0.0.1:{port}", work)

    assert bodies == ["one", "two", "three"]


def test_no_more_connections_are_made_than_the_setting_says(api: TwilioApi) -> None:
    inside: list[int] = []
    most: list[int] = []

    def before() -> None:
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.02)
        inside.pop()

    api.before = before

    async def work(provider: TwilioProvider) -> None:
        await asyncio.gather(*[provider.send(text(str(n))) for n in range(12)])

    with_provider(api.url, work, concurrency=3)

    assert len(api.accepted) == 12
    assert max(most) <= 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("Sat, 21 Nov 99999999999999999999 12:00:30 GMT", None),
        ("-5", None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, expected: float | None) -> None:
    now = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)

    assert retry_after(value, now) == expected
