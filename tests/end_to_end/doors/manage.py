"""Commands of the site with two doors."""

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    here = Path(__file__).resolve()
    # The plugin that the kit's own tests hold is found by its dotted path.
    sys.path[:0] = [str(here.parent), str(here.parents[3])]
    os.environ["DJANGO_SETTINGS_MODULE"] = "doors_settings"
    execute_from_command_line(sys.argv)
