"""The site behind Pushpin: it says what is held, and publishes what releases it.

Environment: `BENCH_CONTROL_PORT` is where Pushpin takes what is published.
GRIP, the protocol between Pushpin and its site: https://pushpin.org/docs/protocols/grip/
"""

from __future__ import annotations

import http.client
import json
import os

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from benchmarks.peers.views import hello


def poll(request: HttpRequest) -> HttpResponse:
    """Have the request held until something is published to the channel `all`."""
    headers = {"Grip-Hold": "response", "Grip-Channel": "all"}
    return HttpResponse("", content_type="text/plain", headers=headers)


@csrf_exempt
def tell_group(request: HttpRequest) -> HttpResponse:
    """Publish the body as the answer of all that are held."""
    answer = {
        "headers": {"Content-Type": "text/plain"},
        "body": request.body.decode(),
    }
    item = {"channel": "all", "formats": {"http-response": answer}}
    control = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ["BENCH_CONTROL_PORT"])
    )
    try:
        control.request("POST", "/publish/", json.dumps({"items": [item]}))
        status = control.getresponse().status
    finally:
        control.close()
    return HttpResponse("sent\n", status=status, content_type="text/plain")


urlpatterns = [
    path("hello/", hello),
    path("group/", tell_group),
    path("poll/", poll),
]
