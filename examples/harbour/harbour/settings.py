"""A small Django project with fairway in front; see README.md."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
UDP_PORT = int(os.environ.get("FAIRWAY_UDP_PORT", 9999))
PHONE_NUMBER = "+46701740605"  # belongs to nobody

SECRET_KEY = "a demo on the own machine has no secrets"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "fairway",
    "harbour",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

FAIRWAY = {
    "LAYER": os.environ.get("FAIRWAY_LAYER", "memory://"),
    "ROUTING": "harbour.routing.channel_routing",
    "PLUGINS": {
        # The feed is one endless response, and may be silent for long.
        "http": {"part_timeout": float("inf")},
        "websocket": {},
        "longpoll": {},
        # Nobody can forge an address of the own machine; others get no more bytes than
        # three times what they sent.
        "udp": {
            "bind": [f"udp:127.0.0.1:{UDP_PORT}"],
            "text": True,
            "idle": 300,
            "trusted": ["127.0.0.0/8"],
        },
        # A phone on the page in place of a vendor. Its texts cost nothing.
        "sms": {
            "provider": "simulator",
            "sender": [PHONE_NUMBER],
            "daily_budget": None,
            "segments_per_minute": 600,
        },
    },
}

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "harbour.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": ["django.template.context_processors.request"]
        },
    }
]
STATIC_URL = "static/"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("HARBOUR_DATABASE", BASE_DIR / "harbour.sqlite3"),
        # Threads of the worker write at the same time: wait instead of failing.
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
