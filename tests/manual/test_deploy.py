"""The settings and processes of the guide to deployment, with httpx as the proxy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.architecture.tree import ROOT
from tests.manual.project import FILES, Project
from tests.support.processes import wait_until
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.standard, pytest.mark.timeout(120)]

VIEWS = """
from django.http import HttpRequest, HttpResponse
from django.urls import path

def show(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.META['REMOTE_ADDR']} {request.scheme}")

urlpatterns = [path("", show)]
"""


@pytest.fixture
def proxy(tmp_path: Path, redis_server: RedisServer) -> Iterator[httpx.Client]:
    """Return who stands before the interface server, which listens on a socket."""
    guide = (ROOT / "docs" / "how-to" / "deploy.md").read_text(encoding="utf-8")
    settings = re.findall(r"^```python\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)[0]
    socket = tmp_path / "web.sock"
    settings = settings.replace("/run/mysite/web.sock", str(socket))
    settings = settings.replace("redis://127.0.0.1:6379/0", redis_server.url)
    with ExitStack() as stack:
        project = Project(tmp_path / "site", stack)
        project.add_settings(f"{settings}\nALLOWED_HOSTS = ['example.com']\n")
        project.write(FILES / "echo_routing.py", "routing.py")
        (project.folder / "mysite" / "urls.py").write_text(VIEWS)
        project.start("runinterface")
        project.start("runworker")
        wait_until(socket.exists, 30)
        transport = httpx.HTTPTransport(uds=str(socket))
        address = "http://example.com"
        yield stack.enter_context(httpx.Client(transport=transport, base_url=address))


def test_the_site_knows_what_the_proxy_says_of_the_client(proxy: httpx.Client) -> None:
    forwarded = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}

    answer = proxy.get("/", headers=forwarded, timeout=30)

    assert (answer.status_code, answer.text) == (200, "192.0.2.7 https")
    assert proxy.get("/-/ready").text == "ready\n"
