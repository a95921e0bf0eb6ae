"""Commands of the site for faults."""

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    if "FAULT_OLD" in os.environ:
        sys.path.append(str(Path(__file__).resolve().parents[3]))
        from tests.faults.old import old_records

        old_records.install()
    os.environ["DJANGO_SETTINGS_MODULE"] = "fault_settings"
    execute_from_command_line(sys.argv)
