"""A site whose one conversation is held over every protocol that there is."""

import os

SECRET_KEY = "only for tests"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["fairway", "django.contrib.sessions"]
ROOT_URLCONF = "one_consumers"
DATABASES: dict[str, object] = {}
SESSION_ENGINE = "django.contrib.sessions.backends.file"
SESSION_FILE_PATH = os.environ["ONE_SESSIONS"]
USE_TZ = True

FAIRWAY = {
    "LAYER": os.environ["FAIRWAY_LAYER"],
    "ROUTING": "one_consumers.routes",
    "PLUGINS": {
        "http": {},
        "websocket": {},
        "longpoll": {},
        "udp": {
            "bind": [f"udp:127.0.0.1:{os.environ['ONE_UDP_PORT']}"],
            "trusted": ["127.0.0.0/8"],
        },
        "sms": {
            "provider": "simulator",
            "sender": ["+46701740605"],
            "segments_per_minute": 600,
        },
        "irc": {"bind": [f"tcp:{os.environ['ONE_IRC_PORT']}:interface=127.0.0.1"]},
        "mqtt": {"port": int(os.environ["ONE_MQTT_PORT"])},
    },
}
