"""Commands of the site for what is big or takes long."""

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    sys.path[:0] = [str(here), str(here.parents[2])]
    os.environ["DJANGO_SETTINGS_MODULE"] = "full_size_settings"
    execute_from_command_line(sys.argv)
