"""A site where people on IRC, things on MQTT and pages on WebSocket meet."""

import os

SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["fairway", "django.contrib.sessions"]
ROOT_URLCONF = "meeting"
DATABASES: dict[str, object] = {}
SESSION_ENGINE = "django.contrib.sessions.backends.file"
SESSION_FILE_PATH = os.environ["MEETING_SESSIONS"]
USE_TZ = True

FAIRWAY = {
    "LAYER": os.environ["MEETING_LAYER"],
    "ROUTING": "meeting.routes",
    "PLUGINS": {
        "http": {},
        "websocket": {},
        "irc": {"bind": [f"tcp:{os.environ['MEETING_IRC_PORT']}:interface=127.0.0.1"]},
        "mqtt": {"port": int(os.environ["MEETING_MQTT_PORT"])},
    },
}
