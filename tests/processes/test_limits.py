"""Two processes: what a user may do is counted over both."""

import asyncio
import json
from typing import Any

import pytest

from gql_chat.models import Membership, get_model
from tests.conftest import Connect, Orm, StartProcess, Users
from tests.servers import ChatProcess
from tests.timing import eventually

SECONDS = 1_000_000

Processes = tuple[ChatProcess, ChatProcess]


@pytest.fixture
def limited(start_process: StartProcess, request: pytest.FixtureRequest) -> Processes:
    """Two processes with low limits."""
    environment = {"CHAT_TEST_SETTINGS": json.dumps(request.param)}
    return start_process(environment), start_process(environment)


def passed(frames: list[Any]) -> int:
    """How many answers are no refusals; those that are say when to come again, or why not."""
    refused = [frame["error"] for frame in frames if "error" in frame]
    assert {error["code"] for error in refused} <= {4003, 4029}, refused
    assert all(error["detail"]["retry_after"] > 0 for error in refused if error["code"] == 4029)
    return len(frames) - len(refused)


@pytest.mark.parametrize(
    "limited", [{"USER_RATE_LIMIT": {"events": 13, "seconds": SECONDS}}], indirect=True
)
async def test_the_events_of_a_user_are_counted_over_both(
    limited: Processes, connect: Connect, users: Users
) -> None:
    alice = users("alice")
    clients = [await connect(alice, url=process.url) for process in limited for _ in range(2)]

    async def send(client: Any) -> int:
        frames = []
        for _ in range(6):
            await client.send("session.heartbeat")
            frames.append(await client.next())
        return passed(frames)

    counts = await asyncio.gather(*map(send, clients))

    # To connect is an event, too.
    assert sum(counts) + len(clients) == 13
    for process in limited:
        again = await connect(alice, url=process.url, greeted=False)
        assert (await again.error(4029))["retry_after"] > 0
        assert await again.closed() == 4029


@pytest.mark.parametrize("limited", [{"MAX_SESSIONS_PER_USER": 5}], indirect=True)
async def test_the_sockets_of_a_user_are_counted_over_both(
    limited: Processes, connect: Connect, users: Users, orm: Orm
) -> None:
    for _ in range(5):
        alice = users("alice")
        clients = await asyncio.gather(
            *(
                connect(alice, url=process.url, greeted=False)
                for _ in range(6)
                for process in limited
            )
        )

        frames = await asyncio.gather(*(client.next() for client in clients))

        assert passed(list(frames)) == 5
        sessions = get_model("Session").objects.filter(user=alice)
        await eventually(lambda found=sessions: orm(found.count) == 5, "no other has a session")
        await asyncio.gather(*(client.close() for client in clients))


@pytest.mark.parametrize(
    "limited", [{"ROOM_RATE_LIMIT": {"events": 5, "seconds": SECONDS}}], indirect=True
)
async def test_the_rooms_that_a_user_makes_are_counted_over_both(
    limited: Processes, connect: Connect, users: Users, orm: Orm
) -> None:
    for _ in range(5):
        alice = users("alice")
        clients = [await connect(alice, url=process.url) for process in limited for _ in range(3)]
        for client in clients:
            for number in range(2):
                data = {"type": "GroupChat", "name": "x"}
                await client.send("room.create", data, request_id=number)

        answers = [await _answers(client, 2) for client in clients]

        assert passed([frame for each in answers for frame in each]) == 5
        assert orm(Membership.objects.filter(user=alice).count) == 5
        for client in clients:
            await client.close()


@pytest.mark.parametrize("limited", [{"MAX_MEMBERS": 4}], indirect=True)
async def test_the_members_of_a_room_are_counted_over_both(
    limited: Processes, connect: Connect, users: Users, orm: Orm
) -> None:
    alice = users("alice")
    owner = await connect(alice, url=limited[0].url)
    for _ in range(5):
        await owner.send(
            "room.create",
            {"type": "Channel", "name": "x", "extra_fields": {"is_public": True}},
        )
        room = (await owner.expect("roomcreate.dispatch"))["id"]
        guests = [
            await connect(user, url=limited[n % 2].url)
            for n, user in enumerate(users.make(*["guest"] * 8))
        ]
        for client in guests:
            await client.send("room.join", {"room_id": room}, request_id=1)

        answers = [await _answers(client, 1) for client in guests]

        assert passed([frame for each in answers for frame in each]) == 3
        assert orm(Membership.objects.filter(room_id=room).count) == 4
        for _ in range(3):
            await owner.expect("roomaddmembers.dispatch")
        for client in guests:
            await client.close()


async def _answers(client: Any, count: int) -> list[Any]:
    """The answers to that many requests, among whatever else comes."""
    found: list[Any] = []
    while len(found) < count:
        frame = await client.next()
        if "request_id" in frame:
            found.append(frame)
    return found
