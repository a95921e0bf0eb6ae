"""A site that takes and gives big bodies, with Django's defaults for uploads."""

import json
import os

SECRET_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLED_APPS = ["fairway"]
ROOT_URLCONF = "full_size_views"
DATABASES: dict[str, object] = {}
USE_TZ = True
FILE_UPLOAD_TEMP_DIR = os.environ["FAULT_FOLDER"]

_OVER = json.loads(os.environ.get("FAULT_SETTINGS", "{}"))

FAIRWAY = {
    "LAYER": os.environ["FAIRWAY_LAYER"],
    "ROUTING": "full_size_consumers.routes",
    "PLUGINS": {
        "http": _OVER.pop("http", {}),
        "websocket": _OVER.pop("websocket", {}),
    },
    "LIMITS": {
        "peers_per_address": 10_000,
        "handshakes_per_second": 100_000,
        "messages_per_second": 100_000,
    },
    "GRACE": 8.0,
    "METRICS_TOKEN": "only for tests",
    **_OVER,
}
