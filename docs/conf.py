"""How Sphinx builds the manual; `make docs` treats warnings as errors."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]
# Consumer modules are read for their docstrings, and some import Django's models.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.site.settings")

import django  # noqa: E402

import fairway  # noqa: E402

django.setup()

project = "fairway"
author = "fairway contributors"
copyright = author
version = release = fairway.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "declared",
    "docstrings",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
smartquotes = False  # what is quoted is meant to be typed

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

# Docstrings write code in single backticks.
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints_format = "short"
# Signatures name types of the standard library and of Django, which have no page here.
nitpick_ignore_regex = [("py:.*", ".*")]

html_theme = "furo"
html_title = f"fairway {release}"
html_static_path = ["_static"]
html_copy_source = False
html_show_sphinx = False
