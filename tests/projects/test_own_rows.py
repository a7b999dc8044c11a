"""Projects whose managers compute, and whose users have long keys."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.servers import ROOT


def test_managers_are_asked_each_time_and_keys_may_be_long(
    tmp_path: Path, database: dict[str, Any]
) -> None:
    ours = ("DJANGO_SETTINGS_MODULE", "COVERAGE_")
    environment = {name: os.environ[name] for name in os.environ if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.projects.own_rows", str(tmp_path), json.dumps(database)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "done", done.stderr
