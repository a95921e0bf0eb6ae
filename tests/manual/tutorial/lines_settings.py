"""The settings after the third lesson."""

FAIRWAY = {
    "LAYER": "memory://",
    "ROUTING": "mysite.routing.channel_routing",
    "PLUGINS": {"http": {}, "websocket": {}, "mysite.lines": {}},
}
