"""The one order in which operations lock: rooms by key, what stands in them, users' streams, log.

`docs/concurrency.md` says why. A watcher sees every statement of every operation.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction

from gql_chat.errors import NotFound
from gql_chat.models import (
    ChatNotification,
    Delivery,
    GroupChat,
    Membership,
    Message,
    MessageMediaAsset,
    Reaction,
    ReadReceipt,
    Room,
    RoomManager,
    RoomProperty,
    StreamEvent,
    UserStream,
    rooms,
)
from gql_chat.operations import EventHandler, base
from gql_chat.sql.statements import Statement
from tests.conftest import Users
from tests.unit.scenes import CASES, Scene, run
from tests.unit.test_settings import chat

pytestmark = pytest.mark.skipif(
    not connection.features.has_select_for_update,
    reason="SQLite has one writer, and no locks of rows",
)

ROOMS, IN_ROOMS, USERS, LOG = range(4)

#: What stands in a room: written under its lock alone.
KEPT_IN_ROOMS = (
    Membership,
    Message,
    MessageMediaAsset,
    Delivery,
    ReadReceipt,
    Reaction,
    ChatNotification,
    RoomProperty,
)
RANKS = {
    Room._meta.db_table: ROOMS,
    **{model._meta.db_table: IN_ROOMS for model in KEPT_IN_ROOMS},
    UserStream._meta.db_table: USERS,
    StreamEvent._meta.db_table: LOG,
}
#: They make a room, which nobody else knows of before the commit.
CREATE = {case for case in CASES if case.startswith("room.create")}
#: They write nothing of a room.
ELSEWHERE = {"user.preferences"}

WRITE = re.compile(r'^(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)"?')
LOCK = re.compile(r'FROM "(\w+)".* FOR NO KEY UPDATE')


class Watcher:
    """Notes what every statement locks or writes."""

    def __init__(self) -> None:
        self.locked: list[str] = []
        self.steps: list[tuple[int, str]] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if lock := LOCK.search(sql):
            self.locked.append(lock[1])
            self.steps.append((RANKS[lock[1]], sql))
        elif (write := WRITE.match(sql)) and write[1] in RANKS:
            self.steps.append((RANKS[write[1]], sql))
        return execute(sql, params, many, context)


@pytest.fixture(scope="module")
def scene(committed_database: None) -> Iterator[Scene]:
    users = Users(lambda work, *args, **kwargs: work(*args, **kwargs))
    with transaction.atomic():
        yield Scene(users, 3)
        transaction.set_rollback(True)


def watch(work: Any) -> Watcher:
    ContentType.objects.get_for_model(Room)
    watcher = Watcher()
    with transaction.atomic():
        with connection.execute_wrapper(watcher):
            work()
        transaction.set_rollback(True)
    return watcher


class Hides(RoomManager[Any]):
    """A manager of a project's: some rooms it does not show."""

    def get_queryset(self) -> Any:
        return super().get_queryset().exclude(name="group")


class HidesAll(RoomManager[Any]):
    """Shows no room, as where a request belongs to no tenant."""

    def get_queryset(self) -> Any:
        return super().get_queryset().none()


@pytest.mark.parametrize("kind", [Hides, HidesAll])
def test_a_room_that_its_manager_does_not_show_is_none(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, kind: type[RoomManager[Any]]
) -> None:
    manager = kind()
    manager.model = Room
    monkeypatch.setitem(Room._meta.managers_map, "objects", manager)
    for name in ("_room_lock", "_locked_rooms", "_rooms", "_rooms_of_messages"):
        found: Any = getattr(base, name)
        # What is kept is that of the manager before.
        monkeypatch.setattr(base, name, Statement(found._select, found._get_given))
    handler = EventHandler(scene.owner.pk)

    with pytest.raises(NotFound):
        handler.send_message(scene.group.pk, "hello")
    with pytest.raises(NotFound):
        handler.edit_message(scene.mine[0].pk, "hello")


@pytest.mark.parametrize("case", sorted(CASES.keys() - CREATE - ELSEWHERE))
def test_an_operation_locks_rooms_before_it_writes_anything_in_them(
    scene: Scene, case: str
) -> None:
    watcher = watch(lambda: run(scene, case))

    first_write = next((at for at, (rank, _) in enumerate(watcher.steps) if rank != ROOMS), None)
    if first_write is None:
        return
    assert watcher.locked, watcher.steps[first_write]
    assert set(watcher.locked) == {Room._meta.db_table}
    # No room is locked that late that somebody who holds it may wait for what is held by then.
    locks = [at for at, (_, sql) in enumerate(watcher.steps) if "FOR NO KEY UPDATE" in sql]
    assert max(locks) < first_write, watcher.steps


@pytest.mark.parametrize("case", sorted(CASES))
def test_an_operation_locks_streams_of_users_after_all_that_stands_in_rooms(
    scene: Scene, case: str
) -> None:
    watcher = watch(lambda: run(scene, case))

    users = [at for at, (rank, _) in enumerate(watcher.steps) if rank == USERS]
    others = [at for at, (rank, _) in enumerate(watcher.steps) if rank == IN_ROOMS]
    assert not users or not others or max(others) < min(users), watcher.steps


def test_rooms_are_locked_in_the_order_of_their_keys(scene: Scene) -> None:
    rooms = [GroupChat.objects.create(name=f"{n}", creator=scene.owner) for n in range(5)]
    handler = EventHandler(scene.owner.pk)
    ids = [handler.send_message(room.pk, "hello").message_id for room in rooms]

    def act() -> None:
        EventHandler(scene.owner.pk).read_messages(ids)
        EventHandler(scene.owner.pk).acknowledge_messages(reversed(ids))
        EventHandler(scene.owner.pk).send_message(rooms[3].pk, forwarded_from_id=ids[1])

    watcher = watch(act)

    locks = [sql for _, sql in watcher.steps if "FOR NO KEY UPDATE" in sql]
    assert locks
    assert all("ORDER BY" in sql for sql in locks), locks


@pytest.mark.parametrize("way", ["account", "room", "room in parts", "memberships", "messages"])
def test_deleting_by_plain_code_locks_rooms_before_it_deletes_anything(
    scene: Scene, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "room in parts":  # as one of thousands of messages is deleted
        monkeypatch.setattr(rooms, "_MESSAGES_AT_ONCE", 2)

    def act() -> None:
        if way == "account":
            get_user_model()._default_manager.get(pk=scene.members[0].pk).delete()
        elif way.startswith("room"):
            Room.objects.get(pk=scene.group.pk).delete()
        elif way == "memberships":
            Membership.objects.filter(room=scene.group, user__in=scene.members).delete()
        else:
            Message.objects.filter(room=scene.group).delete()

    watcher = watch(act)

    first_write = next(at for at, (rank, _) in enumerate(watcher.steps) if rank == IN_ROOMS)
    locks = [at for at, (_, sql) in enumerate(watcher.steps) if "FOR NO KEY UPDATE" in sql]
    assert locks
    assert min(locks) < first_write, watcher.steps[: first_write + 1]


def test_the_log_is_locked_last_by_what_erases_it(scene: Scene) -> None:
    handler, other = EventHandler(scene.owner.pk), EventHandler(scene.members[0].pk)
    key = handler.send_message(scene.group.pk, "hello").message_id
    other.acknowledge_messages([key])
    other.read_messages([key])
    works = {
        "delete": lambda: handler.delete_messages([key]),
        "edit": lambda: handler.edit_message(key, "changed"),
    }
    for name, work in works.items():
        with chat(ERASE_LOG="edited"):
            watcher = watch(work)

        log = [at for at, (rank, _) in enumerate(watcher.steps) if rank == LOG]
        before = [at for at, (rank, _) in enumerate(watcher.steps) if rank in (IN_ROOMS, USERS)]
        assert StreamEvent._meta.db_table in watcher.locked, name
        assert max(before) < min(log), (name, watcher.steps)


def test_rooms_that_quote_what_goes_are_locked_with_its_own_in_order(scene: Scene) -> None:
    handler = EventHandler(scene.owner.pk)
    rooms = [GroupChat.objects.create(name=f"{n}", creator=scene.owner) for n in range(5)]
    keys = sorted((room.pk for room in rooms), key=str)
    said = handler.send_message(keys[2], "hello").message_id
    for key in (keys[4], keys[0], keys[2]):
        handler.send_message(key, "see", parent_message_id=said)
    locked: list[Any] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        lock = LOCK.search(sql)
        if lock and lock[1] == Room._meta.db_table:
            locked.append([str(key) for each in params for key in each])
        return execute(sql, params, many, context)

    for work in (
        lambda: handler.delete_messages([said]),
        lambda: handler.delete_room(keys[2]),
        lambda: handler.edit_message(said, "changed"),
    ):
        locked.clear()
        with transaction.atomic():
            with chat(ERASE_LOG="edited"), connection.execute_wrapper(note):
                work()
            transaction.set_rollback(True)
        assert sorted(locked[0]) == sorted(str(keys[at]) for at in (0, 2, 4))
