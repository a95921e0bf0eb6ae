"""One view for each thing that a server can get wrong."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import etag

from .models import Paper

WATCHED = ("autobahn", "fairway.interfaces", "fairway.plugins", "redis")


PaperForm = forms.modelform_factory(Paper, fields=("title", "file"))


def index(request: HttpRequest) -> HttpResponse:
    return render(request, "shelf/index.html", {"papers": Paper.objects.order_by("pk")})


def add(request: HttpRequest) -> HttpResponse:
    form = PaperForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        paper = form.save()
        messages.success(request, f"{paper.title} is on the shelf.")
        return redirect("index")
    return render(request, "shelf/add.html", {"form": form})


def download(request: HttpRequest, number: int) -> HttpResponseBase:
    paper = get_object_or_404(Paper, pk=number)
    return FileResponse(paper.file.open(), as_attachment=True, filename=paper.title)


@login_required
def private(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Only for {request.user}")


def visits(request: HttpRequest) -> HttpResponse:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(str(request.session["visits"]))


def cookies(request: HttpRequest) -> HttpResponse:
    response = JsonResponse(request.COOKIES)
    response.set_cookie("plain", "1")
    response.set_cookie("quoted", "a b;c", path="/cookies/", samesite="Strict")
    response.set_signed_cookie("signed", "x", max_age=60, httponly=True)
    response.delete_cookie("gone")
    return response


def table(request: HttpRequest) -> StreamingHttpResponse:
    rows: Iterator[str] = (f"{n},{n * n}\n" for n in range(1000))
    return StreamingHttpResponse(rows, content_type="text/csv")


async def ticks(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[str]:
        for n in range(10):
            await asyncio.sleep(0)
            yield f"tick {n}\n"

    return StreamingHttpResponse(parts(), content_type="text/plain")


def endless(request: HttpRequest) -> StreamingHttpResponse:
    """Send until the client leaves; then leave a note."""

    def parts() -> Iterator[bytes]:
        try:
            while True:
                yield b"more " * 1000
        finally:
            _note("endless")

    return StreamingHttpResponse(parts())


async def patient(request: HttpRequest) -> StreamingHttpResponse:
    """Send one event and wait until the client leaves; then leave a note."""

    async def parts() -> AsyncIterator[bytes]:
        try:
            yield b"data: hello\n\n"
            await asyncio.Event().wait()
        finally:
            _note("patient")

    return StreamingHttpResponse(parts(), content_type="text/event-stream")


def _note(name: str) -> None:
    Path(os.environ["STOCK_FOLDER"], f"{name}.closed").touch()


async def later(request: HttpRequest) -> JsonResponse:
    await asyncio.sleep(0.01)
    return JsonResponse({"papers": await Paper.objects.acount()})


@etag(lambda request: '"first"')
def versioned(request: HttpRequest) -> HttpResponse:
    return HttpResponse("the first version")


def nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


def teapot(request: HttpRequest) -> HttpResponse:
    return HttpResponse("short and stout", status=418, headers={"X-Pot": "t\u00e9"})


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def strange(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation("strange")


def failing(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("this view fails")


def large(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"0123456789abcdef" * 65_536)


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body, content_type=request.content_type)


@csrf_exempt
def told(request: HttpRequest, rest: str) -> JsonResponse:
    """Say what arrived, but for what every server says in its own way."""
    meta = {
        key: value
        for key, value in request.META.items()
        if key.startswith(("HTTP_", "CONTENT_", "REMOTE_ADDR", "REQUEST_", "SERVER_PR"))
        or key in {"PATH_INFO", "QUERY_STRING", "SCRIPT_NAME", "wsgi.url_scheme"}
    }
    return JsonResponse(
        {
            "meta": meta,
            "rest": rest,
            "path": request.path,
            "full": request.get_full_path(),
            "uri": request.build_absolute_uri(),
            "host": request.get_host(),
            "get": dict(request.GET.lists()),
            "cookies": request.COOKIES,
            "headers": dict(request.headers),
            "type": [request.content_type, request.content_params, request.encoding],
            "scheme": [request.scheme, request.is_secure()],
        },
        json_dumps_params={"sort_keys": True},
    )


def process(request: HttpRequest) -> JsonResponse:
    """Say what this process has loaded, and how many sockets it has open."""
    loaded = [name for name in (*WATCHED, "twisted") if name in sys.modules]
    sockets = 0
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except FileNotFoundError:  # that of listdir itself
            continue
        sockets += target.startswith("socket:")
    return JsonResponse({"loaded": loaded, "sockets": sockets})
