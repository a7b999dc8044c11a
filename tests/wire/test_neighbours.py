"""Two processes with layers in memory on one database find each other out."""

import json
from collections.abc import Mapping

from tests.client import Client
from tests.conftest import Users
from tests.servers import ChatProcess
from tests.timing import STARTUP, eventually

WORDS = "Another process serves sockets of this database"


async def test_two_processes_whose_layers_end_at_them_say_so(
    server_environment: Mapping[str, str], users: Users
) -> None:
    alice = users("alice")
    environment = {
        **server_environment,
        "CHAT_TEST_LAYER": "memory",
        "CHAT_TEST_SETTINGS": json.dumps({"INACTIVITY_THRESHOLD": 4}),
    }
    with ChatProcess(environment) as one, ChatProcess(environment) as other:
        async with Client(one.url, alice.pk), Client(other.url, alice.pk):
            await eventually(lambda: WORDS in one.log and WORDS in other.log, WORDS, STARTUP)
            assert (one.log.count(WORDS), other.log.count(WORDS)) == (1, 1)
