"""Django's settings for the peers, as close to those of `examples/echo` as can be.

Environment: `BENCH_MIDDLEWARE` is `default` for what `startproject` writes, else there
is none; `BENCH_URLS` names another URLconf; `BENCH_REDIS` is the URL of the Redis
behind channels_redis, else there is no channel layer.
"""

import os

SECRET_KEY = "a site that only echoes has no secrets"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ROOT_URLCONF = os.environ.get("BENCH_URLS", "benchmarks.peers.urls")
DATABASES: dict[str, dict[str, str]] = {}
USE_TZ = True
# No request of the load generators has a session; it needs no table this way.
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"

INSTALLED_APPS: list[str] = []
MIDDLEWARE: list[str] = []
if os.environ.get("BENCH_MIDDLEWARE") == "default":
    INSTALLED_APPS = [
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ]
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]

if "BENCH_REDIS" in os.environ:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {
                "hosts": [
                    {
                        "address": os.environ["BENCH_REDIS"],
                        # The client's own limit of 100 fails with more sockets.
                        "max_connections": 10_000,
                        # The client gives up after 5 s, as long as the layer lets
                        # Redis wait for a message: whoever waits then is closed.
                        "socket_timeout": None,
                    }
                ],
                "capacity": 20_000,
            },
        }
    }
