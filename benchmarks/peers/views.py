"""The views of `examples/echo` that are measured."""

from __future__ import annotations

from channels.layers import get_channel_layer
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET


@require_GET
def hello(request: HttpRequest) -> HttpResponse:
    """Answer the shortest text there is."""
    return HttpResponse("Hello, world", content_type="text/plain")


@csrf_exempt
async def tell_group(request: HttpRequest) -> HttpResponse:
    """Send the body to everybody; async, because that is the peers' fastest way."""
    event = {"type": "group.text", "text": request.body.decode()}
    await get_channel_layer().group_send("all", event)
    return HttpResponse("sent\n", content_type="text/plain")
