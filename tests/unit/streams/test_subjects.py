"""The subjects of frames: by what a deletion finds them, and what that costs a sender."""

from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from django.apps import apps
from django.core import serializers
from django.db import connection

from gql_chat.models import EventSubject, StreamEvent
from gql_chat.operations import EventHandler
from gql_chat.streams import room_stream, subjects, user_stream
from gql_chat.streams.subjects import find_subjects
from tests.unit.committed import World
from tests.unit.test_settings import chat


def subjects_of(stream: str) -> list[set[UUID]]:
    """The subjects of each frame of a stream, in order."""
    frames = StreamEvent.objects.filter(stream=stream).order_by("seq")
    return [set(frame.subjects.values_list("subject", flat=True)) for frame in frames]


def test_whoever_sends_pays_nothing_but_for_a_reply_into_another_room(world: World) -> None:
    key = world.say()
    reply = world.act.send_message(world.group.pk, "x", parent_message_id=key).message_id
    world.act.send_message(world.group.pk, "x", forwarded_from_id=reply)
    assert subjects_of(world.stream) == [set(), set(), set()]

    other = world.make()
    elsewhere = world.act.send_message(other.pk, "x", parent_message_id=key).message_id

    assert subjects_of(room_stream(other.pk)) == [{elsewhere, key, world.group.pk}]


def test_frames_are_found_by_all_that_they_show(world: World) -> None:
    bob = EventHandler(world.bob.pk)
    keys = [world.say() for _ in range(2)]
    reply = world.act.send_message(world.group.pk, "x", parent_message_id=keys[0]).message_id

    bob.read_messages([keys[1], reply])
    bob.add_reaction(keys[1], "!")
    world.act.edit_message(keys[0], "y")
    bob.acknowledge_messages([reply])
    world.act.delete_messages([keys[1]])
    world.act.remove_members(world.group.pk, [world.bob.pk])

    assert subjects_of(world.stream)[3:] == [
        {*keys, reply},
        {keys[1]},
        {keys[0]},
        set(),
        set(),
    ]
    # In the stream of a user by rooms as well.
    assert subjects_of(user_stream(world.alice.pk)) == [{reply, keys[0], world.group.pk}]
    assert subjects_of(user_stream(world.bob.pk))[-1] == {world.group.pk}


@pytest.mark.parametrize("settings", [{"ERASE_LOG": None}, {"FEATURES": ()}])
def test_a_project_that_erases_nothing_writes_none(settings: Any, world: World) -> None:
    before = EventSubject.objects.count()
    with chat(**settings):
        EventHandler(world.bob.pk).read_messages([world.say()])

    assert EventSubject.objects.count() == before


def test_what_has_another_id_is_no_subject() -> None:
    here, there = uuid4(), uuid4()
    own = {"id": 5, "room": {"id": str(there)}, "sender": {}, "content": "of a project's own"}

    assert find_subjects({"ticket": own}, room_stream(here)) == [there]
    assert find_subjects({"ticket": {**own, "room": None}}, room_stream(here)) == []
    assert find_subjects({"ticket": own}, room_stream(there)) == []


def test_the_log_of_before_is_indexed_by_the_migration(world: World) -> None:
    key = world.say()
    reply = world.act.send_message(world.group.pk, "x", parent_message_id=key).message_id
    EventHandler(world.bob.pk).acknowledge_messages([key])
    EventHandler(world.bob.pk).leave_room(world.group.pk)
    streams = (world.stream, user_stream(world.alice.pk), user_stream(world.bob.pk))
    mine = EventSubject.objects.filter(event__stream__in=streams)
    mine.delete()

    with connection.schema_editor() as editor:
        EventSubject.objects.all().delete()
        subjects.index_log(apps, editor)

    assert subjects_of(world.stream) == [{key}, {reply, key}, set()]
    assert subjects_of(user_stream(world.alice.pk)) == [{key, world.group.pk}]
    assert subjects_of(user_stream(world.bob.pk)) == [{world.group.pk}]


def test_a_dump_brings_none_in(world: World) -> None:
    EventHandler(world.bob.pk).read_messages([world.say()])
    row = EventSubject.objects.latest("pk")
    dumped = serializers.serialize("json", [row])
    count = EventSubject.objects.count()
    row.delete()

    for loaded in serializers.deserialize("json", dumped):
        loaded.save()

    assert EventSubject.objects.count() == count - 1
    assert orjson.loads(dumped)[0]["model"] == "gql_chat.eventsubject"
