"""A site whose one conversation is held over WebSocket and over lines of TCP."""

import os

SECRET_KEY = "only for tests"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["fairway"]
ROOT_URLCONF = "doors_consumers"
DATABASES: dict[str, object] = {}
USE_TZ = True

FAIRWAY = {
    "ROUTING": "doors_consumers.routes",
    "PLUGINS": {
        "http": {},
        "websocket": {},
        "tests.core.plugin.lines": {
            "bind": [f"tcp:{os.environ['LINES_PORT']}:interface=127.0.0.1"]
        },
    },
}
