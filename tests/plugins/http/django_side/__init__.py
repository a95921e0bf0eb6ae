"""The worker half of the http plugin, inside a Django site."""

import os

import django

# Before conftest.py: it imports modules that need Django's settings.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.site.settings")
django.setup()
