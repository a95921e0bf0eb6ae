"""A project as `startproject` makes it; the environment says where its files are.

Nothing here but two lines at the end knows of fairway.
"""

import os
from pathlib import Path

FOLDER = Path(os.environ.get("STOCK_FOLDER", "."))

SECRET_KEY = "only for tests"
DEBUG = os.environ.get("STOCK_DEBUG") == "1"
ALLOWED_HOSTS = ["stock.example", "127.0.0.1"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "shelf",
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

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

ROOT_URLCONF = "stock_urls"
WSGI_APPLICATION = "stock_wsgi.application"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "db.sqlite3",
        "OPTIONS": {"timeout": 20},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "admin:login"
STATIC_URL = "static/"
MEDIA_ROOT = FOLDER / "media"
USE_TZ = True

if os.environ.get("STOCK_INSTALLED") == "1":
    INSTALLED_APPS.insert(0, "fairway")
if os.environ.get("STOCK_CONFIGURED") == "1":
    FAIRWAY = {"LAYER": os.environ.get("STOCK_LAYER", "memory://")}
