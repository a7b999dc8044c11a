"""A project that reads from replicas, which may be behind: nothing that decides is read there."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, router, transaction
from django.test import override_settings

from gql_chat.models import GroupChat, Membership, Room
from gql_chat.operations import EventHandler
from tests.conftest import Users
from tests.unit.scenes import CASES, Scene, run


class Primary:
    """Notes what would be read from a replica. Nothing is found there."""

    asked: list[str] = []

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        # What kinds of rows and permissions there are is the same everywhere.
        if model not in (ContentType, Permission):
            self.asked.append(model.__name__)
        return None

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return None


@pytest.fixture(scope="module")
def scene(committed_database: None) -> Iterator[Scene]:
    users = Users(lambda work, *args, **kwargs: work(*args, **kwargs))
    with transaction.atomic():
        yield Scene(users, 3)
        transaction.set_rollback(True)


@pytest.fixture
def asked() -> Iterator[list[str]]:
    ContentType.objects.get_for_model(Room)
    Primary.asked = []
    with override_settings(DATABASE_ROUTERS=[Primary()]):
        assert router.db_for_read(Room) == connection.alias
        Primary.asked.clear()
        with transaction.atomic():
            yield Primary.asked
            transaction.set_rollback(True)


@pytest.mark.parametrize("case", CASES)
def test_an_event_reads_nothing_from_a_replica(case: str, scene: Scene, asked: list[str]) -> None:
    run(scene, case)

    assert asked == []


def test_a_permission_is_read_where_it_was_taken(scene: Scene, asked: list[str]) -> None:
    EventHandler(scene.owner.pk).set_permissions(
        scene.group.pk, [scene.reader.pk], ["can_add_new_participants"], hold=True
    )

    EventHandler(scene.reader.pk).add_members(scene.group.pk, [scene.strangers[0].pk])

    assert asked == []


def test_rules_of_the_models_are_kept_by_the_primary(scene: Scene, asked: list[str]) -> None:
    room = GroupChat.objects.create(name="room", creator=scene.owner)
    asked.clear()

    Membership(room_id=room.pk, room=room, user=scene.reader).save()
    room.participants.add(scene.joiner)
    room.admins.add(scene.reader)
    room.admins.remove(scene.reader)
    room.participants.remove(scene.reader)

    assert asked == []
