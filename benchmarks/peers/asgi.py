"""The peers' site for ASGI servers, over HTTP alone: Django without Channels."""

from django.core.asgi import get_asgi_application

application = get_asgi_application()
