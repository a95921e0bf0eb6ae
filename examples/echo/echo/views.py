"""Plain Django views. None of them knows a user, so none asks for a CSRF token."""

from __future__ import annotations

import time

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from echo.consumers import ALL
from fairway import Group


@require_GET
def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello, world", content_type="text/plain")


@csrf_exempt
@require_POST
def echo(request: HttpRequest) -> HttpResponse:
    kind = request.content_type or "application/octet-stream"
    return HttpResponse(request.body, content_type=kind)


@csrf_exempt
@require_POST
def tell_group(request: HttpRequest) -> HttpResponse:
    try:
        text = request.body.decode()
    except UnicodeDecodeError:
        return HttpResponse("The group gets text: UTF-8.\n", status=400)
    Group(ALL).send({"text": text})
    return HttpResponse("sent\n", content_type="text/plain")


@require_GET
def slow(request: HttpRequest) -> HttpResponse:
    try:
        seconds = float(request.GET.get("seconds", "1"))
        time.sleep(min(seconds, 60))
    except ValueError:
        return HttpResponse("seconds is a number, 0 or more\n", status=400)
    return HttpResponse(f"slept {seconds:g} s\n", content_type="text/plain")
