"""Tests of workers; they need a Django that is set up."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.site.settings")
django.setup()
