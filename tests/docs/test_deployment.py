"""The commands of the documentation that start a server are those that the tests run on."""

import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from tests.servers import KINDS, ROOT

SERVERS = ("uvicorn", "daphne", "hypercorn", "granian")
#: Where it listens, and what the machine is: a deployment's own.
OWN = ("--workers", "--host", "--port")


def commands() -> list[list[str]]:
    """Every command of the documentation that starts a server."""
    pages = [ROOT / "README.md", *sorted(Path(ROOT, "docs").glob("*.md"))]
    lines = [line.strip() for page in pages for line in page.read_text().splitlines()]
    return [
        shlex.split(line)
        for line in lines
        if line.startswith(SERVERS) and "mysite.asgi:application" in line
    ]


COMMANDS = commands()


def options(command: list[str]) -> dict[str, str]:
    """The options of a command that have a value, each with it."""
    return {name: value for name, value in pairwise(command) if name.startswith("-")}


def test_every_server_is_started_somewhere() -> None:
    assert {command[0] for command in COMMANDS} == set(SERVERS)
    assert sum(command[0] == "uvicorn" for command in COMMANDS) >= 3


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_server_is_started_with_the_bounds_that_are_tested(command: list[str]) -> None:
    tested = options([part.format(application="x", port=1) for part in KINDS[command[0]].command])
    shown = {name: value for name, value in options(command).items() if name not in OWN}

    if command[0] == "uvicorn":
        assert {"--ws-max-size", "--ws-per-message-deflate"} <= shown.keys()
    for name, value in shown.items():
        assert tested[name] == value.replace("python:mysite.", "python:tests.site.")


def test_the_settings_of_hypercorn_are_those_of_the_tests() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text()
    source = (ROOT / "tests" / "site" / "hypercorn.py").read_text()
    _, _, code = source.partition('"""\n\n')

    assert f"```python\n# mysite/hypercorn.py\n{code}```" in page
