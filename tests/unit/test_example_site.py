"""The example site's page finds the client that it imports."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from posixpath import join, normpath

import pytest

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


#: Asks the site for its metrics and health, as clients at some addresses do.
ASK = """
import asyncio
import json
import sys

import django

django.setup()
from django.http import Http404
from django.test import AsyncRequestFactory
from django.urls import resolve


async def ask(path, address):
    request = AsyncRequestFactory().get(path)
    request.META["REMOTE_ADDR"] = address
    try:
        return (await resolve(path).func(request)).status_code
    except Http404:
        return 404


async def main(path, *addresses):
    return [await ask(path, address) for address in addresses]


print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
"""


@pytest.mark.parametrize("path", ["metrics", "health/live"])
def test_metrics_and_health_are_shown_to_this_machine_alone(path: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK, f"/monitoring/{path}", "127.0.0.1", "::1", "10.0.0.7", ""],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "example.settings",
            "PYTHONPATH": os.pathsep.join([str(SITE), str(ROOT)]),
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout) == [200, 200, 404, 404]
