"""How long `django.setup()` takes, with the package and without.

Each is a fresh interpreter that imports Django first, so that what is measured is the
project's own setting up.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.servers import ROOT

_TIMED = """
import time
import django
start = time.perf_counter()
django.setup()
print(time.perf_counter() - start)
"""


def setup_seconds(*, bare: bool) -> float:
    """Return what `django.setup()` took in a fresh interpreter.

    Args:
        bare: whether the project has Django's own apps alone, and neither the package nor the
            apps that it needs.
    """
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "benchmarks.sites.ours.settings"}
    if bare:
        environment["BENCH_BARE"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", _TIMED],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(done.stdout)
