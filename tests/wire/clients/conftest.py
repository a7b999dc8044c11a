"""Starts the reference clients, each test with both."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.wire.driven import Driven, Node, Python


@pytest.fixture(params=[Python, Node], ids=["python", "javascript"])
async def start(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Starts one of the two clients."""
    started: list[Driven] = []

    async def begin(*urls: str, **options: Any) -> Driven:
        client: Driven = request.param(*urls, **options)
        started.append(client)
        await client.start()
        return client

    yield begin
    for client in started:
        await client.stop()
