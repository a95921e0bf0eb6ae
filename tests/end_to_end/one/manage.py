"""Commands of the site with one conversation for every protocol."""

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    os.environ["DJANGO_SETTINGS_MODULE"] = "one_settings"
    execute_from_command_line(sys.argv)
