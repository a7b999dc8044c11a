"""A front end that is set up as the documentation says, file by file and command by command."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.node.packages import FOLDER

ROOT = FOLDER.parents[1]
PAGE = ROOT / "docs" / "frontend.md"

_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.M | re.S)

_MANAGE = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.site.settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""


@dataclass(frozen=True)
class Page:
    """What the page has in its blocks.

    Attributes:
        files: the text of each file.
        commands: the shell commands, in order.
        packages: the npm packages that it installs.
    """

    files: dict[str, str]
    commands: list[str]
    packages: set[str]


def read_page() -> Page:
    """Read the blocks of the page."""
    blocks = _BLOCK.findall(PAGE.read_text())
    files = {name: text for _, name, text in blocks if name}
    lines = [
        line.strip()
        for language, _, text in blocks
        if language == "sh"
        for line in text.splitlines()
    ]
    installing = [line for line in lines if line.startswith("npm install")]
    packages = {word for line in installing for word in line.split()[3:]}
    return Page(files, [line for line in lines if line not in installing], packages)


class FrontEnd:
    """A Django project with a front end beside it.

    Args:
        folder: where to put them.
    """

    def __init__(self, folder: Path) -> None:
        self.project = folder
        self.folder = folder / "frontend"
        (self.folder / "src").mkdir(parents=True)
        (folder / "manage.py").write_text(_MANAGE)
        (self.folder / "node_modules").symlink_to(FOLDER / "node_modules")
        client = ROOT / "docs" / "clients" / "chat_client.ts"
        (self.folder / "src" / "chat_client.ts").write_text(client.read_text())
        for name, text in read_page().files.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write a file of the front end."""
        (self.folder / name).write_text(text)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the page, in the project or in the front end."""
        inside = not command.startswith("python manage.py")
        python = Path(sys.executable).parent
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder if inside else self.project,
            env={**os.environ, "PATH": f"{python}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
