"""A site that talks UDP; its section of the settings comes from the test."""

import json
import os

SECRET_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["fairway"]
ROOT_URLCONF = "udp_consumers"
DATABASES: dict[str, object] = {}
USE_TZ = True

FAIRWAY = {
    "LAYER": os.environ.get("FAIRWAY_LAYER", "memory://"),
    "ROUTING": "udp_consumers.routes",
    "PLUGINS": {"http": {}, "udp": json.loads(os.environ["UDP_SECTION"])},
}
