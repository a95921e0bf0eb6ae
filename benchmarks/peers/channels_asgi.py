"""The peers' site for ASGI servers, with Channels for WebSockets."""

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

http = get_asgi_application()

from benchmarks.peers import consumers  # noqa: E402  (needs Django to be set up)

application = ProtocolTypeRouter(
    {
        # Channels takes ASGI applications where Django takes views.
        "http": URLRouter(
            [
                path("poll/", consumers.Poll.as_asgi()),
                re_path("", http),  # type: ignore[arg-type]
            ]
        ),
        "websocket": URLRouter(
            [
                path("echo/", consumers.Echo.as_asgi()),
                path("bus/", consumers.EchoOverLayer.as_asgi()),
                path("group/", consumers.Member.as_asgi()),
            ]
        ),
    }
)
