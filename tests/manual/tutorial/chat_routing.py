"""All that can talk comes into the room."""

from mysite.chat import Room

from fairway import route_class

channel_routing = [route_class(Room)]
