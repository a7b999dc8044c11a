"""What a message costs the servers behind chat, whoever listens: commands and rows."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.db import connection

from tests.client import Client
from tests.conftest import Connect, Orm, Users
from tests.servers import ChatProcess, RedisServer

Processes = tuple[ChatProcess, ChatProcess]

MESSAGES = 30

#: More sockets than there are commands of Redis for one message.
FEW, MANY = 2, 40


async def crowd_of(
    count: int, processes: Processes, connect: Connect, users: Users
) -> tuple[list[Client], dict[str, Any]]:
    """Open so many sockets of a group's members, in turns on the processes."""
    members = users.make(*["member"] * count)
    sockets = [
        await connect(member, url=processes[place % 2].url) for place, member in enumerate(members)
    ]
    group = {"type": "GroupChat", "name": "g", "participants": [user.pk for user in members[1:]]}
    await sockets[0].send("room.create", group)
    created = [await socket.expect("roomcreate.dispatch") for socket in sockets]
    await talk(sockets, created[0], 1)
    return sockets, created[0]


async def all_is_rung(sockets: list[Client], room: dict[str, Any]) -> None:
    """Wait until the layer has taken all that it was given: one word for each who joined, first.

    A message may come out of the log while that goes on. Typing is in no log, and is rung for last.
    """
    await sockets[0].send("message.typing", {"room_id": room["id"]})
    for socket in sockets:
        await socket.expect("messagetyping.dispatch")


async def talk(sockets: list[Client], room: dict[str, Any], messages: int = MESSAGES) -> None:
    """Let the first say something, again and again; return when all have heard all."""
    for number in range(messages):
        await sockets[0].send("message.send", {"room_id": room["id"], "content": f"{number}"})
    for socket in sockets:
        for number in range(messages):
            assert (await socket.expect("message.dispatch"))["content"] == f"{number}"


def count_commands(redis: RedisServer) -> int:
    """Return how many commands Redis has run, those inside of scripts included."""
    with redis.connection() as client:
        found: Any = client.info("commandstats")
    return sum(stats["calls"] for stats in found.values())


@pytest.fixture
def quiet_redis(redis: RedisServer) -> Iterator[RedisServer]:
    """A Redis of one test: what uses that of the run sends commands of its own accord."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def quiet_processes(
    shared_environment: Mapping[str, str], quiet_redis: RedisServer
) -> Iterator[Processes]:
    """Two processes on that Redis that send it nothing but what is asked of them."""
    environment = {**shared_environment, "CHAT_TEST_REDIS": quiet_redis.url}
    quiet = "tests.site.quiet:application"
    with ChatProcess(environment, quiet) as one, ChatProcess(environment, quiet) as other:
        yield one, other


async def test_the_commands_of_redis_for_a_message_do_not_grow_with_the_sockets(
    quiet_processes: Processes, quiet_redis: RedisServer, connect: Connect, users: Users
) -> None:
    per_message = {}
    for count in (FEW, MANY):
        sockets, room = await crowd_of(count, quiet_processes, connect, users)
        await all_is_rung(sockets, room)
        before = count_commands(quiet_redis)
        await talk(sockets, room)
        per_message[count] = (count_commands(quiet_redis) - before) / MESSAGES

    assert per_message[FEW] >= 1
    # What follows the last message may be counted or not. One command for each socket would be 38
    # more.
    assert per_message[MANY] == pytest.approx(per_message[FEW], abs=0.5)


#: The time when these rows are written has nothing to do with messages: processes keep the
#: sessions of their sockets alive, and say that they are there and who has left.
NOT_OF_MESSAGES = ["gql_chat_session", "gql_chat_socketholder", "gql_chat_presence"]


@pytest.fixture
def written(two_processes: Processes, orm: Orm) -> Iterator[Any]:
    """Count the rows that anybody writes, by table and kind of write, with triggers."""

    def install() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE written (tab text, kind text)")
            cursor.execute(
                "CREATE FUNCTION note_written() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN INSERT INTO written VALUES (TG_TABLE_NAME, TG_OP); RETURN NULL; END$$"
            )
            cursor.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
                "AND tablename <> 'written' AND tablename <> ALL(%s)",
                [NOT_OF_MESSAGES],
            )
            tables = [name for (name,) in cursor.fetchall()]
            for table in tables:
                cursor.execute(
                    f'CREATE TRIGGER note_written AFTER INSERT OR UPDATE OR DELETE ON "{table}" '
                    "FOR EACH ROW EXECUTE FUNCTION note_written()"
                )
        return tables

    def remove() -> None:
        with connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f'DROP TRIGGER note_written ON "{table}"')
            cursor.execute("DROP FUNCTION note_written")
            cursor.execute("DROP TABLE written")

    def take() -> Counter[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM written RETURNING tab, kind")
            return Counter(cursor.fetchall())

    tables = orm(install)
    yield lambda: orm(take)
    orm(remove)


async def test_the_rows_that_a_message_writes_do_not_grow_with_the_members(
    written: Any, two_processes: Processes, connect: Connect, users: Users
) -> None:
    for count in (FEW, MANY):
        sockets, room = await crowd_of(count, two_processes, connect, users)
        written()
        await talk(sockets, room)
        assert written() == {
            ("gql_chat_message", "INSERT"): MESSAGES,
            ("gql_chat_chatnotification", "INSERT"): MESSAGES,
            ("gql_chat_streamevent", "INSERT"): MESSAGES,
            ("gql_chat_room", "UPDATE"): MESSAGES,
        }
