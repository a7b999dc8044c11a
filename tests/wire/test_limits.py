"""What a client sends and makes has a bound: how much passes, and what is said beyond it."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from gql_chat.models import get_model
from gql_chat.rates import PATIENCE
from tests.client import Client
from tests.conftest import Connect, Orm, Users
from tests.timing import eventually
from tests.unit.making import perform
from tests.wire.messages import configure, media
from tests.wire.resuming import resume
from tests.wire.rooms import (
    FULL,
    GROUP,
    another_socket,
    channel,
    create,
    everybody_gets,
    group,
    people,
    say,
    stored,
)

#: So slow that nothing comes back while a test runs.
SECONDS = 1_000_000


def deep(levels: int) -> dict[str, Any]:
    return {"a": deep(levels - 1)} if levels > 1 else {}


def large(size: int) -> dict[str, Any]:
    return {"a": "x" * (size - len('{"a":""}'))}


# Frames


async def test_a_frame_of_too_many_values_is_refused_unread(
    connect: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(connect, users, "alice")
    for data in ({"a": [[]] * 300_000}, {"a": [0] * 60_000}, [[]] * 40_000):
        frame = {"event_type": "message.read", "data": data, "request_id": 1}
        await alice.client.send_raw(json.dumps(frame, separators=(",", ":")))
        assert await alice.error(4003) == {"data": "A frame has at most 50000 values."}
    await alice.heartbeat()


async def test_a_long_message_of_brackets_and_commas_is_one_value(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_FRAME_ELEMENTS=20)
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)

    text = '[{,"\\' * 500
    assert (await say(alice, room, text))["content"] == text


# Texts and objects


@pytest.mark.parametrize(
    ("field", "fits", "too_much"),
    [
        ("description", "ž" * 2000, "ž" * 2001),
        ("property.preferences", deep(8), deep(9)),
        ("property.preferences", large(8192), large(8193)),
    ],
)
async def test_what_a_room_says_of_itself_has_a_bound(
    field: str, fits: Any, too_much: Any, connect: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(connect, users, "alice")
    name = field.partition(".")[2] or field

    def filled(value: Any) -> dict[str, Any]:
        return {"property": {name: value}} if "." in field else {name: value}

    def creating(value: Any) -> dict[str, Any]:
        given = filled(value)
        return {"name": "x", **({"extra_fields": given} if "." in field else given)}

    where = f"extra_fields.{field}" if "." in field else field
    refusal = await alice.refused(4003, "room.create", {"type": GROUP, **creating(too_much)})
    assert list(refusal) == [where]
    assert "At most" in refusal[where]

    room = await create(alice, GROUP, creating(fits))
    before = stored(orm, room)
    modify = {"room_id": room["id"], "action": "update"}
    refusal = await alice.refused(4003, "room.modify", {**modify, "data": filled(too_much)})
    assert list(refusal) == [f"data.{field}"]
    assert stored(orm, room) == before
    await alice.send("room.modify", {**modify, "data": filled(fits)})
    updated = await alice.expect("roomupdate.dispatch")
    shown = updated["property"] if "." in field else updated
    assert shown[name] == fits


@pytest.mark.parametrize(
    ("fits", "too_much"), [(deep(8), deep(9)), (large(8192), large(8193)), ({}, {"a": 2**63})]
)
async def test_metadata_have_a_bound(
    fits: Any, too_much: Any, connect: Connect, users: Users, orm: Orm
) -> None:
    (alice,) = await people(connect, users, "alice")
    room = await group(alice)
    before = stored(orm, room)

    def sent(value: Any) -> dict[str, Any]:
        return {"media": [media(), media(metadata=value)]}

    data = {"room_id": room["id"], "content": "", "extra_fields": sent(too_much)}
    refusal = await alice.refused(4003, "message.send", data)
    assert list(refusal) == ["extra_fields.media.1.metadata"]

    assert stored(orm, room) == before
    message = await say(alice, room, "", extra_fields=sent(fits))
    assert message["attachments"][1]["metadata"] == fits


@pytest.mark.parametrize(
    "values", [{"MAX_DESCRIPTION_LENGTH": None}, {"MAX_JSON_BYTES": None, "MAX_JSON_DEPTH": None}]
)
async def test_texts_and_objects_may_be_unlimited(
    values: Any, connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, **values)
    (alice,) = await people(connect, users, "alice")
    free = "MAX_JSON_BYTES" in values
    preferences = {"a": {"x": "x" * 50_000, "y": deep(30)}} if free else {}
    description = "x" if free else "x" * 50_000

    data = {
        "name": "x",
        "description": description,
        "extra_fields": {"property": {"preferences": preferences}},
    }
    room = await create(alice, GROUP, data)

    assert room["property"] == {"preferences": preferences}
    assert room["description"] == description


# Members and rooms


async def test_a_room_has_no_more_members_than_rooms_may_have(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_MEMBERS=2)
    alice, bob, carol = await people(connect, users, "alice", "bob", "carol")
    room = await group(alice, bob, max_participants=2**31 - 1)

    data = {"room_id": room["id"], "members": [carol.id]}
    assert await alice.refused(4003, "room.add_members", data) == FULL[GROUP]
    both = {"type": GROUP, "name": "x", "participants": [bob.id, carol.id]}
    assert await alice.refused(4003, "room.create", both) == FULL[GROUP]
    await carol.nothing()


async def test_a_user_makes_so_many_rooms_in_a_time(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, ROOM_RATE_LIMIT={"events": 2, "seconds": SECONDS})
    alice, bob = await people(connect, users, "alice", "bob")
    public = await channel(bob, is_public=True)
    await group(alice)
    await alice.send("room.join", {"room_id": public["id"]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob)

    phone = await another_socket(connect, alice)
    for person in (alice, phone):
        detail = await person.refused(4029, "room.create", {"type": GROUP, "name": "x"})
        assert detail["message"] == "Too many rooms in too short a time."
        assert 0 < detail["retry_after"] <= SECONDS
    await alice.nothing()
    await group(bob, alice)


async def test_a_user_is_in_so_many_rooms(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_ROOMS_PER_USER=2, MAX_ROOMS_BY_OTHERS=1)
    alice, bob = await people(connect, users, "alice", "bob")
    await group(alice, bob)
    public = await channel(alice, is_public=True)

    new = {"type": GROUP, "name": "x", "participants": [bob.id]}
    text = "You are in 2 rooms: leave one first."
    assert await alice.refused(4003, "room.create", new) == {"type": text}
    data = {"room_id": public["id"], "members": [bob.id]}
    text = f"User {bob.user.pk} is in too many rooms to be brought into another."
    assert await alice.refused(4003, "room.add_members", data) == {"members": text}
    await bob.nothing()
    await bob.send("room.join", {"room_id": public["id"]})
    await everybody_gets("roomaddmembers.dispatch", alice, bob)


# Sockets


async def test_sockets_that_open_at_once_are_no_more_than_a_user_may_have(
    connect: Connect, users: Users, settings: Settings, orm: Orm
) -> None:
    configure(settings, MAX_SESSIONS_PER_USER=4)
    alice = users("alice")
    clients = await asyncio.gather(*(connect(alice, greeted=False) for _ in range(12)))

    first = await asyncio.gather(*(client.next() for client in clients))

    refused = [client for client, frame in zip(clients, first, strict=True) if "error" in frame]
    assert len(refused) == 8
    for client, frame in zip(clients, first, strict=True):
        if client in refused:
            assert frame["error"]["code"] == 4029
            assert frame["error"]["detail"]["retry_after"] > 0
            assert await client.closed() == 4029
        else:
            assert frame["eventType"] == "chat.notifications"
            await client.heartbeat()
    sessions = get_model("Session").objects.filter(user=alice)
    await eventually(lambda: orm(sessions.count) == 4, "only the open ones have a session")
    for client in clients:
        if client not in refused:
            await client.close()
            break
    await eventually(lambda: orm(sessions.count) == 3, "its session is gone")
    await (await connect(alice)).heartbeat()


# Events


async def pass_and_fail(client: Client, count: int) -> tuple[int, int]:
    """Send heartbeats, one after the other; returns how many passed and how many did not."""
    passed = 0
    for _ in range(count):
        await client.send("session.heartbeat")
        frame = await client.next()
        if frame == {"status": "success"}:
            passed += 1
        else:
            assert frame["error"]["code"] == 4029
            assert 0 < frame["error"]["detail"]["retry_after"] <= SECONDS
    return passed, count - passed


async def test_the_sockets_of_a_user_share_a_rate(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, USER_RATE_LIMIT={"events": 8, "seconds": SECONDS})
    alice, bob = users.make("alice", "bob")
    # To connect is an event, too.
    one, other = await connect(alice), await connect(alice)

    assert await pass_and_fail(one, 4) == (4, 0)
    assert await pass_and_fail(other, 4) == (2, 2)
    assert await pass_and_fail(one, 2) == (0, 2)
    assert await pass_and_fail(await connect(bob), 5) == (5, 0)


async def test_who_connects_again_has_no_more_left(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, USER_RATE_LIMIT={"events": 4, "seconds": SECONDS})
    alice = users("alice")
    first = await connect(alice)
    await pass_and_fail(first, 3)
    await first.close()

    for _ in range(3):
        again = await connect(alice, greeted=False)
        assert (await again.error(4029))["retry_after"] > 0
        assert await again.closed() == 4029


async def test_every_frame_counts_whatever_is_in_it(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, USER_RATE_LIMIT={"events": 6, "seconds": SECONDS})
    alice = await connect(users("alice"))
    for frame in ("no JSON", "[]", b"binary", '{"event_type": "no.event"}', "{}"):
        await alice.send_raw(frame)
        assert (await alice.next())["error"] is not None

    await alice.send_raw("no JSON")
    await alice.error(4029)


async def test_a_large_frame_counts_as_several(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, USER_RATE_LIMIT={"events": 8, "seconds": SECONDS})
    alice = await connect(users("alice"))

    await alice.send_raw("x" * 70_000)
    await alice.error(4003)

    assert await pass_and_fail(alice, 5) == (2, 3)


async def test_a_client_that_goes_on_is_closed(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, USER_RATE_LIMIT={"events": 2, "seconds": SECONDS})
    user = users("alice")
    alice = await connect(user)
    await alice.heartbeat()

    for number in range(PATIENCE + 20):
        frame = {"event_type": "session.heartbeat", "request_id": number}
        await alice.socket.send(json.dumps(frame))
    assert await alice.closed() == 4029

    refused = [json.loads(frame) for frame in alice.waiting()]
    assert [frame["request_id"] for frame in refused] == list(range(PATIENCE))
    again = await connect(user, greeted=False)
    assert await again.closed() == 4029


async def test_the_rate_may_be_unlimited(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, USER_RATE_LIMIT=None)
    alice = await connect(users("alice"))

    assert await pass_and_fail(alice, 100) == (100, 0)


# Resuming


async def test_a_resume_names_so_many_streams(
    connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, MAX_RESUME_STREAMS=3)
    (alice,) = await people(connect, users, "alice")
    named = {f"room:{number}": 0 for number in range(4)}

    detail = await alice.refused(4003, "session.resume", {"streams": named})
    assert detail == {"streams": "At most 3 streams may be named."}
    named.popitem()
    frames, answer = await resume(alice, named)
    assert (frames, len(answer)) == ([], 4)


@pytest.mark.parametrize(
    ("values", "recovered"),
    [
        ({"MAX_REPLAY_FRAMES": 16}, (True, True)),
        ({"MAX_REPLAY_FRAMES": 15}, (True, False)),
        ({"MAX_REPLAY_FRAMES": 3}, (False, False)),
        ({"MAX_REPLAY_BYTES": 40_000}, (True, False)),
        ({"MAX_REPLAY_BYTES": 1000}, (False, False)),
        ({"MAX_REPLAY_BYTES": None, "MAX_REPLAY_FRAMES": None}, (True, True)),
    ],
)
async def test_a_replay_has_so_many_frames_and_bytes(
    values: Any, recovered: Any, connect: Connect, users: Users, settings: Settings
) -> None:
    """What is beyond it is to be fetched afresh: the streams with most of it, no others."""
    alice, bob = await people(connect, users, "alice", "bob")
    quiet, busy = await group(alice, bob), await group(alice, bob)
    for _ in range(4):
        await say(alice, quiet, "x", bob)
    for _ in range(12):
        await say(alice, busy, "x" * 4000, bob)
    names = [f"room:{room['id']}" for room in (quiet, busy)]
    configure(settings, **values)

    frames, answer = await resume(await another_socket(connect, bob), dict.fromkeys(names, 1))

    assert tuple(answer[name]["recovered"] for name in names) == recovered
    assert len(frames) == sum(
        count for count, whole in zip((4, 12), recovered, strict=True) if whole
    )
    assert [answer[name]["seq"] for name in names] == [5, 13]


# Errors

MARK = "\N{SNOWMAN}"


def marked(inner: Any) -> Any:
    return st.lists(inner, max_size=4) | st.dictionaries(MARKS, inner, max_size=4)


MARKS = st.integers(1, 400).map(lambda count: MARK * count)
MARKED = st.recursive(MARKS | st.none() | st.integers(-5, 5), marked, max_leaves=12)

FIELDS = st.sampled_from(
    [
        "room_id",
        "content",
        "client_id",
        "message_id",
        "extra_fields",
        "type",
        "name",
        "action",
        "data",
        "members",
        "participants",
        "paginate",
        "streams",
        "reaction_content",
    ]
)

EVENTS = (
    "message.send",
    "message.read",
    "message.modify",
    "message.react",
    "room.create",
    "room.modify",
    "room.add_members",
    "room.messages",
    "notification.list",
    "session.resume",
)


@pytest.mark.parametrize("event", EVENTS)
async def test_an_error_repeats_a_hundred_characters_of_what_was_sent_at_most(
    event: str, connect: Connect, users: Users, settings: Settings
) -> None:
    configure(settings, USER_RATE_LIMIT=None)
    (alice,) = await people(connect, users, "alice")
    loop = asyncio.get_running_loop()

    async def check(data: Any) -> None:
        await alice.send(event, data)
        frame = await alice.next()
        # What is right by chance is answered: a resume by each stream that was named.
        if "error" in frame:
            assert json.dumps(frame, ensure_ascii=False).count(MARK) <= 100, frame

    @hypothesis_settings(
        max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(data=st.dictionaries(FIELDS | MARKS, MARKED, max_size=6) | MARKED)
    def run(data: Any) -> None:
        asyncio.run_coroutine_threadsafe(check(data), loop).result()

    await asyncio.to_thread(run)


async def test_errors_of_operations_repeat_no_more(
    connect: Connect, users: Users, orm: Orm
) -> None:
    alice, bob = await people(connect, users, "alice", "bob")
    room = await group(alice, bob)
    long = MARK * 5000

    def modify(action: str, **data: Any) -> dict[str, Any]:
        return {"room_id": room["id"], "action": action, "data": data}

    send = {"room_id": room["id"], "content": ""}
    for event, data in (
        ("room.create", {"type": long, "name": "x"}),
        ("room.create", {"type": long, "name": "x", "subscribers": [alice.id]}),
        ("room.create", {"type": GROUP, "name": "x", "participants": [long, long[:90]]}),
        ("room.create", {"type": GROUP, "name": "x", "extra_fields": {"avatar": long}}),
        ("room.modify", modify("add_permission", users=[bob.id], permission=[long, "x"])),
        ("message.send", {**send, "extra_fields": {"media": [media(mime_type=long)] * 3}}),
        ("message.send", {**send, "extra_fields": {"media": [media(media_url=long)] * 3}}),
        ("message.send", {**send, "client_id": long}),
    ):
        await alice.send(event, data)
        frame = await alice.next()
        assert frame["error"]["code"] in (4003, 4004)
        assert json.dumps(frame, ensure_ascii=False).count(MARK) <= 100, frame


def test_every_list_of_a_client_is_counted_before_anything_is_looked_at(
    users: Users, orm: Orm
) -> None:
    """No statement is made for a list that is too long, whatever event it is in."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from event_bridge.operations import events
    from gql_chat.errors import Invalid
    from tests.wire.test_counts import LISTS

    user = users("alice")
    named = {(event, field) for event, field, _ in LISTS}
    assert named <= {(event, field) for event, field, _ in _lists_of(events())}

    def count_statements(event: str, field: str, data: Any) -> int:
        with CaptureQueriesContext(connection) as captured:
            with pytest.raises(Invalid) as refused:
                perform(user, event, data)
            assert list(refused.value.detail) == [field]
        return len([query for query in captured if "SELECT" in query["sql"]])

    for event, field, data in _lists_of(events()):
        assert orm(count_statements, event, field, data) == 0, (event, field)


def _lists_of(table: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Each list of each event, with data in which it is too long."""
    from graphql import GraphQLInputObjectType, GraphQLList, get_named_type, get_nullable_type

    from event_bridge.declarations import Choice

    def find(kind: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        found = []
        for name, field in kind.fields.items():
            if isinstance(get_nullable_type(field.type), GraphQLList):
                found.append((*path, name))
            elif isinstance(inner := get_named_type(field.type), GraphQLInputObjectType):
                found += find(inner, (*path, name))
        return found

    cases = []
    for event, route in table.routes.items():
        options = route.options if isinstance(route, Choice) else {None: route}
        for option, operation in options.items():
            kind = table.prepared(operation).input
            for path in find(kind) if kind is not None else ():
                data: Any = ["x"] * 501
                for step in reversed(path):
                    data = {step: data}
                if option is not None:
                    data[route.field] = option
                cases.append((event, ".".join(path), data))
    return cases
