"""A Django response as replies: one when it is small, else a stream of chunks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Any, cast

from asgiref.sync import async_to_sync, sync_to_async
from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from fairway.kit import Content, FairwayError, send_own
from fairway.plugins.http.body import CHUNK_SIZE
from fairway.plugins.http.credit import ClientLeft
from fairway.plugins.http.request import FairwayRequest
from fairway.plugins.http.stream import ResponseStream

__all__ = ["answer"]

# Django's own, because a site's settings already say who hears of its errors.
logger = logging.getLogger("django.request")

_SOON = 0.25
"""Seconds that a part of an asynchronous stream may take before a thread watches over
the client meanwhile."""


def answer(request: FairwayRequest, response: HttpResponseBase) -> None:
    """Send a response to whoever asked.

    A synchronous stream's head leaves with its first part, as under WSGI: if it fails
    at once, the answer can still be a 500. An asynchronous one's leaves first, as under
    ASGI.

    Raises:
        Exception: a stream failed before its head had left.
    """
    if request.method == "HEAD":
        _answer_head(request, response)
    elif isinstance(response, StreamingHttpResponse):
        _answer_stream(request, response)
    else:
        _answer_whole(request, response)


def _answer_whole(request: FairwayRequest, response: HttpResponseBase) -> None:
    body = b"".join(response)
    if len(body) <= CHUNK_SIZE:
        content: Content = {
            "status": response.status_code,
            "headers": _headers(response),
            "content": body,
            "more_content": False,
        }
        send_own(request.message.reply_channel, content)
        return
    response.headers.setdefault("Content-Length", str(len(body)))
    stream = ResponseStream(request, _head(response), len(body))
    _run(request, stream, lambda: stream.write(body))


def _answer_head(request: FairwayRequest, response: HttpResponseBase) -> None:
    """Send the head that the answer to GET would have; no stream is read for it."""
    if not response.streaming:
        response.headers.setdefault("Content-Length", str(len(b"".join(response))))
    # A view may well spare itself the body, so 0 says nothing about that of GET.
    if response.headers.get("Content-Length") == "0":
        del response.headers["Content-Length"]
    content = {**_head(response), "content": b"", "more_content": False}
    request.reply_channel.send(content)


def _answer_stream(request: FairwayRequest, response: StreamingHttpResponse) -> None:
    length = None
    if isinstance(response, FileResponse) and response.file_to_stream is not None:
        response.block_size = CHUNK_SIZE
        if response.has_header("Content-Length"):
            length = int(response["Content-Length"])
    stream = ResponseStream(request, _head(response), length)
    if response.is_async:
        _run(request, stream, lambda: async_to_sync(_pump)(stream, response))
    else:
        _run(request, stream, lambda: _push(stream, response))


def _run(
    request: FairwayRequest, stream: ResponseStream, produce: Callable[[], None]
) -> None:
    try:
        produce()
        stream.finish()
    except ClientLeft:
        logger.debug("%s: the client left during the response", request.path)
    except Exception as error:
        if not stream.started:
            raise
        _give_up(request, stream, error)
    finally:
        stream.close()


def _give_up(request: FairwayRequest, stream: ResponseStream, error: Exception) -> None:
    logger.error(
        "Response cut short: %s (%s)",
        request.path,
        error,
        exc_info=error,
        extra={"status_code": 500, "request": request},
    )
    try:
        stream.abort()
    except FairwayError as abort_error:
        logger.error("The client could not be told: %s", abort_error)


def _push(stream: ResponseStream, response: StreamingHttpResponse) -> None:
    for part in cast("Iterator[bytes]", response.streaming_content):
        stream.write(part)
        if stream.ended:
            break


async def _pump(stream: ResponseStream, response: StreamingHttpResponse) -> None:
    # Sending may block, and the consumer's own thread has nothing else to do.
    write = sync_to_async(stream.write)
    await sync_to_async(stream.start)()
    parts = cast("AsyncGenerator[bytes]", response.streaming_content)
    async with aclosing(parts):
        while (part := await _next_part(stream, parts)) is not None:
            await write(part)


async def _next_part(
    stream: ResponseStream, parts: AsyncGenerator[bytes]
) -> bytes | None:
    coming = asyncio.ensure_future(_anext(parts))
    done, _ = await asyncio.wait({coming}, timeout=_SOON)
    if not done:
        await _watch_client(stream, coming)
    return await coming


async def _watch_client(
    stream: ResponseStream, coming: asyncio.Future[bytes | None]
) -> None:
    watching = asyncio.ensure_future(asyncio.to_thread(stream.credit.watch))
    both: set[asyncio.Future[Any]] = {coming, watching}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    stream.credit.wake()
    if coming.done():
        await watching
        return
    coming.cancel()
    await asyncio.wait({coming})
    await watching
    # Nobody left, nobody woke it: a worker without any grace left closed the layer.
    raise ClientLeft


async def _anext(parts: AsyncGenerator[bytes]) -> bytes | None:
    return await anext(parts, None)


def _head(response: HttpResponseBase) -> Content:
    return {"status": response.status_code, "headers": _headers(response)}


def _headers(response: HttpResponseBase) -> list[list[bytes]]:
    # Its `items()` are a generator within a view of these, ten times as long.
    headers = [
        [name.encode("latin-1"), value.encode("latin-1")]
        for name, value in response.headers._store.values()
    ]
    if response.cookies:
        headers += [
            [b"Set-Cookie", cookie.OutputString().encode("latin-1")]
            for cookie in response.cookies.values()
        ]
    return headers
