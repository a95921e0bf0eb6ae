"""What holds for the tree as a whole: imports, exports, documentation, sizes."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.site.settings")
django.setup()
