"""The logs of servers, run as docs/deployment.md says: they have addresses, and no tokens."""

import json
import re
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client
from tests.conftest import Users
from tests.servers import HOST, ROOT, ChatProcess
from tests.timing import PATIENCE, eventually

TOKEN = "token-9b3d77"
PAGE = ROOT / "docs" / "deployment.md"
CONFIGURATION = Path("docs", "examples", "uvicorn_log.json")

OPTIONS = {
    "uvicorn": ("--log-config", str(CONFIGURATION)),
    "uvicorn-websockets": ("--log-config", str(CONFIGURATION)),
    "uvicorn-wsproto": ("--log-config", str(CONFIGURATION)),
    "daphne": ("--access-log", "-"),
    "hypercorn": ("--access-logfile", "-"),
    "granian": ("--access-log",),
}


#: Servers that log the queries of requests, not of sockets, whatever one sets. The page says so.
WITH_QUERIES = {"daphne"}


class Logging(ChatProcess):
    """A process whose server logs what it is asked for."""

    def __init__(self, environment: Mapping[str, str], kind: str) -> None:
        super().__init__(environment, kind=kind)
        self._options = OPTIONS[kind]

    def _command(self) -> tuple[list[str], dict[str, Any]]:
        command, options = super()._command()
        return [*command, *self._options], options


@pytest.mark.parametrize("kind", OPTIONS)
async def test_a_server_that_logs_addresses_logs_no_token(
    kind: str, server_environment: Mapping[str, str], users: Users
) -> None:
    query = f"token={TOKEN}"
    with Logging(server_environment, kind) as server:
        user = users("alice")
        async with Client(f"{server.url}?{query}&user={user.pk}") as client:
            await client.heartbeat()
        async with Client(f"{server.url}?{query}", greeted=False) as client:
            assert await client.closed() == 4001
        if kind not in WITH_QUERIES:
            connection = HTTPConnection(HOST, server.port, timeout=PATIENCE)
            connection.request("GET", f"/admin/?{query}")
            assert connection.getresponse().status == 302
            connection.close()
            # A server may drop what it has not written yet when it ends.
            await eventually(lambda: "/admin/" in server.log, "the request is logged")
        server.stop()
        log = server.log

    assert TOKEN not in log
    assert "/messaging/" in log
    assert ("/admin/" in log) is (kind not in WITH_QUERIES)


def test_the_page_shows_what_is_tried() -> None:
    page = PAGE.read_text()

    (shown,) = re.findall(r"^```json\n(.*?)^```$", page, re.M | re.S)
    assert json.loads(shown) == json.loads((ROOT / CONFIGURATION).read_text())
    for options in OPTIONS.values():
        option, *value = options
        assert f"{option} log.json" in page or " ".join([option, *value]) in page


def test_the_format_for_nginx_has_no_query() -> None:
    (format,) = re.findall(r"log_format without_query\s+(.*?);", PAGE.read_text(), re.S)
    used = set(re.findall(r"\$\w+", format))

    assert "$uri" in used
    assert not used & {"$request", "$request_uri", "$args", "$query_string", "$http_referer"}
