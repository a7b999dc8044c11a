"""How long a project takes to start, with the package and without.

Each is a fresh interpreter. `setup_seconds` imports Django first, so that it measures the
project's own setting up. The others measure all from the first import on.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.servers import ROOT

_SETUP = """
import time
import django
start = time.perf_counter()
django.setup()
print(time.perf_counter() - start)
"""

_IMPORTS = """
import time
start = time.perf_counter()
import django
django.setup()
import channels.db, channels.generic.websocket, channels.layers, channels.routing
import strawberry, strawberry.permission, strawberry.relay
{more}
print(time.perf_counter() - start)
"""


def setup_seconds(*, bare: bool) -> float:
    """Return what `django.setup()` took in a fresh interpreter.

    Args:
        bare: whether the project has Django's own apps alone, and neither the package nor the
            apps that it needs.
    """
    return _run(_SETUP, bare=bare)


def bare_seconds(more: str = "") -> float:
    """Return what importing Django, Channels and Strawberry took in a fresh interpreter.

    Setting up Django's own apps is a part of it.

    Args:
        more: a statement that imports something else.
    """
    return _run(_IMPORTS.format(more=more), bare=True)


def routing_seconds() -> float:
    """Return what the same took with the package, and `event_bridge.routing` in addition."""
    return _run(_IMPORTS.format(more="import event_bridge.routing"), bare=False)


def _run(code: str, *, bare: bool) -> float:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "benchmarks.sites.ours.settings"}
    # An installed package is compiled already: the first run compiles this one, and keeps that.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if bare:
        environment["BENCH_BARE"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(done.stdout)
