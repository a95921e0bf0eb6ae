"""A whole interface server with an account at Twilio, from webhook to REST API."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairway.core.bus.layer import LayerPolicy
from fairway.core.bus.memory import MemoryLayer
from fairway.core.content import Content, encode_content
from fairway.core.plugin.host import Site
from fairway.core.plugin.loading import Plugins
from fairway.core.settings import read_settings
from fairway.interfaces.server import InterfaceServer
from fairway.plugins.http.transport_twisted import HttpProtocol
from tests.plugins.sms.twilio.api import ACCOUNT, TOKEN, TwilioApi
from tests.plugins.sms.twilio.calls import FIELDS, signed
from tests.support.loop import LoopThread
from tests.support.processes import free_port
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.standard, pytest.mark.usefixtures("sessions")]

PUBLIC = "https://example.com"


class Running:
    """A site whose consumer answers each text with `re: ` and itself."""

    def __init__(self, loop: LoopThread, api_url: str) -> None:
        self.layer = MemoryLayer("memory://", LayerPolicy())
        self.events: list[tuple[str, Content]] = []
        self._loop = loop
        self._receiver = self.layer.receiver(["sms.receive", "sms.status"])
        self._stopping = False
        section = {
            "provider": "twilio",
            "account_sid": ACCOUNT,
            "auth_token": TOKEN,
            "api_url": api_url,
            "public_url": PUBLIC,
            "sender": [FIELDS["To"]],
        }
        http = {"bind": ["tcp:0:interface=127.0.0.1"]}
        read = read_settings({"PLUGINS": {"http": http, "sms": section}})
        self.server = loop.call(
            lambda: InterfaceServer(self.layer, Plugins(read), read, Site())
        )
        loop.run(self.server.start())
        protocol = self.server.protocols["http"]
        assert isinstance(protocol, HttpProtocol)
        self.url = f"http://127.0.0.1:{protocol.listeners[0].port}"
        self._thread = threading.Thread(target=self._consume, daemon=True)
        self._thread.start()

    def call(self, path: str, **fields: str) -> httpx.Response:
        """Be Twilio: call a place of the public URL, which ends at this server."""
        url, headers, body = signed(f"{PUBLIC}{path}", FIELDS | fields)
        place = self.url + url.removeprefix(PUBLIC)
        return httpx.post(place, headers=headers, content=body, timeout=20)

    def close(self) -> None:
        self._loop.run(self.server.stop(0.2))
        self._stopping = True
        self._receiver.close()
        self._thread.join(10)

    def _consume(self) -> None:
        while not self._stopping:
            for delivery in self._receiver.take(10):
                content = delivery.content()
                self.events.append((delivery.channel, content))
                if delivery.channel == "sms.receive":
                    answer = encode_content({"text": f"re: {content['text']}"})
                    self.layer.send(content["reply_channel"], answer)


@contextmanager
def running(loop: LoopThread, api_url: str) -> Iterator[Running]:
    site = Running(loop, api_url)
    try:
        yield site
    finally:
        site.close()


def by_number(api: TwilioApi) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for fields in api.accepted:
        found[fields["To"][0]].append(fields["Body"][0])
    return found


def test_a_text_is_answered_and_its_report_comes_back(
    loop_thread: LoopThread, sessions: Path
) -> None:
    api = TwilioApi()
    with running(loop_thread, api.url) as site:
        response = site.call("/sms/", MessageSid="SM1", Body="hello")
        assert (response.status_code, response.headers["content-type"]) == (
            200,
            "text/xml; charset=utf-8",
        )
        wait_until(lambda: api.accepted, what="an answer")
        assert site.call("/sms/", MessageSid="SM1", Body="hello").status_code == 200
        report: dict[str, Any] = {"To": FIELDS["From"], "MessageStatus": "delivered"}
        assert site.call("/sms/status/", **report).status_code == 200
        wait_until(lambda: len(site.events) == 2, what="a report")
        forged = httpx.post(f"{site.url}/sms/", data=FIELDS)

    api.close()
    assert forged.status_code == 403
    assert api.refused == []
    (answer,) = api.accepted
    assert answer == {
        "To": [FIELDS["From"]],
        "From": [FIELDS["To"]],
        "Body": ["re: hello"],
        "StatusCallback": [f"{PUBLIC}/sms/status/"],
    }
    assert [channel for channel, _ in site.events] == ["sms.receive", "sms.status"]
    assert site.events[1][1]["status"] == "delivered"


@pytest.mark.parametrize(
    "away",
    [1, pytest.param(10, marks=[pytest.mark.full, pytest.mark.timeout(150)])],
)
def test_answers_wait_while_the_api_is_away_and_leave_in_order(
    loop_thread: LoopThread, sessions: Path, away: int
) -> None:
    """The API refuses connections for seconds, then is too busy for one more."""
    port = free_port()
    numbers = [f"+4670000000{one}" for one in range(3)]
    with running(loop_thread, f"http://127.0.0.1:{port}") as site:
        began = time.monotonic()
        for turn in range(4):
            for number in numbers:
                name = f"SM{turn}{number}"
                body = f"{turn} of {number}"
                answer = site.call("/sms/", MessageSid=name, Body=body, From=number)
                assert answer.status_code == 200
        wait_until(lambda: time.monotonic() - began > away, what="some seconds")
        api = TwilioApi(port)
        api.busy.update(numbers)
        wait_until(lambda: len(api.accepted) == 12, timeout=100, what="all answers")
        api.close()

    assert api.refused == []
    for first, second, *_ in api.times.values():
        assert second - first >= 0.9, "who was asked to wait a second did"
    assert by_number(api) == {
        number: [f"re: {turn} of {number}" for turn in range(4)] for number in numbers
    }
