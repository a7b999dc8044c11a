"""What every event costs: queries and rows written, whatever the size of what it touches."""

from collections import Counter
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from event_bridge.declarations import Choice
from event_bridge.events import map_events, map_lifecycle
from gql_chat.models import Delivery, Mention, MessageMediaAsset, Reaction, ReadReceipt, Room
from tests.conftest import Users
from tests.unit.scenes import CASES, Scene, run

SMALL, LARGE = 3, 30

#: How many statements each takes, at most: what does not hang on a message is not asked for.
#: (The one that lets SQLite begin with a write is left out.)
QUERIES = {
    "message.send": 8,
    "message.send reply": 16,
    "message.send forward": 17,
    "message.send media": 9,
    "message.send client_id": 10,
    "message.acknowledged one": 18,
    "message.acknowledged many": 18,
    "message.read one": 15,
    "message.read many": 15,
    "message.react add": 16,
    "message.react replace": 19,
    "message.react remove": 16,
    "message.pin": 17,
    "message.unpin": 15,
    "room.pins": 8,
    "room.pins before": 9,
    "message.save": 17,
    "message.unsave": 15,
    "saved.list": 8,
    "saved.list before": 9,
    "message.typing": 3,
    "message.modify update": 14,
    "message.modify delete one": 25,
    "message.modify delete many": 25,
    "room.create OneToOneChat": 20,
    "room.create GroupChat": 19,
    "room.create Channel": 19,
    "room.list": 11,
    "room.list page": 12,
    "room.list filter": 11,
    "room.members": 3,
    "room.members page": 4,
    "user.find": 3,
    "user.find page": 4,
    "room.info": 3,
    "room.messages": 8,
    "room.messages page": 8,
    "room.messages before": 9,
    "notification.list": 8,
    "notification.list before": 9,
    "room.read": 17,
    "room.read up to one": 17,
    "room.unread": 10,
    "unread.list": 2,
    "unread.list of a room": 2,
    "room.join": 12,
    "room.leave": 19,
    "room.leave last": 39,
    "room.add_members": 12,
    "room.remove_members": 20,
    "room.modify update": 11,
    "room.modify delete": 40,
    "message.send mentions": 11,
    "message.modify update mentions": 24,
    "mention.list": 8,
    "mention.list before": 10,
    "room.preferences": 8,
    "user.preferences": 8,
    "room.modify add_admin": 13,
    "room.modify remove_admin": 12,
    "room.modify add_moderator": 13,
    "room.modify remove_moderator": 12,
    "room.modify add_permission": 11,
    "room.modify remove_permission": 10,
    "presence.subscribe users": 6,
    "presence.subscribe rooms": 6,
    "presence.unsubscribe": 1,
    "presence.set": 6,
    "activity": 5,
    "open": 13,
    "close": 3,
    "heartbeat": 6,
}

_OF_MESSAGES = (
    *("message.send", "message.ack", "message.re", "message.mod"),
    *("message.pin", "message.unpin", "message.save", "message.unsave"),
)

#: Those that read a room with what is in it at once where it has not to be locked first.
#: A socket that opens locks what a user's sockets are counted by.
AT_ONCE = {
    "open",
    *(case for case in QUERIES if case.startswith(_OF_MESSAGES)),
    "room.read",
    "room.read up to one",
    "room.unread",
    "room.leave",
    "room.leave last",
    "room.modify delete",
    "room.preferences",
}

#: Those that tell a room nothing that takes a place in its stream.
WITHOUT_PLACE = {
    "message.acknowledged one",
    "message.acknowledged many",
    "message.typing",
    "message.save",
    "message.unsave",
    "room.unread",
    "unread.list",
    "unread.list of a room",
    "room.info",
    *(
        case
        for case in QUERIES
        if case.startswith(
            (
                "room.list",
                "room.members",
                "room.messages",
                "room.pins",
                "notification.list",
                "saved.",
                "presence.",
                "user.find",
                "mention.list",
            )
        )
    ),
    "activity",
    "room.preferences",
    "user.preferences",
    "open",
    "close",
    "heartbeat",
}

#: Those that bring users in, and hold their accounts where other transactions run beside.
BRINGING_IN = ("room.create", "room.join", "room.add_members")


#: Those that tell a room of something that happened to a message; a deletion finds it by that.
NOTED = {
    case
    for case in QUERIES
    if case.startswith(("message.re", "message.modify update", "message.pin", "message.unpin"))
}


#: Those that delete something: so often they look in which other rooms it is quoted, to lock those.
DELETING = {
    "message.modify delete one": 2,
    "message.modify delete many": 2,
    "room.leave last": 1,
    "room.modify delete": 2,
}


def _is_postgres() -> bool:
    return connection.vendor == "postgresql"


def expected(case: str) -> int:
    locks = connection.features.has_select_for_update
    # PostgreSQL counts the place up, logs the event there, and notes what it shows, all in one.
    at_once = (case not in WITHOUT_PLACE) + (case in NOTED) if _is_postgres() else 0
    locking = 0 if locks else (case in AT_ONCE) + DELETING.get(case, 0)
    holds = _is_postgres() and case.startswith(BRINGING_IN)
    return QUERIES[case] - locking - at_once + holds


@pytest.fixture(scope="module")
def scenes(committed_database: None) -> Iterator[dict[int, Scene]]:
    """A small scene and a large one, in a transaction that nothing is left of."""
    users = Users(lambda work, *args, **kwargs: work(*args, **kwargs))
    with transaction.atomic():
        yield {size: Scene(users, size) for size in (SMALL, LARGE)}
        transaction.set_rollback(True)


@pytest.fixture
def undone(scenes: dict[int, Scene]) -> Iterator[None]:
    """What the test does is undone for the next one."""
    # They are kept for the life of a process; here they would be read by the first test.
    ContentType.objects.get_for_model(Room)
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def queries_of(scene: Scene, case: str) -> list[str]:
    with transaction.atomic():
        with CaptureQueriesContext(connection) as captured:
            run(scene, case)
        transaction.set_rollback(True)
    queries = [query["sql"] for query in captured.captured_queries]
    return [query for query in queries if "SET seq = seq" not in query]


def count_rows() -> Counter[str]:
    models = (m for app in ("gql_chat", "guardian") for m in apps.get_app_config(app).get_models())
    return Counter({m.__name__: m._default_manager.count() for m in models if not m._meta.proxy})


def rows_written(scene: Scene, case: str) -> dict[str, int]:
    with transaction.atomic():
        rows = count_rows()
        run(scene, case)
        rows.subtract(Counter(count_rows()))
        transaction.set_rollback(True)
    return {model: -count for model, count in rows.items() if count}


def test_every_event_has_a_case() -> None:
    wanted = set()
    for name, route in {**map_events(), **map_lifecycle()}.items():
        wanted |= {f"{name} {o}" for o in route.options} if isinstance(route, Choice) else {name}

    covered = {event for event in wanted for case in CASES if f"{case} ".startswith(f"{event} ")}
    assert covered == wanted
    assert CASES.keys() == QUERIES.keys()


@pytest.mark.parametrize("case", CASES)
def test_the_queries_of_an_event_are_these_however_much_there_is(
    case: str, scenes: dict[int, Scene], undone: None
) -> None:
    small, large = (queries_of(scenes[size], case) for size in (SMALL, LARGE))

    assert len(small) == len(large), "\n".join(["", *small, "", *large])
    assert len(small) == expected(case), "\n".join(["", *small])


@pytest.mark.parametrize("case", ["message.read one", "message.react add"])
def test_what_hangs_on_a_message_is_asked_for_only_where_there_is_some(
    case: str, scenes: dict[int, Scene], undone: None
) -> None:
    scene = scenes[SMALL]
    for model in (MessageMediaAsset, Delivery, ReadReceipt, Reaction, Mention):
        model.objects.filter(message__in=[*scene.theirs, *scene.mine]).delete()

    assert len(queries_of(scene, case)) == expected(case) - 5


@pytest.mark.skipif(connection.vendor != "sqlite", reason="other databases keep statistics")
def test_a_reaction_does_not_read_all_that_the_user_ever_did(
    scenes: dict[int, Scene], undone: None
) -> None:
    (look,) = (
        query
        for query in queries_of(scenes[SMALL], "message.react add")
        if query.startswith("SELECT") and "has_notification" in query
    )
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {look}")
        plan = [row[-1] for row in cursor.fetchall()]

    assert any("chatnotification_message_id" in step for step in plan), plan
    assert not any("actor_id" in step for step in plan), plan


@pytest.mark.parametrize(
    ("case", "rows"),
    [
        ("message.send", {"Message": 1, "ChatNotification": 1, "StreamEvent": 1}),
        ("message.send reply", {"Message": 1, "ChatNotification": 1, "StreamEvent": 1}),
        (
            "message.send client_id",
            {"Message": 1, "ChatNotification": 1, "StreamEvent": 1, "ClientMessage": 1},
        ),
        (
            "message.react add",
            {"Reaction": 1, "ChatNotification": 1, "StreamEvent": 1, "EventSubject": 1},
        ),
        ("message.read one", {"ReadReceipt": 1, "StreamEvent": 1, "EventSubject": 1}),
        ("message.typing", {}),
        ("room.list", {}),
    ],
)
def test_the_rows_that_an_event_writes_are_these_however_many_members_there_are(
    case: str, rows: dict[str, int], scenes: dict[int, Scene], undone: None
) -> None:
    assert rows_written(scenes[SMALL], case) == rows
    assert rows_written(scenes[LARGE], case) == rows
