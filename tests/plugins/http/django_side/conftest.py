"""A Django site for requests that come as messages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from tests.plugins.http.django_side.host import Host

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": ["django.template.context_processors.request"]
        },
    }
]


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    """Serve this folder's views."""
    with override_settings(
        ROOT_URLCONF="tests.plugins.http.django_side.urls",
        MIDDLEWARE=MIDDLEWARE,
        TEMPLATES=TEMPLATES,
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    ):
        yield


@pytest.fixture
def host() -> Iterator[Host]:
    """Return the interface server's side of requests."""
    with Host() as host:
        yield host
