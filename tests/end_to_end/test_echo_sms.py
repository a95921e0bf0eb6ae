"""The echo site answers texts through Twilio's API, and remembers who opted out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.plugins.sms.twilio.api import ACCOUNT, TOKEN, TwilioApi, twilio_api
from tests.plugins.sms.twilio.calls import signed
from tests.support.processes import Process, free_port, run_manage, wait_until

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]


PUBLIC = "https://echo.example.com"
ANN, OURS = "+46701111111", "+46700000000"


@pytest.fixture
def api() -> Iterator[TwilioApi]:
    with twilio_api() as running:
        yield running


def text(port: int, body: str, sid: str, *, token: str = TOKEN) -> int:
    fields = {"MessageSid": sid, "From": ANN, "To": OURS, "Body": body}
    _, headers, data = signed(f"{PUBLIC}/sms/", fields, token=token)
    url = f"http://127.0.0.1:{port}/sms/"
    answer = httpx.post(url, headers=headers, content=data, trust_env=False)
    return answer.status_code


def said(site: Process, word: str) -> bool:
    return word in site.output()


def test_texts_come_back_until_somebody_opts_out(
    api: TwilioApi, tmp_path: Path
) -> None:
    environment = {
        "DJANGO_SETTINGS_MODULE": "echo.settings",
        "FAIRWAY_UDP_PORT": "0",
        "FAIRWAY_TWILIO_TOKEN": TOKEN,
        "FAIRWAY_TWILIO_SID": ACCOUNT,
        "FAIRWAY_TWILIO_URL": api.url,
        "FAIRWAY_PUBLIC_URL": PUBLIC,
        "FAIRWAY_SESSIONS": str(tmp_path),
    }
    for sid, body in [("SM1", "STOP"), ("SM3", "START")]:
        port = free_port()
        arguments = ("runserver", "--noreload", f"127.0.0.1:{port}")
        with run_manage("examples/echo", *arguments, environment=environment) as site:
            site.wait_for_port(port)
            assert text(port, "forged", "SM9", token="another") == 403
            assert text(port, f"before {body}", f"{sid}0") == 200
            assert text(port, f"before {body}", f"{sid}0") == 200
            if body == "STOP":
                wait_until(lambda: len(api.accepted) == 1)
            else:  # after the restart it is still stopped
                wait_until(partial(said, site, "opted_out"))
            assert text(port, body, f"{sid}1") == 200
            if body == "START":
                assert text(port, "after START", f"{sid}2") == 200
                wait_until(lambda: "after START" in api.bodies)

    assert api.bodies == ["before STOP", "START", "after START"]
    assert api.refused == []
    assert {fields["From"][0] for fields in api.accepted} == {OURS}
