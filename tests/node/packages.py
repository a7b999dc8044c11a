"""The npm packages of the tests: installed once, from the lock file, where there is npm.

``python -m tests.node.packages`` installs them before the first test asks.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.configuration import cannot_run

FOLDER = Path(__file__).parent
#: What a client of subscriptions needs.
FOLLOWER = FOLDER / "graphql_ws"

_INSTALLING = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


@cache
def find_problem(folder: Path = FOLDER) -> str | None:
    """Install the packages of a folder; returns why that is not possible, or None."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"needs {program}"
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".installed"
    # Several runs of the tests may begin at the same time.
    with (folder / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return None
        ended = subprocess.run(
            _INSTALLING, cwd=folder, capture_output=True, text=True, timeout=600, check=False
        )
        if ended.returncode:
            return f"npm ci failed in {folder}: {ended.stderr.strip()[-500:]}"
        stamp.write_text(wanted)
    return None


def need(folder: Path = FOLDER) -> None:
    """Skip the test where the packages of a folder cannot be installed; fail where CI=true."""
    problem = find_problem(folder)
    if problem is not None:
        cannot_run(problem)


def run(*command: str, cwd: Path = FOLDER, status: int = 0) -> str:
    """Run a command with the packages' programs on its path; returns what it wrote.

    Raises:
        AssertionError: it ended with another status than this.
    """
    programs = FOLDER / "node_modules" / ".bin"
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == status, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


if __name__ == "__main__":
    # Whatever is wrong, the tests that need them say.
    for each in (FOLDER, FOLLOWER):
        find_problem(each)
