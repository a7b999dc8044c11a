"""The committed exports of the contracts: ``python -m tests.exports`` writes them anew.

``--check`` fails instead where one is out of date. What npm makes of them is left out where its
packages cannot be installed.
"""

import os
import sys
import tempfile
from pathlib import Path

import django
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.node.packages import FOLDER, find_problem, run

ROOT = FOLDER.parents[1]
SCHEMA = ROOT / "docs" / "schema"
CLIENTS = ROOT / "docs" / "clients"

EXPORTS = (
    ("export_chat_schema", "sdl", SCHEMA / "chat.graphql"),
    ("export_chat_events", "asyncapi", SCHEMA / "chat.asyncapi.json"),
    ("export_chat_events", "json-schema", SCHEMA / "chat.schema.json"),
)
TYPES = SCHEMA / "chat.d.ts"
COMPILED = tuple(CLIENTS / f"{name}.js" for name in ("chat_client", "unread_counts"))


def make_types(file: Path) -> None:
    """Write the TypeScript types of the events."""
    schema = SCHEMA / "chat.schema.json"
    run("json2ts", "--input", str(schema), "--output", str(file), "--additionalProperties=false")


def compile_client(folder: Path) -> None:
    """Write the compiled client into a folder."""
    run("tsc", "--project", str(CLIENTS), "--outDir", str(folder))


def stale() -> list[Path]:
    """Return what npm makes of the exports and the client, and is not as committed."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        make_types(folder / TYPES.name)
        compile_client(folder)
        return [
            file
            for file in (TYPES, *COMPILED)
            if not file.exists() or (folder / file.name).read_text() != file.read_text()
        ]


def main(check: bool) -> int:
    """Write or check the exports; returns the exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.site.settings")
    django.setup()
    failed = False
    for command, format, file in EXPORTS:
        option = "check" if check else "output"
        try:
            call_command(command, format=format, **{option: str(file)})
        except CommandError as error:
            print(error, file=sys.stderr)
            failed = True
    if check:
        return 1 if failed else 0
    problem = find_problem()
    if problem is not None:
        print(f"{TYPES.name} and the clients are as they were: {problem}", file=sys.stderr)
        return 1
    make_types(TYPES)
    compile_client(CLIENTS)
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
