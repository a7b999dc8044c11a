#!/usr/bin/env python
"""Run a management command of the example project, for instance ``manage.py demo``."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Point Django at the example's settings and hand over to its command line."""
    # The packages stand beside this folder: they are importable from a plain clone, not installed.
    sys.path.insert(1, str(Path(__file__).resolve().parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example.settings")

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
