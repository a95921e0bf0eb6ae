"""A site whose consumers write down when they began and ended."""

import os

SECRET_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLED_APPS = ["fairway"]
ROOT_URLCONF = "ledger_consumers"
DATABASES: dict[str, object] = {}
USE_TZ = True

FAIRWAY = {
    "LAYER": os.environ["FAIRWAY_LAYER"],
    "ROUTING": "ledger_consumers.routes",
    "PLUGINS": {"http": {}, "websocket": {}},
    "LIMITS": {
        "peers_per_address": 10_000,
        "handshakes_per_second": 100_000,
        "messages_per_second": 100_000,
    },
    "EXPIRIES": {"websocket.receive": float(os.environ.get("LEDGER_EXPIRY", "30"))},
}
