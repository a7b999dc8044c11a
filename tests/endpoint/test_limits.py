"""What a request may ask of the server at most. Each limit is set low, and tried."""

import asyncio
import json
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from strawberry.extensions.validation_cache import _get_validate_cache

from gql_chat.endpoint import limits
from gql_chat.models import GroupChat, Message
from gql_chat.operations import EventHandler
from gql_chat.rates import PATIENCE as PATIENCE_OF_RATES
from tests.conftest import Connect, Orm, Users
from tests.endpoint.conftest import MakeGroup, OpenSocket
from tests.endpoint.tools import FOLLOW_ROOM, PATH, SEND, Tool, code_of
from tests.servers import HOST
from tests.timing import PATIENCE
from tests.wire.rooms import NOWHERE, group, people, say

ROOMS = "{ rooms { id } }"


@pytest.fixture
def limit(settings: Any) -> Callable[..., None]:
    """Sets limits of the endpoint."""

    def set_limits(**values: Any) -> None:
        settings.REALTIME_CHAT_MESSAGING = values

    return set_limits


def refused(tool: Tool, query: str, variables: Any = None) -> str:
    status, body = tool.post(query, variables)
    assert (status, body["data"], code_of(body)) == (200, None, 4003), body
    message: str = body["errors"][0]["message"]
    return message


# Depth


def quotes(levels: int) -> str:
    """A query with so many fields in each other."""
    inner = "id"
    for _ in range(levels - 4):
        inner = f"parent_message {{ {inner} }}"
    return f"{{ notifications {{ notifications {{ message {{ {inner} }} }} }} }}"


def test_a_query_may_be_so_deep_and_no_deeper(tool: Tool) -> None:
    assert tool.ask(quotes(12)) == {"notifications": []}
    assert refused(tool, quotes(13)) == "The operation has 13 levels; 12 are allowed."


def test_fragments_count_where_they_are_spread(tool: Tool, limit: Any) -> None:
    limit(GRAPHQL_MAX_DEPTH=4)
    deep = "fragment deep on RoomNotifications { notifications { message { id } } }"

    assert tool.ask(f"{{ notifications {{ ...deep }} }} {deep}")
    limit(GRAPHQL_MAX_DEPTH=3)
    assert "4 levels" in refused(tool, f"{{ notifications {{ ...deep }} }} {deep}")


def test_a_limit_that_is_none_is_off(tool: Tool, limit: Any) -> None:
    limit(
        GRAPHQL_MAX_DEPTH=None,
        GRAPHQL_MAX_ALIASES=None,
        GRAPHQL_MAX_TOKENS=None,
        GRAPHQL_MAX_BODY_BYTES=None,
    )
    many = " ".join(f"a{number}: positions {{ seq }}" for number in range(30))

    assert tool.ask(quotes(40)) == {"notifications": []}
    assert len(tool.ask(f"{{ {many} }}")) == 30
    assert tool.ask(ROOMS + " " * 300_000) == {"rooms": []}


def fragments(count: int) -> str:
    """Fragments that spread the next one twice each: 2 ** count, where each is walked anew."""
    spreading = (
        f"fragment f{number} on Query {{ ...f{number + 1} ...f{number + 1} }}"
        for number in range(count)
    )
    return f"{{ ...f0 }} {' '.join(spreading)} fragment f{count} on Query {{ a: rooms {{ id }} }}"


def test_fragments_that_multiply_are_measured_at_once(tool: Tool) -> None:
    # Counted one by one, 2 ** 60 aliases would take for ever.
    assert f"{2**60} aliases" in refused(tool, fragments(60))


@pytest.mark.parametrize(
    "query",
    [
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
        "{ ...unknown }",
    ],
)
def test_fragments_that_lead_nowhere_are_refused(query: str, tool: Tool) -> None:
    status, body = tool.post(query)

    assert status == 200
    assert {error["extensions"]["code"] for error in body["errors"]} == {4003}


# Aliases


def test_a_query_may_have_so_many_aliases_and_no_more(tool: Tool) -> None:
    def aliased(count: int) -> str:
        return f"{{ {' '.join(f'a{number}: positions {{ seq }}' for number in range(count))} }}"

    assert len(tool.ask(aliased(15))) == 15
    assert refused(tool, aliased(16)) == "The operation has 16 aliases; 15 are allowed."


# Tokens


def test_a_document_may_have_so_many_tokens_and_no_more(tool: Tool, limit: Any) -> None:
    def long(count: int) -> str:
        return "{ rooms {" + " id" * (count - 5) + " } }"

    assert "2000 tokens" in refused(tool, long(2001))
    limit(GRAPHQL_MAX_TOKENS=50)
    assert tool.ask(long(50)) == {"rooms": []}
    assert "50 tokens" in refused(tool, long(51))


@pytest.mark.parametrize("deep", [50, 200, 400, 20_000])
def test_a_document_that_is_nested_beyond_measure_is_refused(
    deep: int, tool: Tool, limit: Any
) -> None:
    limit(GRAPHQL_MAX_TOKENS=None)

    for query in (
        f"{{ rooms(a: {'[' * deep}{']' * deep}) {{ id }} }}",
        f"{{ {'rooms { ' * deep} id {'}' * deep} }}",
    ):
        _, body = tool.post(query)
        assert {error["extensions"]["code"] for error in body["errors"]} == {4003}


@pytest.mark.parametrize("levels", [40, 900])
def test_variables_are_nested_so_deep_and_no_deeper(levels: int, tool: Tool) -> None:
    deep: Any = 1
    for _ in range(levels):
        deep = {"a": deep}

    status, body = tool.post(SEND, {"input": deep})

    assert (status, code_of(body)) == (400, 4003)
    assert body["errors"][0]["message"] == "variables: At most 32 levels are allowed."


@pytest.mark.parametrize("text", ['"\\u0000"', '"\\u{0}"', '"\\u{000}"', '"""\0"""'])
def test_a_character_that_no_database_stores_is_refused(text: str, tool: Tool) -> None:
    refused(
        tool,
        f'mutation {{ send_message(input: {{room_id: "{NOWHERE}", content: {text}}}) {{ seq }} }}',
    )


# Size


def test_a_body_may_be_so_large_and_no_larger(tool: Tool, limit: Any) -> None:
    limit(GRAPHQL_MAX_BODY_BYTES=1000)

    def sized(size: int) -> bytes:
        body = json.dumps({"query": ROOMS}).encode()
        return body + b" " * (size - len(body))

    assert tool.request("POST", PATH, sized(1000))[0] == 200
    status, body = tool.request("POST", PATH, sized(1001))
    assert (status, code_of(body)) == (413, 4003)


def test_a_body_that_does_not_say_how_large_it_is_is_measured(tool: Tool, limit: Any) -> None:
    limit(GRAPHQL_MAX_BODY_BYTES=1000)
    connection = HTTPConnection(HOST, tool.port, timeout=PATIENCE)
    headers = {
        "Content-Type": "application/json",
        "Transfer-Encoding": "chunked",
        "X-CSRFToken": "t" * 32,
        "Cookie": f"csrftoken={'t' * 32}; sessionid={tool.session}",
    }
    try:
        body = iter([json.dumps({"query": ROOMS}).encode(), b" " * 1000])
        connection.request("POST", PATH, body, headers, encode_chunked=True)
        assert connection.getresponse().status == 413
    finally:
        connection.close()


async def test_a_message_on_a_socket_may_be_so_large_and_no_larger(
    open_socket: OpenSocket, staff: AbstractUser, limit: Any
) -> None:
    limit(GRAPHQL_MAX_BODY_BYTES=1000)
    socket = await (await open_socket(staff)).init()
    ping = json.dumps({"type": "ping"})

    await socket.socket.send(ping.ljust(1000))
    assert await socket.next() == {"type": "pong"}
    await socket.socket.send(ping.ljust(1001))

    assert (await socket.closed())[0] == 1009


def test_a_page_is_no_larger_than_allowed(
    tool: Tool, staff: AbstractUser, make_group: MakeGroup, orm: Orm, limit: Any
) -> None:
    room = make_group(staff)
    rows = [Message(room=room, sender=staff, content=str(number)) for number in range(8)]
    orm(Message.objects.bulk_create, rows)
    limit(MAX_PAGE_SIZE=3)

    for arguments in ("", "(first: 1000)", "(last: 1000)"):
        found = tool.ask(f"{{ message_records{arguments} {{ edges {{ cursor }} }} }}")
        assert len(found["message_records"]["edges"]) == 3
    query = (
        f'{{ room_messages(input: {{room_id: "{room.pk}"}}) {{ data {{ messages {{ id }} }} }} }}'
    )
    assert len(tool.ask(query)["room_messages"]["data"]["messages"]) == 3


def test_a_list_of_ids_is_no_longer_than_allowed(tool: Tool, limit: Any) -> None:
    limit(MAX_IDS=3)
    ids = [NOWHERE] * 4
    users = ", ".join(["1"] * 4)

    for query, variables, field in (
        (
            "mutation ($input: ReadInput!) { read_messages(input: $input) }",
            {"input": {"message_id": ids}},
            "message_id",
        ),
        (
            f'mutation {{ add_leaders(leaders: "admins", input: {{room_id: "{NOWHERE}", '
            f"data: {{users: [{users}]}}}}) }}",
            None,
            "data.users",
        ),
        (
            f'mutation {{ add_members(input: {{room_id: "{NOWHERE}", members: [{users}]}}) }}',
            None,
            "members",
        ),
    ):
        assert refused(tool, query, variables) == f"{field}: At most 3 items are allowed."


def test_what_graphql_says_of_a_long_value_shows_its_start(tool: Tool) -> None:
    for query in (
        f"{{ {3000 * 'x'} }}",
        f"{{ {100 * 'x'} }}",
        f'{{ room(input: {{room_id: "{3000 * "x"}"}}) {{ id }} }}',
        f'{{ room(input: {{{90 * "x"}: "{3000 * "x"}"}}) {{ id }} }}',
        f"query {3000 * 'x'} {{ rooms {{ {3000 * 'x'}: id }} }}",
        f'{{ rooms {{ id }} "{3000 * "x"}',
    ):
        status, body = tool.post(query)
        assert (status, body["data"]) == (200, None)
        for error in body["errors"]:
            assert error["extensions"]["code"] == 4003
            assert error["message"].count("x") <= 110, error  # our own words have some, too
            assert json.dumps(error).count("x") <= 210, error  # the same in two places


def test_a_name_may_be_so_long_and_no_longer(tool: Tool) -> None:
    """An answer repeats an alias, and each error below it does."""
    assert tool.ask(f"{{ {'x' * 100}: rooms {{ id }} }}") == {"x" * 100: []}
    assert refused(tool, f"{{ {'x' * 101}: rooms {{ id }} }}") == (
        "A name has at most 100 characters."
    )


def test_the_values_of_a_request_are_counted_before_it_is_read(tool: Tool, limit: Any) -> None:
    limit(MAX_FRAME_ELEMENTS=100)

    assert tool.ask(ROOMS, {"text": "[,{" * 1000}) == {"rooms": []}
    status, text = tool.post(ROOMS, {"many": [[]] * 100})
    assert (status, text) == (400, "At most 100 values.")


def test_operations_count_among_the_events_of_the_user(
    tool: Tool, limit: Any, tool_of: Any, users: Users
) -> None:
    limit(USER_RATE_LIMIT={"events": 3, "seconds": 10_000})
    other = tool_of(users("other", is_staff=True, is_superuser=True))

    for _ in range(3):
        tool.ask(ROOMS)
    for _ in range(2):
        status, body = tool.post(ROOMS)
        assert (status, body["data"], code_of(body)) == (429, None, 4029)
        assert 0 < body["errors"][0]["extensions"]["detail"]["retry_after"] <= 10_000
    assert other.ask(ROOMS) == {"rooms": []}


def aliased(count: int, room: str) -> str:
    fields = [
        f'a{number}: send_message(input: {{room_id: "{room}", content: "{number}"}}) {{ seq }}'
        for number in range(count)
    ]
    return f"mutation {{ {' '.join(fields)} }}"


FRAGMENTS = """{ ...one ...one a: positions { seq } }
fragment one on Query { ... { b: positions { seq } rooms { id } } ...two }
fragment two on Query { rooms { name } ...one }"""


@pytest.mark.parametrize(
    ("query", "name", "count"),
    [
        ("{ rooms { id created_at } }", None, 1),
        ("{ a: rooms { id } b: rooms { id } a: rooms { name } }", None, 2),
        (FRAGMENTS, None, 3),
        ("query a { rooms { id } } query b { rooms { id } c: rooms { id } }", "a", 1),
        ("query a { rooms { id } } query b { rooms { id } c: rooms { id } }", "b", 2),
        ("query a { rooms { id } } query b { rooms { id } c: rooms { id } }", None, 2),
        ("{ ...nowhere }", None, 1),
        ("{", None, 1),
        ("fragment a on Query { rooms { id } }", None, 1),
    ],
)
def test_each_field_of_an_operation_is_an_event(query: str, name: str | None, count: int) -> None:
    assert limits.count_events(query, None, name) == count
    # Where a content is, makes no difference.
    assert limits.count_events(query, {"text": "x" * 40_000}, name) == count + 2


def test_aliases_are_counted_one_by_one_before_any_of_them_runs(
    tool: Tool, limit: Any, staff: AbstractUser, make_group: MakeGroup, orm: Orm
) -> None:
    limit(USER_RATE_LIMIT={"events": 19, "seconds": 10_000})
    room = make_group(staff)

    assert len(tool.ask(aliased(15, str(room.pk)))) == 15
    status, body = tool.post(aliased(5, str(room.pk)))
    assert (status, body["data"], code_of(body)) == (429, None, 4029)

    assert orm(Message.objects.filter(room=room).count) == 15


def test_aliases_take_rooms_one_by_one(tool: Tool, limit: Any, orm: Orm) -> None:
    limit(ROOM_RATE_LIMIT={"events": 3, "seconds": 10_000})
    fields = [
        f'a{number}: create_room(input: {{type: "GroupChat", name: "one by one"}}) {{ id }}'
        for number in range(5)
    ]

    _, body = tool.post(f"mutation {{ {' '.join(fields)} }}")

    assert {error["extensions"]["code"] for error in body["errors"]} == {4029}
    assert orm(GroupChat.objects.filter(name="one by one").count) == 3


def test_each_field_of_an_operation_may_name_so_many_ids(
    tool: Tool, limit: Any, staff: AbstractUser, make_group: MakeGroup, orm: Orm
) -> None:
    limit(MAX_IDS=3)
    sent = orm(EventHandler(staff.pk).send_message, make_group(staff).pk, "hi")
    few, many = (", ".join([f'"{sent.message_id}"'] * count) for count in (3, 4))
    first, second = (f"read_messages(input: {{message_id: [{ids}]}})" for ids in (few, many))

    assert "errors" not in tool.post(f"mutation {{ a: {first} b: {first} }}")[1]
    _, body = tool.post(f"mutation {{ a: {first} b: {second} }}")

    (error,) = body["errors"]
    assert error["message"] == "message_id: At most 3 items are allowed."


def test_a_batch_of_operations_is_refused(tool: Tool) -> None:
    batch = json.dumps([{"query": ROOMS}] * 3)

    status, text = tool.request("POST", PATH, batch)

    assert (status, text) == (400, "A request is a JSON object.")


# Subscriptions


async def test_a_socket_may_have_so_many_subscriptions_and_no_more(
    open_socket: OpenSocket, staff: AbstractUser, make_group: MakeGroup, orm: Orm, limit: Any
) -> None:
    limit(GRAPHQL_MAX_SUBSCRIPTIONS=2)
    room = make_group(staff)
    orm(EventHandler(staff.pk).send_message, room.pk, "hi")
    socket = await (await open_socket(staff)).init()
    for id in ("1", "2"):
        await socket.start(id, FOLLOW_ROOM, room=str(room.pk), after=0)
        await socket.frame(id)

    await socket.start("3", FOLLOW_ROOM, room=str(room.pk), after=0)
    message = await socket.next()
    assert (message["id"], message["type"]) == ("3", "error")

    # Who ends one may begin another, and the others go on.
    await socket.stop("1")
    await socket.start("4", FOLLOW_ROOM, room=str(room.pk), after=0)
    await socket.frame("4")
    orm(EventHandler(staff.pk).send_message, room.pk, "again")
    assert {(await socket.next())["id"] for _ in range(2)} == {"2", "4"}


async def test_a_subscription_goes_on_over_the_rate_and_saves_no_socket_that_asks_on(
    open_socket: OpenSocket, staff: AbstractUser, make_group: MakeGroup, orm: Orm, limit: Any
) -> None:
    limit(USER_RATE_LIMIT={"events": 3, "seconds": 10_000})
    room = make_group(staff)
    socket = await (await open_socket(staff)).init()
    await socket.start("room", FOLLOW_ROOM, room=str(room.pk), after=0)
    await socket.start("1", ROOMS)
    assert await socket.data("1") == {"rooms": [{"id": str(room.pk)}]}
    await socket.completed("1")

    told = 0
    for number in range(PATIENCE_OF_RATES):
        await socket.start(f"more {number}", ROOMS)
        assert await socket.error(f"more {number}") == 4029
        # What happens in the room, and what it tells, is not the client's doing.
        orm(EventHandler(staff.pk).send_message, room.pk, f"{number}")
        assert (await socket.frame("room"))["event"]["message"]["content"] == f"{number}"
        told += 1
    await socket.start("last", ROOMS)

    assert told == PATIENCE_OF_RATES
    assert (await socket.closed())[0] == 4029
    again = await open_socket(staff)
    await again.send({"type": "connection_init"})
    assert (await again.closed())[0] == 4029


# Introspection


def test_introspection_can_be_switched_off_and_nothing_is_suggested_then(
    tool: Tool, limit: Any
) -> None:
    introspection = "{ __schema { query_type: queryType { name } } }"
    misspelt = '{ room(input: {rooom_id: "x"}) { idd } roms { id } }'
    assert tool.ask(introspection) == {"__schema": {"query_type": {"name": "Query"}}}
    assert "Did you mean" in json.dumps(tool.post(misspelt)[1])

    limit(GRAPHQL_INTROSPECTION=False)

    _, body = tool.post(introspection)
    assert body["data"] is None
    assert all("introspection" in error["message"] for error in body["errors"])
    assert tool.ask("{ __typename }") == {"__typename": "Query"}
    errors = tool.post(misspelt)[1]["errors"]
    assert len(errors) > 2
    assert "Did you mean" not in json.dumps(errors)


def test_introspection_that_goes_round_in_circles_is_refused(tool: Tool) -> None:
    inner = "name"
    for _ in range(5):
        inner = f"fields {{ type {{ {inner} }} }}"

    assert "introspection depth" in refused(tool, f"{{ __schema {{ types {{ {inner} }} }} }}")


# Errors


class Broken(EventHandler):
    """Operations with a bug."""

    def list_rooms(self) -> Any:
        """Fail."""
        raise RuntimeError("the password is 12345")


def test_a_bug_is_logged_and_tells_the_client_nothing(
    tool: Tool, limit: Any, caplog: pytest.LogCaptureFixture
) -> None:
    limit(EVENT_HANDLER_CLASS=Broken)

    status, body = tool.post(ROOMS)

    assert (status, body["data"], code_of(body)) == (200, None, 4006)
    assert "12345" not in json.dumps(body)
    (record,) = [record for record in caplog.records if record.name == "gql_chat"]
    assert "RuntimeError" in caplog.text
    assert "12345" not in str(record.exc_info)


async def test_a_bug_tells_the_client_nothing_on_a_socket_either(
    open_socket: OpenSocket, staff: AbstractUser, limit: Any
) -> None:
    socket = await (await open_socket(staff)).init()
    limit(EVENT_HANDLER_CLASS=Broken)

    await socket.start("1", ROOMS)

    message = await socket.next()
    assert "12345" not in json.dumps(message)
    assert code_of(message["payload"]) == 4006


# What the limits cost


def test_a_document_is_validated_once_however_often_it_is_sent(tool: Tool) -> None:
    cache: Any = _get_validate_cache(limits.CACHED)
    query = "{ rooms { id created_at } positions { stream } }"
    tool.ask(query)
    before = cache.cache_info()

    tool.ask(query)

    after = cache.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)


async def test_the_chat_socket_is_under_none_of_these_limits(
    connect: Connect, users: Users, limit: Any, tool: Tool
) -> None:
    limit(
        GRAPHQL_MAX_DEPTH=1,
        GRAPHQL_MAX_ALIASES=0,
        GRAPHQL_MAX_TOKENS=1,
        GRAPHQL_MAX_BODY_BYTES=1,
        GRAPHQL_INTROSPECTION=False,
    )
    assert (await asyncio.to_thread(tool.post, ROOMS))[0] == 413

    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    await say(alice, room, "Hello", bob)
