"""The views of these tests."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import connection
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseNotModified,
    JsonResponse,
    StreamingHttpResponse,
)
from django.middleware.csrf import get_token
from django.urls import get_script_prefix, path, re_path, reverse
from django.views.decorators.csrf import csrf_exempt

View = Callable[[HttpRequest], Any]

closed: list[str] = []
"""What was closed, in order."""


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello, world")


def describe(request: HttpRequest) -> JsonResponse:
    return JsonResponse(
        {
            "path": request.path,
            "uri": request.build_absolute_uri(),
            "prefix": get_script_prefix(),
            "reverse": reverse("hello"),
            "secure": request.is_secure(),
            "atomic": connection.in_atomic_block,
        }
    )


def cookies(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(request.COOKIES.get("taste", ""))
    response.set_cookie("a", "1", httponly=True)
    response.set_cookie("b", "x y", samesite="Lax")
    response.delete_cookie("c")
    return response


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


@csrf_exempt
def upload(request: HttpRequest) -> JsonResponse:
    files = {
        name: [(f.name, f.size, type(f).__name__) for f in request.FILES.getlist(name)]
        for name in request.FILES
    }
    return JsonResponse({"files": files, "post": dict(request.POST.lists())})


@csrf_exempt
def fields(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.POST)))


def form(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.POST.get("name") or get_token(request))


def count(request: HttpRequest) -> HttpResponse:
    request.session["count"] = request.session.get("count", 0) + 1
    return HttpResponse(str(request.session["count"]))


def notice(request: HttpRequest) -> HttpResponse:
    texts = [str(message) for message in messages.get_messages(request)]
    messages.info(request, "noted")
    return HttpResponse(json.dumps(texts))


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the view failed")


def forbid(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def suspect(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation("strange")


def unchanged(request: HttpRequest) -> HttpResponse:
    return HttpResponseNotModified()


async def wait(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse("waited")


def large(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"x" * int(request.GET["size"]))


class ClosingParts:
    """Parts of a stream that notice when they are closed."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        closed.append("parts")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    parts = (b"part %d\n" % n for n in range(int(request.GET["parts"])))
    return StreamingHttpResponse(ClosingParts(parts))


def broken_stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        for n in range(int(request.GET["parts"])):
            yield b"part %d\n" % n
        raise RuntimeError("the stream failed")

    return StreamingHttpResponse(ClosingParts(parts()))


async def astream(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        try:
            for n in range(int(request.GET["parts"])):
                await asyncio.sleep(float(request.GET.get("pause", 0)))
                yield b"part %d\n" % n
            if "idle" in request.GET:
                await asyncio.Event().wait()
        finally:
            closed.append("async parts")

    return StreamingHttpResponse(parts())


class OwnClose(HttpResponse):
    """A response that does more when it is closed."""

    def close(self) -> None:
        closed.append("response")
        super().close()


def own_close(request: HttpRequest) -> HttpResponse:
    response = OwnClose("closing")
    response._resource_closers.append(lambda: 1 / 0)  # type: ignore[attr-defined]
    return response


def bad_close(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("closing")
    closers = response._resource_closers  # type: ignore[attr-defined]
    closers += [lambda: 1 / 0, lambda: closed.append("rest")]
    return response


def shrunken(request: HttpRequest) -> FileResponse:
    response = FileResponse(ClosingFile(b"short"))
    response["Content-Length"] = "10"
    return response


def grown(request: HttpRequest) -> FileResponse:
    response = FileResponse(ClosingFile(b"too long by far"))
    response["Content-Length"] = "3"
    return response


class ClosingFile(io.BytesIO):
    """A file that notices when it is closed."""

    name = "report.pdf"

    def close(self) -> None:
        if not self.closed:
            closed.append("file")
        super().close()


def download(request: HttpRequest) -> FileResponse:
    file = ClosingFile(bytes(range(256)) * (int(request.GET["size"]) // 256))
    return FileResponse(file, as_attachment=True)


def peek(request: HttpRequest) -> HttpResponse:
    logging.getLogger(__name__).debug("%r", request)
    channel = request.reply_channel  # type: ignore[attr-defined]
    return HttpResponse(str(channel))


urlpatterns = [
    path("hello/", hello, name="hello"),
    path("describe/", describe),
    path("cookies/", cookies),
    path("echo/", echo),
    path("upload/", upload),
    path("fields/", fields),
    path("form/", form),
    path("count/", count),
    path("notice/", notice),
    path("fail/", fail),
    path("forbid/", forbid),
    path("suspect/", suspect),
    path("unchanged/", unchanged),
    path("wait/", wait),
    path("large/", large),
    path("stream/", stream),
    path("broken-stream/", broken_stream),
    path("astream/", astream),
    path("download/", download),
    path("own-close/", own_close),
    path("bad-close/", bad_close),
    path("shrunken/", shrunken),
    path("grown/", grown),
    path("peek/", peek),
    re_path(r"^caf\u00e9/$", hello),
]
