"""Views that stream: no body is ever whole in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from django.core.files.uploadedfile import UploadedFile
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path

from tests.full_size.pattern import blocks, digest

_FOLDER = Path(os.environ["FAULT_FOLDER"])


def _note(text: str) -> None:
    with (_FOLDER / f"{os.getpid()}.ledger").open("a") as ledger:
        ledger.write(f"{text}\n")


def raw(request: HttpRequest) -> HttpResponse:
    """Hash the body."""
    parts = iter(lambda: request.read(100_000), b"")
    return JsonResponse({"digest": digest(parts)})


def form(request: HttpRequest) -> HttpResponse:
    """Hash what Django's upload handlers made of a form's file."""
    upload = request.FILES["file"]
    assert isinstance(upload, UploadedFile)
    return JsonResponse({"digest": digest(upload.chunks()), "name": upload.name})


def stream(request: HttpRequest, size: int) -> StreamingHttpResponse:
    """Give so many MiB from a generator."""

    def parts() -> Iterator[bytes]:
        try:
            yield from blocks(size)
        finally:
            _note(f"generator {size} closed")

    return StreamingHttpResponse(parts())


class _Noted(FileResponse):
    def close(self) -> None:
        _note(f"{Path(self.filename).name} closed")
        super().close()


def file(request: HttpRequest, name: str) -> FileResponse:
    """Give a file of the folder."""
    return _Noted((_FOLDER / name).open("rb"), filename=name)


urlpatterns = [
    path("raw/", raw),
    path("form/", form),
    path("stream/<int:size>/", stream),
    path("file/<str:name>/", file),
]
