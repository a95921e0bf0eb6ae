"""A site for faults: short times, so that what waits for them ends soon."""

import json
import os

SECRET_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLED_APPS = ["fairway"]
ROOT_URLCONF = "fault_consumers"
DATABASES: dict[str, object] = {}
USE_TZ = True
DATA_UPLOAD_MAX_MEMORY_SIZE = None

_OVER = json.loads(os.environ.get("FAULT_SETTINGS", "{}"))

FAIRWAY = {
    "LAYER": os.environ["FAIRWAY_LAYER"],
    "ROUTING": "fault_consumers.routes",
    "PLUGINS": {
        "http": {"answer_timeout": 12.0, **_OVER.pop("http", {})},
        "websocket": _OVER.pop("websocket", {}),
    },
    "LIMITS": {
        "peers_per_address": 10_000,
        "handshakes_per_second": 100_000,
        "messages_per_second": 100_000,
    },
    "EXPIRIES": {"websocket.receive": 5.0},
    "GRACE": 8.0,
    **_OVER,
}
