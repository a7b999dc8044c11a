"""Generated input: whatever a client sends, it gets one documented answer, and chat goes on.

Every event of PROTOCOL 1 is taken as it should be, and up to three places of it are replaced by
generated values, left out, or joined by fields that nobody knows.
"""

import json
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from gql_chat.conf import chat_settings
from gql_chat.operations import EventHandler
from tests.client import Client, Frame
from tests.conftest import Connect, Orm, Users

bounded = settings(
    max_examples=20,
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    # The world and the socket of a test serve all its examples: none is to break them.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# What is sent


@dataclass(frozen=True)
class Raw:
    """JSON text that Python's own writer would not write."""

    text: str

    def __repr__(self) -> str:
        return f"Raw({self.text[:30]!r}, {len(self.text)} characters)"


@dataclass(frozen=True)
class Named:
    """Something of the world, named before the world exists."""

    name: str


@dataclass(frozen=True)
class Pairs:
    """An object, as pairs: a key may stand in it twice."""

    pairs: tuple[tuple[str, Any], ...]


ABSENT = Raw("")
"""In the place of a value: the key is left out."""


def write(value: Any, world: Mapping[str, Any]) -> str:
    """Write JSON text."""
    match value:
        case Raw():
            return value.text
        case Named():
            return write(world[value.name], world)
        case dict():
            return write(Pairs(tuple(value.items())), world)
        case Pairs():
            items = (
                f"{json.dumps(key)}: {write(item, world)}"
                for key, item in value.pairs
                if item is not ABSENT
            )
            return "{" + ", ".join(items) + "}"
        case list():
            return "[" + ", ".join(write(item, world) for item in value) + "]"
    return json.dumps(value)


def deep(depth: int, core: str = "1") -> Raw:
    return Raw("[" * depth + core + "]" * depth)


def deep_object(depth: int, core: str = "1") -> Raw:
    return Raw('{"a":' * depth + core + "}" * depth)


IDS = ["room", "foreign_room", "message", "own_message", "foreign_message"]
USERS = ["alice", "bob", "carol", "dave"]


def long(text: str) -> Raw:
    return Raw(json.dumps(text))


EDGES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    1.0,
    1.5,
    2**31 - 1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    2**64,
    Raw("9" * 30),
    Raw("9" * 400),
    Raw("9" * 5000),
    Raw("1e400"),
    Raw("-1e400"),
    Raw("1e300"),
    Raw("1e19"),
    Raw("-1e19"),
    Raw("9.3e18"),
    Raw("1e-400"),
    Raw("-0"),
    Raw("NaN"),
    Raw("Infinity"),
    Raw("01"),
    Raw('"\\ud800"'),
    Raw('"\\udc00\\ud800"'),
    Raw('{"\\ud800": 1}'),
    Raw('"unfinished'),
    "",
    " ",
    "\0",
    "a\0b",
    "null",
    "1",
    "-1",
    "1e3",
    "9" * 30,
    long("9" * 5000),
    "\u0661\u0662",
    "\u202e\ufeff\u2028",
    "\U0010ffff",
    "x" * 65,
    long("x" * 10_001),
    long("x" * 20_000),
    long("<b>" * 3000),
    long("&" * 500),
    "<a href='javascript:alert(1)'>x</a><script>",
    "http://",
    "http://[",
    "http://[::1",
    long("https://example.com/" + "x" * 3000),
    "00000000-0000-0000-0000-000000000000",
    "{00000000000000000000000000000000}",
    "urn:uuid:00000000-0000-0000-0000-000000000000",
    [],
    [None],
    [[]],
    [{}],
    {},
    {"": None},
    {"a\0b": 1},
    Pairs((("a", 1), ("a", "2"))),
    Pairs((("id", 1), ("id", 1))),
    deep(33),
    deep(400),
    deep(1000),
    deep(1000, '"\\u0000"'),
    deep(3000),
    deep_object(33),
    deep_object(400),
    deep_object(1000),
    deep_object(1000, '"\\u0000"'),
    deep_object(3000),
]

# The default leaves lone surrogates out.
characters = st.characters(exclude_categories=())
names = st.one_of(st.sampled_from(IDS + USERS).map(Named), st.uuids().map(str))
duplicates = st.builds(lambda one, times: [one] * times, names, st.integers(2, 120))
leaves = st.one_of(
    st.sampled_from(EDGES),
    names,
    duplicates,
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(characters, max_size=80),
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = st.lists(st.tuples(st.text(characters, max_size=8), inner), max_size=4)
    return st.one_of(st.lists(inner, max_size=4), pairs.map(tuple).map(Pairs))


values = st.recursive(leaves, _containers, max_leaves=6)

# What is right


Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Event:
    """An event as it should be, and what may come of it.

    Attributes:
        event_type: its name.
        data: valid data.
        optional: places that are not in it, and may be.
        answer: the private answers; without one it is confirmed by a status.
        dispatches: what the acting user may hear of a success besides.
    """

    event_type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    optional: tuple[Path, ...] = ()
    answer: frozenset[str | None] = frozenset({None})
    dispatches: frozenset[str] = frozenset()

    def __str__(self) -> str:
        chosen = self.data.get("action") or self.data.get("type")
        return f"{self.event_type} {chosen}" if chosen else self.event_type

    def paths(self) -> list[Path]:
        """All places of its data, inner and outer."""
        return [*_paths(self.data), *self.optional]


def _paths(value: Any, path: Path = ()) -> Iterable[Path]:
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def replaced(data: Any, path: Path, value: Any) -> Any:
    """The data with another value in one place; as it is where another change took the place."""
    key, *rest = path
    if isinstance(data, dict):
        inner = replaced(data.get(key, {}), tuple(rest), value) if rest else value
        return {**data, key: inner}
    if isinstance(data, list) and isinstance(key, int) and key < len(data):
        inner = replaced(data[key], tuple(rest), value) if rest else value
        return [*data[:key], inner, *data[key + 1 :]]
    return data


def event(
    event_type: str,
    data: Mapping[str, Any] | None = None,
    *dispatches: str,
    answer: Iterable[str | None] = (None,),
    optional: Iterable[Path] = (),
) -> Event:
    return Event(event_type, data or {}, tuple(optional), frozenset(answer), frozenset(dispatches))


ROOM = {"room_id": Named("room")}
ADDED, REMOVED = "roomaddmembers.dispatch", "roomremovemembers.dispatch"
EXITED, DELETED = "roomexit.dispatch", "roomdelete.dispatch"
MODIFIED = "messagemodification.dispatch"
MEDIA = {
    "media_url": "https://example.com/cat.png",
    "media_type": "image",
    "mime_type": "image/png",
    "file_size": 12,
    "caption": "A cat",
    "metadata": {"width": 1},
}
EXTRA_ROOM = {
    "avatar": "https://example.com/a.png",
    "property": {"preferences": {"theme": "dark"}},
}


def modify(action: str, data: Any = ABSENT, optional: Iterable[Path] = ()) -> Event:
    return event(
        "room.modify",
        {**ROOM, "action": action, "data": data},
        DELETED if action == "delete" else "roomupdate.dispatch",
        optional=optional,
    )


def leaders(action: str, room: str) -> Event:
    return replace(
        modify(action, {"users": [Named("bob")]}),
        data={"room_id": Named(room), "action": action, "data": {"users": [Named("bob")]}},
    )


EVENTS = [
    event(
        "message.send",
        {
            **ROOM,
            "content": "Hello",
            "extra_fields": {"parent_message_id": Named("message"), "media": [MEDIA]},
        },
        "message.dispatch",
        # The original, where a generated client_id comes again.
        answer=[None, "message.dispatch"],
        optional=[
            ("client_id",),
            ("extra_fields", "forwarded_from_id"),
            ("extra_fields", "sender"),
            ("extra_fields", "is_deleted"),
            ("extra_fields", "created_at"),
            ("extra_fields", "id"),
            ("extra_fields", "media", 0, "id"),
            ("id",),
            ("sender",),
        ],
    ),
    event("message.acknowledged", {"message_id": [Named("message")]}),
    event("message.read", {"message_id": [Named("message")]}, "readreceipt.dispatch"),
    event(
        "message.react",
        {"type": "add", "message_id": Named("message"), "reaction_content": "thanks"},
        "reaction.dispatch",
    ),
    event(
        "message.react",
        {"type": "remove", "message_id": Named("message"), "reaction_content": "+1"},
        "reaction.dispatch",
    ),
    event("message.typing", {**ROOM, "is_typing": True}, "messagetyping.dispatch"),
    event(
        "message.modify",
        {
            "action": "update",
            "message_id": Named("own_message"),
            "extra_fields": {"content": "Better"},
        },
        MODIFIED,
        optional=[("extra_fields", "is_deleted"), ("extra_fields", "sender"), ("content",)],
    ),
    event("message.modify", {"action": "delete", "message_id": [Named("own_message")]}, MODIFIED),
    event(
        "room.create",
        {"type": "OneToOneChat", "participants": [Named("dave")], "extra_fields": {}},
        "roomcreate.dispatch",
        optional=[("subscribers",), ("name",), ("extra_fields", "property")],
    ),
    event(
        "room.create",
        {
            "type": "GroupChat",
            "name": "Group",
            "description": "All of us",
            "participants": [Named("bob")],
            "extra_fields": {
                **EXTRA_ROOM,
                "max_participants": 5,
                "join_approval_required": False,
                "group_locked": False,
            },
        },
        "roomcreate.dispatch",
        optional=[("extra_fields", "creator"), ("extra_fields", "is_public"), ("extra_fields", 1)],
    ),
    event(
        "room.create",
        {
            "type": "Channel",
            "name": "Channel",
            "description": None,
            "subscribers": [Named("bob")],
            "extra_fields": {**EXTRA_ROOM, "max_subscribers": 5, "is_public": True},
        },
        "roomcreate.dispatch",
        optional=[("participants",), ("extra_fields", "seq")],
    ),
    event("room.list", {}, answer=["roomlist.dispatch"], optional=[("paginate",)]),
    event("room.info", ROOM, answer=["roominfo.dispatch"]),
    event(
        "room.messages",
        {**ROOM, "paginate": {"page": 1, "size": 2}},
        answer=["roommessages.dispatch"],
        optional=[("paginate", "before"), ("paginate", "after")],
    ),
    event(
        "room.messages",
        {**ROOM, "paginate": {"before": Named("message"), "size": 2}},
        answer=["roommessages.dispatch"],
        optional=[("paginate", "page")],
    ),
    event("room.join", {"room_id": Named("open_channel")}, ADDED),
    event("room.leave", ROOM, EXITED, DELETED),
    event("room.add_members", {**ROOM, "members": [Named("carol"), Named("bob")]}, ADDED),
    event("room.remove_members", {**ROOM, "members": [Named("bob")]}, REMOVED),
    modify(
        "update",
        {
            "name": "New",
            "description": "",
            "group_locked": True,
            "join_approval_required": False,
            **EXTRA_ROOM,
        },
        optional=[("data", "is_public"), ("data", "creator"), ("data", "max_participants")],
    ),
    modify("delete"),
    leaders("add_admin", "room"),
    leaders("remove_admin", "room"),
    leaders("add_moderator", "own_channel"),
    leaders("remove_moderator", "own_channel"),
    modify("add_permission", {"users": [Named("bob")], "permission": ["can_add_new_participants"]}),
    modify(
        "remove_permission", {"users": [Named("bob")], "permission": ["can_remove_participants"]}
    ),
    event("session.heartbeat", {}, optional=[("channel_name",)]),
    event("session.resume", {"streams": {}}, answer=["session.resumed"], optional=[("epoch",)]),
]
"""Every event of the protocol, each choice of its data by itself."""

USING_UP = {
    "message.react",
    "message.modify",
    "room.join",
    "room.leave",
    "room.add_members",
    "room.remove_members",
    "room.modify",
}
"""Events that change what the next example needs unchanged."""

EVENT_TYPES = sorted({known.event_type for known in EVENTS})
EVERY_DISPATCH = frozenset().union(*(known.dispatches for known in EVENTS))
EVERY_ANSWER = frozenset().union(*(known.answer for known in EVENTS))

# Where it is sent


class World:
    """Rooms and messages around alice, whose socket it is, renewed when they are used up."""

    def __init__(self, orm: Orm, users: Users) -> None:
        self._orm = orm
        self._users = dict(zip(USERS, users.make(*USERS), strict=True))
        self.things: dict[str, Any] = {name: user.pk for name, user in self._users.items()}

    @property
    def alice(self) -> AbstractUser:
        """Who acts."""
        return self._users["alice"]

    def renew(self) -> None:
        """Make everything anew that an event may have changed or deleted."""
        self.things |= self._orm(self._make)

    def _make(self) -> dict[str, Any]:
        alice, bob, carol, _ = (EventHandler(self.things[name]) for name in USERS)
        room = alice.create_room("GroupChat", name="Ours", members=[bob.user_id])
        foreign = carol.create_room("GroupChat", name="Theirs", members=[bob.user_id])
        made = {
            "room": room,
            "foreign_room": foreign,
            "own_channel": alice.create_room("Channel", name="News", members=[bob.user_id]),
            "open_channel": carol.create_room("Channel", name="Open", fields={"is_public": True}),
        }
        messages = {
            "message": bob.send_message(room.pk, "Hi").message_id,
            "own_message": alice.send_message(room.pk, "Hi").message_id,
            "foreign_message": carol.send_message(foreign.pk, "Hi").message_id,
        }
        alice.add_reaction(messages["message"], "+1")
        ids = {name: made_room.pk for name, made_room in made.items()} | messages
        return {name: str(made_id) for name, made_id in ids.items()}


@pytest.fixture
def world(orm: Orm, users: Users) -> World:
    world = World(orm, users)
    world.renew()
    return world


class Exchange:
    """Sends one frame at a time, and takes all that comes of it."""

    def __init__(self, client: Client, caplog: pytest.LogCaptureFixture) -> None:
        self._client = client
        self._caplog = caplog
        self._count = 0

    async def heartbeat(self) -> list[Frame]:
        """Send a heartbeat; returns what came before its answer."""
        self._count += 1
        ours = f"heartbeat {self._count}"
        await self._client.send("session.heartbeat", request_id=ours)
        before = []
        while (frame := await self._client.next()).get("request_id") != ours:
            before.append(frame)
        assert frame == {"status": "success", "request_id": ours}
        return before

    async def send(self, frame: str | bytes) -> tuple[Frame, list[Frame]]:
        """Send a frame; returns its answer, of which there must be one, and the dispatches."""
        self._client.taken.clear()
        await self._client.send_raw(frame)
        came = await self.heartbeat()
        answers = [frame for frame in came if self._is_answer(frame)]
        assert len(answers) == 1, came
        errors = [record for record in self._caplog.records if record.levelno >= logging.ERROR]
        assert errors == [], self._caplog.text
        return answers[0], [frame for frame in came if frame is not answers[0]]

    @staticmethod
    def _is_answer(frame: Frame) -> bool:
        return (
            "request_id" in frame
            or "error" in frame
            or "status" in frame
            or frame.get("eventType") in PRIVATE
        )


PRIVATE = {"roomlist.dispatch", "roominfo.dispatch", "roommessages.dispatch", "session.resumed"}
DOCUMENTED_ERRORS = {4002, 4003, 4004, 4005}


@pytest.fixture
async def exchange(connect: Connect, world: World, caplog: pytest.LogCaptureFixture) -> Exchange:
    exchange = Exchange(await connect(world.alice), caplog)
    # What was sent while the world was made may still be under way to this socket.
    await exchange.heartbeat()
    return exchange


def check_error(answer: Frame) -> None:
    assert answer.keys() - {"request_id"} == {"error"}
    error = answer["error"]
    assert error.keys() == {"code", "detail"}
    assert error["code"] in DOCUMENTED_ERRORS, answer
    assert isinstance(error["detail"], str | list | dict)
    assert error["detail"]


def check_dispatches(frames: list[Frame], allowed: frozenset[str], *, resumed: bool) -> None:
    for frame in frames:
        keys = {"eventType", "data"}
        assert frame.keys() == keys or (resumed and frame.keys() == keys | {"stream", "seq"})
        assert frame["eventType"] in allowed


def check_answer(known: Event, answer: Frame, request_id: Any) -> None:
    """The answer to a success: the documented one."""
    if "status" in answer:
        assert None in known.answer or known.event_type == "session.heartbeat"
        assert answer == {"status": "success", "request_id": request_id}
    else:
        assert answer.keys() == {"eventType", "data", "request_id"}
        assert answer["request_id"] == request_id
        assert answer["eventType"] in known.answer


# Each event


def changes_of(known: Event) -> st.SearchStrategy[list[tuple[Path, Any]]]:
    paths = [*known.paths(), ("no_such_field",)]
    change = st.tuples(st.sampled_from(paths), st.one_of(st.just(ABSENT), values))
    return st.lists(change, min_size=1, max_size=3)


@pytest.mark.parametrize("known", EVENTS, ids=str)
@bounded
@given(drawn=st.data())
async def test_an_event_with_generated_fields_has_one_documented_answer(
    drawn: st.DataObject, known: Event, exchange: Exchange, world: World
) -> None:
    data: Any = dict(known.data)
    for path, value in drawn.draw(changes_of(known), label="changes"):
        data = replaced(data, path, value)

    await check_event(exchange, world, known, data)


PLACES = [
    ("message.send", ("content",)),
    ("message.send", ("client_id",)),
    ("message.send", ("extra_fields", "media", 0, "metadata")),
    ("message.send", ("extra_fields", "media", 0, "metadata", "key")),
    ("message.send", ("no_such_field",)),
    ("message.acknowledged", ("message_id", 0)),
    ("room.add_members", ("members", 0)),
    ("room.messages", ("paginate", "page")),
    ("room.messages", ("paginate", "size")),
    ("room.create", ("participants", 0)),
    ("session.resume", ("streams", "room:x")),
    ("session.resume", ("epoch",)),
]


@pytest.mark.parametrize(("event_type", "path"), PLACES)
async def test_every_edge_has_one_documented_answer(
    event_type: str, path: Path, exchange: Exchange, world: World
) -> None:
    known = next(known for known in EVENTS if known.event_type == event_type)

    for edge in EDGES:
        await check_event(exchange, world, known, replaced(known.data, path, edge))


async def check_event(exchange: Exchange, world: World, known: Event, data: Any) -> None:
    frame = {"event_type": known.event_type, "data": data, "request_id": "this"}
    answer, dispatches = await exchange.send(write(frame, world.things))

    if "error" in answer:
        check_error(answer)
        # Without its id only where the frame could not be read at all.
        assert answer.get("request_id") == "this" or answer["error"]["code"] == 4003
        assert dispatches == []
        return
    check_answer(known, answer, "this")
    resumed = known.event_type == "session.resume"
    check_dispatches(dispatches, EVERY_DISPATCH if resumed else known.dispatches, resumed=resumed)
    if known.event_type in USING_UP:
        world.renew()
        await exchange.heartbeat()


@pytest.mark.parametrize("known", EVENTS, ids=str)
async def test_the_event_itself_succeeds(known: Event, exchange: Exchange, world: World) -> None:
    # Or else what is generated above would only test what is wrong anyway.
    frame = {"event_type": known.event_type, "data": known.data, "request_id": "this"}
    answer, dispatches = await exchange.send(write(frame, world.things))

    assert "error" not in answer, answer
    check_answer(known, answer, "this")
    assert {dispatch["eventType"] for dispatch in dispatches} <= known.dispatches


@pytest.mark.parametrize("known", EVENTS, ids=str)
@settings(bounded, max_examples=10)
@given(drawn=st.data())
async def test_an_event_with_generated_data_has_one_documented_answer(
    drawn: st.DataObject, known: Event, exchange: Exchange, world: World
) -> None:
    data = drawn.draw(st.one_of(st.just(ABSENT), values), label="data")

    await check_event(exchange, world, known, data)


streams = st.one_of(
    st.text(characters, max_size=90),
    st.sampled_from(["room:", "user:", "room:x", "user:x", "other:1", "room:" + "9" * 5000]),
    st.sampled_from([*IDS, *USERS]).map(Named),
)
places = st.one_of(st.integers(-2, 20), values)


@bounded
@given(wanted=st.lists(st.tuples(streams, st.booleans(), places), max_size=8))
async def test_generated_streams_to_resume_have_one_documented_answer(
    wanted: list[tuple[Any, bool, Any]], exchange: Exchange, world: World
) -> None:
    (known,) = (known for known in EVENTS if known.event_type == "session.resume")
    pairs = []
    for name, prefixed, seq in wanted:
        if isinstance(name, Named):
            kind = "user:" if name.name in USERS else "room:"
            name = f"{kind if prefixed else ''}{world.things[name.name]}"
        pairs.append((name, seq))

    await check_event(exchange, world, known, {"streams": Pairs(tuple(pairs))})


@bounded
@given(client_id=st.one_of(values, st.text(characters, max_size=70)), times=st.integers(1, 2))
async def test_a_generated_client_id_has_one_documented_answer_each_time(
    client_id: Any, times: int, exchange: Exchange, world: World
) -> None:
    known = event("message.send", {}, "message.dispatch", answer=[None, "message.dispatch"])
    data = {**ROOM, "content": "Once", "client_id": client_id}

    for _ in range(times):
        await check_event(exchange, world, known, data)


# The envelope


def is_request_id(value: Any) -> bool:
    """Whether it is echoed; numbers beyond 64 bits are left open."""
    if isinstance(value, str):
        return len(value) <= 64
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


@bounded
@given(request_id=values)
@example(request_id="x" * 64)
@example(request_id="x" * 65)
@example(request_id="")
@example(request_id=0)
@example(request_id=-(2**63))
async def test_a_generated_request_id_is_echoed_or_refused(
    request_id: Any, exchange: Exchange, world: World
) -> None:
    if isinstance(request_id, Named):
        request_id = world.things[request_id.name]
    frame = {"event_type": "session.heartbeat", "request_id": request_id}

    answer, dispatches = await exchange.send(write(frame, world.things))

    assert dispatches == []
    surrogates = isinstance(request_id, str) and not _is_unicode(request_id)
    if request_id is None or request_id is ABSENT:
        assert answer == {"status": "success"}
    elif is_request_id(request_id) and not surrogates:
        assert answer == {"status": "success", "request_id": request_id}
    elif "error" in answer:
        check_error(answer)
        assert "request_id" not in answer
    else:
        # Raw text may be a whole number, too.
        assert isinstance(request_id, Raw | int)
        assert answer["status"] == "success"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@bounded
@given(event_type=values, data=values, request_id=st.one_of(st.just(ABSENT), st.integers(0, 9)))
async def test_a_generated_event_type_has_one_documented_answer(
    event_type: Any, data: Any, request_id: Any, exchange: Exchange, world: World
) -> None:
    frame = {"event_type": event_type, "data": data, "request_id": request_id}

    answer, dispatches = await exchange.send(write(frame, world.things))

    assert dispatches == []
    if answer.get("error") == "invalid event type":
        assert answer.keys() - {"request_id"} == {"error"}
        assert isinstance(event_type, str | Named)
    else:
        check_error(answer)
        assert answer["error"]["code"] == 4003


documents = st.one_of(
    values,
    st.fixed_dictionaries(
        {},
        optional={
            "event_type": st.one_of(st.sampled_from(EVENT_TYPES), values),
            "data": values,
            "request_id": values,
            "eventType": values,
            "": values,
        },
    ),
    st.lists(
        st.tuples(st.sampled_from(["event_type", "data", "request_id"]), values), max_size=6
    ).map(lambda pairs: Pairs(tuple(pairs))),
)


@settings(bounded, max_examples=80)
@given(document=documents)
async def test_a_generated_document_has_one_documented_answer(
    document: Any, exchange: Exchange, world: World
) -> None:
    answer, dispatches = await exchange.send(write(document, world.things))

    check_any(answer)
    check_dispatches(dispatches, EVERY_DISPATCH, resumed=True)


def check_any(answer: Frame) -> None:
    """Any answer of the protocol."""
    if answer.get("error") == "invalid event type":
        assert answer.keys() - {"request_id"} == {"error"}
    elif "error" in answer:
        check_error(answer)
    elif "status" in answer:
        assert answer.keys() - {"request_id"} == {"status"}
    else:
        assert answer.keys() - {"request_id"} == {"eventType", "data"}
        assert answer["eventType"] in EVERY_ANSWER


@bounded
@given(text=st.text(max_size=300))
async def test_generated_text_is_a_validation_error(text: str, exchange: Exchange) -> None:
    assume(not _is_object(text))

    answer, dispatches = await exchange.send(text)

    check_error(answer)
    assert answer["error"]["code"] == 4003
    assert dispatches == []


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


@bounded
@given(data=st.one_of(st.binary(max_size=300), documents.map(lambda _: b'{"event_type": "x"}')))
async def test_generated_bytes_are_a_validation_error(data: bytes, exchange: Exchange) -> None:
    answer, dispatches = await exchange.send(data)

    check_error(answer)
    assert answer["error"]["code"] == 4003
    assert dispatches == []


# Size


def padded(size: int, letter: str) -> str:
    """A frame of so many bytes."""
    start, end = '{"event_type": "session.heartbeat", "data": {"content": "', '"}}'
    room = size - len(start) - len(end)
    count = room // len(letter.encode())
    return start + letter * count + "x" * (room - count * len(letter.encode())) + end


@settings(bounded, max_examples=8)
@given(below=st.integers(0, 100_000), letter=st.sampled_from(["x", "\u00e9", "\U0001f600"]))
@example(below=0, letter="x")
async def test_a_frame_of_up_to_the_largest_size_is_answered(
    below: int, letter: str, exchange: Exchange
) -> None:
    frame = padded(chat_settings.MAX_FRAME_BYTES - below, letter)

    answer, _ = await exchange.send(frame)

    assert answer == {"status": "success"}


@settings(bounded, max_examples=8)
@given(
    above=st.integers(1, 100_000),
    letter=st.sampled_from(["x", "\u00e9", "\U0001f600"]),
    binary=st.booleans(),
)
@example(above=1, letter="x", binary=False)
@example(above=1, letter="\U0001f600", binary=True)
async def test_a_frame_that_is_too_large_closes_the_socket(
    above: int,
    letter: str,
    binary: bool,
    connect: Connect,
    world: World,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = await connect(world.alice)
    frame = padded(chat_settings.MAX_FRAME_BYTES + above, letter)

    await client.send_raw(frame.encode() if binary else frame)

    assert await client.closed() == 1009
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
