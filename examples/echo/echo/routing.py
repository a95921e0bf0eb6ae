from echo import consumers
from fairway import route

channel_routing = [
    route("http.request", consumers.wait, path=r"^/wait/$", method=r"^GET$"),
    route("http.request", consumers.release, path=r"^/wait/$", method=r"^POST$"),
    # All other requests go to Django's views.
    route("websocket.connect", consumers.join_group, path=r"^/group/"),
    route("websocket.connect", consumers.accept, path=r"^/echo/"),
    route("longpoll.connect", consumers.join_group, path=r"^/group/"),
    route("longpoll.connect", consumers.accept),
    route("*.receive", consumers.echo),
    route(["*.disconnect", "http.disconnect", "sms.status"], consumers.ignore),
]
