"""All that can talk comes into the room."""

from fairway import route_class

from .chat import Room

channel_routing = [route_class(Room)]
