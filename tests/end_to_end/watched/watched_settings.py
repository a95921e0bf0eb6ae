"""A site whose consumers lose messages in every way, and whose metrics tell."""

import os

SECRET_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLED_APPS = ["fairway"]
ROOT_URLCONF = "watched_consumers"
DATABASES: dict[str, object] = {}
USE_TZ = True
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "fairway.logs.ContextFilter"}},
    "formatters": {"line": {"()": "fairway.logs.KeyValueFormatter"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "filters": ["context"],
            "formatter": "line",
        }
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"fairway": {"level": "INFO"}},
}

METRICS = {"METRICS_BIND": bind} if (bind := os.environ.get("WATCHED_BIND")) else {}
FAIRWAY = {
    "LAYER": os.environ["FAIRWAY_LAYER"],
    "ROUTING": "watched_consumers.routes",
    "PLUGINS": {
        "http": {},
        "websocket": {"limits": {"peers": 2}},
        "watched_parts.unwanted": {},
    },
    "CAPACITIES": {"narrow": 1},
    "EXPIRIES": {"brief": 0.5},
    "METRICS_TOKEN": "a-token-of-operators",
    **METRICS,
}
