"""The peer's environment: a virtual environment of its own, made on first use.

The peer's distribution has the name of this one, so the two can never share one.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PEER = "django-realtime-chat-messaging==0.1.0"

#: Where everything that a run makes is kept; ignored by git.
WORK = Path(__file__).resolve().parent.parent / ".bench"


def peer_python() -> Path:
    """Return the interpreter of the peer's environment, made where it is not there yet.

    The server is the one that this environment has, in the same version.

    Raises:
        CalledProcessError: pip could not install it.
    """
    home = WORK / "peer"
    python = home / "bin" / "python"
    stamp = home / PEER
    if not stamp.exists():
        from importlib.metadata import version

        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        server = [f"{name}=={version(name)}" for name in ("uvicorn", "uvloop", "websockets")]
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, PEER, "uvicorn[standard]", *server], check=True)
        stamp.touch()
    return python
