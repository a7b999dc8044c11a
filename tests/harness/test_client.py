import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.client import Client
from tests.harness.echo import application
from tests.servers import ChatThread

SOON = 0.05


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ChatThread(application) as server:
        yield server.url


@pytest.fixture
async def client(url: str) -> AsyncIterator[Client]:
    async with Client(url, greeted=False) as client:
        yield client


def frames(*values: Any) -> str:
    return "\n".join(json.dumps(value) for value in values)


async def test_expect_gives_the_data_of_the_event(client: Client) -> None:
    await client.send_raw(frames({"eventType": "message.dispatch", "data": [1]}))

    assert await client.expect("message.dispatch") == [1]


@pytest.mark.parametrize(
    "frame",
    [
        {"eventType": "reaction.dispatch", "data": {}},
        {"eventType": "message.dispatch"},
        {"eventType": "message.dispatch", "data": {}, "more": 1},
        {"eventType": "message.dispatch", "data": {}, "seq": 1, "stream": "room:1"},
        {"eventType": "message.dispatch", "data": {}, "request_id": "1"},
        {"error": {"code": 4003, "detail": ""}},
        {"status": "success"},
    ],
)
async def test_expect_refuses_anything_else_and_shows_all_that_came(
    frame: dict[str, Any], client: Client
) -> None:
    await client.send_raw(frames({"before": 1}, frame, {"after": 1}))
    await client.next()

    with pytest.raises(AssertionError) as failure:
        await client.expect("message.dispatch")

    assert f"got {json.dumps(frame)}" in str(failure.value)
    assert json.dumps({"before": 1}) in str(failure.value)


async def test_a_failure_shows_what_is_still_waiting(client: Client) -> None:
    await client.send_raw(frames({"first": 1}, {"second": 2}))
    await client.send_raw("close 1000")
    # Nothing comes after a close: both frames wait.
    await client.closed()

    with pytest.raises(AssertionError, match=r"waiting:\n .*second"):
        await client.expect("message.dispatch")


async def test_a_frame_that_does_not_come_is_a_failure(client: Client) -> None:
    with pytest.raises(AssertionError, match="no frame within"):
        await client.next(timeout=SOON)


async def test_a_resumed_client_accepts_stream_and_seq(client: Client) -> None:
    await client.send("session.resume", {"streams": {}})
    await client.next()
    await client.send_raw(
        frames({"eventType": "message.dispatch", "data": {}, "seq": 1, "stream": "room:1"})
    )

    await client.expect("message.dispatch")


async def test_an_awaited_request_id_must_be_there(client: Client) -> None:
    event = {"eventType": "roomlist.dispatch", "data": []}
    await client.send_raw(frames({**event, "request_id": 7}, event))

    await client.expect("roomlist.dispatch", request_id=7)
    with pytest.raises(AssertionError):
        await client.expect("roomlist.dispatch", request_id=7)


async def test_error_gives_the_detail(client: Client) -> None:
    await client.send_raw(frames({"error": {"code": 4003, "detail": "why"}}))

    assert await client.error(4003) == "why"


@pytest.mark.parametrize(
    "frame",
    [
        {"error": {"code": 4002, "detail": "why"}},
        {"error": {"code": 4003}},
        {"error": {"code": 4003, "detail": "why"}, "more": 1},
        {"error": "invalid event type"},
    ],
)
async def test_error_refuses_anything_else(frame: dict[str, Any], client: Client) -> None:
    await client.send_raw(frames(frame))

    with pytest.raises(AssertionError, match="expected error 4003"):
        await client.error(4003)


async def test_nothing_sees_a_frame_that_was_not_expected(client: Client) -> None:
    await client.send_raw(frames({"unexpected": 1}))

    with pytest.raises(AssertionError, match="unexpected"):
        await client.nothing()


async def test_closed_gives_the_code_and_leaves_the_frames_before_it(client: Client) -> None:
    await client.send_raw(frames({"last": 1}))
    await client.send_raw("close 4008")

    assert await client.closed() == 4008
    assert await client.next() == {"last": 1}
    for _ in range(2):
        with pytest.raises(AssertionError, match="closed with 4008"):
            await client.next()


async def test_a_client_that_does_not_read_takes_nothing_until_it_reads_again(
    client: Client,
) -> None:
    client.pause_reading()
    await client.send_raw(frames({"kept": "back"}))
    with pytest.raises(AssertionError, match="no frame"):
        await client.next(timeout=SOON)

    client.resume_reading()
    assert await client.next() == {"kept": "back"}


async def test_a_client_that_does_not_read_can_still_close(url: str) -> None:
    async with Client(url, greeted=False) as client:
        client.pause_reading()

    assert client.socket.close_code == 1000


async def test_an_aborted_client_is_gone_without_a_close(client: Client) -> None:
    await client.abort()

    assert await client.closed() == 1006
