"""The example site's page finds the client that it imports."""

import os
import re
import subprocess
import sys
from pathlib import Path
from posixpath import join, normpath

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "example_site"
PAGE = "example/chat.js"


def find_static(path: str) -> Path:
    """The file behind a path of the site's static files."""
    found = subprocess.run(
        [sys.executable, str(SITE / "manage.py"), "findstatic", "--first", "--verbosity=0", path],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "example.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(found.stdout.strip())


def test_the_chat_page_imports_the_client_of_the_documentation() -> None:
    (imported,) = re.findall(r'^import .* from "(.+)";$', find_static(PAGE).read_text(), re.M)

    client = find_static(normpath(join(PAGE, "..", imported)))

    assert client == ROOT / "docs" / "clients" / "chat_client.js"
