"""A site that echoes; `README.md` lists what it answers."""

import os
import tempfile
from typing import Any

SECRET_KEY = "a site that only echoes has no secrets"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = ["fairway"]
ROOT_URLCONF = "echo.urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
DATABASES: dict[str, dict[str, str]] = {}
# What phones have opted out of outlives a restart.
SESSION_ENGINE = "django.contrib.sessions.backends.file"
SESSION_FILE_PATH = os.environ.get("FAIRWAY_SESSIONS") or tempfile.gettempdir()
USE_TZ = True
DATA_UPLOAD_MAX_MEMORY_SIZE = None

MEBIBYTE = 1024 * 1024
TWILIO_TOKEN = os.environ.get("FAIRWAY_TWILIO_TOKEN", "")
UDP_PORT = int(os.environ.get("FAIRWAY_UDP_PORT", 9999))
MAX_MESSAGE = int(os.environ.get("FAIRWAY_MAX_MESSAGE", MEBIBYTE))

PLUGINS: dict[str, dict[str, Any]] = {
    "http": {},
    "websocket": {
        "max_message": MAX_MESSAGE,
        "engine": os.environ.get("FAIRWAY_ENGINE", "lean"),
        "compression": os.environ.get("FAIRWAY_COMPRESSION") == "1",
    },
    "udp": {
        "bind": [f"udp:127.0.0.1:{UDP_PORT}"],
        "address_rate": 1_000_000,
        "network_rate": 1_000_000,
    },
    "longpoll": {},
}
if TWILIO_TOKEN:
    PLUGINS["sms"] = {
        "provider": "twilio",
        "auth_token": TWILIO_TOKEN,
        "account_sid": os.environ.get("FAIRWAY_TWILIO_SID", ""),
        "api_url": os.environ.get("FAIRWAY_TWILIO_URL") or None,
        "public_url": os.environ.get("FAIRWAY_PUBLIC_URL") or None,
        # A load generator texts more than people do.
        "daily_budget": None,
        "segments_per_minute": 1_000_000,
        "outbox_per_number": 1_000,
        "max_segments": 100,
    }

FAIRWAY = {
    "LAYER": os.environ.get("FAIRWAY_LAYER", "memory://"),
    "ROUTING": "echo.routing.channel_routing",
    "PLUGINS": PLUGINS,
    # Room for the message and for what stands beside it in the content.
    "MAX_CONTENT": MAX_MESSAGE + 64 * 1024,
    # A load generator is many clients on one address, each as fast as it can.
    "LIMITS": {
        "peers_per_address": 50_000,
        "handshakes_per_second": 100_000,
        "messages_per_second": 1_000_000,
        # One message that finds nothing queued is written whole; several big ones
        # may wait for the testsuite to read them.
        "unsent_bytes": max(MEBIBYTE, 4 * MAX_MESSAGE),
        "held_bytes": max(MEBIBYTE // 4, MAX_MESSAGE),
    },
}
