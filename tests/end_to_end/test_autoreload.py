"""runserver notices that code has changed, for every protocol."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.processes import free_port, run_python, wait_until

pytestmark = [pytest.mark.standard, pytest.mark.timeout(90)]

SITE = """
import sys
from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    SECRET_KEY="only for tests",
    DEBUG=True,
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["fairway"],
    ROOT_URLCONF="pages",
    DATABASES={},
    FAIRWAY={"ROUTING": "pages.routes", "PLUGINS": {"http": {}, "websocket": {}}},
)
execute_from_command_line(sys.argv)
"""
PAGES = """
from django.http import HttpResponse
from django.urls import path
from fairway import route

def say(message):
    message.reply_channel.send({"text": "first"})


urlpatterns = [path("", lambda request: HttpResponse("first"))]
routes = [route("websocket.receive", say)]
"""


def test_changed_code_is_served_by_http_and_websocket(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "manage.py").write_text(SITE)
    pages = tmp_path / "pages.py"
    pages.write_text(PAGES)

    def says(text: str) -> bool:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/").text != text:
                return False
            with connect(f"ws://127.0.0.1:{port}/", proxy=None) as client:
                client.send("what?")
                return client.recv(10) == text
        except (httpx.TransportError, OSError, ConnectionClosed):
            return False

    arguments = ("manage.py", "runserver", f"127.0.0.1:{port}")
    with run_python(tmp_path, *arguments) as process:
        wait_until(lambda: says("first"), 30, "the first answer")
        pages.write_text(PAGES.replace("first", "second"))
        wait_until(lambda: says("second"), 30, "the second answer")

        assert "Traceback" not in process.output()
