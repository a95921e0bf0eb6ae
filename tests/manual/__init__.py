"""The code that the manual shows, and tests that it does what the manual says."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.site.settings")
django.setup()
