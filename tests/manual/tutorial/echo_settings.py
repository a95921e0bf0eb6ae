"""What the first lesson adds to the settings."""

FAIRWAY = {
    "LAYER": "memory://",
    "ROUTING": "mysite.routing.channel_routing",
    "PLUGINS": {"http": {}, "websocket": {}},
}
