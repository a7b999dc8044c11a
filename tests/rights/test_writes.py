"""The log of writes, and what finds a cell that is not as it should be."""

import pytest
from django.db import transaction

from gql_chat.models import get_model
from tests.conftest import Orm
from tests.rights import writes
from tests.rights.attempts import Judge
from tests.rights.world import World, acting_as

CELL = ("room.info", "the room", "stranger")


@pytest.fixture
def world(world_of: object, orm: Orm) -> World:
    """A group, whose making nobody looks at any more."""
    made: World = world_of("group")  # type: ignore[operator]
    orm(writes.take)
    return made


def test_a_row_that_is_written_is_noted_once(world: World, orm: Orm) -> None:
    room = get_model("Room")._meta.db_table

    orm(lambda: get_model("Room").objects.filter(pk=world.room_id).update(name="other"))

    assert orm(writes.take) == [f"{room} update"]
    assert orm(writes.take) == []


def test_a_row_that_is_rolled_back_is_not_noted(world: World, orm: Orm) -> None:
    def try_it() -> None:
        with transaction.atomic():
            get_model("Room").objects.filter(pk=world.room_id).delete()
            transaction.set_rollback(True)

    orm(try_it)

    assert orm(writes.take) == []


def test_every_table_of_the_chat_but_sessions_is_watched() -> None:
    names = {model._meta.db_table for model in (get_model("Message"), get_model("Room"))}

    assert names <= set(writes.tables())
    assert get_model("Session")._meta.db_table not in writes.tables()


def test_a_cell_that_wrote_and_told_is_found(world: World, orm: Orm) -> None:
    judge = Judge(world, orm)

    with judge.listening():
        judge.judge(CELL, "4002")
        assert judge.wrong == []
        judge.judge(CELL, "ok")
        orm(acting_as(world.people["creator"]).send_message, world.room_id, "hello")
        judge.judge(CELL, "4002")

    outcome, effect = judge.wrong
    assert outcome == "room.info, the room: stranger: ok instead of 4002"
    assert "wrote" in effect
    assert "'MessageSent'" in effect
