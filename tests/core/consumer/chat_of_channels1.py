"""A chat as it was written for Channels 1; only its imports were changed.

They were:

    from channels import Group, include, route
    from channels.auth import channel_session_user, channel_session_user_from_http
    from channels.sessions import enforce_ordering
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import json

from fairway import (
    Group,
    channel_session_user,
    channel_session_user_from_http,
    enforce_ordering,
    include,
    route,
)


@enforce_ordering
@channel_session_user_from_http
def ws_connect(message, room):  # noqa: ANN001, ANN201
    if not message.user.is_authenticated:
        message.reply_channel.send({"close": True})
        return
    message.channel_session["room"] = room
    Group("chat-%s" % room).add(message.reply_channel)  # noqa: UP031
    message.reply_channel.send({"accept": True})


@enforce_ordering(slight=False)
@channel_session_user
def ws_receive(message):  # noqa: ANN001, ANN201
    Group("chat-%s" % message.channel_session["room"]).send(  # noqa: UP031
        {
            "text": json.dumps(
                {"user": message.user.username, "text": message.content["text"]}
            )
        }
    )


@channel_session_user
def ws_disconnect(message):  # noqa: ANN001, ANN201
    Group("chat-%s" % message.channel_session["room"]).discard(  # noqa: UP031
        message.reply_channel
    )


websocket_routing = [
    route("websocket.connect", ws_connect, path=r"^/(?P<room>[a-z]+)/$"),
    route("websocket.receive", ws_receive),
    route("websocket.disconnect", ws_disconnect),
]

channel_routing = [
    include(websocket_routing, path=r"^/chat"),
]
